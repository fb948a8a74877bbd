package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/scripts/bench/machine"
)

// method is what stands above every report.
func method(o options) string {
	return fmt.Sprintf("Everybody forwards the same requests to the same origin, an nginx with a file in memory, over kept connections and HTTP/1.1; "+
		"with %d workers, a new request id in both directions, the same forwarded headers, no log. Rounds: %d; in each, everybody has one turn of %s, beginning with the next one. "+
		"CPU is user and system time of the proxy's processes by /proc; memory the peak of their resident size. "+
		"Figures are medians with their range; ratios are medians of the rounds' ratios to nginx.", workers, o.rounds, o.length)
}

// report is the whole outcome as Markdown.
func report(m machine.Facts, o options, outcomes []*outcome) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# The gateway beside other proxies\n\n%s\n\n%s\n\n", m, method(o))
	if bars := barsOf(outcomes); bars != "" {
		fmt.Fprintf(&b, "## Bars\n\n%s\n", bars)
	}
	for _, out := range outcomes {
		fmt.Fprintf(&b, "## %s\n\n%s; %d connections.\n\n", out.row.name, upperFirst(out.row.about), out.row.connections)
		if len(out.turns) > 0 {
			b.WriteString(table(out) + "\n")
		}
		for _, name := range out.row.with {
			if n, ok := out.objects[name]; ok {
				fmt.Fprintf(&b, "%s allocates %.2f heap objects per request.\n\n", name, n)
			}
		}
		for _, n := range out.notes {
			fmt.Fprintf(&b, "* %s\n", n)
		}
		if len(out.notes) > 0 {
			b.WriteString("\n")
		}
		if out.profile != "" {
			fmt.Fprintf(&b, "### Where %s's processor time goes\n\n%s", sluice, out.profile)
		}
	}
	return b.String()
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// column are the values of a contestant by round.
func (out *outcome) column(name string, of func(turn) float64) map[int]float64 {
	values := map[int]float64{}
	for _, t := range out.turns {
		if t.name == name {
			values[t.round] = of(t)
		}
	}
	return values
}

func listed(column map[int]float64) (values []float64) {
	for _, v := range column {
		values = append(values, v)
	}
	return values
}

// names are the contestants that had a turn, in the row's order.
func (out *outcome) names() (names []string) {
	for _, n := range out.row.with {
		if slices.ContainsFunc(out.turns, func(t turn) bool { return t.name == n }) {
			names = append(names, n)
		}
	}
	return names
}

func cpuOf(t turn) float64  { return t.cpu }
func rateOf(t turn) float64 { return t.load.perSecond }
func p50Of(t turn) float64  { return ms(t.load.p50) }
func p99Of(t turn) float64  { return ms(t.load.p99) }

// cpuRatio are the ratios of CPU time per request to the reference's, round by round.
func (out *outcome) cpuRatio(name string) []float64 {
	return ratios(out.column(name, cpuOf), out.column(reference, cpuOf))
}

// table is a row's figures.
func table(out *outcome) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| | CPU us/request | to %s | requests/s | p50 ms | p99 ms | memory MiB |\n|---|---|---|---|---|---|---|\n", reference)
	for _, name := range out.names() {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %.1f |\n", name,
			spread("%.1f", listed(out.column(name, cpuOf))), spread("%.2f", out.cpuRatio(name)), spread("%.0f", listed(out.column(name, rateOf))),
			spread("%.2f", listed(out.column(name, p50Of))), spread("%.2f", listed(out.column(name, p99Of))), mib(out.memory[name]))
	}
	return b.String()
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// brief is one line for each row: what a design document keeps.
func brief(m machine.Facts, outcomes []*outcome) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s, %d cores.\n\n", m.When.Format("2006-01-02"), m.Processor, m.Cores)
	fmt.Fprintf(&b, "| row | %s: CPU us/request | %s | to %s | requests/s: %[1]s | %[2]s | p99 ms: %[1]s | %[2]s | memory MiB | heap objects |\n|---|---|---|---|---|---|---|---|---|---|\n", sluice, reference, reference)
	for _, out := range outcomes {
		if !slices.Contains(out.names(), sluice) {
			why := "not measured"
			if len(out.notes) > 0 {
				why = strings.Join(out.notes, "; ")
			}
			fmt.Fprintf(&b, "| %s | %s | | | | | | | | |\n", out.row.name, why)
			continue
		}
		middle := func(format, name string, of func(turn) float64) string {
			values := listed(out.column(name, of))
			if len(values) == 0 {
				return ""
			}
			return fmt.Sprintf(format, median(values))
		}
		objects := ""
		if n, ok := out.objects[sluice]; ok {
			objects = fmt.Sprintf("%.2f", n)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s | %.1f | %s |\n", out.row.name, middle("%.1f", sluice, cpuOf), middle("%.1f", reference, cpuOf),
			spread("%.2f", out.cpuRatio(sluice)), middle("%.0f", sluice, rateOf), middle("%.0f", reference, rateOf),
			middle("%.2f", sluice, p99Of), middle("%.2f", reference, p99Of), mib(out.memory[sluice]), objects)
	}
	return b.String()
}

