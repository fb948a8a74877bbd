package fleet

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// Reader is the dashboard's end. Safe for concurrent use.
type Reader struct {
	rdb               redis.UniversalClient
	keys              *trust.Keys
	forged, malformed atomic.Int64
}

// NewReader makes a reader.
func NewReader(rdb redis.UniversalClient, k *trust.Keys) *Reader { return &Reader{rdb: rdb, keys: k} }

// Stats counts what a reader met since it was made. A beat is counted each time
// that it is read.
type Stats struct {
	Forged    int64 // beats dropped for a wrong MAC or as replays
	Malformed int64 // beats of this installation that could not be read
}

// Stats returns the counters.
func (r *Reader) Stats() Stats {
	return Stats{Forged: r.forged.Load(), Malformed: r.malformed.Load()}
}

// List returns the nodes of the last 24 hours, by name and id, at most 10 000.
// One that was silent for OfflineAfter has the state offline. Errors: fleet.unavailable.
func (r *Reader) List(ctx context.Context) ([]Beat, error) {
	now, err := r.now(ctx)
	if err != nil {
		return nil, err
	}
	nodes, err := r.nodes(ctx, now)
	if err != nil {
		return nil, err
	}
	var beats []Beat
	for chunk := range slices.Chunk(nodes, chunkSize) {
		got, err := r.read(ctx, chunk, now)
		if err != nil {
			return nil, err
		}
		beats = append(beats, got...)
	}
	slices.SortFunc(beats, func(a, b Beat) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Node, b.Node))
	})
	return beats, nil
}

// Get returns the last beat of one node. Errors: fleet.unknown_node (none, or
// none that can be believed), fleet.unavailable.
func (r *Reader) Get(ctx context.Context, node string) (Beat, error) {
	unknown := fault.New(fault.NotFound, "fleet.unknown_node", "no node %q was heard of within %s; check its id", node, ForgetAfter)
	if !nodePattern.MatchString(node) {
		return Beat{}, unknown
	}
	now, err := r.now(ctx)
	if err != nil {
		return Beat{}, err
	}
	got, err := r.read(ctx, []string{node}, now)
	if err != nil {
		return Beat{}, err
	}
	if len(got) == 0 {
		return Beat{}, unknown
	}
	return got[0], nil
}

// now is the time of Redis.
func (r *Reader) now(ctx context.Context) (time.Time, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	now, err := r.rdb.Time(ctx).Result()
	if err != nil {
		return time.Time{}, unavailable(err, "ask Redis for the time")
	}
	return now, nil
}

func (r *Reader) nodes(ctx context.Context, now time.Time) ([]string, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	nodes, err := r.rdb.ZRangeArgs(ctx, redis.ZRangeArgs{
		Key: nodesKey, Start: "+inf", Stop: strconv.FormatInt(now.Add(-ForgetAfter).UnixMilli(), 10),
		ByScore: true, Rev: true, Count: maxNodes,
	}).Result()
	if err != nil {
		return nil, unavailable(err, "list the nodes")
	}
	return slices.DeleteFunc(nodes, func(n string) bool { return !nodePattern.MatchString(n) }), nil
}

// read returns the believable beats of some nodes.
func (r *Reader) read(ctx context.Context, nodes []string, now time.Time) ([]Beat, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	cmds := make([]*redis.SliceCmd, len(nodes))
	_, err := r.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, n := range nodes {
			cmds[i] = p.HMGet(ctx, nodePrefix+n, "b", "m", "t")
		}
		return nil
	})
	var broken redis.Error // an answer of Redis, such as WRONGTYPE for one node
	if err != nil && !errors.As(err, &broken) {
		return nil, unavailable(err, "read beats")
	}
	var beats []Beat
	for i, c := range cmds {
		v := c.Val()
		if c.Err() != nil {
			r.forged.Add(1)
			continue
		}
		if v[0] == nil && v[1] == nil {
			continue
		}
		text, _ := v[0].(string)
		sum, _ := v[1].(string)
		at, _ := v[2].(string)
		millis, _ := strconv.ParseInt(at, 10, 64)
		seen := time.UnixMilli(millis)
		b, err := decode(r.keys, nodes[i], []byte(text), []byte(sum), seen)
		switch {
		case errors.Is(err, errForged):
			r.forged.Add(1)
			continue
		case err != nil:
			r.malformed.Add(1)
			continue
		}
		if age := now.Sub(seen); age >= ForgetAfter {
			continue
		} else if age > OfflineAfter {
			b.State, b.Reason = Offline, ""
		}
		beats = append(beats, b)
	}
	return beats, nil
}
