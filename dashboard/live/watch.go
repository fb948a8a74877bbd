package live

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/fleet"
	"github.com/sluice-gateway/sluice/dashboard/publish"
)

// Sources are asked for what events tell.
type Sources struct {
	Status    func(ctx context.Context, revision int64) (publish.Status, error)
	Nodes     func(ctx context.Context) ([]fleet.Node, error)
	Condition func() publish.Condition
}

// Trouble is the data of a Notice: what keeps publishing from working; all zero
// when it works again.
type Trouble struct {
	StoreBehind bool   `json:"storeBehind"`
	Error       string `json:"error"`
}

const (
	lookEvery   = 2 * time.Second // as often as nodes give beats
	lookTimeout = 3 * time.Second
	followed    = 16 // newest revisions whose progress is told
	followFor   = time.Minute
)

// Watcher turns what the engine and the fleet say into events.
type Watcher struct {
	hub *Hub
	src Sources
	log *slog.Logger
	now func() time.Time

	wake chan struct{} // capacity 1

	mu   sync.Mutex
	news []int64 // revisions that were appended, not looked at yet

	progress  []follow // only Run uses the rest
	nodes     map[string]string
	condition *publish.Condition // nil: not asked yet
}

// follow is a revision whose progress is told.
type follow struct {
	revision int64
	since    time.Time
	told     string // the status, as it was told last
	done     bool   // no gateway is pending
}

// NewWatcher makes a watcher that sends to the hub.
func NewWatcher(h *Hub, src Sources, log *slog.Logger, now func() time.Time) *Watcher {
	return &Watcher{hub: h, src: src, log: log, now: now, wake: make(chan struct{}, 1), nodes: map[string]string{}}
}

// Changed takes the engine's word; it is publish.Options.Changed and never blocks.
func (w *Watcher) Changed(e publish.Event) {
	if e.Kind == publish.EventRevision {
		w.mu.Lock()
		w.news = append(w.news, e.Revision)
		if len(w.news) > followed {
			w.news = slices.Delete(w.news, 0, len(w.news)-followed)
		}
		w.mu.Unlock()
	}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Run looks whenever something changed and every 2 s, until ctx ends.
func (w *Watcher) Run(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.wake:
			w.publishing(ctx)
		case <-tick.C:
			w.publishing(ctx)
			w.fleet(ctx)
			w.conditions()
		}
	}
}

// publishing tells the progress of the revisions that are followed.
func (w *Watcher) publishing(ctx context.Context) {
	w.mu.Lock()
	for _, n := range w.news {
		w.progress = append(w.progress, follow{revision: n, since: w.now()})
	}
	w.news = nil
	w.mu.Unlock()
	w.progress = slices.DeleteFunc(w.progress, func(f follow) bool { return f.done || w.now().Sub(f.since) > followFor })
	if extra := len(w.progress) - followed; extra > 0 {
		w.progress = slices.Delete(w.progress, 0, extra)
	}
	if !w.hub.Wanted(Publish) {
		return
	}
	for i := range w.progress {
		f := &w.progress[i]
		within, cancel := context.WithTimeout(ctx, lookTimeout)
		s, err := w.src.Status(within, f.revision)
		cancel()
		if err != nil {
			w.log.Debug("the progress of a revision is not known", "revision", f.revision, "error", err)
			return
		}
		f.done = s.Published && !slices.ContainsFunc(s.Nodes, func(n publish.NodeStatus) bool { return n.State == publish.Pending })
		w.tell(Publish, s, &f.told)
	}
}

// fleet tells the nodes that changed since the last look, but for when they were
// heard last.
func (w *Watcher) fleet(ctx context.Context) {
	if !w.hub.Wanted(Fleet) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	nodes, err := w.src.Nodes(ctx)
	if err != nil {
		w.log.Debug("the nodes are not known", "error", err)
		return
	}
	var e struct {
		Nodes []fleet.Node `json:"nodes"`
		Gone  []string     `json:"gone"`
	}
	e.Nodes, e.Gone = []fleet.Node{}, []string{}
	seen := map[string]string{}
	for _, n := range nodes {
		whole := n
		n.SeenAt = time.Time{}
		text, err := json.Marshal(n)
		if err != nil {
			w.log.Error("a node cannot be told", "node", n.ID, "error", err)
			continue
		}
		seen[n.ID] = string(text)
		if w.nodes[n.ID] != string(text) {
			e.Nodes = append(e.Nodes, whole)
		}
	}
	for id := range w.nodes {
		if _, still := seen[id]; !still {
			e.Gone = append(e.Gone, id)
		}
	}
	w.nodes = seen
	if len(e.Nodes)+len(e.Gone) > 0 {
		w.send(Fleet, e)
	}
}

// conditions tells when publishing gets into trouble and out of it.
func (w *Watcher) conditions() {
	c := w.src.Condition()
	c.Revision, c.Published = 0, 0 // they change all the time and are told elsewhere
	if w.condition == nil {
		w.condition = &c // at first there is something to tell only when there is trouble
		if c == (publish.Condition{}) {
			return
		}
	} else if *w.condition == c {
		return
	}
	w.condition = &c
	w.send(Notice, Trouble{StoreBehind: c.StoreBehind, Error: c.Error})
}

// tell sends data unless it was told already.
func (w *Watcher) tell(topic string, data any, told *string) {
	text, err := json.Marshal(data)
	if err != nil {
		w.log.Error("an event cannot be told", "topic", topic, "error", err)
		return
	}
	if *told == string(text) {
		return
	}
	*told = string(text)
	w.send(topic, data)
}

func (w *Watcher) send(topic string, data any) {
	if err := w.hub.Send(topic, data); err != nil {
		w.log.Error("an event cannot be told", "topic", topic, "error", err)
	}
}
