package pipeline

import (
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/record"
	"github.com/sluice-gateway/sluice/pkg/spool"
	"github.com/sluice-gateway/sluice/pump/line"
)

// farFuture is how far a record's time may be ahead of its arrival.
const farFuture = 5 * time.Minute

// Rules say which records a sink gets, and what of them.
type Rules struct {
	Filter
	IgnoreFields []string // names of line.Fields
	Sample       float64  // fraction of the records, in (0, 1]; 0 means all
}

// Filter says which records a sink gets: those that are in every list that is not
// empty, and in none of the skip lists.
type Filter struct {
	// Orgs are ids of organisations.
	Orgs []string `config:"orgs"`
	// APIs are ids of APIs; "-" stands for requests that matched none.
	APIs []string `config:"apis"`
	// Statuses are HTTP statuses, such as "404", classes, such as "5xx", and ranges,
	// such as "400-499"; "0" stands for requests without an answer.
	Statuses []string `config:"statuses"`
	// Keys are public ids of keys; "-" stands for requests without one.
	Keys []string `config:"keys"`
	// SkipOrgs are ids of organisations whose records are left out.
	SkipOrgs []string `config:"skip_orgs"`
	// SkipAPIs are ids of APIs whose records are left out; "-" stands for none.
	SkipAPIs []string `config:"skip_apis"`
	// SkipStatuses are statuses, written as in statuses, that are left out.
	SkipStatuses []string `config:"skip_statuses"`
	// SkipKeys are public ids of keys whose records are left out; "-" stands for none.
	SkipKeys []string `config:"skip_keys"`
}

// Validate tells what is wrong with the lists.
func (f Filter) Validate() error {
	var errs []error
	for _, one := range []struct {
		key  string
		list []string
	}{{"statuses", f.Statuses}, {"skip_statuses", f.SkipStatuses}} {
		if _, err := parseStatuses(one.list); err != nil {
			errs = append(errs, config.Invalid(one.key, err.Error(), `write "404", "5xx", "400-499" or "0" (no answer)`))
		}
	}
	return errors.Join(errs...)
}

// CheckFields tells which of the names is no field that can be ignored, and the
// nearest that is.
func CheckFields(names []string) error {
	var known []string
	for _, f := range line.Fields() {
		known = append(known, f.Name)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return fmt.Errorf("there is no field %q that can be left out; there are %s", name, strings.Join(known, ", "))
		}
	}
	return nil
}

// stage is compiled rules.
type stage struct {
	counting   bool
	filter     bool // there is something in the lists
	only, skip lists
	clear      []func(*record.Record)
	sample     float64
}

type lists struct {
	orgs, apis, keys map[string]bool
	statuses         []span
}

type span struct{ from, to int }

func newStage(r Rules, counting bool) (*stage, error) {
	only, err := parseStatuses(r.Statuses)
	if err != nil {
		return nil, err
	}
	skip, err := parseStatuses(r.SkipStatuses)
	if err != nil {
		return nil, err
	}
	if r.Sample < 0 || r.Sample > 1 {
		return nil, fmt.Errorf("a sample of %v: a fraction between 0 and 1 is possible", r.Sample)
	}
	if err := CheckFields(r.IgnoreFields); err != nil {
		return nil, err
	}
	s := &stage{
		counting: counting, sample: r.Sample,
		only: lists{set(r.Orgs), set(r.APIs), set(r.Keys), only},
		skip: lists{set(r.SkipOrgs), set(r.SkipAPIs), set(r.SkipKeys), skip},
	}
	for _, f := range line.Fields() {
		if slices.Contains(r.IgnoreFields, f.Name) {
			s.clear = append(s.clear, f.Clear)
		}
	}
	s.filter = !s.only.empty() || !s.skip.empty()
	return s, nil
}

func (l *lists) empty() bool {
	return l.orgs == nil && l.apis == nil && l.keys == nil && l.statuses == nil
}

