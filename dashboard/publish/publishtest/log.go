package publishtest

import (
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/publish"
)

// RunLog checks the contract of a publish.Log. open gives an empty one.
func RunLog(t *testing.T, open func(t *testing.T) publish.Log) {
	for name, f := range map[string]func(*testing.T, publish.Log){
		"an empty log":                          logEmpty,
		"a revision comes back as it went in":   logRoundTrip,
		"a number is taken once":                logTaken,
		"one of many appends of a number wins":  logRace,
		"competing writers leave no gap":        logNoGap,
		"since reads on, ascending":             logSince,
		"pages go back, descending":             logPages,
		"pages of one object":                   logObjectPages,
		"a revision of many changes":            logManyChanges,
		"instants are milliseconds in UTC":      logInstants,
		"an ended context ends every operation": logCancelled,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open(t))
		})
	}
}

func logEmpty(t *testing.T, l publish.Log) {
	if n, err := l.Newest(t.Context()); n != 0 || err != nil {
		t.Errorf("Newest = %d, %v, want 0", n, err)
	}
	if got, err := l.Since(t.Context(), 0, 10); len(got) != 0 || err != nil {
		t.Errorf("Since = %v, %v", got, err)
	}
	if got, err := l.Page(t.Context(), 0, 10, "", ""); len(got) != 0 || err != nil {
		t.Errorf("Page = %v, %v", got, err)
	}
}

func logRoundTrip(t *testing.T, l publish.Log) {
	for i, text := range append(hostile(), "", "line\nbreak", "NUL \x00 inside") {
		r := publish.Revision{
			N: int64(i + 1), At: base, Author: publish.Author{Kind: "token", ID: text, Name: text}, Note: text,
			Changes: []publish.Change{
				{Org: text, Kind: publish.KindAPI, ID: text, Before: "b" + text, After: ""},
				{Org: "default", Kind: publish.KindPolicy, ID: text, Before: "", After: "a" + text},
			},
		}
		must(t, l.Append(t.Context(), r))
		got, err := l.Since(t.Context(), int64(i), 1)
		must(t, err)
		if len(got) != 1 || !reflect.DeepEqual(got[0], r) {
			t.Errorf("with %q:\n got %+v\nwant %+v", text, got, r)
		}
	}
}

func logTaken(t *testing.T, l publish.Log) {
	first := revision(1, "orders")
	must(t, l.Append(t.Context(), first))
	for what, r := range map[string]publish.Revision{"another": revision(1, "payments"), "the same": first} {
		if err := l.Append(t.Context(), r); !errors.Is(err, publish.ErrTaken) {
			t.Errorf("appending %s under the same number: %v, want ErrTaken", what, err)
		}
	}
	got, err := l.Since(t.Context(), 0, 10)
	must(t, err)
	if len(got) != 1 || !reflect.DeepEqual(got[0], first) {
		t.Errorf("the log holds %+v, want the first revision alone", got)
	}
	if got, err := l.Page(t.Context(), 0, 10, publish.KindAPI, "payments"); len(got) != 0 || err != nil {
		t.Errorf("the refused revision left a trace: %v, %v", got, err)
	}
}

func logRace(t *testing.T, l publish.Log) {
	const rounds, writers = 10, 8
	for n := int64(1); n <= rounds; n++ {
		var won atomic.Int64
		var winner atomic.Value
		race(writers, func(i int) {
			id := fmt.Sprintf("api-%d", i)
			switch err := l.Append(t.Context(), revision(n, id)); {
			case err == nil:
				won.Add(1)
				winner.Store(id)
			case !errors.Is(err, publish.ErrTaken):
				t.Errorf("a loser got %v, want ErrTaken", err)
			}
		})
		if won.Load() != 1 {
			t.Fatalf("revision %d was won %d times", n, won.Load())
		}
		got, err := l.Since(t.Context(), n-1, 10)
		must(t, err)
		if len(got) != 1 || got[0].Changes[0].ID != winner.Load() {
			t.Errorf("revision %d: stored %+v, want that of %v", n, got, winner.Load())
		}
	}
}

func logNoGap(t *testing.T, l publish.Log) {
	const writers, each = 4, 10
	race(writers, func(i int) {
		for done := 0; done < each; {
			n, err := l.Newest(t.Context())
			if err == nil {
				err = l.Append(t.Context(), revision(n+1, fmt.Sprintf("api-%d", i)))
			}
			switch {
			case err == nil:
				done++
			case !errors.Is(err, publish.ErrTaken):
				t.Error(err)
				return
			}
		}
	})
	got, err := l.Since(t.Context(), 0, 1000)
	must(t, err)
	if len(got) != writers*each {
		t.Fatalf("%d revisions, want %d", len(got), writers*each)
	}
	for i, r := range got {
		if r.N != int64(i+1) {
			t.Fatalf("revision %d at place %d", r.N, i+1)
		}
	}
}

func logSince(t *testing.T, l publish.Log) {
	fill(t, l, 25, func(int64) string { return "orders" })
	for _, c := range []struct {
		after int64
		limit int
		first int64
		count int
	}{{0, 10, 1, 10}, {10, 10, 11, 10}, {20, 10, 21, 5}, {25, 10, 0, 0}, {99, 10, 0, 0}, {0, 1000, 1, 25}, {0, 0, 0, 0}, {0, -1, 0, 0}} {
		got, err := l.Since(t.Context(), c.after, c.limit)
		must(t, err)
		if len(got) != c.count {
			t.Errorf("Since(%d, %d) gave %d revisions, want %d", c.after, c.limit, len(got), c.count)
			continue
		}
		for i, r := range got {
			if r.N != c.first+int64(i) {
				t.Errorf("Since(%d, %d)[%d] is revision %d", c.after, c.limit, i, r.N)
			}
		}
	}
}

