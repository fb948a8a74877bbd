package key

import (
	"context"
	"errors"

	"github.com/sluice-gateway/sluice/pkg/access"
)

// Lookup finds what the owner of a secret may do. gateway/session implements it.
type Lookup interface {
	// Session returns the session of a secret. ErrUnknown and ErrRevoked are facts
	// about the key; any other error means that it cannot be judged now, and the
	// caller is told to come again. A session may be suspended or expired: who asks
	// checks that.
	Session(ctx context.Context, secret string) (*access.Session, error)
}

// What is known of a key that has no session.
var (
	ErrUnknown = errors.New("no such key")
	ErrRevoked = errors.New("the key is revoked")
)
