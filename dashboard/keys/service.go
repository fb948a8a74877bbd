package keys

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/pkg/access"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/keyring"
)

// Ring is where gateways look keys up; pkg/keyring.Writer.
type Ring interface {
	Put(ctx context.Context, entries ...keyring.Entry) error
	Watermark(ctx context.Context) (time.Time, error)
	AdvanceWatermark(ctx context.Context, from, to time.Time) (bool, error)
}

// Marks keeps the projection's watermark in the store; publish.Marks.
type Marks interface {
	Mark(ctx context.Context, name string) (int64, error)
	Raise(ctx context.Context, name string, v int64) error
}

// Catalog knows policies and APIs; policies.Service.
type Catalog interface {
	// Lookup returns those of the named policies that exist, by id, and which of
	// the named APIs do.
	Lookup(ctx context.Context, org string, policies, apis []string) (map[string]access.Policy, map[string]bool, error)
}

// Hasher makes the hashes that keys are looked up by; pkg/trust.Keys.
type Hasher interface {
	// HashKey returns the keyed hash of a secret, hex.
	HashKey(secret string) string
}

// Options are what a Service needs. All but the last two are required.
type Options struct {
	Store   Store
	Marks   Marks
	Ring    Ring
	Catalog Catalog
	Hasher  Hasher
	Now     func() time.Time // default: time.Now
	Logger  *slog.Logger     // default: none
}

// Service makes, changes and revokes keys, and projects them to Redis. Safe for
// concurrent use, also by several dashboards.
//
// Faults: "key.invalid" with all problems, "key.not_found", "key.revoked",
// "key.secret_taken", "precondition.required", "precondition.stale". Once a
// change is stored it succeeds; the warning "key.pending" says that gateways do
// not know yet because Redis is away.
type Service struct {
	o    Options
	bus  Bus // nil: nobody is told
	wake chan struct{}

	sweep sweep

	mu     sync.Mutex
	unsaid map[string]int64 // by hash: versions that gateways were not told of
	// There are more of them than maxUnsaid.
	unsaidAll bool
	maxUnsaid int
}

// New makes the service.
func New(o Options) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{o: o, wake: make(chan struct{}, 1), unsaid: map[string]int64{}, maxUnsaid: maxUnsaid}
}

// Write is what every change of a key comes with.
type Write struct {
	Org     string
	IfMatch string // ETag of the key, or "*"; only for Patch
	DryRun  bool   // judge, store nothing
}

// Result is a key after a change.
type Result struct {
	Key      access.Key
	Secret   string // of a new key, never shown again; empty in a dry run and for a secret that was brought along
	ETag     string
	Problems []fault.Problem // warnings
}

// ETag is the strong validator (RFC 9110, 8.8.3) of a key.
func ETag(k access.Key) string { return `"` + strconv.FormatInt(k.Version, 10) + `"` }

// Create makes a key from a JSON body: alias (required), owner, policies, rights,
// metadata, tags, state (active or suspended), expiresAt (null: never; absent:
// one year, or the shortest keyTtl of its policies if that is less), and secret,
// for one that callers have already.
func (s *Service) Create(ctx context.Context, w Write, body []byte) (Result, error) {
	d, problems := decode(body, nil, true)
	if hasErrors(problems) {
		return Result{}, invalid(problems)
	}
	now := s.now()
	k := access.Key{Org: w.Org, Version: 1, CreatedAt: now, UpdatedAt: now, State: access.KeyActive}
	d.apply(&k)
	found, err := s.judge(ctx, k, &problems)
	if err != nil {
		return Result{}, err
	}
	if !d.has("expiresAt") {
		k.ExpiresAt = now.Add(life(k, found))
	}
	if !k.ExpiresAt.IsZero() && !k.ExpiresAt.After(now) {
		problems = append(problems, problem("key.expiry_past", "/expiresAt", nil, "expiresAt lies in the past; choose a later instant, or null for never"))
	}
	secret, err := s.secret(d, &k, &problems)
	if err != nil {
		return Result{}, err
	}
	if hasErrors(problems) {
		return Result{}, invalid(problems)
	}
	if w.DryRun {
		return Result{Key: k, Problems: problems}, nil
	}
	if k.UpdatedAt, err = s.stamp(ctx); err != nil {
		return Result{}, err
	}
	stored := Stored{Key: k, Hashes: []string{s.o.Hasher.HashKey(secret)}}
	if err := s.o.Store.Insert(ctx, stored); err != nil {
		if errors.Is(err, ErrTaken) {
			return Result{}, fault.Wrap(err, fault.Conflict, "key.secret_taken", "a key with that secret exists already, perhaps a revoked one; choose another secret")
		}
		return Result{}, unavailable(err)
	}
	r := Result{Key: k, Secret: secret, ETag: ETag(k), Problems: append(problems, s.project(ctx, stored)...)}
	if d.has("secret") {
		r.Secret = ""
	}
	return r, nil
}

