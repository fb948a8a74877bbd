package e2e

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/deploy/e2e/client"
	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// TestSoakNothingLost puts everything at once that may lose or mix answers: a reload every 50 ms, a
// gateway that is ended and started again, origins that close idle connections at random, answer
// before they have read the body, and send rubbish, and clients that go away at any point. Every
// answer must be the request's own, or say that there is none; afterwards the gateway that went
// through it holds what it held before.
func TestSoakNothingLost(t *testing.T) {
	length := soakLength(t)
	p := platform.For(t, platform.Options{Gateways: []string{"default", "default"}})
	origins := map[string]*moody{"good": newMoody(t, wellBehaved), "closing": newMoody(t, closing), "rubbish": newMoody(t, rubbish)}
	var saved client.Saved
	for name, o := range origins {
		def := definition(name, "/"+name+"/", o.URL, map[string]any{"open": true})
		def["upstream"].(map[string]any)["connections"] = map[string]any{"idleTimeout": "1s"}
		saved = testenv.Must(p.Client(0).Create(t.Context(), "apis", def))(t)
	}
	p.Live(t, saved.Revision, 5*time.Second)
	steady, rolling := newDoor(p.Gateways[0].Addr()), newDoor(p.Gateways[1].Addr())

	warm := newCrowd(t.Context(), 0, origins, steady, rolling)
	testenv.Eventually(t, time.Minute, func() bool { return warm.next.Load() > 3000 }) // so that all has been in use that is kept
	warm.end(t, origins)
	before := quiet(t, p.Gateways[0], origins, footprint{})

	crowd := newCrowd(t.Context(), warm.next.Load(), origins, steady, rolling)
	ctx, stop := context.WithTimeout(t.Context(), length)
	defer stop()
	var churn sync.WaitGroup
	var changes, ends int
	churn.Go(func() { changes = reloads(ctx, t, p.Client(0), slices.Sorted(maps.Keys(origins))) })
	churn.Go(func() { ends = restarts(ctx, t, p.Gateways[1], rolling) })
	churn.Wait()
	crowd.end(t, origins)
	after := quiet(t, p.Gateways[0], origins, before)
	t.Logf("%s: %d reloads, %d drains; before %+v, after %+v", length, changes, ends, before, after)
	if changes == 0 || ends == 0 {
		t.Error("nothing was reloaded, or drained")
	}
}

// crowd is all the clients.
type crowd struct {
	*ledger
	stop context.CancelFunc
	work sync.WaitGroup
}

// newCrowd lets clients go. The origins remember every request whose client got no answer, so the
// numbers of a crowd begin behind those of the one before.
func newCrowd(ctx context.Context, behind int64, origins map[string]*moody, doors ...*door) *crowd {
	ctx, stop := context.WithCancel(ctx)
	c := &crowd{ledger: &ledger{counts: map[string]int{}, unsaid: map[string]ask{}}, stop: stop}
	c.next.Store(behind)
	for i := range 16 {
		q := &inquirer{l: c.ledger, door: doors[i%len(doors)], origins: origins, dice: rand.New(rand.NewPCG(uint64(i), 1))}
		if i < 12 {
			c.work.Go(func() { q.run(ctx) })
		} else {
			c.work.Go(func() { q.quit(ctx) })
		}
	}
	return c
}

// end stops the clients and tells what was lost.
func (c *crowd) end(t *testing.T, origins map[string]*moody) {
	t.Helper()
	c.stop()
	c.work.Wait()
	for id, a := range c.unsaid {
		if a.origin.got(id) {
			c.fault("the origin got and answered %s %s %s, %d bytes of body, chunked %v, and its client has no answer: %v", a.kind, a.method, id, len(a.body), a.chunked, a.err)
		}
	}
	for name, o := range origins {
		o.mu.Lock()
		for _, odd := range o.odd {
			c.fault("the origin %s got %s", name, odd)
		}
		o.mu.Unlock()
	}
	for _, what := range slices.Sorted(maps.Keys(c.counts)) {
		t.Logf("%7d %s", c.counts[what], what)
	}
	if len(c.faults) > 0 {
		t.Errorf("%d requests were lost or mixed up, such as:\n%s", len(c.faults), c.faults[0])
		for _, f := range c.faults[1:min(len(c.faults), 10)] {
			t.Log(f)
		}
	}
	for _, kind := range []string{"good", "closing", "rubbish", "early"} {
		if c.counts[kind+" answered"] == 0 {
			t.Errorf("no request of the kind %s was answered", kind)
		}
	}
}

// reloads changes one definition after the other every 50 ms.
func reloads(ctx context.Context, t *testing.T, c *client.Client, ids []string) (changes int) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return changes
		case <-tick.C:
		}
		_, err := c.Patch(t.Context(), "apis", ids[changes%len(ids)], map[string]any{
			"description": fmt.Sprintf("change %d", changes),
			"upstream":    map[string]any{"timeouts": map[string]string{"firstByte": fmt.Sprintf("%ds", 20+changes%7)}},
		}, "*")
		if err != nil {
			t.Errorf("change %d: %v", changes, err)
			return changes
		}
		changes++
	}
}

// restarts ends a gateway as an operator does, again and again.
func restarts(ctx context.Context, t *testing.T, g *platform.Service, d *door) (ends int) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ends
		case <-tick.C:
		}
		open := d.shut()
		err := g.Stop(10 * time.Second)
		if err == nil {
			err = g.Start(t.Context())
		}
		open()
		if err != nil {
			t.Errorf("end %d: %v", ends, err)
			return ends
		}
		ends++
	}
}

// quiet waits until a gateway without clients and idle connections holds what it did before, if that
// is known, and at any rate no connection, and returns what it holds.
func quiet(t *testing.T, g *platform.Service, origins map[string]*moody, before footprint) (now footprint) {
	t.Helper()
	for _, o := range origins {
		o.hangUp()
	}
	testenv.EventuallyNoError(t, time.Minute, func() error {
		if _, err := g.Ask(t.Context(), "/debug/pprof/heap?gc=1"); err != nil {
			return err
		}
		now = footprintOf(t, g.Admin)
		_, metrics := fetch(t, g.Admin+"/metrics")
		open := metric(t, metrics, `sluice_gateway_connections{state="idle"}`) + metric(t, metrics, `sluice_gateway_connections{state="active"}`)
		switch {
		case open != 0:
			return fmt.Errorf("%v connections of clients are open", open)
		case before == footprint{}:
			return nil
		case now.goroutines > before.goroutines+3 || now.files > before.files+3:
			return fmt.Errorf("before %+v, now %+v", before, now)
		case now.bytes > before.bytes*1.1+2<<20:
			return fmt.Errorf("heap in use: before %v KiB, now %v", before.bytes/1024, now.bytes/1024)
		}
		return nil
	})
	return now
}
