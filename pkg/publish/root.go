package publish

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

const (
	rootVersion = 1
	maxRoot     = 32 << 10
	partCount   = 256
	// rootDomain separates signatures of roots from all others.
	rootDomain = "root"
)

// What can be wrong with a root. Each error that this package returns for one of
// them is a *fault.Fault that wraps it.
var (
	// ErrNone: Redis holds no root for the group. Code root.absent.
	ErrNone = errors.New("no root")
	// ErrSignature: the bytes do not belong to the signature. Code root.signature.
	ErrSignature = errors.New("wrong signature")
	// ErrKey: the signature names a key that is not trusted here. Code root.key.
	ErrKey = errors.New("unknown signing key")
	// ErrGroup: the root is of another group. Code root.group.
	ErrGroup = errors.New("wrong group")
	// ErrMalformed: signed, but not a root that this version reads. Code root.malformed.
	ErrMalformed = errors.New("malformed root")
	// ErrReplayed: older than what the caller has. Code root.replayed.
	ErrReplayed = errors.New("older root")
	// ErrDiverged: another root of the same epoch and generation. Code root.diverged.
	ErrDiverged = errors.New("diverging root")
)

// Root is the signed summary of what one gateway group runs.
type Root struct {
	// V is the version of the format: 1.
	V int
	// Epoch counts restores from a backup; a higher one wins over any generation.
	Epoch int64
	// Generation is the number of the revision that this is the state of.
	Generation int64
	// Group is the gateway group.
	Group string
	// IssuedAt is the time of the revision, in UTC and whole milliseconds.
	IssuedAt time.Time
	// Parts holds the SHA-256 of each part's text; zero for a part without items.
	Parts [partCount][32]byte
}

type rootJSON struct {
	V          int    `json:"v"`
	Epoch      int64  `json:"epoch"`
	Generation int64  `json:"generation"`
	Group      string `json:"group"`
	IssuedAt   string `json:"issuedAt"`
	Parts      string `json:"parts"`
}

const rootTime = "2006-01-02T15:04:05.000Z"

func (r *Root) partBytes() []byte {
	b := make([]byte, 0, partCount*sha256.Size)
	for i := range r.Parts {
		b = append(b, r.Parts[i][:]...)
	}
	return b
}

// Encode returns the canonical JSON of the root: the same root always gives the
// same bytes, and only these bytes decode.
func (r *Root) Encode() []byte {
	text, err := json.Marshal(rootJSON{
		V: r.V, Epoch: r.Epoch, Generation: r.Generation, Group: r.Group,
		IssuedAt: r.IssuedAt.UTC().Format(rootTime),
		Parts:    base64.StdEncoding.EncodeToString(r.partBytes()),
	})
	if err != nil { // strings and integers always marshal
		panic(err)
	}
	return text
}

// DecodeRoot reads canonical bytes of a root. Everything else (unknown, missing
// or repeated members, other spellings, trailing bytes) is an error with the
// code root.malformed.
func DecodeRoot(text []byte) (*Root, error) {
	r, err := decodeRoot(text)
	if err != nil {
		return nil, fault.Wrap(errors.Join(ErrMalformed, err), fault.Unprocessable, "root.malformed",
			"the published root cannot be read; run a gateway and a dashboard of the same release, or publish again")
	}
	return r, nil
}

func decodeRoot(text []byte) (*Root, error) {
	if len(text) > maxRoot {
		return nil, fmt.Errorf("root of %d bytes, the limit is %d", len(text), maxRoot)
	}
	var j rootJSON
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&j); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("bytes after the root")
	}
	if j.V != rootVersion {
		return nil, fmt.Errorf("root version %d instead of %d", j.V, rootVersion)
	}
	if j.Epoch < 0 || j.Generation < 0 || !validName(j.Group) {
		return nil, errors.New("epoch, generation or group out of range")
	}
	at, err := time.Parse(rootTime, j.IssuedAt)
	if err != nil {
		return nil, err
	}
	parts, err := base64.StdEncoding.Strict().DecodeString(j.Parts)
	if err != nil {
		return nil, err
	}
	if len(parts) != partCount*sha256.Size {
		return nil, fmt.Errorf("parts are %d bytes instead of %d", len(parts), partCount*sha256.Size)
	}
	r := &Root{V: j.V, Epoch: j.Epoch, Generation: j.Generation, Group: j.Group, IssuedAt: at}
	for i := range r.Parts {
		r.Parts[i] = [32]byte(parts[i*sha256.Size:])
	}
	if !bytes.Equal(r.Encode(), text) {
		return nil, errors.New("not the canonical spelling")
	}
	return r, nil
}

