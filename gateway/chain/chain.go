// Package chain runs an API's filters. order.go is the order of the product,
// read top to bottom; build.go turns options into one slice of steps; run.go
// walks it forth and back.
package chain

import (
	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/filter/record"
)

// Chain is the compiled filters of one API or endpoint. Immutable.
type Chain struct {
	steps  []step // in order; a step without a request half is entered all the same
	errors filter.ErrorBodies

	recording *record.Recording
	tapped    int // the step of the recording, where it has one; else -1
}

type step struct {
	name     string
	stage    filter.Stage
	request  filter.RequestPhase
	response filter.ResponsePhase
}

// Names lists the filters that run, in order.
func (c *Chain) Names() []string {
	names := make([]string, len(c.steps))
	for i := range c.steps {
		names[i] = c.steps[i].name
	}
	return names
}

// ErrorBody returns what renders the gateway's error answers with that status,
// where the API's options name a body for it. Safe on nil.
func (c *Chain) ErrorBody(status int) (filter.ErrorRenderer, bool) {
	if c == nil || c.errors == nil {
		return nil, false
	}
	return c.errors.ErrorBody(status)
}

// Recording says what is recorded of exchanges; nil where the filter is off. Safe
// on nil.
func (c *Chain) Recording() *record.Recording {
	if c == nil {
		return nil
	}
	return c.recording
}

// Captured returns what the recording saw of an exchange's messages, nil if it
// looked at none. It is for after the exchange.
func (c *Chain) Captured(x *filter.Exchange) *record.Capture {
	if c == nil || c.tapped < 0 {
		return nil
	}
	x.Enter(c.tapped)
	seen, _ := x.State().(*record.Capture)
	return seen
}
