package checkup

import (
	"context"
	"errors"
	"testing"
)

func TestTheFirstGapIsFound(t *testing.T) {
	for gap := int64(1); gap <= 40; gap++ {
		got, err := FirstGap(t.Context(), 40, func(_ context.Context, n int64) (int64, error) {
			if n >= gap {
				n--
			}
			return n, nil
		})
		if got != gap || err != nil {
			t.Errorf("got %d, %v, want %d", got, err, gap)
		}
	}
	if got, err := FirstGap(t.Context(), 40, func(_ context.Context, n int64) (int64, error) { return n, nil }); got != 0 || err != nil {
		t.Errorf("a whole log: %d, %v", got, err)
	}
	broken := errors.New("broken")
	if _, err := FirstGap(t.Context(), 40, func(context.Context, int64) (int64, error) { return 0, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}
