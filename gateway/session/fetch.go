package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-gateway/sluice/gateway/filter/auth/key"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/keyring"
)

var (
	errBreaker = errors.New("the key store failed too often and is left alone for a moment")
	errBehind  = errors.New("the key store holds an older version of the key than was seen already")
	errLost    = errors.New("the key store has lost a key that was seen already")
	errEmptied = errors.New("the key store does not hold all keys yet")
)

// call is one question under way; everybody who asks for the same key waits for it.
type call struct {
	done chan struct{}
	it   *item
	err  error
}

// fetch asks Redis, once for all who want the same key at the same time.
func (l *Lookup) fetch(ctx context.Context, s *shard, hash string, budget time.Duration) (*item, error) {
	c, leader := s.join(hash)
	if !leader {
		select {
		case <-c.done:
			return c.it, c.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	defer func() {
		if c.it == nil && c.err == nil { // a panic below
			c.err = errors.New("the lookup was interrupted")
		}
		s.leave(hash, c)
	}()
	c.it, c.err = l.ask(ctx, s, hash, budget)
	return c.it, c.err
}

// ask makes the call and takes its answer into the cache.
func (l *Lookup) ask(ctx context.Context, s *shard, hash string, budget time.Duration) (*item, error) {
	if !l.breaker.allow(l.o.Now()) {
		return nil, errBreaker
	}
	answered := false
	defer func() { l.breaker.report(answered, l.o.Now()) }()
	// Not the first caller's to cancel: others wait for the same answer.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), budget)
	defer cancel()
	for attempt := 0; ; attempt++ {
		it, err := l.askOnce(ctx, s, hash)
		answered = judged(err)
		// A notice of a newer version may have overtaken this very answer.
		if attempt == 0 && errors.Is(err, errBehind) {
			continue
		}
		return it, err
	}
}

func (l *Lookup) askOnce(ctx context.Context, s *shard, hash string) (*item, error) {
	e, err := l.entries.Get(ctx, hash)
	switch {
	case errors.Is(err, keyring.ErrUnknown):
		if l.o.Complete != nil {
			complete, err := l.o.Complete(ctx)
			if err != nil {
				return nil, fmt.Errorf("ask whether Redis holds every key: %w", err)
			}
			if !complete {
				return nil, errEmptied
			}
		}
		return nil, s.putUnknown(hash, l.o.Now(), l.o.StaleIfError)
	case err != nil:
		return nil, err
	case e.Revoked:
		s.putRevoked(hash, e.Version)
		return nil, key.ErrRevoked
	}
	e.Hash = hash
	return s.put(e, l.o.Now())
}

// judged tells whether Redis itself did its work, however useless the answer.
func judged(err error) bool {
	for _, e := range []error{key.ErrUnknown, key.ErrRevoked, errBehind, errLost, errEmptied, keyring.ErrForged} {
		if errors.Is(err, e) {
			return true
		}
	}
	return err == nil || fault.Is(err, "key.malformed")
}