// secret takes the secret that was brought along, or makes one.
func (s *Service) secret(d draft, k *access.Key, problems *[]fault.Problem) (secret string, err error) {
	if k.ID, err = access.NewKeyID(); err != nil {
		return "", err
	}
	if !d.has("secret") {
		secret, k.Prefix, err = access.NewSecret()
		return secret, err
	}
	if !access.ValidCustom(d.Secret) {
		*problems = append(*problems, problem("key.secret_invalid", "/secret", nil,
			"a secret of your own has 8 to 512 printable ASCII characters without spaces, and if it begins with slc_ the right checksum"))
	}
	k.Prefix = strings.TrimSuffix(access.Mask(d.Secret), "…")
	return d.Secret, nil
}

// Patch applies an RFC 7396 merge patch to what people set of a key; state may
// be active or suspended.
func (s *Service) Patch(ctx context.Context, w Write, id string, patch []byte) (Result, error) {
	for range tries {
		r, err := s.patch(ctx, w, id, patch)
		if !errors.Is(err, ErrStale) {
			return r, err
		}
	}
	return Result{}, busy()
}

func (s *Service) patch(ctx context.Context, w Write, id string, patch []byte) (Result, error) {
	stored, err := s.get(ctx, w.Org, id)
	if err != nil {
		return Result{}, err
	}
	if err := precondition(w.IfMatch, ETag(stored.Key)); err != nil {
		return Result{}, err
	}
	if stored.Key.State == access.KeyRevoked {
		return Result{}, fault.New(fault.Conflict, "key.revoked", "the key was revoked, for ever; make a new one")
	}
	text, err := editable(stored.Key, patch)
	if err != nil {
		return Result{}, err
	}
	d, problems := decode(text, patch, false)
	if hasErrors(problems) {
		return Result{}, invalid(problems)
	}
	was, k := stored.Key.Version, stored.Key
	d.apply(&k)
	if _, err := s.judge(ctx, k, &problems); err != nil {
		return Result{}, err
	}
	if hasErrors(problems) {
		return Result{}, invalid(problems)
	}
	if same(k, stored.Key) || w.DryRun {
		return Result{Key: k, ETag: ETag(stored.Key), Problems: problems}, nil
	}
	k.Version = was + 1
	if k.UpdatedAt, err = s.stamp(ctx); err != nil {
		return Result{}, err
	}
	stored.Key = k
	if err := s.o.Store.Replace(ctx, stored, was); err != nil {
		return Result{}, unlessStale(err)
	}
	return Result{Key: k, ETag: ETag(k), Problems: append(problems, s.project(ctx, stored)...)}, nil
}

// Revoke ends a key for ever; a tombstone stays. It needs no precondition:
// revoking must work at once, and twice.
func (s *Service) Revoke(ctx context.Context, w Write, id string) (Result, error) {
	for range tries {
		stored, err := s.get(ctx, w.Org, id)
		if err != nil {
			return Result{}, err
		}
		if w.DryRun {
			return Result{Key: stored.Key, ETag: ETag(stored.Key)}, nil
		}
		if stored.Key.State != access.KeyRevoked {
			was := stored.Key.Version
			stored.Key.State, stored.Key.Version = access.KeyRevoked, was+1
			if stored.Key.UpdatedAt, err = s.stamp(ctx); err != nil {
				return Result{}, err
			}
			err = s.o.Store.Replace(ctx, stored, was)
			if errors.Is(err, ErrStale) {
				continue
			}
			if err != nil {
				return Result{}, unlessStale(err)
			}
		}
		return Result{Key: stored.Key, ETag: ETag(stored.Key), Problems: s.project(ctx, stored)}, nil
	}
	return Result{}, busy()
}

// Get returns one key, or the fault "key.not_found".
func (s *Service) Get(ctx context.Context, org, id string) (access.Key, error) {
	stored, err := s.get(ctx, org, id)
	return stored.Key, err
}

// List returns a page of keys, newest first.
func (s *Service) List(ctx context.Context, q Query) (Page, error) { return s.o.Store.List(ctx, q) }

// Preview merges a body as for Create with its policies: exactly what gateways
// would let the key do. The problems are those that Create would find.
func (s *Service) Preview(ctx context.Context, org string, body []byte) (access.Key, *access.Session, []fault.Problem, error) {
	d, problems := decode(body, nil, true)
	if hasErrors(problems) {
		return access.Key{}, nil, nil, invalid(problems)
	}
	now := s.now()
	k := access.Key{Org: org, State: access.KeyActive, Version: 1, CreatedAt: now, UpdatedAt: now}
	d.apply(&k)
	found, err := s.judge(ctx, k, &problems)
	if err != nil {
		return access.Key{}, nil, nil, err
	}
	if !d.has("expiresAt") {
		k.ExpiresAt = now.Add(life(k, found))
	}
	return k, access.Merge(k, found), problems, nil
}

