package publish

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// Reader reads what is published for one group. Safe for concurrent use.
type Reader struct {
	rdb   redis.UniversalClient
	keys  *trust.Keys
	group string
	ask   atomic.Int64 // contents per call; 0: chunkKeys
}

// NewReader makes a reader of one group.
func NewReader(rdb redis.UniversalClient, k *trust.Keys, group string) *Reader {
	return &Reader{rdb: rdb, keys: k, group: group}
}

// Head tells what is published, unverified: a cheap question to ask often. The
// zero Head if nothing is. Errors: publish.unavailable.
func (r *Reader) Head(ctx context.Context) (Head, error) { return readHead(ctx, r.rdb, r.group) }

// Root reads the root and verifies it. The caller compares it with what it has
// (see Newer). Errors are faults: root.absent, those of Open, publish.unavailable.
func (r *Reader) Root(ctx context.Context) (*Root, Envelope, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	v, err := r.rdb.HMGet(ctx, rootPrefix+r.group, fieldRoot, fieldSignature).Result()
	if err != nil {
		return nil, Envelope{}, unavailable(err, "read the root of "+r.group)
	}
	text, ok1 := v[0].(string)
	sig, ok2 := v[1].(string)
	if !ok1 && !ok2 {
		return nil, Envelope{}, fault.Wrap(ErrNone, fault.NotFound, "root.absent",
			"nothing is published for group %q; start a dashboard that knows this group", r.group)
	}
	e := Envelope{Root: []byte(text), Signature: []byte(sig)}
	root, err := Open(e, r.keys, r.group)
	if err != nil {
		return nil, Envelope{}, err
	}
	return root, e, nil
}

// IncompleteError lists what of a root could not be had. It wraps a fault with
// the code root.incomplete, whose problems name each item.
type IncompleteError struct {
	// Parts are the numbers of parts that are missing or wrong. Which items they
	// hold is unknown: what the caller has of them should stay as it is.
	Parts []int
	// Items are known by name, but their text is missing or wrong.
	Items []Item
	fault *fault.Fault
}

// Error names everything that is missing.
func (e *IncompleteError) Error() string { return e.fault.Error() }

// Unwrap returns the fault.
func (e *IncompleteError) Unwrap() error { return e.fault }

// PartOf is the number of the part that an item belongs to.
func PartOf(org, kind, id string) int { return partOf(itemKey{org, kind, id}) }

// Fetch reads the items of a root. known returns the texts (of parts and items)
// that the caller has already verified; only what it lacks is fetched, in chunks
// of 128 (fewer for a while after one took too long), and every fetched byte is
// checked against its hash. known may be nil.
//
// items are all items of the parts that could be read, in the order of parts;
// texts and parts hold their texts by hash, those that were known included.
// If something is missing or wrong the error is an *IncompleteError beside the
// results: items and texts then hold whatever is good, and an item without a
// text is in IncompleteError.Items. Every other error comes without items, but
// with the texts and parts that were fetched until then: known to the next try.
func (r *Reader) Fetch(ctx context.Context, root *Root, known func(sha string) ([]byte, bool)) (items []Item, texts, parts map[string][]byte, err error) {
	get := func(shas []string) (map[string][]byte, error) { return r.contents(ctx, shas, known) }
	return assemble(root, get)
}

// Assemble does what Fetch does from texts at hand, such as the last-known-good
// state on disk, and checks every hash.
func Assemble(root *Root, text func(sha string) ([]byte, bool)) (items []Item, texts, parts map[string][]byte, err error) {
	return assemble(root, func(shas []string) (map[string][]byte, error) {
		found := make(map[string][]byte, len(shas))
		for _, sha := range shas {
			if b, ok := text(sha); ok {
				found[sha] = b
				if hexSum(b) != sha {
					found[sha] = nil
				}
			}
		}
		return found, nil
	})
}