// Head returns what identifies the root.
func (r *Root) Head() Head {
	return Head{Epoch: r.Epoch, Generation: r.Generation, SHA: hexSum(r.Encode())}
}

// Head identifies a root without its parts. The zero Head is "none".
type Head struct {
	Epoch      int64  `json:"epoch"`
	Generation int64  `json:"generation"`
	SHA        string `json:"sha"` // hex SHA-256 of the root's bytes
}

// Compare orders heads by epoch, then by generation: -1, 0 or 1.
func (h Head) Compare(o Head) int {
	switch {
	case h.Epoch != o.Epoch:
		if h.Epoch < o.Epoch {
			return -1
		}
		return 1
	case h.Generation != o.Generation:
		if h.Generation < o.Generation {
			return -1
		}
		return 1
	}
	return 0
}

// Newer tells whether got may follow have. It returns nil if got is newer, if it
// is the very same root, or if have is zero; a fault root.replayed if got is
// older; a fault root.diverged if it is another root of the same generation.
func Newer(have, got Head) error {
	if have == (Head{}) || have == got {
		return nil
	}
	switch got.Compare(have) {
	case -1:
		return fault.Wrap(ErrReplayed, fault.Conflict, "root.replayed",
			"the published root (epoch %d, generation %d) is older than the one in use (epoch %d, generation %d); publish again, or restore with a new epoch",
			got.Epoch, got.Generation, have.Epoch, have.Generation)
	case 0:
		return fault.Wrap(ErrDiverged, fault.Conflict, "root.diverged",
			"two different roots claim epoch %d, generation %d; publish a new revision", got.Epoch, got.Generation)
	}
	return nil
}

// Envelope is a root's exact bytes and the signature over them: what lies in
// Redis, and what last-known-good keeps.
type Envelope struct {
	Root      []byte `json:"root"`
	Signature []byte `json:"signature"`
}

// Seal signs a root. It needs the signing key.
func Seal(r *Root, k *trust.Keys) (Envelope, error) {
	text := r.Encode()
	sig := k.SignFollowing(rootDomain, text)
	if sig == nil {
		return Envelope{}, errors.New("sign a root: this process has no signing key")
	}
	return Envelope{Root: text, Signature: sig}, nil
}

// Open verifies the signature, by a newer key too if a trusted one leads to it (see
// trust.Keys.VerifyFollowing), reads the root and checks its group. Errors are
// faults: root.key, root.signature, root.malformed, root.group.
func Open(e Envelope, k *trust.Keys, group string) (*Root, error) {
	genuine := len(e.Root) <= maxRoot && k.VerifyFollowing(rootDomain, e.Root, e.Signature)
	if !genuine && len(e.Signature) >= trust.SignatureSize && !k.Knows(e.Signature[:trust.SignatureSize]) {
		return nil, fault.Wrap(ErrKey, fault.Denied, "root.key",
			"the root of group %q is signed by a key that is not trusted here; if the dashboards have new keys, let this node join again with a token of sluice-dashboard node-token, else find out who writes to Redis", group)
	}
	if !genuine {
		return nil, fault.Wrap(ErrSignature, fault.Denied, "root.signature",
			"the root of group %q does not match its signature, so it was changed after signing; find out who writes to Redis, and publish again", group)
	}
	r, err := DecodeRoot(e.Root)
	if err != nil {
		return nil, err
	}
	if r.Group != group {
		return nil, fault.Wrap(ErrGroup, fault.Denied, "root.group",
			"the root stored for group %q was signed for group %q; find out who writes to Redis, and publish again", group, r.Group)
	}
	return r, nil
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
