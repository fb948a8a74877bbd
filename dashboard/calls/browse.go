// Package calls answers what was called: pages of the records that pumps keep,
// and single ones. question.go reads what is asked for, browse.go asks the store,
// body.go shows recorded bodies.
package calls

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-gateway/sluice/pkg/archive"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/record"
)

// Codes of the faults and notices of this package.
const (
	// CodeNoArchive is an error: this dashboard is not told where records are.
	CodeNoArchive fault.Code = "requests.no_archive"
	// CodeUnavailable is an error: the records cannot be read; params place.
	CodeUnavailable fault.Code = "requests.unavailable"
	// CodeTooSlow is an error: the question took too long; params seconds.
	CodeTooSlow fault.Code = "requests.too_slow"
	// CodeNotFound is an error: there is no such record, any more or yet.
	CodeNotFound fault.Code = "requests.not_found"
	// CodeNothingKept is a warning: no pump has ever written a record; params place.
	CodeNothingKept fault.Code = "requests.nothing_kept"
	// CodeDaySkipped is a warning: a day's records cannot be read; params reason.
	CodeDaySkipped fault.Code = "requests.day_skipped"
	// CodeGoOn is a warning: there was time for a part of the range only; params at,
	// since when it was searched.
	CodeGoOn fault.Code = "requests.go_on"
)

// Timeout is how long one question may take.
const Timeout = 5 * time.Second

// maxID is longer than any id of a record.
const maxID = 128

// Options are what a Service needs.
type Options struct {
	// Store has the records; nil: this dashboard is not told where they are.
	Store Store
	// Kept tells whether any record was ever written; nil: it is not known.
	Kept func(ctx context.Context) (bool, error)
	// Place names the store and its setting for messages of every language, such as
	// "/var/lib/sluice/pump/records (records.dir)". It holds no secret.
	Place string
	// Names knows the names of APIs.
	Names Names
	// Timeout is how long one question may take. 0: Timeout, which is 5 s.
	Timeout time.Duration
}

// Service answers questions about calls. Safe for concurrent use.
type Service struct{ o Options }

// New makes the service.
func New(o Options) *Service {
	if o.Timeout <= 0 {
		o.Timeout = Timeout
	}
	return &Service{o}
}

// Call is a record with what is known beside it.
type Call struct {
	record.Entry
	APIName string // "" where the API is gone or none matched
}

// Answer is one page of calls, newest first.
type Answer struct {
	Calls      []Call
	Next       string // cursor of the next page; "" on the last one
	Total      int    // counted up to archive.CountUpTo
	TotalExact bool
	From, To   time.Time // that were searched: From <= At < To
	// Problems are warnings: why there is less than was asked for.
	Problems []fault.Problem
}

// Find answers a question of an organisation.
func (s *Service) Find(ctx context.Context, org string, q Question) (Answer, error) {
	store, err := s.archived()
	if err != nil {
		return Answer{}, err
	}
	inner, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	f := q.Filter
	f.Org = org
	q.Limit = max(1, min(q.Limit, archive.MaxPage))
	found, err := store.Find(inner, f, q.After, q.Limit)
	if err != nil {
		return Answer{}, s.explain(ctx, inner, "searching the records", err)
	}
	a := Answer{Total: found.Total, TotalExact: found.TotalExact, From: f.From, To: f.To}
	if found.Next != (archive.Cursor{}) {
		a.Next = encode(found.Next, f)
	}
	if a.Calls, err = s.named(ctx, org, found.Entries); err != nil {
		return Answer{}, err
	}
	a.Problems, err = s.doubts(inner, q, found)
	return a, s.explain(ctx, inner, "looking for records", err)
}

// Get returns one call of an organisation, or a fault with CodeNotFound.
func (s *Service) Get(ctx context.Context, org, id string) (Call, error) {
	store, err := s.archived()
	if err != nil {
		return Call{}, err
	}
	if !isID(id) {
		return Call{}, notFound()
	}
	inner, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	e, err := store.Get(inner, id)
	if errors.Is(err, archive.ErrNotFound) || err == nil && e.Org != org {
		return Call{}, notFound()
	}
	if err != nil {
		return Call{}, s.explain(ctx, inner, "reading a record", err)
	}
	list, err := s.named(ctx, org, []record.Entry{e})
	if err != nil {
		return Call{}, err
	}
	return list[0], nil
}

