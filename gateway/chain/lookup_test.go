package chain

import (
	"context"

	"github.com/sluice-gateway/sluice/pkg/access"
)

// lookup knows one session for every secret.
type lookup struct{ s *access.Session }

func (l lookup) Session(context.Context, string) (*access.Session, error) { return l.s, nil }
