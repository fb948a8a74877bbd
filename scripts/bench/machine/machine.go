// Package machine tells what figures were measured on and with.
package machine

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// Facts are what there is to tell.
type Facts struct {
	When      time.Time
	Processor string
	Cores     int
	memory    string
	kernel    string
	load      string // averages of the last 1, 5 and 15 minutes
	versions  []string
}

// Look finds out about this machine, now, and about the gateway of that file; what cannot be found is told as unknown.
func Look(ctx context.Context, gateway string) Facts {
	m := Facts{When: time.Now().UTC(), Cores: runtime.NumCPU()}
	m.Processor = field(read("/proc/cpuinfo"), "model name")
	m.memory = gibibytes(field(read("/proc/meminfo"), "MemTotal"))
	m.kernel = strings.Join(strings.Fields(read("/proc/sys/kernel/ostype")+" "+read("/proc/sys/kernel/osrelease")), " ")
	m.load = strings.Join(strings.Fields(read("/proc/loadavg") + " ? ? ?")[:3], ", ")
	m.versions = append(m.versions, buildOf(gateway)+commit(ctx))
	for _, p := range []struct {
		name string
		args []string
	}{{"nginx", []string{"-v"}}, {"haproxy", []string{"-v"}}, {"wrk", []string{"-v"}}, {"h2load", []string{"--version"}}, {"redis-server", []string{"--version"}}} {
		out, _ := exec.CommandContext(ctx, p.name, p.args...).CombinedOutput() // wrk ends with 1 after it has told its version
		if v := version(string(out)); v != "" {
			m.versions = append(m.versions, p.name+" "+v)
		}
	}
	m.versions = append(m.versions, "net/http of "+runtime.Version())
	return m
}

func read(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	return strings.ReplaceAll(string(text), "\x00", "")
}

// field is the first value of "name : value" lines.
func field(text, name string) string {
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(line, ":")
		if ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

var versionNumber = regexp.MustCompile(`v?\d+\.\d+(\.\d+)*[^\s,)]*`)

// version is the first thing that looks like one.
func version(text string) string { return versionNumber.FindString(text) }

// buildOf tells compiler and profile of the gateway's binary.
func buildOf(program string) string {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return "sluice-gateway of an unknown build"
	}
	text := "sluice-gateway by " + info.GoVersion
	for _, s := range info.Settings {
		if s.Key == "-pgo" && s.Value != "" {
			return text + " with a profile"
		}
	}
	return text + " without a profile"
}

// commit is what the working folder is at, which make has just built; empty where git does not tell.
func commit(ctx context.Context) string {
	head, err := exec.CommandContext(ctx, "git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return ""
	}
	text := " at " + strings.TrimSpace(string(head))
	if changes, err := exec.CommandContext(ctx, "git", "status", "--porcelain").Output(); err != nil || len(changes) > 0 {
		text += " and changes"
	}
	return text
}

// gibibytes rewrites a size in kB.
func gibibytes(text string) string {
	var n float64
	if _, err := fmt.Sscanf(text, "%f kB", &n); err != nil {
		return text
	}
	return fmt.Sprintf("%.1f GiB", n/(1<<20))
}

// String is one paragraph.
func (m Facts) String() string {
	return fmt.Sprintf("%s; %s, %d cores, %s of memory, %s; load averages at the beginning %s. %s.",
		m.When.Format("2006-01-02 15:04 UTC"), m.Processor, m.Cores, m.memory, m.kernel, m.load, strings.Join(m.versions, ", "))
}
