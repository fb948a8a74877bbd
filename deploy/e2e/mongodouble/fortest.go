package mongodouble

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

// For starts a server for one test and stops it at the test's end. Without Java or Maven the test is
// skipped, and says so; with "mongodb" in SLUICE_TEST_REQUIRE it fails instead.
func For(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := Start(t.Context(), o)
	if errors.Is(err, ErrTool) && !slices.Contains(strings.Split(os.Getenv("SLUICE_TEST_REQUIRE"), ","), "mongodb") {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("starting the MongoDB double: %v", err)
	}
	t.Cleanup(s.Stop)
	return s
}
