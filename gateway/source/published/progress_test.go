package published_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/gateway/route"
	"github.com/sluice-gateway/sluice/gateway/source/published"
	"github.com/sluice-gateway/sluice/pkg/publish"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// slow lets a few calls pass in each attempt, as a far Redis does in the time
// that an attempt has.
type slow struct{ left int }

var errSlow = errors.New("too slow")

func (s *slow) DialHook(next redis.DialHook) redis.DialHook { return next }

func (s *slow) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if s.left--; s.left < 0 {
			cmd.SetErr(errSlow)
			return errSlow
		}
		return next(ctx, cmd)
	}
}

func (s *slow) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// TestALargeFetchGoesOnWhereItEnded: else a gateway far from Redis would begin
// anew for ever.
func TestALargeFetchGoesOnWhereItEnded(t *testing.T) {
	rdb := testenv.Redis(t)
	k, err := trust.Generate()
	if err != nil {
		t.Fatal(err)
	}
	tree, texts := publish.NewTree("g"), map[string][]byte{}
	for i := range 2000 {
		text := fmt.Appendf(nil, "text %d", i)
		sum := sha256.Sum256(text)
		sha := hex.EncodeToString(sum[:])
		texts[sha] = text
		if err := tree.Set(publish.Item{Org: "o", Kind: "api", ID: fmt.Sprint(i), SHA: sha}); err != nil {
			t.Fatal(err)
		}
	}
	u, err := publish.Compose(1, 1, time.UnixMilli(1), func(sha string) ([]byte, bool) { b, ok := texts[sha]; return b, ok }, tree)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := publish.NewWriter(rdb, k).Publish(t.Context(), u); !ok || err != nil {
		t.Fatal(ok, err)
	}
	h := &slow{}
	rdb.AddHook(h)
	s := published.New(publish.NewReader(rdb, k, "g"))
	for attempt := range 20 {
		h.left = 5 // the head, the root, and three chunks of the 18
		u, err := s.Fetch(t.Context(), route.State{})
		if err == nil {
			if len(u.Set) != 2000 || attempt < 3 {
				t.Errorf("attempt %d: %d items", attempt, len(u.Set))
			}
			return
		}
		if u != nil || !errors.Is(err, errSlow) {
			t.Fatalf("%v, %v", u, err)
		}
	}
	t.Error("it never ends")
}
