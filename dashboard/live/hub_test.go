package live_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/fleet"
	"github.com/sluice-gateway/sluice/dashboard/live"
	"github.com/sluice-gateway/sluice/dashboard/publish"
)

func send(t *testing.T, h *live.Hub, topic string, from, to int) {
	t.Helper()
	for i := from; i <= to; i++ {
		if err := h.Send(topic, i); err != nil {
			t.Fatal(err)
		}
	}
}

// drain reads what is there without waiting.
func drain(t *testing.T, s *live.Subscriber) (got []string) {
	t.Helper()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for {
		e, err := s.Next(ended)
		if errors.Is(err, context.Canceled) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Topic+" "+string(e.Data))
	}
}

func TestSubscribersGetTheirTopicsInOrder(t *testing.T) {
	h := live.NewHub("a")
	s := h.Subscribe([]string{live.Publish}, "")
	defer s.Close()
	send(t, h, live.Publish, 1, 2)
	send(t, h, live.Fleet, 3, 3)
	send(t, h, live.Publish, 4, 4)
	if got := fmt.Sprint(drain(t, s)); got != "[publish 1 publish 2 publish 4]" {
		t.Errorf("got %s", got)
	}
	if !h.Wanted(live.Publish) || h.Wanted(live.Fleet) {
		t.Error("who wants what is not known")
	}
}

func TestASlowSubscriberGetsAReset(t *testing.T) {
	h := live.NewHub("a")
	slow := h.Subscribe([]string{live.Publish}, "")
	quick := h.Subscribe([]string{live.Publish}, "")
	for i := 1; i <= 70; i++ {
		send(t, h, live.Publish, i, i)
		if got := drain(t, quick); len(got) != 1 || got[0] != fmt.Sprintf("publish %d", i) {
			t.Fatalf("the quick one got %v", got)
		}
	}
	got := drain(t, slow)
	if len(got) != 6 || got[0] != "reset {}" || got[1] != "publish 66" || got[5] != "publish 70" {
		t.Errorf("got %v", got)
	}
}

func TestAReturningSubscriberCatchesUp(t *testing.T) {
	h := live.NewHub("a")
	send(t, h, live.Publish, 1, 300)
	for _, c := range []struct{ last, want string }{
		{"a-298", "[publish 299 publish 300]"},
		{"a-300", "[]"},
		{"a-301", "[reset {}]"},
		{"a-3", "[reset {}]"}, // no longer kept
		{"b-298", "[reset {}]"},
		{"298", "[reset {}]"},
		{"a-x", "[reset {}]"},
	} {
		s := h.Subscribe([]string{live.Publish}, c.last)
		if got := fmt.Sprint(drain(t, s)); got != c.want {
			t.Errorf("after %s: got %.80s, want %s", c.last, got, c.want)
		}
		s.Close()
	}
	fresh := live.NewHub("a")
	if got := fmt.Sprint(drain(t, fresh.Subscribe([]string{live.Publish}, "a-0"))); got != "[]" {
		t.Errorf("got %s", got)
	}
}

func TestClosingEndsSubscriptions(t *testing.T) {
	h := live.NewHub("a")
	before := h.Subscribe([]string{live.Fleet}, "")
	ended := make(chan error, 1)
	go func() { _, err := before.Next(t.Context()); ended <- err }()
	h.Close()
	if err := <-ended; !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
	if _, err := h.Subscribe([]string{live.Fleet}, "").Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
}

// world is what a watcher asks.
type world struct {
	mu        sync.Mutex
	status    publish.Status
	nodes     []fleet.Node
	condition publish.Condition
	asked     int
}

func (w *world) sources() live.Sources {
	return live.Sources{
		Status: func(context.Context, int64) (s publish.Status, err error) {
			w.set(func() { w.asked++; s = w.status })
			return s, nil
		},
		Nodes: func(context.Context) (n []fleet.Node, err error) {
			w.set(func() { n = slices.Clone(w.nodes) })
			return n, nil
		},
		Condition: func() (c publish.Condition) {
			w.set(func() { c = w.condition })
			return c
		},
	}
}

func (w *world) set(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

func TestTheWatcherTellsChangesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := live.NewHub("a")
		w := &world{
			status: publish.Status{Revision: 7, Published: true, Nodes: []publish.NodeStatus{{ID: "g", State: publish.Pending}}},
			nodes:  []fleet.Node{{ID: "g", State: "current"}},
		}
		watcher := live.NewWatcher(h, w.sources(), slog.New(slog.DiscardHandler), time.Now)
		s := h.Subscribe([]string{live.Fleet, live.Publish, live.Notice}, "")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- watcher.Run(ctx) }()
		topics := func() (got []string) {
			for _, e := range drain(t, s) {
				got = append(got, e[:7])
			}
			return got
		}
		step := func(what, want string, d time.Duration) {
			t.Helper()
			<-time.After(d) // virtual time
			synctest.Wait()
			if got := fmt.Sprint(topics()); got != want {
				t.Errorf("%s: got %s, want %s", what, got, want)
			}
		}
		watcher.Changed(publish.Event{Kind: publish.EventRevision, Revision: 7})
		step("a revision", "[publish]", 0)
		step("the first look", "[fleet {]", 2100*time.Millisecond)
		step("nothing new", "[]", 10*time.Second)
		w.set(func() { w.nodes[0].SeenAt = time.Now() })
		step("a beat", "[]", 4*time.Second)
		w.set(func() { w.nodes[0].State = "behind" })
		step("a state", "[fleet {]", 4*time.Second)
		w.set(func() { w.nodes = nil })
		step("a node that is gone", "[fleet {]", 4*time.Second)
		w.set(func() { w.status.Nodes = []publish.NodeStatus{{ID: "g", State: publish.Applied, Millis: 9}} })
		watcher.Changed(publish.Event{Kind: publish.EventAcknowledged, Revision: 7})
		step("an acknowledgement", "[publish]", 0)
		asked := 0
		w.set(func() { asked = w.asked })
		watcher.Changed(publish.Event{Kind: publish.EventAcknowledged, Revision: 8})
		step("an acknowledgement of what is complete", "[]", 0)
		w.set(func() {
			if w.asked != asked {
				t.Error("a complete revision is still asked for")
			}
		})
		w.set(func() { w.condition.StoreBehind = true })
		step("trouble", "[notice ]", 4*time.Second)
		w.set(func() { w.condition = publish.Condition{Revision: 9, Published: 9} })
		step("its end", "[notice ]", 4*time.Second)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
