package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// numbered sends calls that each have a path of their own, so that what is stored can be held against
// what was asked, one by one.
type numbered struct {
	prefix string
	total  int64
	next   atomic.Int64
	done   sync.WaitGroup
	mu     sync.Mutex

	answered map[int64]bool
	// open calls got no whole answer: a killed gateway may have recorded them or not.
	open map[int64]bool
	// last were answered by a process that was then killed, as the last ones of their
	// connections: the record is written behind the answer, and may be missing.
	last map[int64]bool
}

// startNumbered opens n connections in turn to the gateways, which together send total calls to
// prefix/1, prefix/2, … at about rate calls a second. A connection that breaks is opened again.
func startNumbered(ctx context.Context, gateways []*platform.Service, n int, prefix string, total int64, rate int) *numbered {
	l := &numbered{prefix: prefix, total: total, answered: map[int64]bool{}, open: map[int64]bool{}, last: map[int64]bool{}}
	pause := time.Duration(n) * time.Second / time.Duration(rate)
	for i := range n {
		l.done.Go(func() {
			tick := time.NewTicker(pause)
			defer tick.Stop()
			for ctx.Err() == nil && l.next.Load() < total {
				l.connection(ctx, gateways[i%len(gateways)].Addr(), tick)
				<-tick.C
			}
		})
	}
	return l
}

func (l *numbered) connection(ctx context.Context, addr string, tick *time.Ticker) {
	c, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return // a killed gateway is back in a moment
	}
	defer func() { _ = c.Close() }()
	in := bufio.NewReader(c)
	var before int64
	for ctx.Err() == nil {
		<-tick.C
		n := l.next.Add(1)
		if n > l.total {
			return
		}
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		_, err := io.WriteString(c, "GET "+l.prefix+strconv.FormatInt(n, 10)+" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
		if err == nil {
			_, _, err = readAnswer(in, "GET")
		}
		l.mu.Lock()
		if err != nil {
			l.open[n] = true
			if before > 0 {
				l.last[before] = true
			}
			l.mu.Unlock()
			return
		}
		l.answered[n] = true
		l.mu.Unlock()
		before = n
	}
}

// wait returns when all calls were sent.
func (l *numbered) wait() { l.done.Wait() }

// holdAgainst compares what is stored, each path with how often, and the records that are reported
// missing with what was asked.
func (l *numbered) holdAgainst(t *testing.T, stored map[string]int, gaps int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	twice, strange, missing, allowed, extra := 0, 0, 0, 0, 0
	seen := make(map[int64]bool, len(stored))
	for path, times := range stored {
		number, ours := strings.CutPrefix(path, l.prefix)
		if !ours {
			continue
		}
		n, err := strconv.ParseInt(number, 10, 64)
		switch {
		case err != nil || !l.answered[n] && !l.open[n]:
			strange++
		case !l.answered[n]:
			extra++
		}
		if times > 1 {
			twice++
		}
		seen[n] = true
	}
	for n := range l.answered {
		switch {
		case seen[n]:
		case l.last[n]:
			allowed++
		default:
			missing++
		}
	}
	t.Logf("%d calls: %d answered, %d without an answer; stored %d, of them %d of calls without an answer; %d answered ones missing, %d of them the last of a connection that a kill cut; gaps %d",
		l.total, len(l.answered), len(l.open), len(seen), extra, missing+allowed, allowed, gaps)
	if twice > 0 {
		t.Errorf("%d calls are stored more than once", twice)
	}
	if strange > 0 {
		t.Errorf("%d stored calls were never made", strange)
	}
	// a reported gap may be of a call without an answer, too
	if missing > gaps || missing+allowed+len(l.open)-extra < gaps {
		t.Errorf("%d answered calls are neither stored nor reported missing; gaps say %d (%d may lie in gaps)", missing, gaps, missing+allowed+len(l.open)-extra)
	}
	if int64(len(l.answered)+len(l.open)) != l.total {
		t.Errorf("%d calls were made, not %d", len(l.answered)+len(l.open), l.total)
	}
}

// pumpState is what a pump says of its sinks.
type pumpState struct {
	Sinks []struct {
		Name   string
		Shards []struct {
			Shard      int
			LagEntries int64
			LagSeconds float64
			Pending    int64
			LocatedAt  time.Time
			Forgotten  int
			Dead       int64
			Gaps       []struct {
				Records     int
				Provisional bool
			}
		}
	}
}

func stateOf(ctx context.Context, pump *platform.Service) (st pumpState, err error) {
	text, err := pump.Ask(ctx, "/state")
	if err == nil {
		err = json.Unmarshal(text, &st)
	}
	return st, err
}

// settled waits until a sink has everything, and returns how many records it misses.
func settled(t *testing.T, pump *platform.Service, sink string, within time.Duration) (gaps int) {
	t.Helper()
	began := time.Now()
	testenv.EventuallyNoError(t, within, func() error {
		st, err := stateOf(t.Context(), pump)
		if err != nil {
			return err
		}
		gaps = 0
		for _, s := range st.Sinks {
			if s.Name != sink {
				continue
			}
			for _, h := range s.Shards {
				gaps += h.Forgotten
				if h.LocatedAt.Before(began) {
					return fmt.Errorf("shard %d of %s was not looked at yet", h.Shard, sink)
				}
				if h.LagEntries > 0 || h.Pending > 0 {
					return fmt.Errorf("shard %d of %s: %d entries behind, %d in work", h.Shard, sink, h.LagEntries, h.Pending)
				}
				for _, g := range h.Gaps {
					if g.Provisional {
						return fmt.Errorf("a gap of %d records of shard %d is still provisional", g.Records, h.Shard)
					}
					gaps += g.Records
				}
			}
		}
		return nil
	})
	return gaps
}
