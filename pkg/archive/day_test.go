package archive

import (
	"testing"
	"time"
)

func TestDays(t *testing.T) {
	seoul := time.FixedZone("KST", 9*3600)
	d := DayOf(time.Date(2026, 3, 1, 8, 59, 59, 999_999_999, seoul)) // still February in UTC
	if d.String() != "20260228" || !d.End().Equal(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%s ends %s", d, d.End())
	}
	if back, ok := ParseDay(d.String()); !ok || back != d {
		t.Errorf("%v %v", back, ok)
	}
	for _, bad := range []string{"", "2026", "20260229", "20261301", "2026022", "202602281", "+2026022", "2026-2-8", " 2026022"} {
		if d, ok := ParseDay(bad); ok {
			t.Errorf("%q is %s", bad, d)
		}
	}
}

func TestFold(t *testing.T) {
	for in, want := range map[string]string{"/Orders/ID": "/orders/id", "É한\xff\x00[@`{Z": "É한\xff\x00[@`{z", "": ""} {
		if got := Fold(in); got != want {
			t.Errorf("Fold(%q) = %q", in, got)
		}
	}
}

func TestMicrosRoundUp(t *testing.T) {
	for in, want := range map[time.Duration]int64{0: 0, 1: 1, time.Microsecond: 1, time.Microsecond + 1: 2, time.Second: 1e6} {
		if got := Micros(in); got != want {
			t.Errorf("Micros(%s) = %d, want %d", in, got, want)
		}
	}
}
