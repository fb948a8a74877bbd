package httpd_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/pkg/httpd"
)

func get(t *testing.T, h http.HandlerFunc) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h(w, httptest.NewRequest("GET", "/", nil))
	return w.Code, w.Body.String()
}

func TestHealthFollowsItsComponents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var redis, sink atomic.Value // what the next look finds
		redis.Store(httpd.Pass)
		sink.Store(httpd.Pass)
		h := httpd.NewHealth("gateway", "v1", "n1")
		h.Component("redis", func(context.Context) (httpd.Status, string) { return redis.Load().(httpd.Status), "as set" })
		h.Optional("sink", func(context.Context) (httpd.Status, string) { return sink.Load().(httpd.Status), "" })
		if code, _ := get(t, h.Ready); code != 503 {
			t.Errorf("ready before anything was looked at: %d", code)
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go func() { _ = h.Run(ctx) }()
		synctest.Wait()
		expect := func(when string, status httpd.Status, code int) {
			t.Helper()
			doc, _ := h.Report()
			got, _ := get(t, h.Hello)
			ready, _ := get(t, h.Ready)
			if doc.Status != status || got != code || ready != code {
				t.Errorf("%s: %s, hello %d, ready %d; want %s, %d", when, doc.Status, got, ready, status, code)
			}
		}
		expect("all well", httpd.Pass, 200)
		sink.Store(httpd.Fail)
		advance()
		expect("an optional one fails", httpd.Warn, 200)
		redis.Store(httpd.Warn)
		advance()
		expect("a required one warns", httpd.Warn, 200)
		redis.Store(httpd.Fail)
		advance()
		expect("a required one fails", httpd.Fail, 503)
		redis.Store(httpd.Pass)
		sink.Store(httpd.Pass)
		advance()
		expect("all well again", httpd.Pass, 200)
		h.SetDraining()
		expect("draining", httpd.Pass, 503)
		if code, body := get(t, h.Live); code != 200 || body != "live\n" {
			t.Errorf("live: %d %q", code, body)
		}
	})
}

// advance lets the next look happen, in the bubble's time.
func advance() {
	<-time.After(2100 * time.Millisecond)
	synctest.Wait()
}

func TestHangingCheckFailsAndBlocksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var calls atomic.Int64
		h := httpd.NewHealth("gateway", "v1", "")
		h.Component("store", func(context.Context) (httpd.Status, string) {
			calls.Add(1)
			<-release // deaf to its context
			return httpd.Pass, ""
		})
		ctx, stop := context.WithCancel(t.Context())
		go func() { _ = h.Run(ctx) }()
		<-time.After(10 * time.Second)
		synctest.Wait()
		doc, ready := h.Report()
		if ready || doc.Components["store"].Detail != "no answer within 1.5s" {
			t.Errorf("got %+v", doc)
		}
		if n := calls.Load(); n != 1 {
			t.Errorf("%d checks pile up", n)
		}
		close(release)
		advance()
		if _, ready := h.Report(); !ready {
			t.Error("it stays failed after it answers again")
		}
		stop()
		synctest.Wait()
	})
}

func TestHelloDocument(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := httpd.NewHealth("dashboard", "v1.2.3", "n1")
		h.Component("redis", func(context.Context) (httpd.Status, string) { return httpd.Pass, "answered in 0.4 ms" })
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go func() { _ = h.Run(ctx) }()
		<-time.After(3 * time.Second)
		synctest.Wait()
		_, body := get(t, h.Hello)
		const want = `{"service":"dashboard","version":"v1.2.3","node":"n1","status":"pass","uptime":"3s",` +
			`"components":{"redis":{"status":"pass","detail":"answered in 0.4 ms","checkedAt":"2000-01-01T00:00:02Z"}}}` + "\n"
		if body != want {
			t.Errorf("got  %s\nwant %s", body, want)
		}
		if !json.Valid([]byte(body)) {
			t.Error("not JSON")
		}
	})
}

func TestRecheckLooksBeforeTheNextRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := httpd.NewHealth("gateway", "v1", "n")
		state := httpd.Fail
		h.Component("configuration", func(context.Context) (httpd.Status, string) { return state, "" })
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- h.Run(ctx) }()
		synctest.Wait()
		state = httpd.Pass
		h.Recheck()
		synctest.Wait()
		if _, ready := h.Report(); !ready {
			t.Error("not ready until the next round")
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
