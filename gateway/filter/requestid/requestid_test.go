package requestid

import (
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/sluice-gateway/sluice/gateway/filter/filtertest"
)

func trustTen(a netip.Addr) bool { return netip.MustParsePrefix("10.0.0.0/8").Contains(a) }

func TestIncomingIdsAreKeptFromTrustedPeersOnly(t *testing.T) {
	for _, c := range []struct {
		name, peer string
		ids        []string
		kept       bool
	}{
		{"trusted", "10.0.0.1", []string{"abc-123_~.:@=/+Z"}, true},
		{"not trusted", "192.0.2.1", []string{"abc"}, false},
		{"none", "10.0.0.1", nil, false},
		{"two", "10.0.0.1", []string{"abc", "def"}, false},
		{"empty", "10.0.0.1", []string{""}, false},
		{"128 characters", "10.0.0.1", []string{strings.Repeat("a", 128)}, true},
		{"129 characters", "10.0.0.1", []string{strings.Repeat("a", 129)}, false},
		{"space", "10.0.0.1", []string{"a b"}, false},
		{"quote", "10.0.0.1", []string{`a"b`}, false},
		{"markup", "10.0.0.1", []string{"<b>"}, false},
		{"non-ASCII", "10.0.0.1", []string{"é"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := filtertest.Get("/").Peer(c.peer)
			for _, id := range c.ids {
				b.Header("x-request-id", id)
			}
			o := filtertest.Run(t, Spec(Maker(), trustTen), "", b).Passed(t)
			if kept := len(c.ids) > 0 && o.ID == c.ids[0]; kept != c.kept {
				t.Errorf("id %q, kept %v, want %v", o.ID, kept, c.kept)
			}
			if !c.kept && len(o.ID) != idChars {
				t.Errorf("made %q", o.ID)
			}
			if got := o.Request.Header.Get(Header); got != o.ID || o.Request.Header.Count(Header) != 1 {
				t.Errorf("the upstream gets %q, the id is %q", o.Sent(), o.ID)
			}
			if got := o.Response.Header.Get(Header); got != o.ID {
				t.Errorf("the client gets %q, the id is %q", got, o.ID)
			}
		})
	}
}

func TestIdsAreUniqueAcrossGoroutinesAndStarts(t *testing.T) {
	a, b := newSource(), newSource()
	var mu sync.Mutex
	seen := map[string]bool{}
	var wg sync.WaitGroup
	for _, s := range []*source{a, b, a, b} {
		wg.Go(func() {
			ids := make([]string, 5000)
			for i := range ids {
				ids[i] = s.next()
			}
			mu.Lock()
			defer mu.Unlock()
			for _, id := range ids {
				if seen[id] || !valid(id) {
					t.Errorf("%q is not unique or not valid", id)
				}
				seen[id] = true
			}
		})
	}
	wg.Wait()
	if a.start == b.start {
		t.Error("two starts share their characters")
	}
}

func BenchmarkNext(b *testing.B) {
	s := newSource()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_ = s.next()
		}
	})
}
