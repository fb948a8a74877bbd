// Package checkuptest is the contract of what stores tell about themselves.
package checkuptest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/checkup"
	"github.com/sluice-gateway/sluice/dashboard/publish"
)

// Store is an adapter's empty, migrated store.
type Store struct {
	Log     publish.Log
	Marks   publish.Marks
	Examine func(context.Context) (checkup.Facts, error)
	// Drop takes a revision out of the log, which no dashboard ever does.
	Drop func(t *testing.T, n int64)
}

// Run runs the contract.
func Run(t *testing.T, server string, open func(t *testing.T) Store) {
	s := open(t)
	look := func() checkup.Facts {
		t.Helper()
		f, err := s.Examine(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	f := look()
	if !strings.HasPrefix(f.Server, server+" ") || f.TooOld != "" || f.Steps != f.Known || f.Known == 0 {
		t.Errorf("an empty store says %+v", f)
	}
	if f.Newest != 0 || f.Count != 0 || f.Gap != 0 || f.Applied != 0 || f.Epoch != 0 {
		t.Errorf("an empty log is %+v", f)
	}
	for n := range int64(20) {
		must(s.Log.Append(t.Context(), publish.Revision{N: n + 1, At: time.Now(), Changes: []publish.Change{{Org: "default", Kind: "api", ID: "a"}}}))
	}
	must(s.Marks.Raise(t.Context(), "applied", 19))
	must(s.Marks.Raise(t.Context(), "epoch", 3))
	if f = look(); f.Newest != 20 || f.Count != 20 || f.Gap != 0 || f.Applied != 19 || f.Epoch != 3 {
		t.Errorf("a whole log of 20 is %+v", f)
	}
	s.Drop(t, 17)
	s.Drop(t, 13)
	if f = look(); f.Newest != 20 || f.Count != 18 || f.Gap != 13 {
		t.Errorf("a log without 13 and 17 is %+v", f)
	}
	s.Drop(t, 1)
	if f = look(); f.Gap != 1 {
		t.Errorf("a log without 1 is %+v", f)
	}
}
