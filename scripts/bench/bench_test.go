package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/scripts/load/loadgen"
)

func TestTheTableHasMediansRangesAndRatios(t *testing.T) {
	var turns []turn
	add := func(name string, rps, cpu float64) {
		turns = append(turns, turn{Name: name, CPU: cpu, Result: &loadgen.Result{PerSecond: rps, Latency: loadgen.Latency{P50: 1, P99: 2}}})
	}
	add("sluice", 100, 30)
	add("nginx", 200, 10)
	add("sluice", 300, 50)
	add("nginx", 220, 30)
	add("sluice", 150, 40)
	add("origin", 900, 0)
	got := table(turns, "nginx")
	for _, want := range []string{
		"| sluice | 150 (100 to 300) | 1.00 (1.00 to 1.00) | 2.00 (2.00 to 2.00) | 40.0 (30.0 to 50.0) | 2.00 |",
		"| nginx | 210 (200 to 220) |", "20.0 (10.0 to 30.0) | 1.00 |", "| 0.0 (0.0 to 0.0) |  |",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("missing %q in\n%s", want, got)
		}
	}
}

func TestCPUTimeOfThisProcessGrowsWithWork(t *testing.T) {
	before, err := cpuTime([]int{os.Getpid()})
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for after := before; after < before+3*tick; {
		for range 10_000_000 { // work, so that the kernel counts it
		}
		if after, err = cpuTime([]int{os.Getpid()}); err != nil || time.Now().After(deadline) {
			t.Fatalf("from %v to %v (%v)", before, after, err)
		}
	}
	if _, err := cpuTime([]int{1 << 30}); err == nil {
		t.Error("a process that does not run has CPU time")
	}
}

func TestAStatLineWithAnOddNameIsRead(t *testing.T) {
	parent, used, err := parseStat([]byte("7 (a) b (c) S 3 7 7 0 -1 4194304 1 0 0 0 150 50 0 0 20 0 1 0 1 1 1\n"))
	if err != nil || parent != 3 || used != 2*time.Second {
		t.Errorf("parent %d, used %v (%v)", parent, used, err)
	}
	if _, _, err := parseStat([]byte("7 (a) S")); err == nil {
		t.Error("half a line was accepted")
	}
}

func TestNginxIsMeasuredBesideTheOrigin(t *testing.T) {
	o, err := startOrigin("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer o.stop()
	c, err := startNginx(t.Context(), t.TempDir(), o.address)
	if errors.Is(err, errMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.stop()
	turns, err := race(t.Context(), options{rounds: 2, connections: 2, length: 100 * time.Millisecond}, []contestant{c, {name: "origin", url: "http://" + o.address}})
	if err != nil || len(turns) != 4 || turns[0].Name != "nginx" || turns[2].Name != "origin" {
		t.Fatalf("%v %v", turns, err)
	}
	for _, turn := range turns {
		if turn.Result.Requests == 0 {
			t.Errorf("nothing was measured: %+v", turn)
		}
	}
}

func TestTheQuickstartIsAwaitedByItsReadyFile(t *testing.T) {
	dir := t.TempDir()
	script := func(name, body string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte("#!/bin/sh\n"+body), 0o700); err != nil {
			t.Fatal(err)
		}
		return file
	}
	good := script("good", `echo '{"gateways":[{"url":"http://127.0.0.1:1","pid":7}],"upstream":"http://127.0.0.1:2"}' > "$2.new"; echo $SLUICE_GATEWAY_RECORDS_ENABLED > "$2.records"; mv "$2.new" "$2"; exec sleep 60`)
	scratch := t.TempDir()
	c, origin, err := startQuickstart(t.Context(), scratch, good, false)
	if err != nil {
		t.Fatal(err)
	}
	c.stop()
	if text, err := os.ReadFile(filepath.Join(scratch, "ready.json.records")); err != nil || string(text) != "false\n" {
		t.Errorf("the gateway is told about records: %q, %v", text, err)
	}
	if c.url != "http://127.0.0.1:1/demo/hello" || origin != "127.0.0.1:2" || c.pids[0] != 7 {
		t.Errorf("%+v %s", c, origin)
	}
	_, _, err = startQuickstart(t.Context(), t.TempDir(), script("bad", "echo port 1 is in use; exit 1"), true)
	if err == nil || !strings.Contains(err.Error(), "port 1 is in use") {
		t.Errorf("a quickstart that ends: %v", err)
	}
	if _, _, err = startQuickstart(t.Context(), t.TempDir(), filepath.Join(dir, "none"), true); !errors.Is(err, errMissing) {
		t.Errorf("a quickstart that was not built: %v", err)
	}
}
