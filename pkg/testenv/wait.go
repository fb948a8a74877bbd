// Package testenv gives tests what they need from outside: a Redis of their
// own, a MongoDB or SQLite store, golden files, and waiting for a condition.
// Only tests import it.
package testenv

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// pollEvery is how often Eventually looks at its condition.
const pollEvery = 5 * time.Millisecond

// Eventually waits until cond holds, looking every 5 ms, and fails the test
// when it does not hold within the given time. It is the only place of the tree
// that sleeps.
func Eventually(t testing.TB, within time.Duration, cond func() bool) {
	t.Helper()
	if !poll(within, cond) {
		t.Fatalf("the condition did not hold within %s", within)
	}
}

// EventuallyNoError waits until f returns nil, looking every 5 ms, and fails
// the test with f's last error when it does not within the given time.
func EventuallyNoError(t testing.TB, within time.Duration, f func() error) {
	t.Helper()
	var last error
	if !poll(within, func() bool { last = f(); return last == nil }) {
		t.Fatalf("still an error after %s: %v", within, last)
	}
}

func poll(within time.Duration, cond func() bool) bool {
	for end := time.Now().Add(within); ; {
		if cond() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
		time.Sleep(pollEvery)
	}
}

// Context returns a context that ends with the test or after the given time,
// whichever is first.
func Context(t testing.TB, within time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), within)
	t.Cleanup(cancel)
	return ctx
}

// Missing skips the test because an outside program is not there, or fails it
// if SLUICE_TEST_REQUIRE (a comma-separated list, such as "redis,mongodb")
// names the program.
func Missing(t testing.TB, program, mend string) {
	t.Helper()
	if slices.Contains(strings.Split(os.Getenv("SLUICE_TEST_REQUIRE"), ","), program) {
		t.Fatalf("SLUICE_TEST_REQUIRE names %s, but it is missing: %s", program, mend)
	}
	t.Skipf("%s is missing: %s", program, mend)
}
