package loadgen

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestAPacerNeverReturnsBeforeItsTime(t *testing.T) {
	p, err := newPacer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	for _, d := range []time.Duration{0, 50 * time.Microsecond, 3 * time.Millisecond} {
		began := time.Now()
		if err := p.wait(d); err != nil || time.Since(began) < d {
			t.Errorf("%v after %v (%v)", d, time.Since(began), err)
		}
	}
}

func TestTheEndOfARunEndsWaiting(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p, err := newPacer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	waited := make(chan error, 1)
	go func() { waited <- p.wait(time.Hour) }()
	cancel()
	select {
	case err := <-waited:
		if err == nil {
			t.Error("an hour has passed")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it still waits")
	}
	if err := unlessEnded(ctx, context.Canceled); err != nil {
		t.Errorf("the end of the run is an error: %v", err)
	}
	if err := unlessEnded(t.Context(), context.Canceled); err == nil {
		t.Error("a broken timer is no error")
	}
}

func TestAnOpenLoopTellsItsOwnLag(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) }))
	defer s.Close()
	open, err := Run(t.Context(), Options{URL: s.URL, Rate: 200, Connections: 4, Length: 300 * time.Millisecond})
	if err != nil || open.Lag.Max <= 0 || open.Lag.P50 > open.Latency.P50 || open.Requests != 60 {
		t.Errorf("%+v, %v", open, err)
	}
	closed, err := Run(t.Context(), Options{URL: s.URL, Connections: 2, Length: 50 * time.Millisecond})
	if err != nil || closed.Lag != (Latency{}) {
		t.Errorf("a closed loop has no lag: %+v, %v", closed, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := Run(ctx, Options{URL: s.URL, Rate: 1, Connections: 1, Length: time.Minute}); err != nil || r.Requests > 1 {
		t.Errorf("a run that was ended: %+v, %v", r, err)
	}
}
