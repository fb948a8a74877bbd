package chain

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/sluice-gateway/sluice/gateway/explain"
	"github.com/sluice-gateway/sluice/gateway/filter"
)

// Panic is the error of a filter that panicked: a 500 for its request. Error
// holds the stack, which belongs into the log and nowhere else.
type Panic struct {
	Filter string
	Value  any
	Stack  []byte
}

// Error says which filter panicked with what, and where.
func (p *Panic) Error() string {
	return fmt.Sprintf("filter %s panicked: %v\n%s", p.Filter, p.Value, p.Stack)
}

// Run takes the exchange through the request halves. It stops at the first error
// (a *filter.Reject is an answer, anything else a 500), and when a filter set
// Response. A panic is returned as a *Panic.
func (c *Chain) Run(x *filter.Exchange) error { return c.walk(x, 0, len(c.steps)) }

// Receive is Run up to the end of the receive stage. It is for a request that is
// refused before its chain decides anything: the answer still gets a request id
// and what filters add on the way back.
func (c *Chain) Receive(x *filter.Exchange) error { return c.walk(x, 0, c.received()) }

// Resume is the rest of Run, after a Receive that gave neither an error nor a
// response.
func (c *Chain) Resume(x *filter.Exchange) error { return c.walk(x, c.received(), len(c.steps)) }

// received is the number of steps of the receive stage and before it.
func (c *Chain) received() int {
	n := 0
	for n < len(c.steps) && before(c.steps[n].stage) {
		n++
	}
	return n
}

// before tells whether filters of a stage decide nothing about a request.
func before(s filter.Stage) bool {
	return s == filter.RespondStage || s == filter.Receive || s == filter.Record
}

func (c *Chain) walk(x *filter.Exchange, from, to int) (err error) {
	x.SetEntered(from)
	defer c.guard(x, &err)
	if x.Explain != nil {
		return c.walkExplained(x, from, to)
	}
	for i := from; i < to; i++ {
		x.Enter(i)
		x.SetEntered(i + 1)
		s := &c.steps[i]
		if s.request == nil {
			continue
		}
		if err := s.request.Request(x); err != nil {
			return s.wrap(err)
		}
		if x.Response != nil {
			return nil
		}
	}
	return nil
}

// Unwind takes x.Response back through the response halves of the filters that
// were entered, last first. When it returns an error, the response is to be
// replaced: the caller renders the error into x.Response and calls Unwind again,
// which goes on with the filters that are left, so that an error answer too
// carries what they add.
func (c *Chain) Unwind(x *filter.Exchange) (err error) {
	defer c.guard(x, &err)
	for i := min(x.Entered(), len(c.steps)) - 1; i >= 0; i-- {
		x.Enter(i)
		x.SetEntered(i)
		s := &c.steps[i]
		if s.response == nil {
			continue
		}
		var began time.Time
		if x.Explain != nil {
			began = time.Now()
		}
		err := s.response.Response(x)
		if x.Explain != nil {
			x.Explain.Step(string(filter.RespondStage), s.name, decision(x, err, false), code(err), nil, time.Since(began))
		}
		if err != nil {
			return s.wrap(err)
		}
	}
	return nil
}

// walkExplained is walk with timings and decisions, for the one request that
// somebody looks at.
func (c *Chain) walkExplained(x *filter.Exchange, from, to int) error {
	for i := from; i < to; i++ {
		x.Enter(i)
		x.SetEntered(i + 1)
		s := &c.steps[i]
		if s.request == nil {
			continue
		}
		began := time.Now()
		err := s.request.Request(x)
		x.Explain.Step(string(s.stage), s.name, decision(x, err, x.Response != nil), code(err), nil, time.Since(began))
		if err != nil {
			return s.wrap(err)
		}
		if x.Response != nil {
			return nil
		}
	}
	return nil
}

// guard turns a panic into an error. One for the whole walk: the exchange knows
// which filter ran.
func (c *Chain) guard(x *filter.Exchange, err *error) {
	if v := recover(); v != nil {
		*err = &Panic{Filter: c.steps[x.Slot()].name, Value: v, Stack: debug.Stack()}
	}
}

// wrap names the filter in errors that are not answers.
func (s *step) wrap(err error) error {
	if r := (*filter.Reject)(nil); errors.As(err, &r) {
		return err
	}
	return fmt.Errorf("filter %s: %w", s.name, err)
}

func decision(x *filter.Exchange, err error, answered bool) explain.Decision {
	switch {
	case err != nil || answered:
		return explain.Stop
	case x.Explain.Changed():
		return explain.Changed
	}
	return explain.Pass
}

func code(err error) string {
	if r := (*filter.Reject)(nil); errors.As(err, &r) {
		return string(r.Code)
	}
	if err != nil {
		return "internal"
	}
	return ""
}
