package archive

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/pkg/record"
)

// shelf is days in memory, of which each question takes its time.
type shelf struct {
	entries []record.Entry // newest first
	takes   func(Question) time.Duration
	damaged map[string]bool
	opened  map[string]bool
}

func (s *shelf) Days(context.Context) (days []Day, _ error) {
	for _, e := range s.entries {
		days = append(days, DayOf(e.At))
	}
	return days, nil
}

func (s *shelf) Entries(ctx context.Context, q Question, limit int) (found []record.Entry, err error) {
	if s.opened != nil {
		s.opened[q.Day.String()] = true
	}
	if s.damaged[q.Day.String()] {
		return nil, errors.New("damaged")
	}
	if s.takes != nil {
		select {
		case <-time.After(s.takes(q)):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	for _, e := range s.entries {
		in := !e.At.Before(q.From) && e.At.Before(q.To) && (q.API == "" || q.API == e.API)
		if in && (q.After == (Cursor{}) || e.At.Before(q.After.At) || e.At.Equal(q.After.At) && e.ID < q.After.ID) && len(found) < limit {
			found = append(found, e)
		}
	}
	return found, nil
}

func (s *shelf) Count(ctx context.Context, q Question, limit int) (int, error) {
	found, err := s.Entries(ctx, q, limit)
	return len(found), err
}

func at(hours int) time.Time {
	return time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC).Add(-time.Duration(hours) * time.Hour)
}

func hourly(n int) (list []record.Entry) {
	for i := range n {
		list = append(list, record.Entry{ID: at(i).Format("0102T15"), Record: record.Record{At: at(i), API: "a"}})
	}
	return list
}

// A search that takes too long ends with what it has, and goes on where it ended: in
// the end every record was found once.
func TestSearchEndsOnTimeAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{entries: hourly(72)}
		s.takes = func(q Question) time.Duration { return q.To.Sub(q.From) / 3600 } // a second for an hour
		var got []string
		pages := 0
		for after := (Cursor{}); ; pages++ {
			start := time.Now()
			page, err := Search(t.Context(), s, Filter{API: "a"}, after, 100)
			if err != nil || pages > 200 {
				t.Fatal(err, pages)
			}
			if took := time.Since(start); took > 2*SearchFor+CountFor {
				t.Errorf("a page took %s", took)
			}
			for _, e := range page.Entries {
				got = append(got, e.ID)
			}
			if after = page.Next; after == (Cursor{}) {
				break
			}
			if page.TotalExact {
				t.Error("a part is told to be all")
			}
		}
		var want []string
		for _, e := range s.entries {
			want = append(want, e.ID)
		}
		if !slices.Equal(got, want) || pages < 5 {
			t.Errorf("%d records in %d pages, want %d: %v", len(got), pages, len(want), got)
		}
	})
}

func TestSearchEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{entries: hourly(72), takes: func(Question) time.Duration { return time.Hour }}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := Search(ctx, s, Filter{}, Cursor{}, 10); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestSearchOpensOnlyTheDaysOfItsTimes(t *testing.T) {
	for name, c := range map[string]struct {
		f     Filter
		after Cursor
		want  []string
	}{
		"all":                    {Filter{}, Cursor{}, []string{"20260307", "20260308", "20260309", "20260310"}},
		"from":                   {Filter{From: at(20)}, Cursor{}, []string{"20260309", "20260310"}},
		"from midnight":          {Filter{From: at(12)}, Cursor{}, []string{"20260310"}},
		"to midnight":            {Filter{To: at(12 + 48)}, Cursor{}, []string{"20260307"}},
		"one day":                {Filter{From: at(30), To: at(20)}, Cursor{}, []string{"20260309"}},
		"nothing":                {Filter{From: at(20), To: at(30)}, Cursor{}, nil},
		"behind the last record": {Filter{From: at(80)}, Cursor{At: at(71), ID: "0307T13"}, []string{"20260307"}},
	} {
		s := &shelf{entries: hourly(72), opened: map[string]bool{}}
		page, err := Search(t.Context(), s, c.f, c.after, 100)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for d := range s.opened {
			got = append(got, d)
		}
		slices.Sort(got)
		if strings.HasPrefix(name, "behind") { // its total is of all
			if len(page.Entries) != 0 || page.Total != 72 || !page.TotalExact {
				t.Errorf("%s: %d records of %d", name, len(page.Entries), page.Total)
			}
			continue
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: opened %v, want %v", name, got, c.want)
		}
	}
}

func TestDamagedDaysAreSkippedAndNamed(t *testing.T) {
	s := &shelf{entries: hourly(72), damaged: map[string]bool{"20260309": true}}
	page, err := Search(t.Context(), s, Filter{}, Cursor{}, 100)
	if err != nil || len(page.Entries) != 72-24 || page.TotalExact || !slices.Equal(page.Skipped, []string{"2026-03-09 cannot be read: damaged"}) {
		t.Errorf("%d records, exact %v, skipped %v, %v", len(page.Entries), page.TotalExact, page.Skipped, err)
	}
	find := func(d Day) (bool, error) {
		if s.damaged[d.String()] {
			return false, errors.New("damaged")
		}
		return d.String() == "20260308", nil
	}
	if err := Newest(t.Context(), s, find); err != nil {
		t.Errorf("a record behind the damaged day: %v", err)
	}
	none := func(d Day) (bool, error) { _, err := find(d); return false, err }
	if err := Newest(t.Context(), s, none); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("a record that may be in the damaged day: %v", err)
	}
	s.damaged = nil
	if err := Newest(t.Context(), s, none); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
}
