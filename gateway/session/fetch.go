package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/sluice-gateway/sluice/gateway/filter/auth/key"
	"github.com/sluice-gateway/sluice/pkg/keyring"
)

var (
	errBreaker = errors.New("Redis failed too often; it is left alone for a moment")
	errBehind  = errors.New("Redis holds an older version of the key than was seen already")
	errLost    = errors.New("Redis has lost a key that was seen already")
	errEmptied = errors.New("Redis does not hold all keys yet")
)

// call is one question under way; everybody who asks for the same key waits for it.
type call struct {
	done chan struct{}
	it   *item
	err  error
}

// fetch asks Redis, once for all who want the same key at the same time.
func (l *Lookup) fetch(ctx context.Context, s *shard, hash string) (*item, error) {
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
	c.it, c.err = l.ask(ctx, s, hash)
	return c.it, c.err
}

// ask makes the call and takes its answer into the cache.
func (l *Lookup) ask(ctx context.Context, s *shard, hash string) (*item, error) {
	if !l.breaker.allow(l.o.Now()) {
		return nil, errBreaker
	}
	// Not the first caller's to cancel: others wait for the same answer.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.o.Budget)
	defer cancel()
	e, err := l.entries.Get(ctx, hash)
	unknown := errors.Is(err, keyring.ErrUnknown)
	answered := err == nil || unknown || errors.Is(err, keyring.ErrForged)
	if unknown && l.o.Complete != nil {
		complete, err := l.o.Complete(ctx)
		l.breaker.report(err == nil, l.o.Now())
		switch {
		case err != nil:
			return nil, fmt.Errorf("ask whether Redis holds every key: %w", err)
		case !complete:
			return nil, errEmptied
		}
	} else {
		l.breaker.report(answered, l.o.Now())
	}
	switch {
	case unknown:
		return nil, s.putUnknown(hash, l.o.Now())
	case err != nil:
		return nil, err
	case e.Revoked:
		s.putRevoked(hash, e.Version)
		return nil, key.ErrRevoked
	}
	e.Hash = hash
	return s.put(e, l.o.Now())
}
