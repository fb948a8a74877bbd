package spool

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// TestLossesAreToldWhenTheyBeginAndEnd drops records by the thousand and reads the log.
func TestLossesAreToldWhenTheyBeginAndEnd(t *testing.T) {
	var said bytes.Buffer
	p := opened(t, testenv.Redis(t), Options{Dir: t.TempDir(), Shards: 1, Log: slog.New(slog.NewTextHandler(&said, nil))})
	count := func(begin, end int) {
		t.Helper()
		text := said.String()
		if b, e := strings.Count(text, "records are dropped;"), strings.Count(text, "no more records are dropped"); b != begin || e != end {
			t.Errorf("the beginning was told %d times, the end %d times; want %d and %d:\n%s", b, e, begin, end, text)
		}
	}
	now := time.Now()
	p.watchLosses(now)
	count(0, 0)
	for range 1000 {
		p.Lose("api", 2)
		now = now.Add(100 * time.Millisecond)
		p.watchLosses(now)
	}
	count(1, 0)
	p.watchLosses(now.Add(quietAfter - time.Millisecond))
	count(1, 0)
	p.watchLosses(now.Add(quietAfter))
	count(1, 1)
	if !strings.Contains(said.String(), "dropped=2000 ") {
		t.Errorf("the end does not tell how many: %s", said.String())
	}
	p.watchLosses(now.Add(time.Hour))
	count(1, 1)
	p.Lose("api", 1)
	p.watchLosses(now.Add(2 * time.Hour))
	count(2, 1)
	p.lastLosses() // a stop in the middle
	count(2, 2)
}

// TestADiskThatTakesNothingIsToldOnce has no room for a single batch.
func TestADiskThatTakesNothingIsToldOnce(t *testing.T) {
	var said bytes.Buffer
	p := opened(t, testenv.Redis(t), Options{Dir: t.TempDir(), Shards: 1, FlushRecords: 5, DiskBudget: 1, Log: slog.New(slog.NewTextHandler(&said, nil))})
	addAll(t, p, 0, 50)
	p.spillShard(p.shards[0])
	p.watchLosses(time.Now())
	if n := strings.Count(said.String(), "\n"); n != 1 || !strings.Contains(said.String(), "disk budget of 1") || !strings.Contains(said.String(), "disk=50 ") {
		t.Errorf("%d lines: %s", n, said.String())
	}
}
