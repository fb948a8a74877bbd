package keyring

import (
	"context"
	"crypto/rand"
	"crypto/sha1" // the digest that Redis scripts have; it guards a retry, not a trust decision
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/trust"
)

//go:embed entry.lua
var entryScript string

//go:embed watermark.lua
var watermarkScript string

// Writer is the dashboard's end. Safe for concurrent use, also by several processes.
type Writer struct {
	rdb     redis.UniversalClient
	keys    *trust.Keys
	put     *redis.Script
	advance *redis.Script
	id      string // names the mark of this writer's passes

	mu   sync.Mutex
	pass string // the mark of the last one
}

// NewWriter makes a writer.
func NewWriter(rdb redis.UniversalClient, k *trust.Keys) *Writer {
	return &Writer{rdb: rdb, keys: k, put: redis.NewScript(entryScript), advance: redis.NewScript(watermarkScript), id: rand.Text()}
}

// rounds bounds how often an entry is written again.
const rounds = 10

type write struct {
	entry   Entry
	payload []byte
	mac     []byte
	forged  string // digest of what is there and was found to be forged
}

// Put writes entries that are newer than what is there; older ones, and those
// that would revive a revoked key, are left out silently. A tombstone always wins:
// over a live entry of a higher version, which a store that was restored from an
// old backup does not know of, it is written with the version after that. A stored
// entry with a wrong MAC never wins. Errors are faults: key.invalid, key.too_large,
// key.unavailable (some entries may be written; putting all again is harmless).
func (w *Writer) Put(ctx context.Context, entries ...Entry) error {
	writes := make([]write, 0, len(entries))
	for _, e := range entries {
		if err := e.Check(); err != nil {
			return err
		}
		p, err := e.payload()
		if err != nil {
			return err
		}
		writes = append(writes, write{entry: e, payload: p, mac: mac(w.keys, e.Hash, e.Version, p)})
	}
	for chunk := range slices.Chunk(writes, chunkSize) {
		// Further rounds are for entries that lost against a forged one, and for
		// tombstones that lost against a live one.
		for range rounds {
			again, err := w.round(ctx, chunk)
			if err != nil {
				return err
			}
			if chunk = again; len(chunk) == 0 {
				break
			}
		}
		if len(chunk) > 0 {
			return unavailable(errors.New("forged or newer entries keep coming back"), "write key entries")
		}
	}
	return nil
}

// round writes a chunk and returns those that must be tried again.
func (w *Writer) round(ctx context.Context, chunk []write) ([]write, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	cmds, err := w.send(ctx, chunk)
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		if err := w.load(ctx); err != nil {
			return nil, unavailable(err, "load the script of key entries")
		}
		cmds, err = w.send(ctx, chunk)
	}
	if err != nil {
		return nil, unavailable(err, "write key entries")
	}
	var again []write
	for i, c := range cmds {
		there, ok := c.Val().([]any)
		if !ok || len(there) != 3 {
			continue
		}
		var f [3]string
		for n := range f {
			f[n], _ = there[n].(string)
		}
		version, _ := strconv.ParseInt(f[0], 10, 64)
		stored, err := decode(w.keys, chunk[i].entry.Hash, version, []byte(f[1]), []byte(f[2]))
		if errors.Is(err, ErrForged) {
			sum := sha1.Sum([]byte(f[0] + "|" + f[2] + "|" + f[1]))
			chunk[i].forged = hex.EncodeToString(sum[:])
			again = append(again, chunk[i])
			continue
		}
		if e := &chunk[i].entry; err == nil && e.Revoked && !stored.Revoked && version < maxVersion {
			e.Version = version + 1
			chunk[i].mac = mac(w.keys, e.Hash, e.Version, chunk[i].payload)
			again = append(again, chunk[i])
		}
	}
	return again, nil
}