// archived is the store, or a fault that says that there is none.
func (s *Service) archived() (Store, error) {
	if s.o.Store == nil {
		return nil, fault.New(fault.Conflict, CodeNoArchive,
			"this dashboard is not told where records are kept; set records.driver to sqlite or mongodb, as the pump's sink has it")
	}
	return s.o.Store, nil
}

// named adds the names of APIs.
func (s *Service) named(ctx context.Context, org string, entries []record.Entry) ([]Call, error) {
	var ids []string
	for _, e := range entries {
		if e.API != "" {
			ids = append(ids, e.API)
		}
	}
	names := map[string]string{}
	if len(ids) > 0 {
		var err error
		if names, err = s.o.Names.Names(ctx, org, ids); err != nil {
			return nil, fmt.Errorf("asking for the names of APIs: %w", err)
		}
	}
	list := make([]Call, 0, len(entries))
	for _, e := range entries {
		list = append(list, Call{e, names[e.API]})
	}
	return list, nil
}

// doubts say why a page has less than was asked for, where that is no answer to
// the question but the state of the store.
func (s *Service) doubts(ctx context.Context, q Question, found archive.Page[record.Entry]) ([]fault.Problem, error) {
	var list []fault.Problem
	warn := func(code fault.Code, param string, value any, message string) {
		list = append(list, fault.Problem{Code: code, Severity: fault.Warning, Params: map[string]any{param: value}, Message: message})
	}
	for _, reason := range found.Skipped {
		warn(CodeDaySkipped, "reason", reason, "the records of a day are missing here: "+reason)
	}
	if found.Next != (archive.Cursor{}) && len(found.Entries) < q.Limit {
		at := found.Next.At.UTC().Format(time.RFC3339)
		warn(CodeGoOn, "at", at, "there was time to search back to "+at+" only; ask for the next page to go on, or narrow the question")
	}
	if len(found.Entries) > 0 || len(list) > 0 || q.After != (archive.Cursor{}) || s.o.Kept == nil {
		return list, nil
	}
	kept, err := s.o.Kept(ctx)
	if !kept && err == nil {
		warn(CodeNothingKept, "place", s.o.Place, "no pump has written records to "+s.o.Place+"; start a pump with a sink that writes there")
	}
	return list, err
}

// explain turns what a store said into a fault that names the mend. outer is the
// caller's context, inner the one with the deadline.
func (s *Service) explain(outer, inner context.Context, doing string, err error) error {
	if err == nil || fault.As(err) != nil {
		return err
	}
	err = fmt.Errorf("%s: %w", doing, err)
	switch {
	case errors.Is(outer.Err(), context.Canceled): // nobody is waiting
		return err
	case errors.Is(inner.Err(), context.DeadlineExceeded):
		seconds := s.o.Timeout.Seconds()
		return fault.Wrap(err, fault.Unavailable, CodeTooSlow,
			"the records were not searched within %g s; narrow the range by from and to, or ask for one api or key", seconds).With("seconds", seconds)
	}
	return fault.Wrap(err, fault.Unavailable, CodeUnavailable,
		"the records in %s cannot be read; check that setting, that the place is there, and that the dashboard may read it", s.o.Place).With("place", s.o.Place)
}

func notFound() error {
	return fault.New(fault.NotFound, CodeNotFound,
		"there is no record of this request; retention may have dropped it, or a pump has yet to store it")
}

// isID tells whether a text can be the id of a record: hex, digits and dashes.
func isID(s string) bool {
	if s == "" || len(s) > maxID {
		return false
	}
	for _, b := range []byte(s) {
		if b != '-' && (b < '0' || b > '9') && (b < 'a' || b > 'z') {
			return false
		}
	}
	return true
}
