package calls

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/pkg/archive"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/record"
)

// shelf answers what a test wants, and remembers what it was asked.
type shelf struct {
	page   archive.Page[record.Entry]
	entry  record.Entry
	err    error
	hang   bool // until the deadline
	filter archive.Filter
	limit  int
	asked  int
}

func (s *shelf) answer(ctx context.Context) error {
	s.asked++
	if s.hang {
		<-ctx.Done()
		return errors.New("interrupted") // as drivers say it, without the cause
	}
	return s.err
}

func (s *shelf) Find(ctx context.Context, f archive.Filter, _ archive.Cursor, limit int) (archive.Page[record.Entry], error) {
	s.filter, s.limit = f, limit
	return s.page, s.answer(ctx)
}

func (s *shelf) Get(ctx context.Context, _ string) (record.Entry, error) {
	return s.entry, s.answer(ctx)
}

// names is a catalogue with one API, unless it fails.
type names struct{ err error }

func (n names) Names(_ context.Context, _ string, ids []string) (map[string]string, error) {
	found := map[string]string{}
	for _, id := range ids {
		if id == "orders" {
			found[id] = "Orders"
		}
	}
	return found, n.err
}

func entry(org, api, id string) record.Entry {
	return record.Entry{ID: id, Record: record.Record{At: noon, Org: org, API: api}}
}

func service(s *shelf, n names) *Service {
	return New(Options{Store: s, Place: "the folder X (records.dir)", Names: n})
}

func question(t *testing.T, pairs ...string) Question {
	t.Helper()
	q, err := asked(pairs...)
	if err != nil {
		t.Fatal(err)
	}
	q.Limit = 50
	return q
}

func TestNamesAreThoseOfAPIsThatExist(t *testing.T) {
	s := &shelf{page: archive.Page[record.Entry]{
		Entries: []record.Entry{entry("a", "orders", "3"), entry("a", "gone", "2"), entry("", "", "1")}, Total: 3, TotalExact: true,
	}}
	a, err := service(s, names{}).Find(t.Context(), "a", question(t))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range a.Calls {
		got = append(got, c.APIName)
	}
	if want := []string{"Orders", "", ""}; !reflect.DeepEqual(got, want) || a.Next != "" || a.Total != 3 || !a.TotalExact || a.Problems != nil {
		t.Errorf("got %q in %+v", got, a)
	}
	if a.From != s.filter.From || a.To != s.filter.To || a.From.IsZero() {
		t.Errorf("the range is not told: %+v", a)
	}
}

func TestAnOrganisationSeesItsOwn(t *testing.T) {
	s := &shelf{entry: entry("b", "orders", "1")}
	calls := service(s, names{})
	if _, err := calls.Find(t.Context(), "a", question(t)); err != nil || s.filter.Org != "a" {
		t.Errorf("asks for %q, %v", s.filter.Org, err)
	}
	for _, org := range []string{"a", ""} {
		if _, err := calls.Get(t.Context(), org, "1"); !fault.Is(err, CodeNotFound) {
			t.Errorf("another organisation's record: %v", err)
		}
	}
	if c, err := calls.Get(t.Context(), "b", "1"); err != nil || c.APIName != "Orders" {
		t.Errorf("its own record: %+v, %v", c, err)
	}
	broken := service(s, names{fault.New(fault.Unavailable, "store.unavailable", "away")})
	if _, err := broken.Get(t.Context(), "b", "1"); !fault.Is(err, "store.unavailable") {
		t.Errorf("names cannot be looked up: %v", err)
	}
}

