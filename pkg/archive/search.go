package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/pkg/record"
)

// Shelf is what an adapter reads its days with; Search puts the pages together.
type Shelf interface {
	// Days are the days that have records, in any order.
	Days(ctx context.Context) ([]Day, error)
	// Entries are the newest records, limit at most, that the question finds.
	Entries(ctx context.Context, q Question, limit int) ([]record.Entry, error)
	// Count is how many it finds, counted up to limit.
	Count(ctx context.Context, q Question, limit int) (int, error)
}

// Question is a filter for one day or a part of one.
type Question struct {
	Filter // whose From and To are those of the part, and are set
	Day    Day
	After  Cursor // zero, or within the part
}

// Micros are From and To in whole microseconds since 1970, the precision that
// records have.
func (q *Question) Micros() (from, to int64) { return ceil(q.From), ceil(q.To) }

func ceil(t time.Time) int64 { return t.Add(time.Microsecond - 1).UnixMicro() }

// The part of a day that is asked for at once: it begins with a minute, grows while
// answers are quick and shrinks when they are slow, so that a search can end on time
// and yet asks seldom where there is little.
const (
	leastSpan = time.Minute
	growth    = 4
	quick     = 20 * time.Millisecond
	slow      = 200 * time.Millisecond
)

// Search finds a page of newest records behind a cursor. It opens only days that
// the filter's times touch, ends when the page is full, and is bounded in time; see
// Page. limit is brought into 1 to MaxPage. What a day's errors say is in
// Page.Skipped; an error is one of listing the days, or the context's.
func Search(ctx context.Context, s Shelf, f Filter, after Cursor, limit int) (Page[record.Entry], error) {
	page := Page[record.Entry]{TotalExact: true}
	limit = min(max(limit, 1), MaxPage)
	days, err := s.Days(ctx)
	if err != nil {
		return page, err
	}
	days = f.touched(days)
	whole := slices.Clone(days)
	if !after.At.IsZero() {
		days = slices.DeleteFunc(days, func(d Day) bool { return d.start.After(after.At) })
	}
	w := newWalk(deadline(ctx, SearchFor))
	err = w.parts(ctx, f, after, days, func(ctx context.Context, q Question) (bool, error) {
		found, err := s.Entries(ctx, q, limit+1-len(page.Entries))
		page.Entries = append(page.Entries, found...)
		return len(page.Entries) <= limit, err
	})
	if err != nil {
		return Page[record.Entry]{}, err
	}
	page.Next = w.stopped
	if len(page.Entries) > limit {
		page.Entries = page.Entries[:limit]
		last := &page.Entries[limit-1]
		page.Next = Cursor{At: last.At, ID: last.ID}
	}
	if page.Total = len(page.Entries); page.Next != (Cursor{}) || after != (Cursor{}) {
		page.Total, page.TotalExact, err = count(ctx, s, f, whole, page.Total)
	}
	page.Skipped = w.reasons()
	page.TotalExact = page.TotalExact && len(page.Skipped) == 0
	return page, err
}

// count is how many records of these days the filter finds; atLeast are known.
func count(ctx context.Context, s Shelf, f Filter, days []Day, atLeast int) (n int, exact bool, err error) {
	w := newWalk(deadline(ctx, CountFor))
	short, cancel := context.WithDeadline(ctx, w.until)
	defer cancel()
	err = w.parts(short, f, Cursor{}, days, func(ctx context.Context, q Question) (bool, error) {
		more, err := s.Count(ctx, q, CountUpTo-n)
		n += more
		return n < CountUpTo, err
	})
	if err != nil && ctx.Err() != nil {
		return 0, false, err
	}
	exact = err == nil && n < CountUpTo && w.stopped == (Cursor{}) && len(w.skipped) == 0
	return max(n, atLeast), exact, nil
}

// touched are the days that From and To leave, newest first.
func (f Filter) touched(days []Day) []Day {
	days = slices.DeleteFunc(slices.Clone(days), func(d Day) bool {
		return (!f.From.IsZero() && !d.End().After(f.From)) || (!f.To.IsZero() && !d.start.Before(f.To))
	})
	slices.SortFunc(days, func(a, b Day) int { return b.start.Compare(a.start) })
	return slices.Compact(days)
}

// deadline is the span from now, but leaves a tenth of the context's time for the
// answer.
func deadline(ctx context.Context, span time.Duration) time.Time {
	now := time.Now()
	if d, ok := ctx.Deadline(); ok {
		span = min(span, d.Sub(now)*9/10)
	}
	return now.Add(span)
}

// walk goes through days, newest first.
type walk struct {
	until   time.Time
	span    time.Duration
	stopped Cursor // where the time was over; zero when it was not
	skipped map[Day]error
}

func newWalk(until time.Time) *walk {
	return &walk{until: until, span: leastSpan, skipped: map[Day]error{}}
}

func (w *walk) adapt(took time.Duration) {
	switch {
	case took < quick:
		w.span = min(growth*w.span, 24*time.Hour)
	case took > slow:
		w.span = max(w.span/growth, leastSpan)
	}
}

// parts asks for one part after the other until ask returns false or the time is
// over. The first part is always asked for.
func (w *walk) parts(ctx context.Context, f Filter, after Cursor, days []Day, ask func(context.Context, Question) (bool, error)) error {
	first := true
	for _, d := range days {
		from, to := d.start, d.End()
		if f.From.After(from) {
			from = f.From
		}
		if !f.To.IsZero() && f.To.Before(to) {
			to = f.To
		}
		// The cursor's own microsecond is still looked at.
		if !after.At.IsZero() && after.At.Before(to) {
			to = after.At.Truncate(time.Microsecond).Add(time.Microsecond)
		}
		for to.After(from) {
			if !first && !time.Now().Before(w.until) {
				w.stopped = Cursor{At: to}
				return nil
			}
			first = false
			q := Question{Filter: f, Day: d}
			q.From, q.To = from, to
			if begin := to.Add(-w.span); begin.After(from) {
				q.From = begin
			}
			if !after.At.IsZero() && !after.At.Before(q.From) && after.At.Before(q.To) {
				q.After = after
			}
			start := time.Now()
			more, err := ask(ctx, q)
			w.adapt(time.Since(start))
			if ctx.Err() != nil {
				return errors.Join(err, ctx.Err())
			}
			if err != nil {
				w.skipped[d] = err
				break
			}
			if !more {
				return nil
			}
			to = q.From
		}
	}
	return nil
}

// reasons are the skipped days as sentences, newest first.
func (w *walk) reasons() (texts []string) {
	for d, err := range w.skipped {
		texts = append(texts, fmt.Sprintf("%s cannot be read: %v", d.start.Format(time.DateOnly), err))
	}
	slices.Sort(texts)
	slices.Reverse(texts)
	return texts
}

// Newest looks for one record by its id: it calls find for each day, newest first,
// until one has it. When none has, the error is ErrNotFound, or what the days that
// could not be read said.
func Newest(ctx context.Context, s Shelf, find func(Day) (found bool, err error)) error {
	days, err := s.Days(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, d := range (Filter{}).touched(days) {
		found, err := find(d)
		if found {
			return nil
		}
		if ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s cannot be read: %w", d.start.Format(time.DateOnly), err))
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	return ErrNotFound
}

// Micros is a span in whole microseconds, rounded up: what a record must have to be
// at least as long.
func Micros(d time.Duration) int64 {
	return int64((d + time.Microsecond - 1) / time.Microsecond)
}

// Fold is a text with its ASCII letters in lower case, as Filter.Text is compared.
func Fold(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
