package loadgen

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestQuantilesAreWithinOneSixtyFourth(t *testing.T) {
	var h Histogram
	var all []time.Duration
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		d := time.Duration(rnd.ExpFloat64() * float64(3*time.Millisecond))
		all = append(all, d)
		h.Add(d)
	}
	slices.Sort(all)
	for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 0.999, 1} {
		exact := all[min(len(all)-1, max(0, int(q*float64(len(all))+0.5)-1))]
		if got := h.Quantile(q); got < exact || float64(got) > float64(exact)*(1+1.0/64)+1 {
			t.Errorf("quantile %v is %v, exactly %v", q, got, exact)
		}
	}
	if h.Max() != all[len(all)-1] {
		t.Errorf("max %v, want %v", h.Max(), all[len(all)-1])
	}
}

func TestBucketsCoverEveryDuration(t *testing.T) {
	for _, v := range []uint64{0, 1, 63, 64, 65, 127, 128, 1000, 1 << 20, 1<<40 + 12345, 1<<63 - 1} {
		i := bucket(v)
		if top(i) < v || (i > 0 && top(i-1) >= v) {
			t.Errorf("%d is in bucket %d, from above %d to %d", v, i, top(i-1), top(i))
		}
	}
}

func TestAnOpenLoopCountsLatencyFromTheIntendedStart(t *testing.T) {
	var served atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if served.Add(1) == 1 {
			// The only connection is stuck here while a hundred others were due.
			select {
			case <-time.After(300 * time.Millisecond):
			case <-r.Context().Done():
			}
		}
		_, _ = w.Write([]byte("ok"))
	}))
	defer s.Close()
	r, err := Run(t.Context(), Options{URL: s.URL, Rate: 300, Connections: 1, Length: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if r.Requests != 150 || r.Good() != 150 {
		t.Errorf("%d requests, %d good, want 150 of each: %+v", r.Requests, r.Good(), r)
	}
	if r.Latency.P50 < 20 || r.Late < 50 {
		t.Errorf("the stall of one request is not felt by those behind it: p50 %v ms, %d late", r.Latency.P50, r.Late)
	}
}

func TestAClosedLoopReusesItsConnectionsAndReadsEveryFraming(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"length": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) },
		"chunked": func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			_, _ = w.Write([]byte("hello"))
		},
		"empty": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"large": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(strings.Repeat("x", 100_000))) },
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(handler)
			defer s.Close()
			r, err := Run(t.Context(), Options{URL: s.URL, Connections: 3, Length: 50 * time.Millisecond})
			if err != nil || r.Good() != r.Requests || r.Requests < 3 || r.Dials != 3 || len(r.Errors) > 0 {
				t.Errorf("%+v (%v)", r, err)
			}
		})
	}
}

func TestRequestsCarryHeadersAndBody(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, 10)
		n, _ := r.Body.Read(body)
		if r.Method != "POST" || r.Header.Get("Authorization") != "x" || string(body[:n]) != "payload" || r.URL.RawQuery != "a=b" {
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	defer s.Close()
	r, err := Run(t.Context(), Options{URL: s.URL + "/p?a=b", Method: "POST", Header: []string{"Authorization: x"}, Body: []byte("payload"), Length: 300 * time.Millisecond})
	if err != nil || r.Requests == 0 || r.Good() != r.Requests {
		t.Errorf("%+v (%v)", r, err)
	}
}

func TestFailuresAreCountedByKind(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer s.Close()
	r, err := Run(t.Context(), Options{URL: s.URL, Length: 300 * time.Millisecond})
	if err != nil || r.Errors["closed"] != r.Requests || r.Requests == 0 {
		t.Errorf("an origin that hangs up: %+v (%v)", r, err)
	}
	s.Close()
	r, err = Run(t.Context(), Options{URL: s.URL, Length: 200 * time.Millisecond})
	if err != nil || r.Errors["dial"] != r.Requests || r.Requests == 0 {
		t.Errorf("an origin that is gone: %+v (%v)", r, err)
	}
	stuck := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer stuck.Close()
	r, err = Run(t.Context(), Options{URL: stuck.URL, Length: 200 * time.Millisecond, Timeout: 50 * time.Millisecond})
	if err != nil || r.Errors["timeout"] != r.Requests || r.Requests == 0 {
		t.Errorf("an origin that is stuck: %+v (%v)", r, err)
	}
}

func TestARunEndsWithItsContextAndRefusesNonsense(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	r, err := Run(ctx, Options{URL: s.URL, Rate: 100, Length: time.Hour})
	if err != nil || r.Seconds > 60 || r.Good() != 0 {
		t.Errorf("%+v (%v)", r, err)
	}
	for _, o := range []Options{{URL: "ftp://x", Length: time.Second}, {URL: s.URL}, {URL: s.URL, Length: time.Second, Rate: -1}} {
		if _, err := Run(t.Context(), o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}
