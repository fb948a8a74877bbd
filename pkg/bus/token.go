package bus

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// JoinRole is what a new process is to be.
type JoinRole string

// The roles.
const (
	JoinGateway   JoinRole = "gateway"
	JoinPump      JoinRole = "pump"
	JoinDashboard JoinRole = "dashboard"
)

// joinRoles are the roles by their number in a token.
func joinRoles() []JoinRole { return []JoinRole{JoinGateway, JoinPump, JoinDashboard} }

// RedisAt is where a joining process finds Redis. It holds no password and no
// file: those are the process's own settings.
type RedisAt struct {
	Addresses  []string `json:"addresses"`
	Database   int      `json:"database,omitempty"`
	MasterName string   `json:"masterName,omitempty"`
	Cluster    bool     `json:"cluster,omitempty"`
	TLS        bool     `json:"tls,omitempty"`
	ServerName string   `json:"serverName,omitempty"`
}

// JoinToken is the right to take one hand-over of keys. Its text is a secret until
// it was used or has expired.
type JoinToken struct {
	Role    JoinRole
	Expires time.Time                   // whole seconds
	Keys    [trust.FingerprintSize]byte // of the node's part of what is handed over
	Redis   RedisAt
	secret  [trust.KeySize]byte
}

const (
	tokenPrefix   = "slj_"
	tokenVersion  = 1
	tokenChecksum = 4
	// tokenHead is the version, the role, the end in Unix seconds, the fingerprint
	// and the secret; what follows is RedisAt in JSON, then the checksum.
	tokenHead = 2 + 8 + trust.FingerprintSize + trust.KeySize
	// MaxToken is the length in bytes of the longest token that is read.
	MaxToken = 8 << 10
)

// String is the token's text: letters, digits, - and _.
func (t JoinToken) String() string {
	b := t.bytes()
	sum := sha256.Sum256(b)
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(append(b, sum[:tokenChecksum]...))
}

func (t JoinToken) bytes() []byte {
	b := []byte{tokenVersion, 0}
	for i, r := range joinRoles() {
		if r == t.Role {
			b[1] = byte(i + 1)
		}
	}
	b = binary.BigEndian.AppendUint64(b, uint64(t.Expires.Unix()))
	b = append(b, t.Keys[:]...)
	b = append(b, t.secret[:]...)
	where, err := json.Marshal(t.Redis)
	if err != nil { // strings, numbers and booleans always encode
		return nil
	}
	return append(b, where...)
}

// ParseJoinToken reads a token's text. It tells nothing about whether the token is
// still good. Errors are the fault join.malformed: a part is missing, a character
// was changed, or it is a token of a newer release.
func ParseJoinToken(text string) (JoinToken, error) {
	t, ok := parseToken(strings.TrimSpace(text))
	if !ok {
		return JoinToken{}, fault.New(fault.Invalid, "join.malformed",
			"the token is damaged or incomplete; copy the whole line that sluice-dashboard node-token printed, or make a new one")
	}
	return t, nil
}

func parseToken(text string) (t JoinToken, ok bool) {
	body, ok := strings.CutPrefix(text, tokenPrefix)
	if !ok || len(text) > MaxToken {
		return t, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if err != nil || len(b) < tokenHead+tokenChecksum || strings.ContainsAny(body, "\r\n") { // the decoder skips line ends
		return t, false
	}
	end := len(b) - tokenChecksum
	sum := sha256.Sum256(b[:end])
	roles := joinRoles()
	if !bytes.Equal(b[end:], sum[:tokenChecksum]) || b[0] != tokenVersion || b[1] < 1 || int(b[1]) > len(roles) {
		return t, false
	}
	t.Role = roles[b[1]-1]
	t.Expires = time.Unix(int64(binary.BigEndian.Uint64(b[2:])), 0)
	at := 10 + copy(t.Keys[:], b[10:])
	copy(t.secret[:], b[at:])
	if json.Unmarshal(b[tokenHead:end], &t.Redis) != nil {
		return t, false
	}
	return t, bytes.Equal(t.bytes(), b[:end]) // one text per token
}

// id is the name of the hand-over in Redis. All of the token is in it, so that one
// whose end or role was changed names nothing.
func (t JoinToken) id() (string, error) {
	id, err := t.derive("sluice join id\x00"+string(t.bytes()[:tokenHead]), 16)
	return hex.EncodeToString(id), err
}

func (t JoinToken) sealKey() ([]byte, error) { return t.derive("sluice join seal", trust.KeySize) }

func (t JoinToken) derive(purpose string, n int) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, t.secret[:], nil, purpose, n)
	if err != nil {
		return nil, fmt.Errorf("derive a key of the token: %w", err)
	}
	return key, nil
}
