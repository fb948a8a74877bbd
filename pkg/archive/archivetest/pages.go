package archivetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/archive"
	"github.com/sluice-gateway/sluice/pkg/record"
)

// walk reads all pages of a size, and calls between after each but the last.
func walk(t *testing.T, r Archive, f archive.Filter, size int, between func()) (found []record.Entry) {
	t.Helper()
	var after archive.Cursor
	for range 2000 {
		page, err := r.Find(t.Context(), f, after, size)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Skipped) > 0 {
			t.Fatalf("skipped %v", page.Skipped)
		}
		found = append(found, page.Entries...)
		if len(page.Entries) > size {
			t.Fatalf("a page of %d has %d records", size, len(page.Entries))
		}
		if page.Next == (archive.Cursor{}) {
			return found
		}
		after = page.Next
		between()
	}
	t.Fatal("there is no last page")
	return nil
}

func all(t *testing.T, r Archive, f archive.Filter) []record.Entry {
	t.Helper()
	return walk(t, r, f, archive.MaxPage, func() {})
}

// equal finds all records of a filter and compares them, whatever the order.
func equal(t *testing.T, r Archive, f archive.Filter, want []record.Entry) {
	t.Helper()
	got := ids(all(t, r, f))
	expected := ids(want)
	slices.Sort(got)
	slices.Sort(expected)
	if !slices.Equal(got, expected) {
		t.Errorf("%+v found %d %.300v\nwant %d %.300v", f, len(got), got, len(expected), expected)
	}
}

// newest fails when records are not in the order newest first.
func newest(t *testing.T, entries []record.Entry) {
	t.Helper()
	for i := 1; i < len(entries); i++ {
		if entries[i].At.After(entries[i-1].At) {
			t.Errorf("%s of %s comes behind %s of %s", entries[i].ID, entries[i].At, entries[i-1].ID, entries[i-1].At)
		}
	}
}

func (s suite) pages(t *testing.T) {
	w, r := s.new(t, 0)
	in := batch(0, 450)
	shuffled := slices.Clone(in)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	for part := range slices.Chunk(shuffled, 37) {
		insert(t, w, part...)
	}
	want := ids(in)
	slices.Reverse(want)
	for _, size := range []int{9, 50, 200} {
		if got := ids(walk(t, r, archive.Filter{}, size, func() {})); !slices.Equal(got, want) {
			t.Errorf("pages of %d: %d records %.200v, want %d", size, len(got), got, len(want))
		}
	}
}

func (s suite) stable(t *testing.T) {
	w, r := s.new(t, 0)
	in := batch(100, 400)
	insert(t, w, in...)
	n := 0
	// Newer records do not move a page; older ones come in their turn.
	got := ids(walk(t, r, archive.Filter{API: "a"}, 40, func() {
		insert(t, w, batch(400+n, 401+n)...)
		insert(t, w, batch(n, n+1)...)
		n++
	}))
	want := ids(in)
	slices.Reverse(want)
	if len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
		t.Errorf("%d records %.300v, want %d", len(got), got, len(want))
	}
	for i := 1; i < len(got); i++ {
		if got[i] >= got[i-1] {
			t.Errorf("%s comes behind %s", got[i], got[i-1])
		}
	}
}

func (s suite) sameMicrosecond(t *testing.T) {
	w, r := s.new(t, 0)
	var in []record.Entry
	for i := range 500 {
		in = append(in, record.Entry{ID: fmt.Sprint("m", i), Record: record.Record{At: noon(), Path: "/x"}})
	}
	insert(t, w, in...)
	once := ids(walk(t, r, archive.Filter{}, 33, func() {}))
	again := ids(walk(t, r, archive.Filter{}, 200, func() {}))
	if !slices.Equal(once, again) {
		t.Error("the order depends on the page's size")
	}
	equal(t, r, archive.Filter{}, in)
	page, err := r.Find(t.Context(), archive.Filter{}, archive.Cursor{At: noon()}, 10)
	if err != nil || len(page.Entries) != 0 {
		t.Errorf("%v, %v behind the whole microsecond", ids(page.Entries), err)
	}
	// A cursor whose record is gone still divides the others.
	page, err = r.Find(t.Context(), archive.Filter{}, archive.Cursor{At: noon().Add(time.Microsecond), ID: "gone"}, 200)
	if err != nil || len(page.Entries) != 200 {
		t.Errorf("%d records, %v behind a record that is gone", len(page.Entries), err)
	}
}