func (w *Writer) send(ctx context.Context, chunk []write) ([]*redis.Cmd, error) {
	cmds := make([]*redis.Cmd, len(chunk))
	_, err := w.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, e := range chunk {
			cmds[i] = w.put.EvalSha(ctx, p, []string{entryPrefix + e.entry.Hash}, e.entry.Version, e.payload, e.mac, e.forged)
		}
		return nil
	})
	return cmds, err
}

// load puts the script on every master: entries spread over all of them.
func (w *Writer) load(ctx context.Context) error {
	if c, ok := w.rdb.(*redis.ClusterClient); ok {
		return c.ForEachMaster(ctx, func(ctx context.Context, m *redis.Client) error {
			return w.put.Load(ctx, m).Err()
		})
	}
	return w.put.Load(ctx, w.rdb).Err()
}

// Watermark tells up to when the store's changes are in Redis. Zero when there
// is none, or none that was written by this installation: then every key has to
// be put again. It begins a pass, which AdvanceWatermark ends; a writer makes one
// pass at a time. Errors: key.unavailable.
func (w *Writer) Watermark(ctx context.Context) (time.Time, error) {
	mark := rand.Text()
	if err := w.mark(ctx, mark); err != nil {
		return time.Time{}, err
	}
	w.mu.Lock()
	w.pass = mark
	w.mu.Unlock()
	text, err := w.readWatermark(ctx)
	if err != nil {
		return time.Time{}, err
	}
	return parseWatermark(w.keys, text), nil
}

// mark leaves a value that nobody else writes: if it is there at the end of a
// pass, Redis was neither emptied nor turned back meanwhile.
func (w *Writer) mark(ctx context.Context, mark string) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	if err := w.rdb.Set(ctx, passPrefix+w.id, mark, passLife).Err(); err != nil {
		return unavailable(err, "begin a pass over the keys")
	}
	return nil
}

// SetWatermark writes the watermark, whatever is there. Several dashboards should
// use AdvanceWatermark.
func (w *Writer) SetWatermark(ctx context.Context, t time.Time) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	if err := w.rdb.Set(ctx, watermarkKey, w.formatWatermark(t), 0).Err(); err != nil {
		return unavailable(err, "write the watermark of keys")
	}
	return nil
}

// AdvanceWatermark writes the watermark if it still is what the caller began
// from (zero: none). It returns false when Redis was emptied or turned back since
// Watermark was called, even if to what the caller began from, or when another
// dashboard was faster: begin again from Watermark.
func (w *Writer) AdvanceWatermark(ctx context.Context, from, to time.Time) (bool, error) {
	seen, err := w.readWatermark(ctx)
	if err != nil {
		return false, err
	}
	if !parseWatermark(w.keys, seen).Equal(from) {
		return false, nil
	}
	w.mu.Lock()
	pass := w.pass
	w.mu.Unlock()
	ctx, cancel := bounded(ctx)
	defer cancel()
	done, err := w.advance.Run(ctx, w.rdb, []string{watermarkKey, passPrefix + w.id}, seen, w.formatWatermark(to), pass).Int()
	if err != nil {
		return false, unavailable(err, "advance the watermark of keys")
	}
	return done == 1, nil
}

func (w *Writer) readWatermark(ctx context.Context) (string, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	text, err := w.rdb.Get(ctx, watermarkKey).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return "", unavailable(err, "read the watermark of keys")
	}
	return text, nil
}

// formatWatermark is the MAC in hex, a space and the time.
func (w *Writer) formatWatermark(t time.Time) string {
	at := t.UTC().Format(time.RFC3339Nano)
	return fmt.Sprintf("%x %s", w.keys.MAC(watermarkDomain, []byte(at)), at)
}

// parseWatermark returns zero for a text that this installation did not write.
func parseWatermark(k *trust.Keys, text string) time.Time {
	sum, at, _ := strings.Cut(text, " ")
	raw, err := hex.DecodeString(sum)
	if err != nil || !k.CheckMAC(watermarkDomain, raw, []byte(at)) {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, at)
	if err != nil {
		return time.Time{}
	}
	return t
}