// set is nil for an empty list. "-" becomes the empty text.
func set(names []string) map[string]bool {
	if len(names) == 0 {
		return nil
	}
	m := make(map[string]bool, len(names))
	for _, name := range names {
		if name == "-" {
			name = ""
		}
		m[name] = true
	}
	return m
}

func parseStatuses(list []string) (spans []span, err error) {
	for _, text := range list {
		from, to, isRange := strings.Cut(text, "-")
		if class, ok := strings.CutSuffix(text, "xx"); ok && len(class) == 1 {
			from, to, isRange = class+"00", class+"99", true
		}
		if !isRange {
			to = from
		}
		a, err1 := strconv.Atoi(from)
		b, err2 := strconv.Atoi(to)
		if err1 != nil || err2 != nil || a < 0 || b < a || b > 999 {
			return nil, fmt.Errorf("%q is no status", text)
		}
		spans = append(spans, span{a, b})
	}
	return spans, nil
}

// wants tells whether the lists let a record through.
func (s *stage) wants(r *record.Record) bool {
	in := func(spans []span) bool {
		return slices.ContainsFunc(spans, func(x span) bool { return x.from <= r.Status && r.Status <= x.to })
	}
	o, k := &s.only, &s.skip
	return (o.orgs == nil || o.orgs[r.Org]) && (o.apis == nil || o.apis[r.API]) && (o.keys == nil || o.keys[r.Key]) &&
		(o.statuses == nil || in(o.statuses)) &&
		!k.orgs[r.Org] && !k.apis[r.API] && !k.keys[r.Key] && !in(k.statuses)
}

// drawn tells whether a record is in the sample: the same at every delivery.
func (s *stage) drawn(id string) bool {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id))
	n := h.Sum64()
	n ^= n >> 33
	n *= 0xff51afd7ed558ccd // the mixing step of MurmurHash3: FNV's high bits are weak
	n ^= n >> 33
	return float64(n>>11)/(1<<53) < s.sample
}

// job is what one Write is about: batches, and what the stage left of their records.
type job struct {
	batches []*spool.Batch
	records []record.Entry
	origins []origin

	skipped, sampled, clamped uint64
}

// origin is where a record stands in the stream.
type origin struct{ batch, index int32 }

// stage makes a job of those of the batches that are still the lane's. It leaves the
// batches as they are: they may be staged again.
func (l *lane) stage(batches []*spool.Batch) *job {
	clear(l.records) // of the job before, which may be large
	j := &job{records: l.records[:0], origins: l.origins[:0]}
	s := l.d.stage
	for _, b := range batches {
		if l.over[b] {
			continue
		}
		at := int32(len(j.batches))
		j.batches = append(j.batches, b)
		latest := arrival(b.Entry).Add(farFuture)
		for i := range b.Records {
			r := &b.Records[i]
			if (r.Flags.Has(record.CountOnly) && !s.counting) || (s.filter && !s.wants(r)) {
				j.skipped++
				continue
			}
			id := b.RecordID(i)
			if s.sample > 0 && s.sample < 1 && !s.drawn(id) {
				j.sampled++
				continue
			}
			j.records = append(j.records, record.Entry{ID: id, Node: b.Node, Group: b.Group, Record: *r})
			j.origins = append(j.origins, origin{at, int32(i)})
			e := &j.records[len(j.records)-1].Record
			if s.sample > 0 && s.sample < 1 {
				if e.Sample == 0 {
					e.Sample = 1
				}
				e.Sample *= s.sample
			}
			if e.At.After(latest) {
				e.At = latest.Add(-farFuture)
				j.clamped++
			}
			for _, clear := range s.clear {
				clear(e)
			}
		}
	}
	l.records, l.origins = j.records, j.origins
	return j
}

// arrival is when an entry came into the stream, by the clock of Redis.
func arrival(entry string) time.Time {
	text, _, _ := strings.Cut(entry, "-")
	ms, _ := strconv.ParseInt(text, 10, 64)
	return time.UnixMilli(ms)
}
