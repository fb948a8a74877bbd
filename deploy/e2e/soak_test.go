package e2e

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// soakLength is how long a soak takes: SLUICE_SOAK, such as 10m.
func soakLength(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("SLUICE_SOAK")
	if text == "" {
		text = "2m"
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 5*time.Second {
		t.Fatalf("SLUICE_SOAK is %q; write a length of at least 5s, such as 10m", text)
	}
	return d
}

// footprint is what a process must not gather as it runs.
type footprint struct{ goroutines, files, bytes float64 }

func footprintOf(t *testing.T, admin string) footprint {
	t.Helper()
	_, text := fetch(t, admin+"/metrics")
	return footprint{metric(t, text, "go_goroutines"), metric(t, text, "process_open_fds"), metric(t, text, "go_memstats_heap_inuse_bytes")}
}

// metric is the value of a metric without labels, or of one with the labels that stand in its name.
func metric(t *testing.T, text, name string) float64 {
	t.Helper()
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, name+" "); ok {
			return testenv.Must(strconv.ParseFloat(strings.TrimSpace(v), 64))(t)
		}
	}
	t.Fatalf("the metrics lack %s", name)
	return 0
}

// TestSoakReloads changes a definition without a pause, its upstream too, under
// load, and compares what each gateway holds after a tenth of the time with what
// it holds at the end: reloads leave nothing behind.
func TestSoakReloads(t *testing.T) {
	length := soakLength(t)
	p, addrs := three(t, platform.Options{})
	ctx, c := t.Context(), p.Client(0)
	up := platform.NewUpstream("one")
	t.Cleanup(up.Close)
	saved := testenv.Must(c.Create(ctx, "apis", definition("Changing", "/changing/", up.URL, map[string]any{"open": true})))(t)
	testenv.Must(c.AwaitApplied(ctx, saved.Revision, 3, 5*time.Second))(t)
	l := startLoad(ctx, 16, addrs, "127.0.0.1", "/changing/status/200", 10*time.Millisecond, isOK)

	changes := 0
	churn := func(until time.Time) []footprint {
		for ; time.Now().Before(until); changes++ {
			saved = testenv.Must(c.Patch(ctx, "apis", "changing", map[string]any{
				"description": fmt.Sprintf("change %d", changes),
				"upstream":    map[string]any{"timeouts": map[string]string{"firstByte": fmt.Sprintf("%ds", 10+changes%7)}},
			}, "*"))(t)
		}
		p.Live(t, saved.Revision, 5*time.Second)
		var held []footprint
		for _, g := range p.Gateways {
			held = append(held, footprintOf(t, g.Admin))
		}
		return held
	}
	began := time.Now()
	early, before := churn(began.Add(length/10)), changes
	late := churn(began.Add(length))
	l.end(t)
	t.Logf("%d changes, then %d more in %s", before, changes-before, length)
	for i, g := range p.Gateways {
		t.Logf("%s: %+v, then %+v", g.Name, early[i], late[i])
		if late[i].goroutines > early[i].goroutines*1.02+8 {
			t.Errorf("%s gathers goroutines: %v, then %v", g.Name, early[i].goroutines, late[i].goroutines)
		}
		if late[i].files > early[i].files+16 { // of connections that are opened and closed at the moment of the look
			t.Errorf("%s gathers open files: %v, then %v", g.Name, early[i].files, late[i].files)
		}
		if late[i].bytes > early[i].bytes*1.5+8<<20 { // between two garbage collections
			t.Errorf("%s gathers memory: %v bytes, then %v", g.Name, early[i].bytes, late[i].bytes)
		}
	}
}