func (s suite) limits(t *testing.T) {
	w, r := s.new(t, 0)
	insert(t, w, batch(0, 300)...)
	for limit, want := range map[int]int{-1: 1, 0: 1, 1: 1, 200: archive.MaxPage, 201: archive.MaxPage, 1 << 40: archive.MaxPage} {
		page, err := r.Find(t.Context(), archive.Filter{}, archive.Cursor{}, limit)
		if err != nil || len(page.Entries) != want {
			t.Errorf("limit %d gave %d records, %v", limit, len(page.Entries), err)
		}
	}
}

func (s suite) totals(t *testing.T) {
	w, r := s.new(t, 0)
	insert(t, w, batch(0, 450)...)
	ask := func(f archive.Filter, after archive.Cursor, limit, total int, exact bool) archive.Page[record.Entry] {
		t.Helper()
		page, err := r.Find(t.Context(), f, after, limit)
		if err != nil || page.Total != total || page.TotalExact != exact {
			t.Errorf("total %d exact %v, %v; want %d %v", page.Total, page.TotalExact, err, total, exact)
		}
		return page
	}
	page := ask(archive.Filter{}, archive.Cursor{}, 100, 450, true)
	ask(archive.Filter{}, page.Next, 100, 450, true)
	ask(archive.Filter{Path: "/p/7"}, archive.Cursor{}, 100, 1, true)
	ask(archive.Filter{Path: "/p/1*"}, archive.Cursor{}, 10, 111, true)
	var many []record.Entry
	for i := range archive.CountUpTo {
		many = append(many, record.Entry{ID: fmt.Sprint("t", i), Record: record.Record{At: noon().Add(-time.Duration(i) * time.Millisecond), API: "b"}})
	}
	insert(t, w, many...)
	page, err := r.Find(t.Context(), archive.Filter{API: "b"}, archive.Cursor{}, 10)
	if err != nil || page.Total > archive.CountUpTo || page.TotalExact {
		t.Errorf("total %d exact %v, %v", page.Total, page.TotalExact, err)
	}
}

func (s suite) times(t *testing.T) {
	w, r := s.new(t, 0)
	midnight := noon().Truncate(24 * time.Hour)
	var in []record.Entry
	for i := -3; i <= 3; i++ {
		in = append(in, record.Entry{ID: fmt.Sprint("t", i), Record: record.Record{At: midnight.Add(time.Duration(i) * time.Microsecond)}})
	}
	insert(t, w, in...)
	for _, c := range []struct{ from, to time.Duration }{
		{-time.Microsecond, time.Microsecond},
		{0, time.Hour},
		{-time.Hour, 0},
		{1, 2 * time.Microsecond},  // between two: a nanosecond later is later
		{1, 1000*2 + 1},            // and the end may lie between two
		{time.Hour, 2 * time.Hour}, // nothing
		{time.Microsecond, -1},     // the wrong way round
		{-48 * time.Hour, 48 * time.Hour},
	} {
		f := archive.Filter{From: midnight.Add(c.from), To: midnight.Add(c.to)}
		equal(t, r, f, oracle(f, in))
		equal(t, r, archive.Filter{From: f.From}, oracle(archive.Filter{From: f.From}, in))
		equal(t, r, archive.Filter{To: f.To}, oracle(archive.Filter{To: f.To}, in))
	}
}

func (s suite) retention(t *testing.T) {
	const day = 24 * time.Hour
	w, r := s.new(t, 0) // nothing is too old to come in, and nothing goes
	midnight := noon().Truncate(day)
	var in []record.Entry
	for i := range 6 {
		in = append(in, record.Entry{ID: fmt.Sprint("d", i), Record: record.Record{At: midnight.Add(-time.Duration(i) * day), API: "a"}})
	}
	insert(t, w, in...)
	if dropped, err := w.Retain(t.Context(), noon().Add(1000*day)); err != nil || len(dropped) > 0 {
		t.Errorf("without a retention %v were dropped, %v", dropped, err)
	}
	equal(t, r, archive.Filter{}, in)

	w, r = s.new(t, 3*day)
	insert(t, w, in[:4]...) // the day of the fourth ended two and a half days ago
	for _, c := range []struct {
		now     time.Time
		dropped []string
		left    int
	}{
		{noon(), nil, 4},
		{midnight.Add(day - time.Microsecond), nil, 4},
		{midnight.Add(day), []string{"20260307"}, 3},
		{midnight.Add(day), nil, 3},
		{midnight.Add(3 * day), []string{"20260308", "20260309"}, 1},
		{midnight.Add(400 * day), []string{"20260310"}, 0},
	} {
		dropped, err := w.Retain(t.Context(), c.now)
		if err != nil || !slices.Equal(dropped, c.dropped) {
			t.Errorf("at %s %v were dropped, %v; want %v", c.now, dropped, err, c.dropped)
		}
		equal(t, r, archive.Filter{}, in[:c.left])
		equal(t, w, archive.Filter{API: "a"}, in[:c.left])
	}
	insert(t, w, in[:2]...) // a day can begin again
	equal(t, r, archive.Filter{}, in[:2])
}

