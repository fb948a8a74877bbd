package people

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sluice-gateway/sluice/pkg/fault"
)

// tokenMark starts every API token, so that leaked ones can be found by search.
const tokenMark = "slt_"

// usedEvery is how stale UsedAt of a token may be.
const usedEvery = time.Minute

// NewToken is an API token to make. A zero ExpiresAt means never.
type NewToken struct {
	Name      string    `json:"name"`
	Role      Role      `json:"role"`
	ExpiresAt time.Time `json:"expiresAt,omitzero"`
}

// Tokens lists the API tokens of the actor's organisation, newest first.
func (s *Service) Tokens(ctx context.Context, a Actor) ([]Token, error) {
	return s.o.Tokens.List(ctx, a.User.Org)
}

// CreateToken makes an API token for the actor; the secret is returned once.
// It never may do more than its maker ("people.role_too_high").
func (s *Service) CreateToken(ctx context.Context, a Actor, n NewToken) (Token, string, error) {
	n.Name = strings.TrimSpace(n.Name)
	if c := utf8.RuneCountInString(n.Name); c == 0 || c > 200 || !utf8.ValidString(n.Name) {
		return Token{}, "", fault.New(fault.Unprocessable, "people.name_invalid", "the name must have 1 to 200 characters").At("/name")
	}
	if err := checkRole(n.Role); err != nil {
		return Token{}, "", err
	}
	if rank(n.Role) > rank(a.Role) {
		return Token{}, "", fault.New(fault.Denied, "people.role_too_high", "a token may not do more than its maker: %s at most", a.Role).
			With("maximum", string(a.Role)).At("/role")
	}
	now := s.now()
	if !n.ExpiresAt.IsZero() && !n.ExpiresAt.After(now) {
		return Token{}, "", fault.New(fault.Unprocessable, "people.expiry_past", "expiresAt lies in the past").At("/expiresAt")
	}
	secret := tokenMark + rand.Text() + rand.Text()[:14]
	t := Token{
		ID: "t_" + rand.Text()[:20], Org: a.User.Org, UserID: a.User.ID, Name: n.Name, Prefix: secret[:len(tokenMark)+4],
		Hash: s.o.Hasher.HashKey(secret), Role: n.Role, CreatedAt: now, ExpiresAt: n.ExpiresAt.UTC().Truncate(time.Millisecond),
	}
	if n.ExpiresAt.IsZero() {
		t.ExpiresAt = time.Time{}
	}
	if err := s.o.Tokens.Insert(ctx, t); err != nil {
		return Token{}, "", fmt.Errorf("storing the token: %w", err)
	}
	return t, secret, nil
}

// DeleteToken ends a token at once; the fault "people.token_not_found" otherwise.
func (s *Service) DeleteToken(ctx context.Context, a Actor, id string) error {
	return notFound(s.o.Tokens.Delete(ctx, a.User.Org, id), "people.token_not_found", "API token")
}

// AuthenticateToken returns who an API token acts for. Faults of kind
// Unauthenticated: "auth.invalid" for an unknown token or a suspended user,
// "auth.expired" for one that has ended.
func (s *Service) AuthenticateToken(ctx context.Context, secret string) (Actor, error) {
	invalid := fault.New(fault.Unauthenticated, "auth.invalid", "the API token is not known")
	if !strings.HasPrefix(secret, tokenMark) || len(secret) > 128 {
		return Actor{}, invalid
	}
	t, err := s.o.Tokens.ByHash(ctx, s.o.Hasher.HashKey(secret))
	if errors.Is(err, ErrNotFound) {
		return Actor{}, invalid
	}
	if err != nil {
		return Actor{}, fmt.Errorf("looking up the API token: %w", err)
	}
	now := s.now()
	if !t.ExpiresAt.IsZero() && !now.Before(t.ExpiresAt) {
		return Actor{}, fault.New(fault.Unauthenticated, "auth.expired", "the API token expired on %s; make a new one", t.ExpiresAt.Format(time.RFC3339))
	}
	u, err := s.o.Users.ByID(ctx, t.UserID)
	if errors.Is(err, ErrNotFound) || err == nil && (u.Suspended || u.Org != t.Org) {
		return Actor{}, invalid
	}
	if err != nil {
		return Actor{}, fmt.Errorf("looking up the token's user: %w", err)
	}
	if now.Sub(t.UsedAt) >= usedEvery {
		if err := s.o.Tokens.Touch(ctx, t.ID, now); err != nil {
			return Actor{}, fmt.Errorf("noting the token's use: %w", err)
		}
	}
	return Actor{User: u, Role: lower(t.Role, u.Role), Token: &t}, nil
}
