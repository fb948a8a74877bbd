// Package keyring is the wire on which dashboards tell gateways about keys: one
// entry per key in Redis, with both ends of it.
//
// An entry bears a version and a MAC. Only a newer version replaces an older
// one, and the entry of a revoked key (a tombstone) is replaced by nothing but a
// newer tombstone, so it does not matter in which order several dashboards
// write. The watermark says up to when the store's changes are in Redis.
package keyring

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/sluice-gateway/sluice/pkg/access"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// The names in Redis. Each entry is a key of its own, so entries spread over
// the slots of a cluster.
const (
	entryPrefix  = "sluice:key:"
	watermarkKey = "sluice:keys:watermark"
	passPrefix   = "{" + watermarkKey + "}:pass:" // in the watermark's slot; + id of a writer

	entryDomain     = "key entry"
	watermarkDomain = "key watermark"
)

// MaxEntry is the size in bytes of the largest entry.
const MaxEntry = 256 << 10

const (
	callTimeout = 5 * time.Second
	passLife    = 30 * time.Minute // of a pass' mark; no pass takes longer
	chunkSize   = 128
	maxVersion  = 1 << 53 // the largest integer that a Redis script compares exactly
)

// What a lookup can say beside an entry. Returned errors are faults that wrap these.
var (
	// ErrUnknown: there is no such key. This is a fact, not a failure. Code key.unknown.
	ErrUnknown = errors.New("unknown key")
	// ErrForged: the entry's MAC is wrong, so the key cannot be judged. Code key.forged.
	ErrForged = errors.New("forged key entry")
)

// Entry is a key as gateways see it.
type Entry struct {
	// Hash is what the key is looked up by: trust.Keys.HashKey of its secret, or
	// the hash that it was imported with. 8 to 128 of A-Z a-z 0-9 _ : -
	Hash string
	// Version counts the changes of the key, from 1 on.
	Version int64
	// Revoked makes the entry a tombstone.
	Revoked bool
	// Key is what the key may do. Empty when Revoked.
	Key access.Key
}

var hashPattern = regexp.MustCompile(`^[A-Za-z0-9_:-]{8,128}$`)

// Check returns a fault with the code key.invalid if the hash or the version is
// out of range.
func (e Entry) Check() error {
	if !hashPattern.MatchString(e.Hash) || e.Version < 1 || e.Version > maxVersion {
		return fault.New(fault.Unprocessable, "key.invalid",
			"the key entry has version %d and a hash of %d characters; a version is at least 1, a hash has 8 to 128 letters, digits, _ : or -", e.Version, len(e.Hash))
	}
	return nil
}

// The first byte of a payload says what follows. It is under the MAC, and the
// script reads it.
const (
	liveMark    = 'K' // the key in JSON follows
	revokedMark = 'R' // nothing follows
)

func (e Entry) payload() ([]byte, error) {
	if e.Revoked {
		return []byte{revokedMark}, nil
	}
	text, err := json.Marshal(e.Key)
	if err != nil {
		return nil, fmt.Errorf("encode a key entry: %w", err)
	}
	if len(text) >= MaxEntry {
		return nil, fault.New(fault.TooLarge, "key.too_large",
			"the key's entry has %d bytes, the limit is %d; give it fewer rights or less metadata", len(text), MaxEntry)
	}
	return append([]byte{liveMark}, text...), nil
}

// mac covers the hash, the version and the payload of an entry.
func mac(k *trust.Keys, hash string, version int64, payload []byte) []byte {
	return k.MAC(entryDomain, []byte(hash), binary.BigEndian.AppendUint64(nil, uint64(version)), payload)
}

// decode checks the MAC, then reads the payload.
func decode(k *trust.Keys, hash string, version int64, payload, sum []byte) (Entry, error) {
	e := Entry{Hash: hash, Version: version}
	if version < 1 || len(payload) == 0 || len(payload) > MaxEntry ||
		!k.CheckMAC(entryDomain, sum, []byte(hash), binary.BigEndian.AppendUint64(nil, uint64(version)), payload) {
		return Entry{}, fault.Wrap(ErrForged, fault.Unavailable, "key.forged",
			"the entry of a key in Redis was not written by a dashboard of this installation; find out who writes to Redis, then save the key again")
	}
	switch {
	case payload[0] == revokedMark && len(payload) == 1:
		e.Revoked = true
		return e, nil
	case payload[0] == liveMark:
		d := json.NewDecoder(bytes.NewReader(payload[1:]))
		if err := d.Decode(&e.Key); err != nil {
			return Entry{}, malformed(err)
		}
		return e, nil
	}
	return Entry{}, malformed(fmt.Errorf("unknown mark %q", payload[0]))
}

func malformed(err error) error {
	return fault.Wrap(err, fault.Unavailable, "key.malformed",
		"the entry of a key in Redis cannot be read; run gateways and dashboards of the same release")
}

func unavailable(err error, doing string) error {
	return fault.Wrap(fmt.Errorf("%s: %w", doing, err), fault.Unavailable, "key.unavailable",
		"Redis did not answer a question about keys; check that it is up and reachable")
}

// bounded gives a call to Redis a deadline where the caller set none.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, callTimeout)
}
