// Package doctor is what `sluice-X doctor` is made of: checks that look at the
// surroundings of a service and say in plain sentences what was looked at, what was
// found, and what to do about it. It changes nothing but a file that it makes in a
// folder to see whether that can be written, and removes.
//
// Checks run side by side, each with a deadline, and are told in the order in which
// they were given. One that does not come back is told as such: a Redis or a disk that
// hangs makes its own checks fail and no others.
//
// Findings are read by whoever gets the output, so they hold no secret and no
// password of an address.
package doctor

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// Limit is how long an examination may take in all, DefaultWithin how long a check has
// that does not say.
const (
	Limit         = 9 * time.Second
	DefaultWithin = 8 * time.Second
)

// Level is how serious a finding is.
type Level string

// The levels.
const (
	OK   Level = "ok"
	Warn Level = "warn" // the service works, but somebody should look
	Fail Level = "fail" // it does not start, or does not do its work
)

// worse tells whether l is more serious than o.
func (l Level) worse(o Level) bool { return l == Fail && o != Fail || l == Warn && o == OK }

// Finding is what a check found.
type Finding struct {
	Level Level `json:"level"`
	// Found says what was looked at and what was found, in a sentence.
	Found string `json:"found"`
	// Mend says what to do; empty where nothing is to be done.
	Mend string `json:"mend,omitempty"`
}

// Well is the finding that all is as it should be.
func Well(format string, args ...any) Finding {
	return Finding{Level: OK, Found: fmt.Sprintf(format, args...)}
}

// Warning is a finding that somebody should look at, with the mend first.
func Warning(mend, format string, args ...any) Finding {
	return Finding{Warn, fmt.Sprintf(format, args...), mend}
}

// Failure is a finding that keeps the service from its work, with the mend first.
func Failure(mend, format string, args ...any) Finding {
	return Finding{Fail, fmt.Sprintf(format, args...), mend}
}

// Check looks at one thing.
type Check struct {
	// Name is what is looked at, in a word or two.
	Name string
	// Within is how long Run may take; 0: DefaultWithin. Run's context ends then, and
	// a Run that does not return is left behind.
	Within time.Duration
	// Run looks. It is called once, beside the others.
	Run func(ctx context.Context) Finding
}

// Result is the finding of a check.
type Result struct {
	Name string `json:"name"`
	Finding
	Millis int64 `json:"ms"` // how long it took
}

// Report is the outcome of an examination.
type Report struct {
	Service string    `json:"service"`
	Version string    `json:"version"`
	At      time.Time `json:"at"`    // UTC
	Level   Level     `json:"level"` // the most serious one
	Checks  []Result  `json:"checks"`
}

// Failed tells whether a check failed.
func (r Report) Failed() bool { return r.Level == Fail }

// Examine runs all checks and returns when the last has come back or is given up,
// after Limit at the latest.
func Examine(ctx context.Context, service, version string, checks []Check) Report {
	return examine(ctx, Limit, service, version, checks)
}

func examine(ctx context.Context, limit time.Duration, service, version string, checks []Check) Report {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r := Report{Service: service, Version: version, At: time.Now().UTC().Truncate(time.Millisecond), Level: OK, Checks: make([]Result, len(checks))}
	var wg sync.WaitGroup
	for i, c := range checks {
		wg.Go(func() { r.Checks[i] = c.look(ctx) })
	}
	wg.Wait()
	for _, c := range r.Checks {
		if c.Level.worse(r.Level) {
			r.Level = c.Level
		}
	}
	return r
}

// look runs a check until its deadline.
func (c Check) look(ctx context.Context) Result {
	if c.Within <= 0 {
		c.Within = DefaultWithin
	}
	ctx, cancel := context.WithTimeout(ctx, c.Within)
	defer cancel()
	began := time.Now()
	found := make(chan Finding, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				found <- Failure("report it with what stands here; the other checks are not concerned", "The check itself broke: %v at %s", p, debug.Stack())
			}
		}()
		found <- c.Run(ctx)
	}()
	r := Result{Name: c.Name}
	select {
	case r.Finding = <-found:
	case <-ctx.Done():
		// what was found in the same moment counts
		select {
		case r.Finding = <-found:
		case <-time.After(lastWord):
			r.Finding = Failure("find out what hangs: the disk, the network, or the server that this check asks",
				"This check was given up after %s without an answer.", time.Since(began).Round(100*time.Millisecond))
		}
	}
	r.Found, r.Mend = scrub(r.Found), scrub(r.Mend)
	r.Millis = time.Since(began).Milliseconds()
	return r
}

// lastWord is how long a check may take to say that its context ended.
const lastWord = 200 * time.Millisecond
