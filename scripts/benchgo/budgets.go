package main

import (
	"fmt"
	"strings"
)

// budget is what a benchmark may cost.
type budget struct {
	pkg, name string  // name as go test prints it, without Benchmark and the number of processors
	ns        float64 // nanoseconds per operation; 0 is no bound: system calls cost what the machine makes of them
	allocs    int64   // heap objects per operation
	to        string  // another benchmark of the package that the time is divided by; empty: none
	ratio     float64 // most that the division may give
}

// budgets in the order of a request's way. Engine and matching are what was agreed; the others leave a
// slow machine twice what a usual one takes.
func budgets() []budget {
	const match = "Match/1"
	return []budget{
		{pkg: "gateway/http1/wire", name: "ParseHead", ns: 1000},
		{pkg: "gateway/http1", name: "ParseAndWrite", ns: 1200},
		{pkg: "gateway/http1", name: "Serve", allocs: 2},
		{pkg: "gateway/http1", name: "Forward", allocs: 2},
		{pkg: "gateway/http1", name: "Proxy", allocs: 2},
		{pkg: "gateway/route", name: match, ns: 400},
		{pkg: "gateway/route", name: "Match/10", ns: 400, to: match, ratio: 1.5},
		{pkg: "gateway/route", name: "Match/10000", ns: 400, to: match, ratio: 1.5},
		{pkg: "gateway/chain", name: "Chain/15", ns: 600},
		{pkg: "gateway/chain", name: "OpenAPI", ns: 2000},
		{pkg: "gateway/session", name: "Session/cache", ns: 500},
		{pkg: "gateway/meter", name: "Observe/whole", ns: 1200},
		{pkg: "gateway/serve", name: "ProxiedGet", allocs: 2},
	}
}

func (b budget) key() string { return b.pkg + " " + b.name }

// ratioIn is the time divided by the partner's; 0 where one of the two is not known.
func (b budget) ratioIn(best map[string]result) float64 {
	under := best[b.pkg+" "+b.to].ns
	if b.to == "" || under == 0 {
		return 0
	}
	return best[b.key()].ns / under
}

// judge says what is over budget; empty where nothing is. A benchmark that did not run is.
func (b budget) judge(best map[string]result) string {
	r, ok := best[b.key()]
	if !ok {
		return "DID NOT RUN"
	}
	var over []string
	if b.ns > 0 && r.ns > b.ns {
		over = append(over, fmt.Sprintf("%.0f ns", r.ns))
	}
	if r.allocs > b.allocs {
		over = append(over, fmt.Sprintf("%d heap objects", r.allocs))
	}
	if b.to != "" {
		if ratio := b.ratioIn(best); ratio == 0 || ratio > b.ratio {
			over = append(over, fmt.Sprintf("ratio %.2f", ratio))
		}
	}
	if len(over) == 0 {
		return ""
	}
	return "OVER: " + strings.Join(over, ", ")
}
