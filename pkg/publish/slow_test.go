package publish

import (
	"context"
	"fmt"
	"maps"
	"os"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// thin answers no question for more than a few contents in time.
type thin struct {
	most  int
	calls int
	late  func(context.Context) error
}

func (h *thin) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *thin) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() != "mget" {
			return next(ctx, cmd)
		}
		h.calls++
		if len(cmd.Args())-1 > h.most {
			err := h.late(ctx)
			cmd.SetErr(err)
			return err
		}
		return next(ctx, cmd)
	}
}

func (h *thin) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// TestContentsThatAreTooMuchAtOnceAreFetchedInSmallerChunks: whether the client's
// time for one answer ends first, or the caller's for all of them.
func TestContentsThatAreTooMuchAtOnceAreFetchedInSmallerChunks(t *testing.T) {
	for name, late := range map[string]func(context.Context) error{
		"the client's time": func(context.Context) error { return fmt.Errorf("read: %w", os.ErrDeadlineExceeded) },
		"the caller's time": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	} {
		for _, most := range []int{1, 5} {
			t.Run(fmt.Sprint(name, most), func(t *testing.T) {
				rdb, k := testenv.Redis(t), newKeys(t)
				w := newWorld(t, rdb, k, "g")
				for i := range 150 {
					w.set(fmt.Sprint("api-", i), fmt.Sprint("text ", i))
				}
				w.publish(1, 1)
				h := &thin{most: most, late: late}
				rdb.AddHook(h)
				r := NewReader(rdb, k.Node(), "g")
				root, _, err := r.Root(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				have := map[string][]byte{}
				for range 40 { // attempts
					ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
					_, texts, parts, err := r.Fetch(ctx, root, func(sha string) ([]byte, bool) { b, ok := have[sha]; return b, ok })
					cancel()
					maps.Copy(have, texts)
					maps.Copy(have, parts)
					if err == nil {
						return
					}
					if !fault.Is(err, "publish.unavailable") {
						t.Fatal(err)
					}
				}
				t.Errorf("%d contents after 40 attempts", len(have))
			})
		}
	}
}

// TestChunksGrowAgain: one bad moment shall not slow a gateway down for ever.
func TestChunksGrowAgain(t *testing.T) {
	rdb, k := testenv.Redis(t), newKeys(t)
	w := newWorld(t, rdb, k, "g")
	for i := range 3000 {
		w.set(fmt.Sprint("api-", i), fmt.Sprint("text ", i))
	}
	w.publish(1, 1)
	h := &thin{most: 1, late: func(context.Context) error { return os.ErrDeadlineExceeded }}
	rdb.AddHook(h)
	r := NewReader(rdb, k.Node(), "g")
	root, _, err := r.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fetch := func() int {
		t.Helper()
		h.calls = 0
		if _, _, _, err := r.Fetch(t.Context(), root, nil); err != nil {
			t.Fatal(err)
		}
		return h.calls
	}
	slow := fetch()
	h.most = chunkKeys
	for range 4 { // of two rounds each: parts and items
		fetch()
	}
	if quick := fetch(); slow < 3000 || quick > 3000/chunkKeys+3 {
		t.Errorf("%d calls while it was slow, %d once it had been quick for a while", slow, quick)
	}
}
