// Package live tells browsers what happens while it happens: how far each gateway
// is with a revision, and which nodes changed. It makes the events; httpapi
// writes them as server-sent events.
package live

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Topics of events.
const (
	Fleet   = "fleet"   // data: {"nodes": [node…], "gone": [id…]}, the nodes that changed
	Publish = "publish" // data: the status of a revision, whenever a gateway changes it
	Notice  = "notice"  // data: the condition of publishing, when it changes
)

// Reset is the name of the event that tells a subscriber that events were missed:
// read everything again.
const Reset = "reset"

// Bounds of what is kept.
const (
	history = 256 // events that a returning subscriber can catch up with
	backlog = 64  // events that a slow subscriber may be behind
)

// Event is one thing that happened.
type Event struct {
	ID    string // of this hub and this event; a subscriber returns with the last one it saw
	Topic string
	Data  []byte // JSON

	n uint64
}

// Hub hands events to subscribers. Nobody who is slow holds up anybody else.
type Hub struct {
	start string // of this hub; an id of another one is not known here

	mu     sync.Mutex
	n      uint64
	ring   []Event // the last ones, ascending
	subs   map[*Subscriber]struct{}
	closed bool
}

// NewHub makes a hub. start tells it from those of other dashboards and other
// starts; it has no "-".
func NewHub(start string) *Hub {
	return &Hub{start: start, subs: map[*Subscriber]struct{}{}}
}

// Send gives an event to everybody who asked for its topic. It does not block.
func (h *Hub) Send(topic string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("encoding an event of %s: %w", topic, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.n++
	e := Event{ID: h.id(h.n), Topic: topic, Data: text, n: h.n}
	if len(h.ring) == history {
		h.ring = slices.Delete(h.ring, 0, 1)
	}
	h.ring = append(h.ring, e)
	for s := range h.subs {
		s.add(e)
	}
	return nil
}

// Wanted tells whether anybody listens to a topic.
func (h *Hub) Wanted(topic string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subs {
		if slices.Contains(s.topics, topic) {
			return true
		}
	}
	return false
}

// Subscribe begins after the event lastID, or with the next one when it is
// empty. Where that is not possible, the first event is a Reset. The caller
// closes the subscriber.
func (h *Hub) Subscribe(topics []string, lastID string) *Subscriber {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := &Subscriber{hub: h, topics: topics, wake: make(chan struct{}, 1)}
	h.subs[s] = struct{}{}
	if lastID == "" {
		return s
	}
	last, known := h.parse(lastID)
	oldest := h.n + 1
	if len(h.ring) > 0 {
		oldest = h.ring[0].n
	}
	if !known || last > h.n || last+1 < oldest {
		s.reset()
		return s
	}
	for _, e := range h.ring {
		if e.n > last {
			s.add(e)
		}
	}
	return s
}

// Close ends all subscriptions, present and future.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for s := range h.subs {
		s.signal()
	}
}

func (h *Hub) id(n uint64) string { return h.start + "-" + strconv.FormatUint(n, 10) }

func (h *Hub) parse(id string) (uint64, bool) {
	start, number, ok := strings.Cut(id, "-")
	if !ok || start != h.start {
		return 0, false
	}
	n, err := strconv.ParseUint(number, 10, 64)
	return n, err == nil
}

// Subscriber is one listener.
type Subscriber struct {
	hub    *Hub
	topics []string
	wake   chan struct{} // capacity 1
	queue  []Event       // guarded by the hub's lock
}

// add queues an event; whoever is too far behind loses the queue to a Reset. The
// caller holds the lock.
func (s *Subscriber) add(e Event) {
	if !slices.Contains(s.topics, e.Topic) {
		return
	}
	if len(s.queue) == backlog {
		s.reset()
		return
	}
	s.queue = append(s.queue, e)
	s.signal()
}

func (s *Subscriber) reset() {
	s.queue = append(s.queue[:0], Event{ID: s.hub.id(s.hub.n), Topic: Reset, Data: []byte("{}"), n: s.hub.n})
	s.signal()
}

func (s *Subscriber) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Next waits for an event. io.EOF means that the hub was closed; otherwise the
// error is that of ctx.
func (s *Subscriber) Next(ctx context.Context) (Event, error) {
	for {
		if e, ok, err := s.pop(); ok || err != nil {
			return e, err
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return Event{}, ctx.Err()
		}
	}
}

func (s *Subscriber) pop() (Event, bool, error) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	if s.hub.closed {
		return Event{}, false, io.EOF
	}
	if len(s.queue) == 0 {
		return Event{}, false, nil
	}
	e := s.queue[0]
	s.queue = s.queue[1:]
	return e, true, nil
}

// Close ends the subscription.
func (s *Subscriber) Close() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	delete(s.hub.subs, s)
}