// The bars that the gateway is held to.
const (
	barKeyless   = 1.2  // CPU per request to nginx's
	barAnalytics = 1.35 // the same, with key and records
	barObjects   = 2.0  // heap objects per request
	barMemory    = 64.0 // MiB resident at 64 connections
	barTail      = 2.0  // p99 at half load to nginx's
)

// barsOf compares what was measured with the bars; empty where none applies.
func barsOf(outcomes []*outcome) string {
	var b strings.Builder
	for _, out := range outcomes {
		bar := map[string]float64{"keyless-64": barKeyless, "analytics": barAnalytics}[out.row.name]
		if ratio := out.cpuRatio(sluice); bar > 0 && len(ratio) > 0 {
			b.WriteString(judge(out.row.name+", CPU per request to nginx's", median(ratio), bar))
		}
		if bar == 0 || !slices.Contains(out.names(), sluice) {
			continue
		}
		if n, ok := out.objects[sluice]; ok {
			b.WriteString(judge(out.row.name+", heap objects per request", n, barObjects))
		}
		b.WriteString(judge(out.row.name+", peak of resident memory in MiB", mib(out.memory[sluice]), barMemory))
	}
	return b.String()
}

func judge(what string, got, bar float64) string {
	word := "held"
	if got > bar {
		word = "MISSED"
	}
	return fmt.Sprintf("* %s: %.2f of at most %.2f: %s\n", what, got, bar, word)
}

// latencyReport is the outcome of an open loop at the same fixed rate for all.
func latencyReport(m machine.Facts, o options, rate float64, capacity []float64, runs []latencyRun) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Latency at a fixed rate\n\n%s\n\nOpen loop: requests start at fixed times whether or not earlier ones were answered, and latency counts from the time at which a request was meant to start, "+
		"so a stall is felt by every request that it would have hit. %.0f requests/s for both", m, rate)
	if len(capacity) > 0 {
		fmt.Fprintf(&b, ", half of nginx's %s requests/s in a closed loop", spread("%.0f", capacity))
	}
	fmt.Fprintf(&b, "; %d connections; %d rounds of %s each, interleaved. Lag is how late the generator itself started requests for which a connection was free.\n\n", latencyConnections, o.rounds, o.length)
	b.WriteString("| | p50 ms | p99 ms | p99.9 ms | max ms | late | lag p99 ms |\n|---|---|---|---|---|---|---|\n")
	column := func(name string, of func(latencyRun) float64) map[int]float64 {
		values := map[int]float64{}
		for _, r := range runs {
			if r.name == name {
				values[r.round] = of(r)
			}
		}
		return values
	}
	p99 := func(r latencyRun) float64 { return r.result.Latency.P99 }
	for _, name := range []string{sluice, reference} {
		if len(column(name, p99)) == 0 {
			continue
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", name,
			spread("%.2f", listed(column(name, func(r latencyRun) float64 { return r.result.Latency.P50 }))), spread("%.2f", listed(column(name, p99))),
			spread("%.2f", listed(column(name, func(r latencyRun) float64 { return r.result.Latency.P999 }))),
			spread("%.1f", listed(column(name, func(r latencyRun) float64 { return r.result.Latency.Max }))),
			spread("%.0f", listed(column(name, func(r latencyRun) float64 { return float64(r.result.Late) }))),
			spread("%.2f", listed(column(name, func(r latencyRun) float64 { return r.result.Lag.P99 }))))
	}
	if r := ratios(column(sluice, p99), column(reference, p99)); len(r) > 0 {
		fmt.Fprintf(&b, "\np99 to nginx's, round by round: %s\n\n%s", spread("%.2f", r), judge("p99 at half load to nginx's", median(r), barTail))
	}
	return b.String()
}