// assemble reads the parts, then the items. get returns texts by hash; a nil one
// stands for a text that is there but wrong.
func assemble(root *Root, get func([]string) (map[string][]byte, error)) ([]Item, map[string][]byte, map[string][]byte, error) {
	var want []string
	for _, sum := range root.Parts {
		if sum != ([32]byte{}) {
			want = append(want, hexPart(sum))
		}
	}
	parts, err := get(want)
	if err != nil {
		return nil, nil, parts, err
	}
	bad := &IncompleteError{fault: fault.New(fault.Unavailable, "root.incomplete",
		"some of what the root of group %q (generation %d) names is missing or wrong in Redis; a dashboard repairs that within seconds", root.Group, root.Generation)}
	var items []Item
	for i, sum := range root.Parts {
		if sum == ([32]byte{}) {
			continue
		}
		text := parts[hexPart(sum)]
		var list []Item
		err := errText(text, parts, hexPart(sum))
		if err == nil {
			list, err = decodePart(root.Group, i, text)
		}
		if err != nil {
			delete(parts, hexPart(sum))
			bad.Parts = append(bad.Parts, i)
			bad.note(fmt.Sprintf("/parts/%d", i), "part %d: %v", i, err)
			continue
		}
		items = append(items, list...)
	}
	want = want[:0:0]
	for _, i := range items {
		want = append(want, i.SHA)
	}
	slices.Sort(want)
	texts, err := get(slices.Compact(want))
	if err != nil {
		return nil, texts, parts, err
	}
	for _, i := range items {
		if err := errText(texts[i.SHA], texts, i.SHA); err != nil {
			bad.Items = append(bad.Items, i)
			bad.note("/items/"+i.Org+"/"+i.Kind+"/"+i.ID, "%s %q of organisation %q: %v", i.Kind, i.ID, i.Org, err)
		}
	}
	for _, i := range bad.Items {
		delete(texts, i.SHA)
	}
	if len(bad.Parts)+len(bad.Items) > 0 {
		return items, texts, parts, bad
	}
	return items, texts, parts, nil
}

func errText(text []byte, in map[string][]byte, sha string) error {
	if text != nil {
		return nil
	}
	if _, there := in[sha]; there {
		return fmt.Errorf("its text does not have the hash %s", sha)
	}
	return fmt.Errorf("its text %s is missing", sha)
}

// maxNoted bounds the problems of one fault; the lists in IncompleteError are complete.
const maxNoted = 20

func (e *IncompleteError) note(path, format string, args ...any) {
	if len(e.fault.Problems) < maxNoted {
		e.fault.Problems = append(e.fault.Problems, fault.Problem{
			Code: "root.incomplete", Path: path,
			Message: fmt.Sprintf(format, args...), Severity: fault.Error,
		})
	}
}

// contents returns texts by hash, known ones first; beside an error those that it
// has. A nil text is one that is there but wrong.
func (r *Reader) contents(ctx context.Context, shas []string, known func(string) ([]byte, bool)) (map[string][]byte, error) {
	found := make(map[string][]byte, len(shas))
	var want []string
	for _, sha := range shas {
		if known != nil {
			if b, ok := known(sha); ok && b != nil {
				found[sha] = b
				continue
			}
		}
		want = append(want, sha)
	}
	asked := len(want) > 0
	for len(want) > 0 {
		chunk := want[:min(cmp.Or(int(r.ask.Load()), chunkKeys), len(want))]
		err := r.chunk(ctx, chunk, found)
		if late(err) {
			// Perhaps they are large: remembered, since the caller's time may be over, too.
			r.ask.Store(int64(max(1, len(chunk)/2)))
			if len(chunk) > 1 && ctx.Err() == nil {
				continue
			}
		}
		if err != nil {
			return found, unavailable(err, "fetch contents")
		}
		want = want[len(chunk):]
	}
	if n := r.ask.Load(); asked && n > 0 {
		r.ask.CompareAndSwap(n, min(2*n, chunkKeys))
	}
	return found, nil
}

// late tells whether an answer took too long.
func late(err error) bool {
	var slow net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &slow) && slow.Timeout()
}

func (r *Reader) chunk(ctx context.Context, shas []string, found map[string][]byte) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	keys := make([]string, len(shas))
	for i, sha := range shas {
		keys[i] = contentPrefix + sha
	}
	values, err := r.rdb.MGet(ctx, keys...).Result()
	if err != nil {
		return err
	}
	for i, v := range values {
		packed, ok := v.(string)
		if !ok {
			continue
		}
		text, err := unpack([]byte(packed))
		if sum := sha256.Sum256(text); err != nil || hex.EncodeToString(sum[:]) != shas[i] {
			text = nil
		} else if text == nil {
			text = []byte{}
		}
		found[shas[i]] = text
	}
	return nil
}
