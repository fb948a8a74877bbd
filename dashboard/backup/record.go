package backup

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/people"
	"github.com/sluice-gateway/sluice/pkg/access"
)

// kind is the letter that a record begins with.
type kind byte

const (
	kindManifest kind = 'M'
	kindFile     kind = 'F'
	kindKey      kind = 'K'
	kindContent  kind = 'C'
	kindRevision kind = 'R'
	kindUser     kind = 'U'
	kindToken    kind = 'T'
	kindMark     kind = 'N'
	kindEnd      kind = 'E'
)

// maxRecord bounds a record. A text has 4 MiB at most; a revision of a great import
// has some hundred bytes for each change.
const maxRecord = 64 << 20

// The JSON of records. These name the members of the format; a field that is added
// to what is stored does not compile until it has one here.
type (
	fileRecord struct {
		Name  string `json:"name"`
		Bytes []byte `json:"bytes"`
	}
	keyRecord struct {
		Key    access.Key `json:"key"`
		Hashes []string   `json:"hashes"`
	}
	userRecord struct {
		ID           string      `json:"id"`
		Org          string      `json:"org"`
		Login        string      `json:"login"`
		Name         string      `json:"name"`
		PasswordHash string      `json:"passwordHash"`
		MustChange   bool        `json:"mustChange"`
		Role         people.Role `json:"role"`
		Suspended    bool        `json:"suspended"`
		Locale       string      `json:"locale"`
		TimeZone     string      `json:"timeZone"`
		Theme        string      `json:"theme"`
		Version      int64       `json:"version"`
		CreatedAt    time.Time   `json:"createdAt"`
		UpdatedAt    time.Time   `json:"updatedAt"`
	}
	tokenRecord struct {
		ID        string      `json:"id"`
		Org       string      `json:"org"`
		UserID    string      `json:"userId"`
		Name      string      `json:"name"`
		Prefix    string      `json:"prefix"`
		Hash      string      `json:"hash"`
		Role      people.Role `json:"role"`
		CreatedAt time.Time   `json:"createdAt"`
		ExpiresAt time.Time   `json:"expiresAt"`
		UsedAt    time.Time   `json:"usedAt"`
	}
	markRecord struct {
		Name  string `json:"name"`
		Value int64  `json:"value"`
	}
	endRecord struct {
		Counts Counts `json:"counts"`
		SHA256 string `json:"sha256"`
	}
)

// recorder writes records and sums them up.
type recorder struct {
	w      io.Writer
	sum    hash.Hash
	counts Counts
}

func newRecorder(w io.Writer) *recorder { return &recorder{w: w, sum: sha256.New()} }

func (r *recorder) put(k kind, payload []byte) error {
	if len(payload) > maxRecord {
		return fmt.Errorf("a record of %d bytes does not fit into a backup, which takes %d", len(payload), maxRecord)
	}
	head := binary.AppendUvarint([]byte{byte(k)}, uint64(len(payload)))
	for _, b := range [][]byte{head, payload} {
		r.sum.Write(b)
		if _, err := r.w.Write(b); err != nil {
			return err
		}
	}
	r.counts.add(k)
	return nil
}

func (r *recorder) putJSON(k kind, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding a record: %w", err)
	}
	return r.put(k, text)
}

// end writes the last record.
func (r *recorder) end() error {
	return r.putJSON(kindEnd, endRecord{r.counts, hex.EncodeToString(r.sum.Sum(nil))})
}

func (c *Counts) add(k kind) {
	for _, f := range []struct {
		kind kind
		n    *int64
	}{
		{kindContent, &c.Contents},
		{kindRevision, &c.Revisions},
		{kindKey, &c.Keys},
		{kindUser, &c.Users},
		{kindToken, &c.Tokens},
		{kindFile, &c.Files},
		{kindMark, &c.Marks},
	} {
		if f.kind == k {
			*f.n++
		}
	}
}

// records reads what a recorder wrote, and checks the end.
type records struct {
	r      *bufio.Reader
	sum    hash.Hash
	counts Counts
}

func newRecords(r io.Reader) *records {
	return &records{r: bufio.NewReader(r), sum: sha256.New()}
}

// next returns the next record, or io.EOF behind the end record, once that was
// found to be right.
func (r *records) next() (kind, []byte, error) {
	b, err := r.r.ReadByte()
	if err != nil {
		return 0, nil, unfinished(err)
	}
	size, err := binary.ReadUvarint(r.r)
	if err != nil {
		return 0, nil, unfinished(err)
	}
	if size > maxRecord {
		return 0, nil, fmt.Errorf("%w: a record of %d bytes", ErrDamaged, size)
	}
	var payload bytes.Buffer // grows with what is there, not with what is said
	if _, err := io.CopyN(&payload, r.r, int64(size)); err != nil {
		return 0, nil, unfinished(err)
	}
	if kind(b) != kindEnd {
		r.sum.Write(binary.AppendUvarint([]byte{b}, size))
		r.sum.Write(payload.Bytes())
		r.counts.add(kind(b))
		return kind(b), payload.Bytes(), nil
	}
	before := hex.EncodeToString(r.sum.Sum(nil))
	var end endRecord
	if err := decode(payload.Bytes(), &end); err != nil {
		return 0, nil, err
	}
	if end.SHA256 != before || end.Counts != r.counts {
		return 0, nil, fmt.Errorf("%w: its end counts %+v, it has %+v", ErrDamaged, end.Counts, r.counts)
	}
	if _, err := r.r.ReadByte(); !errors.Is(err, io.EOF) {
		return 0, nil, errors.Join(fmt.Errorf("%w: something follows its end", ErrDamaged), err)
	}
	return 0, nil, io.EOF
}

// unfinished keeps the end of the bytes apart from the end of the backup.
func unfinished(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: its records end without an end", ErrCut)
	}
	var corrupt flate.CorruptInputError
	if errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) || errors.As(err, &corrupt) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if errors.Is(err, ErrDamaged) || errors.Is(err, ErrCut) {
		return err
	}
	return fmt.Errorf("reading the file: %w", err)
}

// decode reads JSON strictly: a member that this release does not know would be lost.
func decode(payload []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(payload))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%w, or was written by a newer release: %w", ErrDamaged, err)
	}
	if d.More() {
		return fmt.Errorf("%w: a record has two values", ErrDamaged)
	}
	return nil
}
