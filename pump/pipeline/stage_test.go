package pipeline

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/record"
	"github.com/sluice-gateway/sluice/pkg/spool"
	"github.com/sluice-gateway/sluice/pkg/spool/frame"
)

// staged is what rules leave of records that arrived at a time.
func staged(t *testing.T, r Rules, counting bool, arrived time.Time, records ...record.Record) *job {
	t.Helper()
	s, err := newStage(r, counting)
	if err != nil {
		t.Fatal(err)
	}
	l := &lane{d: &destination{stage: s}, stats: &laneStats{}, over: map[*spool.Batch]bool{}}
	b := &spool.Batch{Header: frame.Header{Start: frame.StartID{1}, Seq: 1, Count: len(records)}, Entry: fmt.Sprintf("%d-0", arrived.UnixMilli()), Node: "n", Group: "g", Records: records}
	return l.stage([]*spool.Batch{b})
}

func TestFilters(t *testing.T) {
	records := []record.Record{
		{Org: "o1", API: "a1", Key: "k1", Status: 200},
		{Org: "o1", API: "a2", Key: "k2", Status: 404},
		{Org: "o2", API: "", Key: "", Status: 503},
		{Org: "o2", API: "a1", Key: "k1", Status: 0},
	}
	for name, c := range map[string]struct {
		f    Filter
		want string
	}{
		"nothing set":              {Filter{}, "0123"},
		"one organisation":         {Filter{Orgs: []string{"o1"}}, "01"},
		"two APIs":                 {Filter{APIs: []string{"a1", "a2"}}, "013"},
		"no API":                   {Filter{APIs: []string{"-"}}, "2"},
		"a status":                 {Filter{Statuses: []string{"404"}}, "1"},
		"a class":                  {Filter{Statuses: []string{"5xx", "2xx"}}, "02"},
		"a range":                  {Filter{Statuses: []string{"400-599"}}, "12"},
		"no answer":                {Filter{Statuses: []string{"0"}}, "3"},
		"a key":                    {Filter{Keys: []string{"k1"}}, "03"},
		"no key":                   {Filter{Keys: []string{"-"}}, "2"},
		"every list must hold":     {Filter{Orgs: []string{"o2"}, APIs: []string{"a1"}}, "3"},
		"skipped organisation":     {Filter{SkipOrgs: []string{"o1"}}, "23"},
		"skipped API":              {Filter{SkipAPIs: []string{"-", "a2"}}, "03"},
		"skipped status":           {Filter{SkipStatuses: []string{"2xx", "404"}}, "23"},
		"skipped key":              {Filter{SkipKeys: []string{"k1"}}, "12"},
		"skipping wins":            {Filter{APIs: []string{"a1"}, SkipStatuses: []string{"0"}}, "0"},
		"nothing is left":          {Filter{Orgs: []string{"o3"}}, ""},
		"a class that is no class": {Filter{Statuses: []string{"9xx"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			j := staged(t, Rules{Filter: c.f}, false, time.Now(), records...)
			got := ""
			for i, o := range j.origins {
				got += fmt.Sprint(o.index)
				if !reflect.DeepEqual(j.records[i].Record, records[o.index]) || j.records[i].ID != fmt.Sprintf("0100000000000000-0-1-%d", o.index) {
					t.Errorf("record %d became %+v", o.index, j.records[i])
				}
			}
			if got != c.want || int(j.skipped) != len(records)-len(c.want) {
				t.Errorf("kept %q, want %q; %d skipped", got, c.want, j.skipped)
			}
		})
	}
}

func TestWrongRulesAreTold(t *testing.T) {
	for want, r := range map[string]Rules{
		`"4x"`:        {Filter: Filter{Statuses: []string{"4x"}}},
		`"500-400"`:   {Filter: Filter{SkipStatuses: []string{"500-400"}}},
		`"-1"`:        {Filter: Filter{Statuses: []string{"-1"}}},
		`"10000"`:     {Filter: Filter{Statuses: []string{"10000"}}},
		"sample of 2": {Sample: 2},
		`"clientIP"`:  {IgnoreFields: []string{"clientIP"}},
	} {
		if _, err := newStage(r, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if err := (Filter{SkipStatuses: []string{"x"}}).Validate(); err == nil || !strings.Contains(err.Error(), "skip_statuses") {
		t.Errorf("got %v", err)
	}
}

func TestRecordsForCountersOnlyGoToSinksThatCount(t *testing.T) {
	records := []record.Record{{Status: 200}, {Status: 201, Flags: record.CountOnly | record.CacheHit}}
	if j := staged(t, Rules{}, false, time.Now(), records...); len(j.records) != 1 || j.skipped != 1 {
		t.Errorf("%+v", j)
	}
	if j := staged(t, Rules{}, true, time.Now(), records...); len(j.records) != 2 {
		t.Errorf("%+v", j)
	}
}

func TestASampleIsTheSameAtEveryDelivery(t *testing.T) {
	records := make([]record.Record, 20_000)
	for i := range records {
		records[i].Sample = 0.5
	}
	first := staged(t, Rules{Sample: 0.1}, false, time.Now(), records...)
	if n := len(first.records); n < 1800 || n > 2200 || int(first.sampled) != len(records)-n {
		t.Errorf("%d of %d", n, len(records))
	}
	again := staged(t, Rules{Sample: 0.1}, false, time.Now(), records...)
	if !reflect.DeepEqual(first.origins, again.origins) {
		t.Error("another sample of the same records")
	}
	if got := first.records[0].Sample; got != 0.05 {
		t.Errorf("half of all, a tenth of those: %v", got)
	}
	if all := staged(t, Rules{Sample: 1}, false, time.Now(), records[:10]...); len(all.records) != 10 || all.records[0].Sample != 0.5 {
		t.Errorf("%d", len(all.records))
	}
}

func TestTimesFromTheFarFutureBecomeTheArrival(t *testing.T) {
	now := time.UnixMilli(1_795_000_000_000)
	j := staged(t, Rules{}, false, now, record.Record{At: now.Add(5 * time.Minute)}, record.Record{At: now.Add(5*time.Minute + time.Microsecond)}, record.Record{At: now.Add(-time.Hour)})
	for i, want := range []time.Time{now.Add(5 * time.Minute), now, now.Add(-time.Hour)} {
		if !j.records[i].At.Equal(want) {
			t.Errorf("%d: %s, want %s", i, j.records[i].At, want)
		}
	}
	if j.clamped != 1 {
		t.Errorf("%d clamped", j.clamped)
	}
}

func TestIgnoredFieldsAreGoneAndTheBatchIsUntouched(t *testing.T) {
	r := record.Record{
		Client: "203.0.113.7", Query: "a=1", Key: "k", UserAgent: "x",
		Request:  &record.Capture{Header: []record.Field{{Name: "A", Value: "b"}}, Body: []byte("secret"), Size: 6},
		Response: &record.Capture{Body: []byte("secret"), Size: 6},
	}
	j := staged(t, Rules{Filter: Filter{Keys: []string{"k"}}, IgnoreFields: []string{"client", "key", "request.body", "response"}}, false, time.Now(), r)
	got := j.records[0].Record
	want := record.Record{Query: "a=1", UserAgent: "x", Request: &record.Capture{Header: r.Request.Header, Size: 6, Truncated: true}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	if string(r.Request.Body) != "secret" || r.Response == nil {
		t.Error("the batch was changed: it may be staged again")
	}
}

func TestPausesGrowToTheirBoundAndDiffer(t *testing.T) {
	b := backoff{bounds: bounds{100 * time.Millisecond, 30 * time.Second}}
	for i := range 20 {
		full := min(100*time.Millisecond<<i, 30*time.Second)
		if d := b.next(); d < full/2 || d > full {
			t.Errorf("pause %d is %s, want %s to %s", i, d, full/2, full)
		}
	}
}