func TestWhatWentWrongNamesTheMend(t *testing.T) {
	q := question(t)
	none := New(Options{Names: names{}})
	for _, v := range []struct {
		name, says string
		s          *Service
		code       fault.Code
		kind       fault.Kind
	}{
		{"no archive", "records.driver", none, CodeNoArchive, fault.Conflict},
		{"unreadable", "the folder X (records.dir)", service(&shelf{err: errors.New("open records: permission denied")}, names{}), CodeUnavailable, fault.Unavailable},
		{"a fault of the store", "of its own", service(&shelf{err: fault.New(fault.Invalid, "store.own", "of its own")}, names{}), "store.own", fault.Invalid},
	} {
		for what, ask := range map[string]func() error{
			"list": func() error { _, err := v.s.Find(t.Context(), "a", q); return err },
			"one":  func() error { _, err := v.s.Get(t.Context(), "a", "1"); return err },
		} {
			err := ask()
			if f := fault.As(err); f == nil || f.Code != v.code || f.Kind != v.kind || !strings.Contains(f.Message, v.says) || strings.Contains(f.Message, "permission") {
				t.Errorf("%s, %s: %v", v.name, what, err)
			}
		}
	}
	s := &shelf{err: archive.ErrNotFound}
	if _, err := service(s, names{}).Get(t.Context(), "a", "1"); !fault.Is(err, CodeNotFound) {
		t.Errorf("no record: %v", err)
	}
	for _, id := range []string{"", "../x", "A", "a b", "$ne", strings.Repeat("a", maxID+1), "a\x00"} {
		s.asked = 0
		if _, err := service(s, names{}).Get(t.Context(), "a", id); !fault.Is(err, CodeNotFound) || s.asked != 0 {
			t.Errorf("%q, which is no id: %v, asked %d times", id, err, s.asked)
		}
	}
}

func TestAQuestionHasADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := service(&shelf{hang: true}, names{})
		start := time.Now()
		_, err := s.Find(t.Context(), "a", question(t))
		f := fault.As(err)
		if f == nil || f.Code != CodeTooSlow || f.Kind != fault.Unavailable || !strings.Contains(f.Message, "narrow the range") || f.Params["seconds"] != 5.0 {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took != Timeout {
			t.Errorf("it took %v", took)
		}
		if _, err := s.Get(t.Context(), "a", "1"); !fault.Is(err, CodeTooSlow) {
			t.Errorf("one record: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := s.Find(ctx, "a", question(t)); !errors.Is(err, context.Canceled) && fault.As(err) != nil {
			t.Errorf("a caller that went away: %v", err)
		}
	})
}

func TestAPageWithLessSaysWhy(t *testing.T) {
	kept := true
	s := &shelf{page: archive.Page[record.Entry]{TotalExact: true}}
	o := Options{Store: s, Place: "the folder X (records.dir)", Names: names{}, Kept: func(context.Context) (bool, error) { return kept, nil }}
	codes := func(q Question) (list []fault.Code) {
		t.Helper()
		a, err := New(o).Find(t.Context(), "a", q)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range a.Problems {
			if p.Severity != fault.Warning || p.Message == "" || len(p.Params) != 1 {
				t.Errorf("got %+v", p)
			}
			list = append(list, p.Code)
		}
		return list
	}
	want := func(name string, q Question, want ...fault.Code) {
		t.Helper()
		if got := codes(q); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	want("nothing matches", question(t))
	kept = false
	want("no pump", question(t), CodeNothingKept)
	later := question(t)
	later.After = archive.Cursor{At: noon, ID: "a"}
	want("behind the last page", later)
	o.Kept = nil
	want("not known", question(t))
	s.page.Next = archive.Cursor{At: noon}
	s.page.TotalExact = false
	want("searched for a part", question(t), CodeGoOn)
	s.page.Skipped = []string{"2026-11-20 cannot be read: it is no database"}
	want("a broken day too", question(t), CodeDaySkipped, CodeGoOn)
	s.page.Entries = []record.Entry{entry("a", "", "1")}
	q := question(t)
	q.Limit = 1
	s.page.Skipped = nil
	want("a full page", q)
	q.Limit = 1 << 20
	if codes(q); s.limit != archive.MaxPage {
		t.Errorf("asks for %d", s.limit)
	}
	o.Kept = func(context.Context) (bool, error) { return false, errors.New("no such folder") }
	s.page = archive.Page[record.Entry]{}
	if _, err := New(o).Find(t.Context(), "a", question(t)); !fault.Is(err, CodeUnavailable) {
		t.Errorf("what was kept cannot be known: %v", err)
	}
}
