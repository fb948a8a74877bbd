// Package storecall is what every call of a store has, whichever database is
// behind it: a deadline, and an error that says what was being done.
package storecall

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-gateway/sluice/pkg/fault"
)

// CodeUnavailable is the code of the fault that a call returns when the store
// could not answer.
const CodeUnavailable fault.Code = "store.unavailable"

// timeout bounds a call whose context has no deadline.
const timeout = 5 * time.Second

// Within bounds a call: by the deadline of its context, else by 5 s.
func Within(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, bounded := ctx.Deadline(); bounded {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, timeout)
}

// Explain adds what was being done to an error, and the context's error where the
// driver only said that it was interrupted. Where the time was over, or away says
// that the store could not answer, it is a fault with CodeUnavailable that ends in
// the mend of that store. What the caller itself cancelled is no such fault. Nil
// stays nil.
func Explain(ctx context.Context, doing string, err error, away func(error) bool, mend string) error {
	if err == nil {
		return nil
	}
	if cause := ctx.Err(); cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w (%w)", err, cause)
	}
	err = fmt.Errorf("%s: %w", doing, err)
	if errors.Is(err, context.Canceled) { // by the caller, who knows why
		return err
	}
	if away(err) || errors.Is(err, context.DeadlineExceeded) {
		return fault.Wrap(err, fault.Unavailable, CodeUnavailable, "the configuration store does not answer; %s", mend)
	}
	return err
}
