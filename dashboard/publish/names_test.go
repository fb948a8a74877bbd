package publish_test

import (
	"maps"
	"testing"

	"github.com/sluice-gateway/sluice/dashboard/publish"
)

// Names are known from what was stored before the start, from changes here and from
// those of other dashboards.
func TestNamesAreThoseOfWhatExists(t *testing.T) {
	s := newSite(t)
	first := s.engine()
	put(t, first, api("a", ""), api("b", ""))
	second := s.engine()
	put(t, second, []byte(`{"id":"a","name":"주문","listen":{"path":"/a"},"upstream":{"targets":[{"url":"http://127.0.0.1:1"}]},"filters":{"auth":{"open":true}}}`))
	if _, err := second.Commit(t.Context(), tester, "", func(*publish.State) ([]publish.Edit, error) {
		return []publish.Edit{{Ref: ref("b")}}, nil
	}); err != nil {
		t.Fatal(err)
	}
	want := func(what string, e *publish.Engine, want map[string]string) {
		t.Helper()
		if got := e.NamesOf("default", publish.KindAPI, []string{"a", "b", "never", "*"}); !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	want("who changed it", second, map[string]string{"a": "주문"})
	want("who has not looked since", first, map[string]string{"a": "a", "b": "b"})
	if err := first.Repair(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	want("who has looked", first, map[string]string{"a": "주문"})
	want("who starts", s.engine(), map[string]string{"a": "주문"})
	for _, other := range [][2]string{{"another", publish.KindAPI}, {"default", publish.KindPolicy}} {
		if got := first.NamesOf(other[0], other[1], []string{"a"}); len(got) != 0 || got == nil {
			t.Errorf("%v: %v", other, got)
		}
	}
}
