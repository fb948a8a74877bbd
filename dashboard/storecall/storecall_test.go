package storecall

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/fault"
)

func TestExplain(t *testing.T) {
	broken := errors.New("broken pipe")
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	over, stop := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer stop()
	away := func(err error) bool { return errors.Is(err, broken) }
	for name, tc := range map[string]struct {
		ctx         context.Context
		err         error
		unavailable bool
		is          error
	}{
		"an answer of the store":   {t.Context(), errors.New("no such key"), false, nil},
		"a store that is away":     {t.Context(), broken, true, broken},
		"time over":                {over, errors.New("interrupted"), true, context.DeadlineExceeded},
		"cancelled by the caller":  {canceled, errors.New("interrupted"), false, context.Canceled},
		"cancelled while it broke": {canceled, broken, false, context.Canceled},
	} {
		err := Explain(tc.ctx, "reading a key", tc.err, away, "look at it")
		f := fault.As(err)
		if (f != nil) != tc.unavailable || !errors.Is(err, tc.err) || tc.is != nil && !errors.Is(err, tc.is) {
			t.Errorf("%s: %v", name, err)
		}
		if f != nil && (f.Code != CodeUnavailable || f.Kind != fault.Unavailable || f.Message != "the configuration store does not answer; look at it") {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if err := Explain(canceled, "reading a key", nil, away, "look at it"); err != nil {
		t.Errorf("no error: %v", err)
	}
}

func TestWithinKeepsTheCallersDeadline(t *testing.T) {
	ctx, cancel := Within(t.Context())
	defer cancel()
	if at, ok := ctx.Deadline(); !ok || time.Until(at) > timeout {
		t.Errorf("deadline %v, %v", at, ok)
	}
	outer, stop := context.WithTimeout(t.Context(), time.Hour)
	defer stop()
	inner, cancel2 := Within(outer)
	defer cancel2()
	a, _ := outer.Deadline()
	if b, _ := inner.Deadline(); !a.Equal(b) {
		t.Errorf("deadline %v, want the caller's %v", b, a)
	}
}
