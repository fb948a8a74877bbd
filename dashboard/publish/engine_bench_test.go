package publish_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/publish"
)

// BenchmarkCommitAmong10000 measures one change, from the call to the roots in
// Redis, in an installation of 10 000 APIs; the logged figures are the start of a
// dashboard and a complete rewrite of Redis.
func BenchmarkCommitAmong10000(b *testing.B) {
	s := newSite(b)
	e := s.engine()
	for i := range 10 {
		var texts [][]byte
		for j := range 1000 {
			texts = append(texts, api(fmt.Sprintf("api-%d", i*1000+j), ""))
		}
		put(b, e, texts...)
	}
	start := time.Now()
	e = s.engine()
	b.Logf("start in sync: %v", time.Since(start))
	s.redis.Flush()
	start = time.Now()
	if err := e.Repair(b.Context(), true); err != nil {
		b.Fatal(err)
	}
	b.Logf("rewrite of an emptied Redis: %v", time.Since(start))
	n := 0
	for b.Loop() {
		n++
		done := put(b, e, api("api-77", fmt.Sprintf(`"description":"%d",`, n)))
		if len(done.Problems) > 0 {
			b.Fatal(done.Problems)
		}
	}
	if err := e.View(b.Context(), func(st *publish.State) error {
		if st.Revision() != int64(10+n) {
			return fmt.Errorf("revision %d after %d changes", st.Revision(), n)
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
}
