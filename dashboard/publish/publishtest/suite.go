// Package publishtest holds the contracts of the log of truth, the contents, the
// views and the marks: what every store must do, whoever keeps it.
package publishtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/publish"
)

// base is when everything in the suites happens: whole milliseconds, UTC.
var base = time.Date(2026, 11, 22, 4, 35, 7, 89_000_000, time.UTC)

// hostile are texts that must be nothing but text to every store.
func hostile() []string {
	return []string{
		`%`, `_`, `.*`, `^$`, `$ne`, `{"$ne":null}`, `{`, `[`, `]`, `, `, `(`, `\`, `\d`, `\E.*`, `'; DROP TABLE objects; --`, `"`, "`",
		`a.b.c`, `$set`, `주문`, `日本語`, `😀`, `a/b`, `../..`, `*`, `?`, `+`, `|`, `#`, ` `, `null`, `true`, `1`,
	}
}

// race runs f on n goroutines that start together, and waits for all.
func race(n int, f func(i int)) {
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	all.Wait()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// cancelled is a context that has ended.
func cancelled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func wantCanceled(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%s with an ended context: %v, want context.Canceled", what, err)
	}
}

// big is a text of 4 MiB that does not compress to nothing.
func big() []byte {
	var b strings.Builder
	for i := 0; b.Len() < 4<<20; i++ {
		fmt.Fprintf(&b, `{"path":"/v1.0/주문/%d","$ref":"#/components/%x"}`+"\n", i, i*2654435761)
	}
	return []byte(b.String()[:4<<20])
}

// texts are documents that must come back byte for byte.
func texts() map[string][]byte {
	return map[string][]byte{
		"dots and dollars":  []byte(`{"paths":{"/v1.0/{id}":{"$ref":"#/a.b"}},"$schema":"x","a.b.c":1,"":2}`),
		"odd spacing":       []byte("{ \"a\" :1,\r\n\t\"a\":2 }\n\n"),
		"Korean and emoji":  []byte(`{"name":"주문 API 😀"}`),
		"NUL and controls":  []byte("a\x00b\x01\x1f\x7f"),
		"byte order mark":   []byte("\ufeff{}"),
		"decomposed Hangul": []byte("\u1112\u1161\u11ab"),
		"not UTF-8":         {0xff, 0xfe, 0x00, 0x80},
		"empty":             {},
		"4 MiB":             big(),
	}
}

// revision is number n with one change of an API.
func revision(n int64, id string) publish.Revision {
	return publish.Revision{
		N: n, At: base.Add(time.Duration(n) * time.Second), Author: publish.Author{Kind: "user", ID: "u1", Name: "Kim"},
		Changes: []publish.Change{{Org: "default", Kind: publish.KindAPI, ID: id, After: fmt.Sprintf("%064x", n)}},
	}
}
