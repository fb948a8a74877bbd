package route

import (
	"context"
	"testing"

	"github.com/sluice-gateway/sluice/pkg/apidef"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// updates is a source that gives one update after another.
type updates []Update

func (s *updates) Fetch(context.Context, State) (*Update, error) {
	u := (*s)[0]
	*s = (*s)[1:]
	return &u, nil
}

func (s *updates) Hints() <-chan struct{} { return nil }

// TestWhatCouldNotBeFetchedIsReportedAsItIs: only what served before serves on.
func TestWhatCouldNotBeFetchedIsReportedAsItIs(t *testing.T) {
	c, _ := compiler()
	gone := []Key{{"default", kindAPI, "a"}, {"default", kindAPI, "b"}, {"default", kindPolicy, "p"}}
	source := &updates{
		{Full: true, Set: []Item{api("a", path("/a"), "")}, Incomplete: gone[1:]},
		{Incomplete: gone},
	}
	world := NewWorld()
	r := NewReloader(world, c, source, Options{})
	for n, want := range []map[string]bool{{"b": false, "p": false}, {"a": true, "b": false, "p": false}} {
		r.reload(t.Context(), world.Report().At)
		rejected := world.Report().Rejected
		if len(rejected) != len(want) {
			t.Errorf("update %d: %+v", n, rejected)
		}
		for _, rej := range rejected {
			if kept, ok := want[rej.ID]; !ok || rej.Kept != kept || rej.Code != "item.missing" {
				t.Errorf("update %d: %+v", n, rej)
			}
		}
	}
}

// calm is a source without news behind its first update.
type calm struct{ u *Update }

func (s *calm) Fetch(context.Context, State) (*Update, error) {
	u := s.u
	s.u = nil
	return u, nil
}

func (s *calm) Hints() <-chan struct{} { return nil }

// TestADefinitionWaitsForItsCertificate: the version before serves until the
// certificate is there, which no new definition has to say.
func TestADefinitionWaitsForItsCertificate(t *testing.T) {
	c, l := compiler()
	world := NewWorld()
	source := &calm{&Update{Full: true, Set: []Item{api("a", path("/old"), "")}}}
	r := NewReloader(world, c, source, Options{})
	r.reload(t.Context(), world.Report().At)
	l.missing = fault.New(fault.Invalid, apidef.CodeCertificateMissing, "ca: there is none")
	source.u = &Update{Set: []Item{api("a", path("/new"), ""), api("b", path("/b"), "")}}
	for range 3 {
		r.reload(t.Context(), world.Report().At)
		rejected := world.Report().Rejected
		if len(rejected) != 2 {
			t.Fatalf("%+v", rejected)
		}
		for _, rej := range rejected {
			if rej.Code != "certificate.missing" || rej.Message != "/upstream/tls: ca: there is none" || rej.Kept != (rej.ID == "a") {
				t.Errorf("%+v", rej)
			}
		}
		if _, _, err := match(world.Load(), "GET", "h", "/old/x"); err != nil {
			t.Error(err)
		}
	}
	l.missing = nil
	r.reload(t.Context(), world.Report().At)
	for _, target := range []string{"/new/x", "/b/x"} {
		if _, _, err := match(world.Load(), "GET", "h", target); err != nil || len(world.Report().Rejected) != 0 {
			t.Errorf("%s: %v, %+v", target, err, world.Report().Rejected)
		}
	}
	if len(l.out) != 2 {
		t.Errorf("%d forwarders are out", len(l.out))
	}
}