func logPages(t *testing.T, l publish.Log) {
	fill(t, l, 25, func(int64) string { return "orders" })
	var seen []int64
	before := int64(0)
	for {
		got, err := l.Page(t.Context(), before, 10, "", "")
		must(t, err)
		if len(got) == 0 {
			break
		}
		for _, r := range got {
			seen = append(seen, r.N)
		}
		before = got[len(got)-1].N
		if len(seen) == 10 { // what is appended meanwhile belongs before the first page
			must(t, l.Append(t.Context(), revision(26, "orders")))
		}
	}
	for i, n := range seen {
		if n != int64(25-i) {
			t.Fatalf("pages gave %v, want 25 down to 1", seen)
		}
	}
	if len(seen) != 25 {
		t.Errorf("pages gave %d revisions, want 25", len(seen))
	}
	for _, limit := range []int{0, -1} {
		if got, err := l.Page(t.Context(), 0, limit, "", ""); len(got) != 0 || err != nil {
			t.Errorf("a page of %d: %d revisions, %v", limit, len(got), err)
		}
	}
}

func logObjectPages(t *testing.T, l publish.Log) {
	ids := []string{"orders", "orders-v2", "order%", "a.b"}
	fill(t, l, 20, func(n int64) string { return ids[int(n)%len(ids)] })
	policy := revision(21, "orders")
	policy.Changes[0].Kind = publish.KindPolicy
	must(t, l.Append(t.Context(), policy))
	both := revision(22, "orders")
	both.Changes = append(both.Changes, publish.Change{Org: "other", Kind: publish.KindAPI, ID: "orders", After: "x"},
		publish.Change{Org: "default", Kind: publish.KindAPI, ID: "a.b", After: "y"})
	must(t, l.Append(t.Context(), both))

	for _, c := range []struct {
		before   int64
		limit    int
		kind, id string
		want     []int64
	}{
		{0, 10, publish.KindAPI, "orders", []int64{22, 20, 16, 12, 8, 4}},
		{0, 2, publish.KindAPI, "orders", []int64{22, 20}},
		{20, 2, publish.KindAPI, "orders", []int64{16, 12}},
		{4, 2, publish.KindAPI, "orders", nil},
		{0, 10, publish.KindPolicy, "orders", []int64{21}},
		{0, 10, publish.KindAPI, "order%", []int64{18, 14, 10, 6, 2}},
		{0, 10, publish.KindAPI, "a.b", []int64{22, 19, 15, 11, 7, 3}},
		{0, 10, publish.KindAPI, "a_b", nil},
		{0, 10, publish.KindAPI, ".*", nil},
	} {
		got, err := l.Page(t.Context(), c.before, c.limit, c.kind, c.id)
		must(t, err)
		var numbers []int64
		for _, r := range got {
			numbers = append(numbers, r.N)
		}
		if !reflect.DeepEqual(numbers, c.want) {
			t.Errorf("Page(%d, %d, %s, %s) = %v, want %v", c.before, c.limit, c.kind, c.id, numbers, c.want)
		}
	}
}

func logManyChanges(t *testing.T, l publish.Log) {
	r := revision(1, "first")
	for i := range 3000 { // an import of a whole folder is one revision
		r.Changes = append(r.Changes, publish.Change{Org: "default", Kind: publish.KindAPI, ID: fmt.Sprintf("api-%d", i), After: fmt.Sprintf("%064x", i)})
	}
	must(t, l.Append(t.Context(), r))
	got, err := l.Page(t.Context(), 0, 1, publish.KindAPI, "api-2999")
	must(t, err)
	if len(got) != 1 || !reflect.DeepEqual(got[0], r) {
		t.Error("a revision of 3 001 changes did not come back as it went in")
	}
}

func logInstants(t *testing.T, l publish.Log) {
	seoul := time.FixedZone("KST", 9*3600)
	for i, c := range []struct{ in, want time.Time }{
		{base.Add(999_999), base},
		{base.In(seoul), base},
		{time.Time{}, time.Time{}},
		{time.Date(1969, 12, 31, 23, 59, 59, 999e6, time.UTC), time.Date(1969, 12, 31, 23, 59, 59, 999e6, time.UTC)},
	} {
		r := revision(int64(i+1), "orders")
		r.At = c.in
		must(t, l.Append(t.Context(), r))
		got, err := l.Since(t.Context(), int64(i), 1)
		must(t, err)
		if !got[0].At.Equal(c.want) || got[0].At.Location() != time.UTC {
			t.Errorf("%v came back as %v, want %v", c.in, got[0].At, c.want)
		}
	}
}

func logCancelled(t *testing.T, l publish.Log) {
	ctx := cancelled(t)
	_, err := l.Newest(ctx)
	wantCanceled(t, "Newest", err)
	wantCanceled(t, "Append", l.Append(ctx, revision(1, "orders")))
	_, err = l.Since(ctx, 0, 10)
	wantCanceled(t, "Since", err)
	_, err = l.Page(ctx, 0, 10, "", "")
	wantCanceled(t, "Page", err)
	if n, err := l.Newest(t.Context()); n != 0 || err != nil {
		t.Errorf("after a cancelled append the newest is %d, %v", n, err)
	}
}

func fill(t *testing.T, l publish.Log, count int64, id func(n int64) string) {
	t.Helper()
	for n := int64(1); n <= count; n++ {
		must(t, l.Append(t.Context(), revision(n, id(n))))
	}
}
