package httpd

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Status is how a component, or the whole process, is.
type Status string

// The statuses.
const (
	Pass Status = "pass"
	Warn Status = "warn" // it works, but somebody should look
	Fail Status = "fail"
)

// Check looks at one component and tells in a few words what it found. Its
// context ends at the deadline of a check; what has not answered by then fails.
type Check func(ctx context.Context) (Status, string)

// How often components are looked at, and for how long at most.
const (
	checkEvery    = 2 * time.Second
	checkDeadline = 1500 * time.Millisecond
)

// Health gathers how the components of a process are and answers /hello,
// /ready and /live. Checks run in the background (Run): an answer never waits
// for one, so a hanging store cannot make a probe hang.
type Health struct {
	service, version, node string

	now      func() time.Time
	started  time.Time
	draining atomic.Bool
	again    chan struct{}

	mu         sync.Mutex
	components []*component
}

type component struct {
	name     string
	check    Check
	required bool
	busy     bool // the previous look has not come back

	state  Status
	detail string
	at     time.Time // zero: not looked at yet
}

// NewHealth starts with no component: ready, and passing.
func NewHealth(service, version, node string) *Health {
	return &Health{service: service, version: version, node: node, now: time.Now, started: time.Now(), again: make(chan struct{}, 1)}
}

// Component adds one that the process is not ready without: while it fails,
// and until it has been looked at once, /ready and /hello are 503.
func (h *Health) Component(name string, check Check) { h.add(name, check, true) }

// Optional adds one whose failure is a warning for the whole: the process
// serves on without it.
func (h *Health) Optional(name string, check Check) { h.add(name, check, false) }

func (h *Health) add(name string, check Check, required bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := &component{name: name, check: check, required: required, state: Warn, detail: "not checked yet"}
	if required {
		c.state = Fail
	}
	h.components = append(h.components, c)
}

// SetDraining makes /ready and /hello answer 503 from now on, so that load
// balancers look elsewhere while requests finish. /live stays 200.
func (h *Health) SetDraining() { h.draining.Store(true) }

// Recheck makes Run look soon, for a component that knows that it changed. It
// never blocks.
func (h *Health) Recheck() {
	select {
	case h.again <- struct{}{}:
	default:
	}
}

// Run is an actor: it looks at every component at once and then every 2 s until
// ctx ends, each in a goroutine of its own and for 1.5 s at most.
func (h *Health) Run(ctx context.Context) error {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		h.look(ctx, &wg)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-h.again:
		}
	}
}

func (h *Health) look(ctx context.Context, wg *sync.WaitGroup) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.components {
		if c.busy {
			continue
		}
		c.busy = true
		wg.Go(func() { h.lookAt(ctx, c) })
	}
}

func (h *Health) lookAt(parent context.Context, c *component) {
	ctx, cancel := context.WithTimeout(parent, checkDeadline)
	defer cancel()
	type found struct {
		state  Status
		detail string
	}
	done := make(chan found, 1)
	go func() {
		state, detail := c.check(ctx)
		done <- found{state, detail}
		h.mu.Lock()
		c.busy = false
		h.mu.Unlock()
	}()
	var f found
	select {
	case f = <-done:
	case <-ctx.Done():
		if parent.Err() != nil {
			return // the process ends; that says nothing about the component
		}
		f = found{Fail, fmt.Sprintf("no answer within %s", checkDeadline)}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	c.state, c.detail, c.at = f.state, f.detail, h.now()
}

// Hello is the document of GET /hello.
type Hello struct {
	Service    string               `json:"service"`
	Version    string               `json:"version"`
	Node       string               `json:"node,omitempty"`
	Status     Status               `json:"status"`
	Draining   bool                 `json:"draining,omitempty"`
	Uptime     string               `json:"uptime"` // such as "3h2m1s"
	Components map[string]Component `json:"components"`
}

// Component is the last that is known of one.
type Component struct {
	Status    Status     `json:"status"`
	Detail    string     `json:"detail,omitempty"`
	CheckedAt *time.Time `json:"checkedAt,omitempty"` // RFC 3339, UTC; absent before the first look
}

// Report is the document, and whether the process is ready.
func (h *Health) Report() (doc Hello, ready bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	doc = Hello{
		Service: h.service, Version: h.version, Node: h.node, Status: Pass, Draining: h.draining.Load(),
		Uptime: h.now().Sub(h.started).Truncate(time.Second).String(), Components: map[string]Component{},
	}
	for _, c := range h.components {
		e := Component{Status: c.state, Detail: c.detail}
		if !c.at.IsZero() {
			at := c.at.UTC().Truncate(time.Millisecond)
			e.CheckedAt = &at
		}
		doc.Components[c.name] = e
		switch {
		case c.state == Fail && c.required:
			doc.Status = Fail
		case c.state != Pass && doc.Status == Pass:
			doc.Status = Warn
		}
	}
	return doc, doc.Status != Fail && !doc.Draining
}

// Hello answers /hello: the document, 200 or, if not ready, 503.
func (h *Health) Hello(w http.ResponseWriter, r *http.Request) {
	doc, ready := h.Report()
	body, err := json.Marshal(doc)
	if err != nil {
		WriteProblem(w, r, err)
		return
	}
	h.answer(w, ready, "application/json", append(body, '\n'))
}

// Ready answers /ready for load balancers: 200 "ready", or 503 and the reason.
func (h *Health) Ready(w http.ResponseWriter, _ *http.Request) {
	doc, ready := h.Report()
	text := "ready\n"
	switch {
	case doc.Draining:
		text = "draining\n"
	case !ready:
		text = "not ready\n"
	}
	h.answer(w, ready, "text/plain; charset=utf-8", []byte(text))
}

// Live answers /live for supervisors: 200 while the process can answer at all.
// It looks at no component: a restart does not mend a store that is down.
func (h *Health) Live(w http.ResponseWriter, _ *http.Request) {
	h.answer(w, true, "text/plain; charset=utf-8", []byte("live\n"))
}

func (h *Health) answer(w http.ResponseWriter, ready bool, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	if !ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = w.Write(body)
}