// Effective merges a stored key with its policies.
func (s *Service) Effective(ctx context.Context, org, id string) (*access.Session, error) {
	stored, err := s.get(ctx, org, id)
	if err != nil {
		return nil, err
	}
	found, _, err := s.o.Catalog.Lookup(ctx, org, stored.Key.Policies, nil)
	if err != nil {
		return nil, err
	}
	return access.Merge(stored.Key, found), nil
}

// judge adds what is wrong with a key and returns its policies.
func (s *Service) judge(ctx context.Context, k access.Key, problems *[]fault.Problem) (map[string]access.Policy, error) {
	found, err := judgeWith(ctx, s.o.Catalog, k, problems)
	if err != nil {
		return nil, fmt.Errorf("looking up policies: %w", err)
	}
	if len(k.Policies) == 0 && len(k.Rights) == 0 {
		*problems = append(*problems, warning("key.may_nothing", "/policies", nil, "the key has neither policies nor rights, so it may do nothing"))
	}
	return found, nil
}

func judgeWith(ctx context.Context, c Catalog, k access.Key, problems *[]fault.Problem) (map[string]access.Policy, error) {
	*problems = append(*problems, access.ValidateKey(k)...)
	var apis []string
	for _, r := range k.Rights {
		if r.API != "*" {
			apis = append(apis, r.API)
		}
	}
	found, known, err := c.Lookup(ctx, k.Org, k.Policies, apis)
	if err != nil {
		return nil, err
	}
	for i, id := range k.Policies {
		if _, ok := found[id]; !ok {
			*problems = append(*problems, problem("key.policy_unknown", "/policies/"+strconv.Itoa(i), map[string]any{"policy": id},
				"there is no policy %q; make it first, or take it out", id))
		}
	}
	for i, r := range k.Rights {
		if r.API != "*" && !known[r.API] {
			*problems = append(*problems, problem("key.api_unknown", "/rights/"+strconv.Itoa(i)+"/api", map[string]any{"api": r.API},
				"there is no API %q; create it first, or take the right out", r.API))
		}
	}
	return found, nil
}

// life is how long a new key lives when nobody says.
func life(k access.Key, policies map[string]access.Policy) time.Duration {
	shortest := 365 * 24 * time.Hour
	for _, id := range k.Policies {
		p, ok := policies[id]
		if ttl := p.TTL(); ok && ttl > 0 {
			shortest = min(shortest, ttl)
		}
	}
	return shortest
}

func (s *Service) get(ctx context.Context, org, id string) (Stored, error) {
	stored, err := s.o.Store.Get(ctx, org, id)
	if errors.Is(err, ErrNotFound) {
		return Stored{}, fault.Wrap(err, fault.NotFound, "key.not_found", "there is no key with the id %q", id).With("id", id)
	}
	if err != nil {
		return Stored{}, unavailable(err)
	}
	return stored, nil
}

// now is the present instant as stores keep it: UTC, milliseconds.
func (s *Service) now() time.Time { return s.o.Now().UTC().Truncate(time.Millisecond) }

// stamp is the time of a change. It is never before the watermark: a clock that
// went back, or that is behind another dashboard's, must not hide a change from
// the passes of Repair.
func (s *Service) stamp(ctx context.Context) (time.Time, error) {
	mark, err := s.o.Marks.Mark(ctx, markKeys)
	if err != nil {
		return time.Time{}, unavailable(fmt.Errorf("reading the store's watermark of keys: %w", err))
	}
	now := s.now()
	if passed := time.UnixMilli(mark).UTC(); passed.After(now) {
		return passed, nil
	}
	return now, nil
}

// Uses counts the keys that name a policy, for whoever would delete it.
type Uses struct{ Store Store }

// Using counts the keys of an organisation that name a policy, revoked ones left
// out, and gives the aliases of up to 3 of them.
func (u Uses) Using(ctx context.Context, org, policy string) (count int, some []string, err error) {
	for _, state := range []access.KeyState{access.KeyActive, access.KeySuspended} {
		p, err := u.Store.List(ctx, Query{Org: org, Policy: policy, State: state, Limit: 3})
		if err != nil {
			return 0, nil, unavailable(err)
		}
		count += p.Total
		for _, k := range p.Items {
			if len(some) < 3 && !slices.Contains(some, k.Key.Alias) {
				some = append(some, k.Key.Alias)
			}
		}
	}
	return count, some, nil
}
