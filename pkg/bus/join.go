package bus

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

//go:embed join.lua
var takeScript string

const (
	joinKey    = "sluice:join:" // + id of the token: a hand-over, or who took it
	joinDomain = "join"

	// MinJoinTTL is the shortest time that a token works.
	MinJoinTTL = time.Second
	// MaxJoinTTL is the longest.
	MaxJoinTTL = 30 * 24 * time.Hour
	// rememberTaken is how long a used token is told from an unknown one.
	rememberTaken = MaxJoinTTL
)

// Handover gives the platform's keys to new processes, through Redis: sealed
// (AES-256-GCM) under a key that only the token holds, so that whoever reads
// Redis learns nothing, and whoever writes there can at most spoil it.
type Handover struct {
	rdb  redis.UniversalClient
	take *redis.Script
}

// NewHandover makes one. Close closes the client.
func NewHandover(rdb redis.UniversalClient) *Handover {
	return &Handover{rdb: rdb, take: redis.NewScript(takeScript)}
}

// Close closes the client.
func (h *Handover) Close() error { return h.rdb.Close() }

// Offer is what a token is made for.
type Offer struct {
	Role  JoinRole
	Name  string        // of the node, for people; may be empty
	TTL   time.Duration // from MinJoinTTL to MaxJoinTTL
	Redis RedisAt       // where the new process finds Redis
}

// Taken is what a token was given for.
type Taken struct {
	Name string // of the node, if the offer had one
	Keys *trust.Keys
}

// handedOver is what lies sealed in Redis.
type handedOver struct {
	V    int             `json:"v"`
	Name string          `json:"name,omitempty"`
	Keys json.RawMessage `json:"keys"`
}

// Offer lays keys ready and returns the token for them. A dashboard gets the
// signing key too. Errors are faults: join.ttl, join.role, join.too_large,
// join.unavailable.
func (h *Handover) Offer(ctx context.Context, k *trust.Keys, o Offer) (JoinToken, error) {
	if o.TTL < MinJoinTTL || o.TTL > MaxJoinTTL {
		return JoinToken{}, fault.New(fault.Invalid, "join.ttl",
			"a token cannot work for %s; give a time from %s to %s, such as 1h", o.TTL, MinJoinTTL, MaxJoinTTL)
	}
	switch o.Role {
	case JoinDashboard:
	case JoinGateway, JoinPump:
		k = k.Node()
	default:
		return JoinToken{}, fault.New(fault.Invalid, "join.role", "there is no service %q; use gateway, pump or dashboard", o.Role)
	}
	keys, err := k.Marshal()
	if err != nil {
		return JoinToken{}, err
	}
	plain, err := json.Marshal(handedOver{V: envelopeVersion, Name: o.Name, Keys: keys})
	if err != nil {
		return JoinToken{}, fmt.Errorf("encode a hand-over: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	// By the clock that ends the entry, which is never earlier than these whole seconds.
	t := JoinToken{Role: o.Role, Expires: h.now(ctx).Add(o.TTL).Truncate(time.Second), Keys: k.Fingerprint(), Redis: o.Redis}
	if _, err := rand.Read(t.secret[:]); err != nil {
		return JoinToken{}, fmt.Errorf("make a token: %w", err)
	}
	if _, ok := parseToken(t.String()); !ok {
		return JoinToken{}, fault.New(fault.TooLarge, "join.too_large",
			"the settings of Redis do not fit into a token; name fewer addresses in redis.addresses, as plain host:port")
	}
	id, sealKey, err := t.names()
	if err != nil {
		return JoinToken{}, err
	}
	sealed, err := trust.SealWith(sealKey, joinDomain, plain)
	if err != nil {
		return JoinToken{}, fmt.Errorf("seal a hand-over: %w", err)
	}
	if err := h.rdb.Set(ctx, joinKey+id, append([]byte{'1'}, sealed...), o.TTL).Err(); err != nil {
		return JoinToken{}, joinUnavailable(fmt.Errorf("lay a hand-over ready: %w", err))
	}
	return t, nil
}

// takenBy is what is left of a hand-over.
type takenBy struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// Take gets what a token was made for. It succeeds once: of several that try, one
// wins. by names the taker, for people who see the token refused later. Errors are
// faults: join.used, join.expired, join.unknown (made for another Redis, or Redis
// lost it), join.forged, join.unavailable.
func (h *Handover) Take(ctx context.Context, t JoinToken, by string) (Taken, error) {
	id, sealKey, err := t.names()
	if err != nil {
		return Taken{}, err
	}
	mark, err := json.Marshal(takenBy{By: by, At: time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return Taken{}, fmt.Errorf("encode who takes a hand-over: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	there, err := h.take.Run(ctx, h.rdb, []string{joinKey + id}, mark, rememberTaken.Milliseconds()).Text()
	switch {
	case errors.Is(err, redis.Nil):
		return Taken{}, h.gone(ctx, t)
	case err != nil:
		return Taken{}, joinUnavailable(fmt.Errorf("take a hand-over: %w", err))
	case there == "" || there[0] != '1':
		return Taken{}, used(there)
	}
	plain, err := trust.OpenWith(sealKey, joinDomain, []byte(there[1:]))
	var got handedOver
	if err == nil {
		err = json.Unmarshal(plain, &got)
	}
	var keys *trust.Keys
	if err == nil {
		keys, err = trust.Unmarshal(got.Keys)
	}
	if err == nil && keys.Fingerprint() != t.Keys {
		err = errors.New("the keys are not those that the token names")
	}
	if err != nil {
		return Taken{}, fault.Wrap(err, fault.Denied, "join.forged",
			"what lay in Redis for this token was changed; find out who else writes to Redis, and make a new token")
	}
	return Taken{Name: got.Name, Keys: keys}, nil
}

func (t JoinToken) names() (id string, sealKey []byte, err error) {
	if id, err = t.id(); err != nil {
		return "", nil, err
	}
	sealKey, err = t.sealKey()
	return id, sealKey, err
}

// now is the time by the clock of Redis, which ends tokens, or by the own one where
// Redis does not tell.
func (h *Handover) now(ctx context.Context) time.Time {
	now, err := h.rdb.Time(ctx).Result()
	if err != nil {
		return time.Now()
	}
	return now
}

// gone tells an expired token from one that Redis does not know.
func (h *Handover) gone(ctx context.Context, t JoinToken) error {
	if !h.now(ctx).Before(t.Expires) {
		return fault.New(fault.Denied, "join.expired",
			"the token expired at %s; make a new one with sluice-dashboard node-token %s", t.Expires.UTC().Format(time.RFC3339), t.Role)
	}
	return fault.New(fault.NotFound, "join.unknown",
		"this Redis does not know the token: it was made for another one, was changed, or Redis lost its data; make a new one with sluice-dashboard node-token %s", t.Role)
}

func used(there string) error {
	var by takenBy
	if there == "" || json.Unmarshal([]byte(there[1:]), &by) != nil || by.By == "" {
		by.By = "another process"
	}
	return fault.New(fault.Denied, "join.used",
		"the token was used by %q at %s, and a token works once; make a new one with sluice-dashboard node-token, and if nobody of you used it, replace the keys",
		by.By, by.At.Format(time.RFC3339))
}

func joinUnavailable(err error) *fault.Fault {
	return fault.Wrap(err, fault.Unavailable, "join.unavailable",
		"Redis does not take part; check that it is up, that this host reaches it, and that redis.username, redis.password and redis.tls are right")
}
