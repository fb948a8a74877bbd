package backup

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/sluice-gateway/sluice/dashboard/keys"
	"github.com/sluice-gateway/sluice/dashboard/people"
	"github.com/sluice-gateway/sluice/dashboard/publish"
)

// Bounds of a batch that is read.
const (
	batchItems = 200
	batchBytes = 4 << 20
)

// Contained is what a backup says beside its batches.
type Contained struct {
	Summary
	KeyFiles map[string][]byte
}

// Read checks a whole file and calls f with its batches, in order; f may be nil.
// Nothing of what f got counts unless Read returns nil. Errors: ErrNoBackup,
// ErrNewer, ErrPassphrase, ErrCut, ErrDamaged, those of r, and f's as they are.
func Read(ctx context.Context, r io.Reader, passphrase string, f func(Batch) error) (Contained, error) {
	sealed, err := newOpener(r, passphrase)
	if err != nil {
		return Contained{}, err
	}
	behind := bufio.NewReader(sealed) // which gzip reads no further than its end
	packed, err := gzip.NewReader(behind)
	if err != nil {
		return Contained{}, unfinished(err)
	}
	packed.Multistream(false)
	c, err := readRecords(ctx, packed, f)
	if err != nil {
		return Contained{}, err
	}
	if _, err := behind.ReadByte(); !errors.Is(err, io.EOF) {
		return Contained{}, errors.Join(fmt.Errorf("%w: something follows its end", ErrDamaged), err)
	}
	return c, nil
}

// readRecords reads the stream of records.
func readRecords(ctx context.Context, r io.Reader, f func(Batch) error) (Contained, error) {
	in := newRecords(r)
	k, payload, err := in.next()
	if err == nil && k != kindManifest {
		err = fmt.Errorf("%w: it does not begin with a manifest", ErrDamaged)
	}
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: it has no manifest", ErrDamaged)
	}
	if err != nil {
		return Contained{}, err
	}
	b := &reader{f: f, out: Contained{KeyFiles: map[string][]byte{}}, fresh: map[string]bool{}}
	if err := decode(payload, &b.out.Manifest); err != nil {
		return Contained{}, err
	}
	for {
		if err := ctx.Err(); err != nil {
			return Contained{}, err
		}
		k, payload, err := in.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Contained{}, err
		}
		if err := b.take(k, payload); err != nil {
			return Contained{}, err
		}
	}
	if len(b.fresh) > 0 {
		return Contained{}, fmt.Errorf("%w: a text belongs to no revision", ErrDamaged)
	}
	b.out.Counts = in.counts
	return b.out, b.flush()
}

// reader gathers records into batches.
type reader struct {
	f     func(Batch) error
	out   Contained
	batch Batch
	items int
	bytes int
	n     int64           // the newest revision
	fresh map[string]bool // texts that stand before the next revision
}

func (b *reader) take(k kind, payload []byte) (err error) {
	switch k {
	case kindFile:
		var f fileRecord
		if err = decode(payload, &f); err == nil {
			b.out.KeyFiles[f.Name] = f.Bytes
		}
		return err
	case kindMark:
		var m markRecord
		if err = decode(payload, &m); err == nil && m.Name == markEpoch {
			b.out.Epoch = m.Value
		}
		return err
	case kindContent:
		if b.batch.Contents == nil {
			b.batch.Contents = map[string][]byte{}
		}
		sum := publish.Sum(payload)
		b.batch.Contents[sum], b.fresh[sum] = payload, true
	case kindRevision:
		err = b.revision(payload)
	case kindKey:
		var r keyRecord
		if err = decode(payload, &r); err == nil {
			b.batch.Keys = append(b.batch.Keys, keys.Stored(r))
		}
	case kindUser:
		var r userRecord
		if err = decode(payload, &r); err == nil {
			b.batch.Users = append(b.batch.Users, people.User(r))
		}
	case kindToken:
		var r tokenRecord
		if err = decode(payload, &r); err == nil {
			b.batch.Tokens = append(b.batch.Tokens, people.Token(r))
		}
	default:
		return fmt.Errorf("%w (a record of kind %q)", ErrNewer, byte(k))
	}
	b.items, b.bytes = b.items+1, b.bytes+len(payload)
	if err == nil && (b.items >= batchItems || b.bytes >= batchBytes) {
		return b.flush()
	}
	return err
}

// revision checks that the log has no gap and that the texts are there.
func (b *reader) revision(payload []byte) error {
	var r publish.Revision
	if err := decode(payload, &r); err != nil {
		return err
	}
	if r.N != b.n+1 {
		return fmt.Errorf("%w: after revision %d comes %d", ErrDamaged, b.n, r.N)
	}
	want := brings(r)
	for _, sum := range want {
		if !b.fresh[sum] {
			return fmt.Errorf("%w: the text %s of revision %d is missing", ErrDamaged, sum, r.N)
		}
	}
	if len(want) != len(b.fresh) {
		return fmt.Errorf("%w: a text before revision %d belongs to no revision", ErrDamaged, r.N)
	}
	clear(b.fresh)
	b.n = r.N
	b.batch.Revisions = append(b.batch.Revisions, r)
	return nil
}

func (b *reader) flush() error {
	batch := b.batch
	b.batch, b.items, b.bytes = Batch{}, 0, 0
	if b.f == nil {
		return nil
	}
	return b.f(batch)
}
