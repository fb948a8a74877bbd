package publishtest

import (
	"math"
	"testing"

	"github.com/sluice-gateway/sluice/dashboard/publish"
)

// RunMarks checks the contract of publish.Marks. open gives marks that were never
// raised.
func RunMarks(t *testing.T, open func(t *testing.T) publish.Marks) {
	for name, f := range map[string]func(*testing.T, publish.Marks){
		"a mark never raised is 0":              marksZero,
		"marks only rise":                       marksRise,
		"marks of other names stay":             marksNames,
		"the highest of many raises stays":      marksRace,
		"an ended context ends every operation": marksCancelled,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open(t))
		})
	}
}

func wantMark(t *testing.T, m publish.Marks, name string, want int64) {
	t.Helper()
	if got, err := m.Mark(t.Context(), name); got != want || err != nil {
		t.Errorf("mark %q is %d, %v, want %d", name, got, err, want)
	}
}

func marksZero(t *testing.T, m publish.Marks) {
	wantMark(t, m, "applied", 0)
	must(t, m.Raise(t.Context(), "applied", 0))
	wantMark(t, m, "applied", 0)
}

func marksRise(t *testing.T, m publish.Marks) {
	for _, step := range []struct{ raise, want int64 }{
		{5, 5}, {3, 5}, {5, 5}, {6, 6}, {0, 6}, {-1, 6}, {1 << 40, 1 << 40}, {math.MaxInt64, math.MaxInt64}, {7, math.MaxInt64},
	} {
		must(t, m.Raise(t.Context(), "applied", step.raise))
		wantMark(t, m, "applied", step.want)
	}
}

func marksNames(t *testing.T, m publish.Marks) {
	for i, name := range hostile() {
		must(t, m.Raise(t.Context(), name, int64(i+1)))
	}
	for i, name := range hostile() {
		wantMark(t, m, name, int64(i+1))
	}
}

func marksRace(t *testing.T, m publish.Marks) {
	const writers, each = 8, 20
	race(writers, func(i int) {
		for n := range int64(each) {
			v := n*writers + int64(i) + 1
			if i%2 == 0 {
				v = writers*each + 1 - v // half of them count down
			}
			if err := m.Raise(t.Context(), "applied", v); err != nil {
				t.Error(err)
			}
			if got, err := m.Mark(t.Context(), "applied"); got < v || err != nil {
				t.Errorf("after raising to %d the mark is %d, %v", v, got, err)
			}
		}
	})
	wantMark(t, m, "applied", writers*each)
}

func marksCancelled(t *testing.T, m publish.Marks) {
	ctx := cancelled(t)
	_, err := m.Mark(ctx, "applied")
	wantCanceled(t, "Mark", err)
	wantCanceled(t, "Raise", m.Raise(ctx, "applied", 1))
	wantMark(t, m, "applied", 0)
}
