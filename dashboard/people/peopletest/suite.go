// Package peopletest holds the contracts of the stores of people, their sessions,
// API tokens and failed sign-ins: what every store must do, whoever keeps it.
package peopletest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// base is when everything in the suites happens: whole milliseconds, UTC.
var base = time.Date(2026, 11, 22, 4, 35, 7, 89_000_000, time.UTC)

// hostile are texts that must be nothing but text to every store.
func hostile() []string {
	return []string{
		`%`, `_`, `.*`, `^$`, `$ne`, `{"$ne":null}`, `{"$gt":""}`, `{`, `[`, `\`, `' OR '1'='1`, `'; DROP TABLE users; --`,
		`"`, "`", `a.b.c`, `$set`, `김하나`, `😀`, `a/b`, `*`, `?`, ` `, `null`, `true`, `1`, `login:kim`, `addr:::1`,
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func cancelled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
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
