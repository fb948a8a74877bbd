package route

import (
	"context"
	"testing"
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
