// Package sinktest is the contract of package sink as tests, for every sink to run.
package sinktest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/record"
	"github.com/sluice-gateway/sluice/pump/sink"
)

// within is how long a call may take before the suite says that it hangs.
const within = 30 * time.Second

// Options say what a sink promises beyond the contract, and how to look.
type Options struct {
	// Stored returns the ids of the records that the sink has, as often as it has
	// them. Nil: what a sink has cannot be seen, and only its errors are judged.
	Stored func(t *testing.T, s sink.Sink) []string
	// Ordered: Stored tells the records of one shard in the order of their coming.
	Ordered bool
	// Once: a record that comes again is stored once. Else it may be there twice.
	Once bool
	// Counting: the sink also gets records that are for counters only.
	Counting bool
	// BigBatch is the number of records of the largest batch; default 4000.
	BigBatch int
}

// Run runs the suite. open makes a new, empty sink with a store of its own, and
// leaves its Close to the suite.
func Run(t *testing.T, open func(t *testing.T) sink.Sink, o Options) {
	if o.BigBatch == 0 {
		o.BigBatch = 4000
	}
	for _, test := range []struct {
		name string
		run  func(s *suite)
	}{
		{"a batch is stored", stored},
		{"an order is kept within a shard", ordered},
		{"the same batch comes twice", repeated},
		{"a cancelled write loses nothing", cancelled},
		{"shards write at the same time", concurrent},
		{"hostile text", hostile},
		{"a big batch", big},
		{"records are only read", untouched},
		{"records for counters only", countOnly},
		{"work ends with its context", works},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &suite{T: t, o: o, sink: open(t)}
			test.run(s)
			s.close()
		})
	}
}

// Entries are n records of a shard, beginning with a number: their ids differ by
// shard and number alone. Times are of the last minute.
func Entries(shard, from, n int) []record.Entry {
	at := time.Now().Truncate(time.Second).Add(-time.Minute)
	list := make([]record.Entry, n)
	for i := range list {
		k := from + i
		list[i] = record.Entry{
			ID: fmt.Sprintf("00000000000000aa-%d-%d-%d", shard, 1+k/500, k%500), Node: "0199a1b2-0000-4000-8000-000000000000", Group: "default",
			Record: record.Record{
				At: at.Add(time.Duration(k) * time.Millisecond), Total: time.Duration(1000+k) * time.Microsecond, Upstream: 900 * time.Microsecond,
				Status: []int{200, 201, 404, 500}[k%4], Method: "GET", Scheme: "https", Host: "api.example.com", Path: fmt.Sprintf("/v1/orders/%d", k),
				Org: "default", API: fmt.Sprintf("api-%d", shard), Endpoint: "ep-1", Route: "/v1/orders/{id}", Key: fmt.Sprintf("key-%d", k%10),
				Client: "203.0.113.7", Country: "KR", Protocol: "1.1", RequestID: fmt.Sprintf("r-%d-%d", shard, k), BytesOut: int64(k), Attempts: 1, Generation: 7,
			},
		}
	}
	return list
}

// BatchOf is a batch as the pipeline makes them.
func BatchOf(shard int, records []record.Entry) sink.Batch {
	return sink.Batch{Shard: shard, From: "1795000000000-0", To: "1795000000001-100", Records: records}
}

type suite struct {
	*testing.T
	o    Options
	sink sink.Sink
}

// call runs f and fails the test when it does not come back.
func (s *suite) call(what string, f func() error) error {
	s.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		s.Fatalf("%s did not come back within %s", what, within)
		return nil
	}
}

func (s *suite) write(ctx context.Context, b sink.Batch) error {
	s.Helper()
	return s.call("Write", func() error { return s.sink.Write(ctx, b) })
}

func (s *suite) mustWrite(b sink.Batch) {
	s.Helper()
	if err := s.write(s.Context(), b); err != nil {
		s.Fatalf("Write: %v", err)
	}
}

func (s *suite) close() {
	s.Helper()
	if err := s.call("Close", s.sink.Close); err != nil {
		s.Errorf("Close: %v", err)
	}
}

// has checks that exactly these records are stored; repeats says that they may be
// there more than once, unless the sink promises more.
func (s *suite) has(want []record.Entry, repeats bool) {
	s.Helper()
	if s.o.Stored == nil {
		return
	}
	count := map[string]int{}
	for _, id := range s.o.Stored(s.T, s.sink) {
		count[id]++
	}
	for i := range want {
		n := count[want[i].ID]
		delete(count, want[i].ID)
		switch {
		case n == 0:
			s.Errorf("record %d (%s) is missing", i, want[i].ID)
		case n > 1 && (s.o.Once || !repeats):
			s.Errorf("record %d (%s) is there %d times", i, want[i].ID, n)
		}
	}
	for id := range count {
		s.Errorf("nobody wrote the record %s", id)
	}
}

func stored(s *suite) {
	list := Entries(0, 0, 10)
	s.mustWrite(BatchOf(0, list))
	s.has(list, false)
}

func ordered(s *suite) {
	list := Entries(2, 0, 30)
	for i := 0; i < 30; i += 10 {
		s.mustWrite(BatchOf(2, list[i:i+10]))
	}
	s.has(list, false)
	if !s.o.Ordered || s.o.Stored == nil {
		return
	}
	for i, id := range s.o.Stored(s.T, s.sink) {
		if i < len(list) && id != list[i].ID {
			s.Fatalf("at %d stands %s, not %s", i, id, list[i].ID)
		}
	}
}

