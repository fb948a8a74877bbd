package people

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"github.com/sluice-gateway/sluice/pkg/fault"
)

// Cost is how much work one password hash takes (argon2id, RFC 9106).
type Cost struct {
	Memory uint32 // KiB; default 19456
	Passes uint32 // default 2
}

// The default is what OWASP's password storage sheet asks for at least; one hash
// takes some tens of milliseconds.
const (
	defaultMemory = 19 * 1024
	defaultPasses = 2
	argonLanes    = 1
	saltLen       = 16
	hashLen       = 32
)

// Bounds of a password, in characters and in bytes.
const (
	minPassword = 12
	maxPassword = 1024
)

// hasher computes argon2id hashes, few at a time, so that a flood of sign-ins
// takes slots*Cost.Memory and no more.
type hasher struct {
	cost    Cost
	slots   chan struct{}
	waiting chan struct{}
}

// newHasher allows n hashes at a time and 16 times as many callers in wait.
func newHasher(n int, c Cost) *hasher {
	if c.Memory == 0 {
		c.Memory = defaultMemory
	}
	if c.Passes == 0 {
		c.Passes = defaultPasses
	}
	return &hasher{cost: c, slots: make(chan struct{}, n), waiting: make(chan struct{}, 16*n)}
}

// acquire takes a slot; release gives it back. A fault of kind TooMany with the
// code "auth.busy" means that too many wait already.
func (h *hasher) acquire(ctx context.Context) (release func(), err error) {
	select {
	case h.waiting <- struct{}{}:
	default:
		f := fault.New(fault.TooMany, "auth.busy", "too many sign-ins at once; try again in a second")
		f.Retry = 1
		return nil, f
	}
	defer func() { <-h.waiting }()
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for a password hash: %w", ctx.Err())
	}
}

// hash makes a PHC string; the caller holds a slot.
func (h *hasher) hash(password string) string {
	salt := make([]byte, saltLen)
	rand.Read(salt) // never fails (crypto/rand, Go 1.24)
	sum := argon2.IDKey([]byte(password), salt, h.cost.Passes, h.cost.Memory, argonLanes, hashLen)
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		h.cost.Memory, h.cost.Passes, argonLanes, enc.EncodeToString(salt), enc.EncodeToString(sum))
}

// verify compares a password with a PHC string in constant time; the caller
// holds a slot. A string that is not one of ours verifies nothing.
func (h *hasher) verify(phc, password string) bool {
	f := strings.Split(phc, "$")
	if len(f) != 6 || f[0] != "" || f[1] != "argon2id" || f[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return false
	}
	var memory, passes uint32
	var lanes uint8
	if _, err := fmt.Sscanf(f[3], "m=%d,t=%d,p=%d", &memory, &passes, &lanes); err != nil {
		return false
	}
	// A stored hash must not be able to take the process down.
	if memory < 8 || memory > 256*1024 || passes < 1 || passes > 16 || lanes < 1 || lanes > 16 {
		return false
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(f[4])
	want, err2 := base64.RawStdEncoding.DecodeString(f[5])
	if err1 != nil || err2 != nil || len(want) < 16 || len(want) > 64 {
		return false
	}
	got := argon2.IDKey([]byte(password), salt, passes, memory, lanes, uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1
}

// checkNewPassword applies the rules for new passwords; nil is a good one.
func checkNewPassword(password, login string) *fault.Fault {
	n := utf8.RuneCountInString(password)
	switch {
	case !utf8.ValidString(password):
		return fault.New(fault.Unprocessable, "people.password_invalid", "the password is not valid UTF-8")
	case n < minPassword:
		return fault.New(fault.Unprocessable, "people.password_short",
			"the password has %d characters; use at least %d", n, minPassword).With("minimum", minPassword)
	case len(password) > maxPassword:
		return fault.New(fault.Unprocessable, "people.password_long",
			"the password has %d bytes; use at most %d", len(password), maxPassword).With("maximum", maxPassword)
	case strings.EqualFold(password, login):
		return fault.New(fault.Unprocessable, "people.password_is_login", "the password is the login; choose another one")
	case strings.Count(password, password[:1]) == len(password):
		return fault.New(fault.Unprocessable, "people.password_repeats", "the password repeats one character; choose another one")
	}
	return nil
}

// oneTimePassword has 100 bits, in groups that can be read aloud.
func oneTimePassword() string {
	s := strings.ToLower(rand.Text()[:20])
	return s[:5] + "-" + s[5:10] + "-" + s[10:15] + "-" + s[15:]
}
