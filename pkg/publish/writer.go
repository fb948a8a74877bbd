package publish

import (
	"context"
	"crypto/sha1" // the digest that Redis scripts have; it guards a retry, not a trust decision
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

//go:embed publish.lua
var publishScript string

//go:embed upload.lua
var uploadScript string

//go:embed claim.lua
var claimScript string

// maxNumber is the largest integer that a Redis script compares exactly.
const maxNumber = 1 << 53

// Writer publishes. It is safe for concurrent use, also by several processes.
type Writer struct {
	rdb     redis.UniversalClient
	keys    *trust.Keys
	publish *redis.Script
	upload  *redis.Script
	claim   *redis.Script
}

// NewWriter makes a writer; k needs the signing key.
func NewWriter(rdb redis.UniversalClient, k *trust.Keys) *Writer {
	return &Writer{rdb: rdb, keys: k, publish: redis.NewScript(publishScript), upload: redis.NewScript(uploadScript), claim: redis.NewScript(claimScript)}
}

// Publish uploads parts and contents and then sets all roots at once, if none of
// the roots in Redis is newer by (epoch, generation). Afterwards everything that
// the update names is permanent and what it dropped has Grace to live.
//
// It returns true when Redis holds exactly these roots afterwards, be it that
// they were there before (then whatever was missing is restored), and false when
// Redis is ahead. A stored root that is not properly signed is never "ahead": it
// is overwritten.
//
// Errors are faults: publish.incomplete (Redis lacks contents that the update
// does not carry: publish everything, see Tree.MarkAll), root.diverged (another
// signed root of this generation is there), publish.invalid, publish.too_large,
// publish.unavailable.
func (w *Writer) Publish(ctx context.Context, u Update) (published bool, err error) {
	envelopes, texts, err := w.prepare(u)
	if err != nil {
		return false, err
	}
	names, err := w.bring(ctx, &u, texts)
	if err != nil {
		return false, err
	}
	known := obstacles{forged: make([]string, len(u.Roots))}
	// Each round removes one obstacle: expired uploads, a newer signing key, or one
	// group's forged root.
	for range 5 + 2*len(u.Roots) {
		verdict, err := w.compareAndSet(ctx, u, envelopes, names, known)
		if err != nil {
			return false, err
		}
		switch verdict.word {
		case "held":
			return true, nil
		case "keys":
			known.outdated = digestOf(verdict.keys)
			if !w.keys.Follow([]byte(verdict.keys)) {
				continue
			}
			if envelopes, err = w.sign(u); err != nil {
				return false, err
			}
		case "missing":
			if err := w.again(ctx, &u, texts, verdict.missing); err != nil {
				return false, err
			}
		case "newer", "diverged":
			digest, genuine, err := w.judge(ctx, u.Roots[verdict.root].Group)
			if err != nil {
				return false, err
			}
			if !genuine {
				known.forged[verdict.root] = digest
				continue
			}
			if verdict.word == "newer" {
				return false, nil
			}
			return false, fault.Wrap(ErrDiverged, fault.Conflict, "root.diverged",
				"another root of epoch %d, generation %d is published for group %q; append a new revision", u.Epoch, u.Generation, u.Roots[verdict.root].Group)
		default:
			return false, fmt.Errorf("publish: unknown verdict %q of the script", verdict.word)
		}
	}
	return false, fault.New(fault.Unavailable, "publish.unavailable",
		"what is published in Redis changed faster than it could be compared; try again")
}

// prepare checks the update, signs its roots and packs its contents by hash.
func (w *Writer) prepare(u Update) ([]Envelope, map[string][]byte, error) {
	invalid := func(format string, args ...any) error {
		return fault.New(fault.Internal, "publish.invalid", "the publication is inconsistent: "+format, args...)
	}
	if len(u.Roots) == 0 || u.Epoch < 0 || u.Generation < 0 || u.Epoch > maxNumber || u.Generation > maxNumber {
		return nil, nil, invalid("%d roots at epoch %d, generation %d", len(u.Roots), u.Epoch, u.Generation)
	}
	groups := map[string]bool{}
	for _, r := range u.Roots {
		if r.Epoch != u.Epoch || r.Generation != u.Generation || r.V != rootVersion || !validName(r.Group) || groups[r.Group] {
			return nil, nil, invalid("the root of group %q does not fit", r.Group)
		}
		groups[r.Group] = true
	}
	envelopes, err := w.sign(u)
	if err != nil {
		return nil, nil, err
	}
	texts := make(map[string][]byte, len(u.Parts)+len(u.Contents))
	for _, p := range u.Parts {
		if err := addText(texts, hexSum(p), p); err != nil {
			return nil, nil, err
		}
	}
	for sha, text := range u.Contents {
		if hexSum(text) != sha {
			return nil, nil, invalid("a content does not have the hash %s", sha)
		}
		if err := addText(texts, sha, text); err != nil {
			return nil, nil, err
		}
	}
	for _, sha := range u.Dropped {
		if !validSHA(sha) {
			return nil, nil, invalid("%q is no hash", sha)
		}
	}
	return envelopes, texts, nil
}

// sign makes the envelopes of all roots.
func (w *Writer) sign(u Update) ([]Envelope, error) {
	envelopes := make([]Envelope, 0, len(u.Roots))
	for _, r := range u.Roots {
		e, err := Seal(r, w.keys)
		if err != nil {
			return nil, err
		}
		envelopes = append(envelopes, e)
	}
	return envelopes, nil
}

func addText(texts map[string][]byte, sha string, text []byte) error {
	if len(text) > MaxContent {
		return fault.New(fault.TooLarge, "publish.too_large",
			"an object of %d bytes cannot be published, the limit is %d; make it smaller", len(text), MaxContent)
	}
	texts[sha] = pack(text)
	return nil
}

// bring uploads all texts and returns the names that the script has yet to make
// permanent: all, but of a large publication none, since those are claimed. A
// claim that is not followed by a root leaves strays (see Strays).
func (w *Writer) bring(ctx context.Context, u *Update, texts map[string][]byte) ([]string, error) {
	names := slices.Collect(maps.Keys(texts))
	if len(names) < large {
		return names, w.store(ctx, w.upload, nil, texts, names)
	}
	u.Dropped = slices.DeleteFunc(slices.Clone(u.Dropped), func(sha string) bool { return texts[sha] != nil })
	return nil, w.store(ctx, w.claim, []string{namedKey, claimedKey}, texts, names)
}

// again uploads what the script found missing.
func (w *Writer) again(ctx context.Context, u *Update, texts map[string][]byte, missing []string) error {
	for _, sha := range missing {
		if texts[sha] == nil {
			return fault.New(fault.Conflict, "publish.incomplete",
				"Redis lacks contents that this publication does not carry, such as %s; publish everything again", sha)
		}
	}
	if len(texts) >= large { // Redis was emptied meanwhile
		_, err := w.bring(ctx, u, texts)
		return err
	}
	return w.store(ctx, w.upload, nil, texts, missing)
}

// store uploads some of the packed texts in bounded chunks with a script whose
// keys begin with fixed.
func (w *Writer) store(ctx context.Context, script *redis.Script, fixed []string, texts map[string][]byte, names []string) error {
	keys, args, size := slices.Clone(fixed), []any{Grace.Milliseconds()}, 0
	flush := func() error {
		if len(args) == 1 {
			return nil
		}
		ctx, cancel := bounded(ctx)
		defer cancel()
		if err := script.Run(ctx, w.rdb, keys, args...).Err(); err != nil {
			return unavailable(err, "upload contents")
		}
		keys, args, size = keys[:len(fixed)], args[:1], 0
		return nil
	}
	for _, sha := range names {
		text := texts[sha]
		if len(args) > chunkKeys || size+len(text) > chunkBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		keys, args, size = append(keys, contentPrefix+sha), append(args, text), size+len(text)
	}
	return flush()
}

type verdict struct {
	word    string
	root    int
	missing []string
	keys    string // a succession of signing keys that the writer does not know
}

// obstacles are what was found in Redis and is to be overwritten, by digest.
type obstacles struct {
	forged   []string // root of each group
	outdated string   // succession
}

// digestOf is what redis.sha1hex makes of a text.
func digestOf(text string) string {
	sum := sha1.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

func (w *Writer) compareAndSet(ctx context.Context, u Update, envelopes []Envelope, names []string, known obstacles) (verdict, error) {
	keys := []string{namedKey, claimedKey}
	args := []any{u.Epoch, u.Generation, Grace.Milliseconds(), contentPrefix, strings.Join(names, ""), strings.Join(u.Dropped, "")}
	for i, r := range u.Roots {
		keys = append(keys, rootPrefix+r.Group)
		args = append(args, envelopes[i].Root, envelopes[i].Signature, hexSum(envelopes[i].Root),
			hex.EncodeToString(r.partBytes()), known.forged[i])
	}
	keys, args = append(keys, successionKey), append(args, w.keys.Succession(), known.outdated)
	ctx, cancel := bounded(ctx)
	defer cancel()
	reply, err := w.publish.Run(ctx, w.rdb, keys, args...).Slice()
	if err != nil {
		return verdict{}, unavailable(err, "set the roots")
	}
	var v verdict
	if len(reply) > 0 {
		v.word, _ = reply[0].(string)
	}
	if v.word == "keys" && len(reply) > 1 {
		v.keys, _ = reply[1].(string)
		return v, nil
	}
	if v.word == "missing" {
		for _, sha := range reply[1:] {
			s, _ := sha.(string)
			v.missing = append(v.missing, s)
		}
		return v, nil
	}
	if len(reply) > 1 {
		n, ok := reply[1].(int64)
		if !ok || n < 0 || int(n) >= len(u.Roots) {
			return verdict{}, errors.New("publish: the script names no root")
		}
		v.root = int(n)
	}
	return v, nil
}

// judge reads a stored root and tells whether it is signed and is what its
// fields claim. The digest names exactly what was judged.
func (w *Writer) judge(ctx context.Context, group string) (digest string, genuine bool, err error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	v, err := w.rdb.HMGet(ctx, rootPrefix+group, fieldEpoch, fieldGeneration, fieldRoot, fieldSignature).Result()
	if err != nil {
		return "", false, unavailable(err, "read the root of "+group)
	}
	var f [4]string
	for i := range f {
		f[i], _ = v[i].(string)
	}
	r, err := Open(Envelope{Root: []byte(f[2]), Signature: []byte(f[3])}, w.keys, group)
	genuine = err == nil && fmt.Sprint(r.Epoch) == f[0] && fmt.Sprint(r.Generation) == f[1]
	return digestOf(strings.Join(f[:], "|")), genuine, nil
}

// Head tells what is published for a group. It is the zero Head if nothing is, and
// if what is there would be refused by gateways, or is not what its fields claim:
// then it has to be published again. Errors: publish.unavailable.
func (w *Writer) Head(ctx context.Context, group string) (Head, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	v, err := w.rdb.HMGet(ctx, rootPrefix+group, fieldEpoch, fieldGeneration, fieldSHA, fieldRoot, fieldSignature).Result()
	if err != nil {
		return Head{}, unavailable(err, "read the root of "+group)
	}
	text, _ := v[3].(string)
	sig, _ := v[4].(string)
	root, err := Open(Envelope{Root: []byte(text), Signature: []byte(sig)}, w.keys, group)
	if err != nil || root.Head() != parseHead(v[:3]) {
		return Head{}, nil
	}
	return root.Head(), nil
}

// Missing returns those hashes whose contents are not in Redis for good: absent,
// or about to expire.
func (w *Writer) Missing(ctx context.Context, shas []string) ([]string, error) {
	var missing []string
	for chunk := range slices.Chunk(shas, chunkKeys) {
		ctx, cancel := bounded(ctx)
		cmds := make([]*redis.DurationCmd, len(chunk))
		_, err := w.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, sha := range chunk {
				cmds[i] = p.PTTL(ctx, contentPrefix+sha)
			}
			return nil
		})
		cancel()
		if err != nil {
			return nil, unavailable(err, "look for contents")
		}
		for i, c := range cmds {
			if c.Val() != time.Duration(-1) {
				missing = append(missing, chunk[i])
			}
		}
	}
	return missing, nil
}

// Strays returns hashes that Redis keeps as named by a root although keep does
// not know them: what a dashboard that did not see all revisions should list as
// Dropped in its next update. keep gets hashes of items and of parts.
func (w *Writer) Strays(ctx context.Context, keep func(sha string) bool) ([]string, error) {
	var strays []string
	var cursor uint64
	for {
		page, next, err := w.scanNamed(ctx, cursor)
		if err != nil {
			return nil, err
		}
		for _, sha := range page {
			if validSHA(sha) && !keep(sha) {
				strays = append(strays, sha)
			}
		}
		if cursor = next; cursor == 0 {
			slices.Sort(strays)
			return slices.Compact(strays), nil
		}
	}
}

func (w *Writer) scanNamed(ctx context.Context, cursor uint64) ([]string, uint64, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	page, next, err := w.rdb.SScan(ctx, namedKey, cursor, "", 1000).Result()
	if err != nil {
		return nil, 0, unavailable(err, "list the named contents")
	}
	return page, next, nil
}
