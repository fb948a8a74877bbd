package publish

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// BenchmarkOneChangeAmong publishes one changed item of many and reads it as a
// gateway that has the rest.
func BenchmarkOneChangeAmong(b *testing.B) {
	for _, n := range []int{1_000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			rdb, k := testenv.Redis(b), newKeys(b)
			w := newWorld(b, rdb, k, "g")
			for i := range n {
				w.set(fmt.Sprint("api-", i), strings.Repeat(fmt.Sprint(i), 400))
			}
			w.publish(1, 1)
			r := NewReader(rdb, k.Node(), "g")
			have := map[string][]byte{}
			known := func(sha string) ([]byte, bool) { t, ok := have[sha]; return t, ok }
			read := func() {
				root, _, err := r.Root(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				_, texts, parts, err := r.Fetch(b.Context(), root, known)
				if err != nil {
					b.Fatal(err)
				}
				for sha, text := range parts {
					texts[sha] = text
				}
				have = texts
			}
			read()
			generation := int64(1)
			b.ReportAllocs()
			for b.Loop() {
				generation++
				w.set("api-7", fmt.Sprint("changed ", generation))
				w.publish(1, generation)
				read()
			}
		})
	}
}

// BenchmarkRebuild publishes everything into an emptied Redis.
func BenchmarkRebuild(b *testing.B) {
	const n = 10_000
	s := testenv.RedisServer(b)
	w := newWorld(b, s.Client(), newKeys(b), "g")
	for i := range n {
		w.set(fmt.Sprint("api-", i), strings.Repeat(fmt.Sprint(i), 400))
	}
	for b.Loop() {
		s.Flush()
		w.trees[0].MarkAll()
		w.publish(1, 1)
	}
}