func (s suite) concurrent(t *testing.T) {
	w, r := s.new(t, 0)
	var wg sync.WaitGroup
	for g := range 6 {
		wg.Go(func() {
			for i := range 6 {
				from := (g*30 + i*40) % 300 // they overlap
				if rejected, err := w.Insert(t.Context(), batch(from, from+100)); err != nil || len(rejected) > 0 {
					t.Error(rejected, err)
				}
				if _, err := r.Find(t.Context(), archive.Filter{API: "a"}, archive.Cursor{}, 20); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	found := all(t, r, archive.Filter{})
	newest(t, found)
	seen := map[string]bool{}
	for g := range 6 {
		for i := range 6 {
			from := (g*30 + i*40) % 300
			for _, e := range batch(from, from+100) {
				seen[e.ID] = true
			}
		}
	}
	if len(found) != len(seen) {
		t.Errorf("%d records, want %d", len(found), len(seen))
	}
}

func (s suite) notices(t *testing.T) {
	const day = 24 * time.Hour
	w, r := s.new(t, 2*day)
	at := func(days int) record.Entry {
		return record.Entry{ID: fmt.Sprint("x", days), Record: record.Record{At: noon().Add(-time.Duration(days) * day)}}
	}
	equal(t, r, archive.Filter{}, nil)
	insert(t, w, at(1))
	equal(t, r, archive.Filter{}, []record.Entry{at(1)})
	insert(t, w, at(0), at(2))
	equal(t, r, archive.Filter{}, []record.Entry{at(0), at(1), at(2)})
	if _, err := w.Retain(t.Context(), noon().Add(2*day)); err != nil {
		t.Fatal(err)
	}
	equal(t, r, archive.Filter{}, []record.Entry{at(0)})
	if _, err := r.Get(t.Context(), "x2"); !errors.Is(err, archive.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	insert(t, w, at(2)) // by its own clock the day is still kept
	equal(t, r, archive.Filter{}, []record.Entry{at(0), at(2)})
}

func (s suite) cancelled(t *testing.T) {
	w, r := s.new(t, 0)
	insert(t, w, batch(0, 10)...)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Find(ctx, archive.Filter{}, archive.Cursor{}, 10); !errors.Is(err, context.Canceled) {
		t.Errorf("find: %v", err)
	}
	if _, err := r.Get(ctx, "s-0-0001"); !errors.Is(err, context.Canceled) {
		t.Errorf("get: %v", err)
	}
	if _, err := w.Insert(ctx, batch(10, 20)); !errors.Is(err, context.Canceled) {
		t.Errorf("insert: %v", err)
	}
	equal(t, r, archive.Filter{}, batch(0, 10))
}

// oracle is what a filter should find, by other means than any adapter.
func oracle(f archive.Filter, of []record.Entry) (found []record.Entry) {
	for _, e := range of {
		if matches(f, e) {
			found = append(found, e)
		}
	}
	return found
}

func matches(f archive.Filter, e record.Entry) bool {
	for _, p := range [][2]string{
		{f.Org, e.Org},
		{f.API, e.API},
		{f.Key, e.Key},
		{f.Method, e.Method},
		{f.Route, e.Route},
		{f.Client, e.Client},
		{f.Target, e.Target},
		{f.Node, e.Node},
		{f.Host, e.Host},
		{f.RequestID, e.RequestID},
		{f.Refusal, e.Refusal},
	} {
		if p[0] != "" && p[0] != p[1] {
			return false
		}
	}
	begin, prefix := strings.CutSuffix(f.Path, "*")
	lower := strings.ToLower(e.Path)
	switch {
	case !f.From.IsZero() && e.At.Before(f.From), !f.To.IsZero() && !e.At.Before(f.To), f.NoAPI && e.API != "":
	case prefix && !strings.HasPrefix(e.Path, begin), !prefix && f.Path != "" && f.Path != e.Path:
	case f.StatusMin > 0 && e.Status < f.StatusMin, f.StatusMax > 0 && e.Status > f.StatusMax, e.Total < f.SlowerThan:
	case f.Text != "" && !strings.Contains(lower, strings.ToLower(f.Text)) && e.RequestID != f.Text:
	default:
		return true
	}
	return false
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// mixed is records whose fields have few values, so that filters find some.
func mixed(n int) (entries []record.Entry) {
	r := rand.New(rand.NewPCG(7, 7))
	for i := range n {
		entries = append(entries, record.Entry{ID: fmt.Sprint("f", i), Node: pick(r, "n1", "n2"), Group: "g", Record: record.Record{
			At: noon().Add(-time.Duration(r.Int64N(int64(60 * time.Hour)))).Truncate(time.Microsecond), Total: time.Duration(r.IntN(1000)) * 10 * time.Millisecond,
			Status: pick(r, 0, 200, 200, 200, 204, 301, 400, 404, 429, 500, 503, 599), Method: pick(r, "GET", "POST"), Host: pick(r, "a.example", "b.example"),
			Path: pick(r, "/orders", "/orders/1", "/Orders/1", "/ord", "/x/orders", "/"), Org: pick(r, "default", "other"), API: pick(r, "", "api1", "api2"),
			Route: pick(r, "", "/orders/{id}"), Key: pick(r, "", "k1", "k2", "k3"), Client: pick(r, "192.0.2.1", "2001:db8::1"), Target: pick(r, "", "http://t1"),
			RequestID: pick(r, "", "req-1", "orders", fmt.Sprint("req", i)), Refusal: pick(r, "", "auth.missing", "limit.rate"),
		}})
	}
	return entries
}

func (s suite) filters(t *testing.T) {
	w, r := s.new(t, 0)
	in := mixed(600)
	insert(t, w, in...)
	single := []archive.Filter{
		{},
		{Org: "default"},
		{Org: "none"},
		{API: "api1"},
		{NoAPI: true},
		{API: "api1", NoAPI: true},
		{Key: "k1"},
		{Method: "POST"},
		{Path: "/orders"},
		{Path: "/orders*"},
		{Path: "/orders/*"},
		{Path: "*"},
		{Path: "/nothing*"},
		{Route: "/orders/{id}"},
		{Client: "2001:db8::1"},
		{Target: "http://t1"},
		{Node: "n2"},
		{Host: "b.example"},
		{RequestID: "req-1"},
		{RequestID: "req7"},
		{RequestID: "none"},
		{Refusal: "limit.rate"},
		{StatusMin: 400},
		{StatusMin: 500, StatusMax: 599},
		{StatusMin: 404, StatusMax: 404},
		{StatusMax: 299},
		{StatusMin: 200, StatusMax: 299},
		{StatusMin: 600},
		{SlowerThan: 5 * time.Second},
		{SlowerThan: 5*time.Second + 1},
		{SlowerThan: time.Nanosecond},
		{Text: "ORDERS"},
		{Text: "orders"},
		{Text: "req-1"},
		{Text: "REQ-1"},
		{Text: "/x"},
		{From: noon().Add(-30 * time.Hour)},
		{To: noon().Add(-30 * time.Hour)},
	}
	for _, f := range single {
		equal(t, r, f, oracle(f, in))
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for range 80 {
		a, b, c := pick(rng, single...), pick(rng, single...), pick(rng, single...)
		f := merge(merge(a, b), c)
		equal(t, r, f, oracle(f, in))
	}
	newest(t, all(t, r, archive.Filter{StatusMin: 400, API: "api1"}))
	newest(t, all(t, r, archive.Filter{RequestID: "req-1"}))
}

// merge asks for what either of two filters asks for; the first wins.
func merge(a, b archive.Filter) archive.Filter {
	or := func(x, y string) string {
		if x != "" {
			return x
		}
		return y
	}
	a.Org, a.API, a.Key, a.Method, a.Path, a.Route = or(a.Org, b.Org), or(a.API, b.API), or(a.Key, b.Key), or(a.Method, b.Method), or(a.Path, b.Path), or(a.Route, b.Route)
	a.Client, a.Target, a.Node, a.Host, a.RequestID = or(a.Client, b.Client), or(a.Target, b.Target), or(a.Node, b.Node), or(a.Host, b.Host), or(a.RequestID, b.RequestID)
	a.Refusal, a.Text, a.NoAPI = or(a.Refusal, b.Refusal), or(a.Text, b.Text), a.NoAPI || b.NoAPI
	a.StatusMin, a.StatusMax, a.SlowerThan = max(a.StatusMin, b.StatusMin), max(a.StatusMax, b.StatusMax), max(a.SlowerThan, b.SlowerThan)
	if a.From.IsZero() {
		a.From = b.From
	}
	if a.To.IsZero() {
		a.To = b.To
	}
	return a
}
