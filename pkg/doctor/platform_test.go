package doctor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/fleet"
	"github.com/sluice-gateway/sluice/pkg/publish"
	"github.com/sluice-gateway/sluice/pkg/redisdb"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

func generate(t *testing.T) *trust.Keys {
	t.Helper()
	return testenv.Must(trust.Generate())(t)
}

func TestTheFleet(t *testing.T) {
	t.Parallel()
	rdb, keys := testenv.Redis(t), generate(t)
	look := func(k *trust.Keys, version string) Finding {
		return Fleet(testenv.Context(t, Limit), version, fleet.NewReader(rdb, k))
	}
	want(t, look(keys, "v1.4.0"), OK, "No gateway and no pump can be heard.")
	beat := func(k *trust.Keys, b fleet.Beat) {
		t.Helper()
		b.Name, b.Start, b.StartedAt = b.Node, "start", time.Now()
		must(t, fleet.NewWriter(rdb, k).Beat(t.Context(), b))
	}
	beat(keys, fleet.Beat{Node: "gw-1", Service: "gateway", Version: "v1.4.0", State: fleet.Current})
	beat(keys, fleet.Beat{Node: "pump-1", Service: "pump", Version: "v1.4.2", State: fleet.CatchingUp})
	want(t, look(keys, "v1.4.1"), OK, "2 nodes of the fleet can be heard, all of one minor version and well.")
	want(t, look(keys, "v1.5.0"), Warn, "v1.5.0: gateway gw-1 is v1.4.0; pump pump-1 is v1.4.2.", "one minor version")
	beat(keys, fleet.Beat{Node: "gw-2", Service: "gateway", Version: "v1.4.0", State: fleet.Behind, Reason: "root.absent"})
	want(t, look(keys, "v1.4.1"), Warn, "gateway gw-2 is behind (root.absent)")
	beat(generate(t), fleet.Beat{Node: "gw-3", Service: "gateway", Version: "v1.4.0", State: fleet.Current})
	want(t, look(keys, "v1.4.1"), Fail, "1 beat of nodes cannot be believed", "3 can be", "bus.key")
	want(t, look(generate(t), "v1.4.1"), Fail, "4 beats of nodes cannot be believed", "bus.key")
}

func TestWhatBeatsSay(t *testing.T) {
	t.Parallel()
	gone := fleet.Beat{Name: "old", Service: "gateway", Version: "v0.9.0", State: fleet.Offline}
	want(t, judgeFleet("v1.0.0", []fleet.Beat{gone}, fleet.Stats{}), OK, "No gateway and no pump can be heard, 1 went silent")
	var many []fleet.Beat
	for range 8 {
		many = append(many, fleet.Beat{Name: "gw", Service: "gateway", Version: "v0.9.0", State: fleet.Current})
	}
	want(t, judgeFleet("v1.0.0", many, fleet.Stats{}), Warn, "8 nodes", "and 3 more")
	want(t, judgeFleet("v1.0.0", nil, fleet.Stats{Malformed: 2}), Warn, "2 beats of nodes cannot be read", "one release")
}

// published writes a generation with one API and returns its head.
func published(t *testing.T, s *testenv.Server, keys *trust.Keys, generation int64, text string) publish.Head {
	t.Helper()
	sum := sha256.Sum256([]byte(text))
	tree := publish.NewTree("default")
	must(t, tree.Set(publish.Item{Org: "default", Kind: "api", ID: "a", SHA: hex.EncodeToString(sum[:])}))
	tree.MarkAll()
	at := time.Date(2026, 11, 22, 3, 4, 5, 0, time.UTC)
	u := testenv.Must(publish.Compose(1, generation, at, func(string) ([]byte, bool) { return []byte(text), true }, tree))(t)
	testenv.Must(publish.NewWriter(s.Client(), keys).Publish(testenv.Context(t, Limit), u))(t)
	return tree.Root(1, generation, at).Head()
}

func TestWhatIsPublished(t *testing.T) {
	t.Parallel()
	s, keys := testenv.RedisServer(t), generate(t)
	look := func(k *trust.Keys, group string, have publish.Head) Finding {
		return Root(testenv.Context(t, Limit), group, have, publish.NewReader(s.Client(), k, group))
	}
	want(t, look(keys, "default", publish.Head{}), Warn, "Nothing is published for the group default.", "start a dashboard")
	first := published(t, s, keys, 7, `{"one":1}`)
	want(t, look(keys, "default", publish.Head{}), OK, "Generation 7 (epoch 1, of 2026-11-22T03:04:05Z)", "none on its disk yet")
	want(t, look(keys.Node(), "default", first), OK, "is what this node has on its disk")
	second := published(t, s, keys, 8, `{"two":2}`)
	want(t, look(keys, "default", first), OK, "has generation 7 on its disk, and takes the newer one")
	want(t, look(keys, "edge", first), Warn, "group edge")

	want(t, look(generate(t), "default", second), Fail, "signed by a key that is not trusted here", "copy signing.pub")
	older := second
	older.Generation = 9
	want(t, look(keys, "default", older), Fail, "older than generation 9", "put back to an older copy", "start a dashboard")
	other := second
	other.SHA = first.SHA
	want(t, look(keys, "default", other), Fail, "another generation of the same number")

	const root = "sluice:{cfg}:root:default"
	sig := s.Client().HGet(t.Context(), root, "sig").Val()
	must(t, s.Client().HSet(t.Context(), root, "sig", sig[:len(sig)-1]+string(rune(sig[len(sig)-1]^1&0x7f))).Err())
	want(t, look(keys, "default", second), Fail, "was changed after it was signed", "find out who writes to Redis")
	s.Stop()
	want(t, look(keys, "default", second), Fail, "cannot be used")
}

func TestWithoutRedisNothingInItIsLookedAt(t *testing.T) {
	t.Parallel()
	r := NewRedis([]string{"a:1"}, func(context.Context) (redisdb.Facts, error) { return redisdb.Facts{}, context.DeadlineExceeded })
	k := NewKeys(t.TempDir(), trust.LoadNode)
	c := r.Needs("published", k.With(func(context.Context, *trust.Keys) Finding { panic("looked all the same") }))
	want(t, run(t, c), Warn, "Redis does not answer", "mend redis first")
	r = NewRedis([]string{"a:1"}, func(context.Context) (redisdb.Facts, error) { return redisdb.Facts{}, nil })
	c = r.Needs("published", k.With(func(context.Context, *trust.Keys) Finding { panic("looked all the same") }))
	want(t, run(t, c), Warn, "the keys to verify it with cannot be used", "mend keys first")
}
