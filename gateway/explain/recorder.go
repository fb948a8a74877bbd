// Package explain records what the production code path decided about one
// request. The recorder is nil unless somebody asked; every method is safe on
// nil, so callers never branch.
package explain

import "time"

// Decision is what a step did.
type Decision string

// The decisions.
const (
	Pass    Decision = "pass"
	Changed Decision = "changed"
	Stop    Decision = "stop"
	Skipped Decision = "skipped"
	Shadow  Decision = "shadow"
)

// Step is one filter's or router's decision.
type Step struct {
	Seq      int            `json:"seq"`
	Stage    string         `json:"stage"`
	Filter   string         `json:"filter"`
	Decision Decision       `json:"decision"`
	Code     string         `json:"code,omitempty"`
	Params   map[string]any `json:"params,omitempty"`
	Micros   int64          `json:"us"`
}

// Candidate is an API that was considered and lost.
type Candidate struct {
	API    string `json:"api"`
	WhyNot string `json:"whyNot"`
	Detail string `json:"detail,omitempty"`
}

// Recorder collects the steps of one request. Not safe for concurrent use.
type Recorder struct {
	Steps      []Step
	Candidates []Candidate
	started    time.Time
	note       map[string]any
	changed    bool
}

// New makes a recorder.
func New(now time.Time) *Recorder { return &Recorder{started: now} }

// Step notes a decision.
func (r *Recorder) Step(stage, filter string, d Decision, code string, params map[string]any, took time.Duration) {
	if r == nil {
		return
	}
	if params == nil {
		params = r.note
	}
	r.note, r.changed = nil, false
	r.Steps = append(r.Steps, Step{len(r.Steps) + 1, stage, filter, d, code, params, took.Microseconds()})
}

// Note keeps what the running filter looked at for the step that the chain is
// about to record; changed says that it altered the message. Values must not hold
// secrets.
func (r *Recorder) Note(changed bool, params map[string]any) {
	if r == nil {
		return
	}
	r.note, r.changed = params, r.changed || changed
}

// Changed tells whether the running filter noted a change.
func (r *Recorder) Changed() bool { return r != nil && r.changed }

// Started is when the recording began.
func (r *Recorder) Started() time.Time {
	if r == nil {
		return time.Time{}
	}
	return r.started
}

// Lost notes a candidate that did not match, and why.
func (r *Recorder) Lost(api, whyNot, detail string) {
	if r == nil {
		return
	}
	r.Candidates = append(r.Candidates, Candidate{api, whyNot, detail})
}
