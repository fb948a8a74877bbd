// Package lease lets one of several processes do a thing at a time: leases in Redis,
// with fencing tokens for the case that one of them does not know that its time is
// over.
//
// A lease is a hash at its key: "holder", "token" and "until" (milliseconds by the
// clock of Redis). A script that writes to Redis on the holder's behalf compares its
// token with the field "token", in one hash slot with the lease; another store
// refuses tokens smaller than the largest one that it saw.
package lease

import (
	"context"
	_ "embed"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed lease.lua
var script string

// DefaultTTL is how long a lease lasts when New is told nothing.
const DefaultTTL = 15 * time.Second

// Lease is one process's claim to a key. Hold and Release are for one goroutine;
// Until is for all.
type Lease struct {
	rdb    redis.UniversalClient
	key    string
	holder string
	ttl    time.Duration
	script *redis.Script

	token int64 // last one that was given; 0: none, or it was given back
	asked bool  // since the last Release
	until atomic.Pointer[time.Time]
}

// New makes a claim, without talking to Redis. No two running processes may have the
// same holder; a process that starts again with its holder takes over from its
// earlier life at once. ttl is in whole milliseconds; 0 or less means DefaultTTL.
func New(rdb redis.UniversalClient, key, holder string, ttl time.Duration) *Lease {
	if ttl < time.Millisecond {
		ttl = DefaultTTL
	}
	return &Lease{rdb: rdb, key: key, holder: holder, ttl: ttl, script: redis.NewScript(script)}
}

// Hold takes the lease when it is free, or renews it, for ttl from now; held is false
// while another has it. To be called about three times per ttl.
//
// The token stays the same as long as the holder keeps the lease, also when it renews
// late and nobody took the lease meanwhile. Each change of the holder makes it
// larger; it also grows when Redis lost its data or went back to older data, as long
// as the clock of Redis does not go back further than the loss. Who learns from a
// store that its token is too old calls Release, and Hold for a new one.
//
// After an error nothing is known: a holder may go on until Until.
func (l *Lease) Hold(ctx context.Context) (token int64, held bool, err error) {
	began := time.Now()
	l.asked = true
	token, err = l.run(ctx, l.ttl.Milliseconds())
	if err != nil {
		return 0, false, fmt.Errorf("hold the lease %s: %w", l.key, err)
	}
	if token == 0 {
		l.until.Store(nil)
		return 0, false, nil
	}
	l.token = token
	until := began.Add(l.ttl)
	l.until.Store(&until)
	return token, true, nil
}

// Until is when the lease ends if it is not renewed, by this process's clock and on
// the safe side; the zero time when it is not held.
func (l *Lease) Until() time.Time {
	if t := l.until.Load(); t != nil {
		return *t
	}
	return time.Time{}
}

// Release gives the lease back so that another need not wait for its end. It does
// nothing to a lease that another took meanwhile, or when there is none.
func (l *Lease) Release(ctx context.Context) error {
	l.until.Store(nil)
	if !l.asked {
		return nil
	}
	if _, err := l.run(ctx, 0); err != nil {
		return fmt.Errorf("release the lease %s: %w", l.key, err)
	}
	l.token, l.asked = 0, false
	return nil
}

func (l *Lease) run(ctx context.Context, ttl int64) (int64, error) {
	return l.script.Run(ctx, l.rdb, []string{l.key}, l.holder, l.token, ttl).Int64()
}
