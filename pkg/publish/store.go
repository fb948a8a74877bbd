package publish

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/fault"
)

// The names in Redis. The hash tag puts all of them into one slot of a cluster.
const (
	keyPrefix     = "sluice:{cfg}:"
	contentPrefix = keyPrefix + "c:"
	rootPrefix    = keyPrefix + "root:"
	namedKey      = keyPrefix + "named"   // set of the hashes that roots name
	claimedKey    = keyPrefix + "claimed" // set of the hashes that a large publication is about to name
)

// The fields of a root's hash. Only root and sig are believed; the others spare
// work, and the writer checks them before it gives way to them.
const (
	fieldEpoch      = "epoch"
	fieldGeneration = "generation"
	fieldSHA        = "sha"
	fieldRoot       = "root"
	fieldSignature  = "sig"
	fieldParts      = "parts"
)

const (
	// Grace is how long a content stays after the last root that named it.
	Grace = 10 * time.Minute
	// MaxContent is the size in bytes of the largest text that can be published.
	MaxContent = 16 << 20

	// large is from how many texts on contents are named in chunks before the
	// roots are set, since one script over all of them would hold Redis up.
	large = 4096

	callTimeout = 5 * time.Second
	chunkKeys   = 128
	chunkBytes  = 1 << 20
)

// bounded gives a call to Redis a deadline where the caller set none.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, callTimeout)
}

func unavailable(err error, doing string) error {
	return fault.Wrap(fmt.Errorf("%s: %w", doing, err), fault.Unavailable, "publish.unavailable",
		"Redis did not answer while published configuration was read or written; check that it is up and reachable")
}

func pack(text []byte) []byte { return s2.Encode(nil, text) }

// unpack refuses to make more than MaxContent bytes of what it reads.
func unpack(b []byte) ([]byte, error) {
	n, err := s2.DecodedLen(b)
	if err != nil {
		return nil, err
	}
	if n > MaxContent {
		return nil, fmt.Errorf("%d bytes, the limit is %d", n, MaxContent)
	}
	return s2.Decode(nil, b)
}

func readHead(ctx context.Context, rdb redis.UniversalClient, group string) (Head, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	v, err := rdb.HMGet(ctx, rootPrefix+group, fieldEpoch, fieldGeneration, fieldSHA).Result()
	if err != nil {
		return Head{}, unavailable(err, "read the head of "+group)
	}
	return parseHead(v), nil
}

// parseHead reads epoch, generation and hash; nonsense is no head.
func parseHead(v []any) Head {
	epoch, _ := v[0].(string)
	generation, _ := v[1].(string)
	sha, _ := v[2].(string)
	e, err1 := strconv.ParseInt(epoch, 10, 64)
	g, err2 := strconv.ParseInt(generation, 10, 64)
	if err1 != nil || err2 != nil || !validSHA(sha) {
		return Head{}
	}
	return Head{Epoch: e, Generation: g, SHA: sha}
}