func repeated(s *suite) {
	list := Entries(0, 0, 20)
	s.mustWrite(BatchOf(0, list[:10]))
	s.mustWrite(BatchOf(0, list[:10]))
	s.mustWrite(BatchOf(0, list)) // another cut of the same records
	s.has(list, true)
}

func cancelled(s *suite) {
	list := Entries(0, 0, 10)
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	err := s.write(ctx, BatchOf(0, list))
	var reject *sink.Reject
	if errors.As(err, &reject) {
		s.Fatalf("a cancelled write rejected records for good: %v", err)
	}
	if err == nil {
		s.has(list, false)
	}
	s.mustWrite(BatchOf(0, list))
	s.has(list, true)
}

func concurrent(s *suite) {
	const shards, batches, size = 4, 5, 20
	var all []record.Entry
	var wait sync.WaitGroup
	errs := make([]error, shards)
	for shard := range shards {
		list := Entries(shard, 0, batches*size)
		all = append(all, list...)
		wait.Go(func() {
			for i := 0; i < len(list) && errs[shard] == nil; i += size {
				errs[shard] = s.sink.Write(s.Context(), BatchOf(shard, list[i:i+size]))
			}
		})
	}
	_ = s.call("Write", func() error { wait.Wait(); return nil })
	if err := errors.Join(errs...); err != nil {
		s.Fatal(err)
	}
	s.has(all, false)
}

// Hostile are records with what clients can put into them.
func Hostile(shard int) []record.Entry {
	texts := []string{
		"", "\x00", "\xff\xfe\xfd", "a\nb\r\nc", "\u2028\u2029\u0085", `"'\` + "`", "$where", "{\"$gt\":\"\"}", "a.b.$c", "<script>", "'; DROP TABLE records; --",
		"%00%0d%0a", "주문", "😀", strings.Repeat("x", 20_000), strings.Repeat("é", 9_000), "--", "#{x}", "${env:HOME}", " \t ", "\x1b[31m", "=1+1", "\xed\xa0\x80",
	}
	list := Entries(shard, 0, len(texts))
	for i, text := range texts {
		r := &list[i].Record
		r.Method, r.Host, r.Path, r.Query, r.UserAgent, r.RequestID, r.TraceID = text, text, text, text, text, text, text
		r.Org, r.API, r.Endpoint, r.Route, r.Key, r.KeyAlias, r.OAuthClient = text, text, text, text, text, text, text
		r.Client, r.Country, r.Target, r.Error, r.Refusal, r.Version = text, text, text, text, text, text
		r.Policies, r.Tags = []string{text, ""}, []string{text, text}
		r.Request = &record.Capture{Header: []record.Field{{Name: text, Value: text}}, Body: []byte(text), Size: int64(len(text)), Truncated: true}
		r.Response = &record.Capture{}
		r.Status = []int{0, 99, 200, 599, 999}[i%5]
	}
	list[0].Total, list[1].Total, list[2].Total = 0, 1<<62, time.Nanosecond
	list[3].BytesIn, list[4].Sample, list[5].Flags = 1<<62, 0.001, 1<<32-1
	return list
}

func hostile(s *suite) {
	list := Hostile(1)
	err := s.write(s.Context(), BatchOf(1, list))
	var reject *sink.Reject
	if err != nil && !errors.As(err, &reject) {
		s.Fatalf("what clients send must be stored or rejected, not tried for ever: %v", err)
	}
	if reject != nil {
		for _, r := range reject.Records {
			if r.Index < 0 || r.Index >= len(list) || r.Reason == "" {
				s.Fatalf("a rejected record without index or reason: %+v", r)
			}
		}
		rejected := func(i int) bool {
			return slices.ContainsFunc(reject.Records, func(r sink.Rejected) bool { return r.Index == i })
		}
		var kept []record.Entry
		for i := range list {
			if !rejected(i) {
				kept = append(kept, list[i])
			}
		}
		list = kept
	}
	s.has(list, false)
}

func big(s *suite) {
	list := Entries(3, 0, s.o.BigBatch)
	s.mustWrite(BatchOf(3, list))
	s.has(list, false)
}

func untouched(s *suite) {
	list, same := Entries(0, 0, 10), Entries(0, 0, 10)
	for i := range list {
		same[i].At = list[i].At
	}
	s.mustWrite(BatchOf(0, list))
	if !reflect.DeepEqual(list, same) {
		s.Error("Write changed the records: they belong to the pipeline")
	}
}

func countOnly(s *suite) {
	list := Entries(0, 0, 10)
	if s.o.Counting {
		for i := range list[:5] {
			list[i].Flags |= record.CountOnly
		}
	}
	s.mustWrite(BatchOf(0, list))
	s.has(list, false)
}

func works(s *suite) {
	w, ok := s.sink.(sink.Worker)
	if !ok {
		return
	}
	ctx, cancel := context.WithCancel(s.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- w.Work(ctx) }()
	list := Entries(0, 0, 10)
	s.mustWrite(BatchOf(0, list))
	cancel()
	if err := s.call("Work", func() error { return <-done }); err != nil && !errors.Is(err, context.Canceled) {
		s.Errorf("Work: %v", err)
	}
	s.has(list, false)
}
