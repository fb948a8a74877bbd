package keys

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-gateway/sluice/pkg/access"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/keyring"
	"github.com/sluice-gateway/sluice/pkg/notice"
)

// Bus carries notices; pkg/bus.Bus.
type Bus interface {
	Publish(ctx context.Context, kind notice.Kind, payload any) error
	On(kind notice.Kind, f func(payload json.RawMessage))
	OnGap(f func())
}

const (
	markKeys    = "keys" // Unix milliseconds up to which changes were projected once
	passEvery   = 5 * time.Second
	passTimeout = 5 * time.Minute
	putTimeout  = 2 * time.Second
	overlap     = 2 * time.Minute // for clocks that differ and writes that took long
	pageSize    = 200
	maxUnsaid   = 10_000 // more keys are told by one notice for all
)

// Attach connects the service to the bus, before either runs.
func (s *Service) Attach(b Bus) {
	s.bus = b
	b.OnGap(s.Wake)
}

// Wake makes Run compare Redis with the store now.
func (s *Service) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run repairs the projection until ctx ends: at once, every 5 s, and when it is
// woken. It sweeps, too.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(passEvery)
	defer tick.Stop()
	ticked := false
	for {
		err := s.Repair(ctx)
		if err == nil && ticked {
			err = s.Sweep(ctx)
		}
		if err != nil && ctx.Err() == nil {
			s.o.Logger.Warn("keys are not projected to Redis yet", "error", err)
		}
		ticked = false
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			ticked = true
		case <-s.wake:
		}
	}
}

// entries are what gateways see of a key: one per secret.
func entries(s Stored) []keyring.Entry {
	list := make([]keyring.Entry, 0, len(s.Hashes))
	for _, hash := range s.Hashes {
		e := keyring.Entry{Hash: hash, Version: s.Key.Version, Revoked: s.Key.State == access.KeyRevoked}
		if !e.Revoked {
			e.Key = s.Key
		}
		list = append(list, e)
	}
	return list
}

// project puts a change that is stored into Redis and tells gateways. The
// caller's cancellation does not count any more.
func (s *Service) project(ctx context.Context, stored Stored) []fault.Problem {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), putTimeout)
	defer cancel()
	list := entries(stored)
	if err := s.o.Ring.Put(ctx, list...); err != nil {
		s.o.Logger.Warn("a key is not projected to Redis yet", "key", stored.Key.ID, "error", err)
		s.remember(list)
		s.Wake()
		return []fault.Problem{warning("key.pending", "", nil,
			"the change is stored, but gateways do not know it yet: Redis does not take it; it is repeated by itself")}
	}
	s.tell(ctx, list)
	return nil
}

func (s *Service) remember(list []keyring.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range list {
		if _, there := s.unsaid[e.Hash]; there || len(s.unsaid) < s.maxUnsaid {
			s.unsaid[e.Hash] = max(e.Version, s.unsaid[e.Hash])
		} else {
			s.unsaidAll = true
		}
	}
}

// tell is best effort: a gateway forgets what it knows of a key by itself soon after.
func (s *Service) tell(ctx context.Context, list []keyring.Entry) {
	if s.bus == nil {
		return
	}
	for _, e := range list {
		if err := s.bus.Publish(ctx, notice.KeyChangedKind, notice.KeyChanged{Hash: e.Hash, Version: e.Version}); err != nil {
			s.remember([]keyring.Entry{e})
			return
		}
	}
}

// Repair projects what changed since the lower one of both watermarks, less an
// overlap of two minutes, then raises them. An emptied Redis has no watermark and
// gets every key; one that was restored from a copy has an old one and gets all
// that happened since. Entries that are there in that version or a newer one are
// left alone.
func (s *Service) Repair(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, passTimeout)
	defer cancel()
	start := s.now()
	inRedis, err := s.o.Ring.Watermark(ctx)
	if err != nil {
		return err
	}
	mark, err := s.o.Marks.Mark(ctx, markKeys)
	if err != nil {
		return fmt.Errorf("reading the store's watermark of keys: %w", err)
	}
	since := time.UnixMilli(mark).UTC()
	if inRedis.Before(since) {
		since = inRedis
	}
	if !since.IsZero() {
		since = since.Add(-overlap)
	}
	if err := s.replay(ctx, since); err != nil {
		return err
	}
	s.tellUnsaid(ctx)
	// Not below the store's, which gateways may have seen: a clock may have gone back.
	if to := later(start, time.UnixMilli(mark).UTC()); to.After(inRedis) {
		advanced, err := s.o.Ring.AdvanceWatermark(ctx, inRedis, to)
		if err != nil {
			return err
		}
		if !advanced { // emptied or restored meanwhile, or another dashboard was faster
			return nil
		}
	}
	if err := s.o.Marks.Raise(ctx, markKeys, start.UnixMilli()); err != nil {
		return fmt.Errorf("raising the store's watermark of keys: %w", err)
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// replay puts all keys that changed at or after since, and tells gateways again of
// those that are revoked or suspended: Redis may have lost them since, and a copy
// that is younger than the last pass bears no older watermark to know it by. A
// gateway that asked meanwhile took them for alive.
func (s *Service) replay(ctx context.Context, since time.Time) error {
	after := ""
	for {
		n, err := s.putPage(ctx, &since, &after, true)
		if err != nil || n < pageSize {
			return err
		}
	}
}

// putPage puts the next keys behind a cursor, which it moves, and returns how
// many there were: fewer than pageSize are the last ones. With retell gateways are
// told of those that are revoked or suspended.
func (s *Service) putPage(ctx context.Context, since *time.Time, after *string, retell bool) (int, error) {
	page, err := s.o.Store.Changed(ctx, *since, *after, pageSize)
	if err != nil {
		return 0, fmt.Errorf("reading changed keys: %w", err)
	}
	var list []keyring.Entry
	for _, stored := range page {
		list = append(list, entries(stored)...)
		if retell && stored.Key.State != access.KeyActive {
			s.remember(entries(stored))
		}
	}
	if err := s.put(ctx, list); err != nil {
		return 0, err
	}
	if n := len(page); n > 0 {
		last := page[n-1].Key
		*since, *after = last.UpdatedAt, last.ID
	}
	return len(page), nil
}

// put writes entries. One that cannot be written at all must not keep the others out.
func (s *Service) put(ctx context.Context, list []keyring.Entry) error {
	if len(list) == 0 {
		return nil
	}
	err := s.o.Ring.Put(ctx, list...)
	if err == nil || fault.Is(err, "key.unavailable") || fault.As(err) == nil {
		return err
	}
	for _, e := range list {
		err := s.o.Ring.Put(ctx, e)
		if f := fault.As(err); f != nil && f.Code != "key.unavailable" {
			s.o.Logger.Error("a key cannot be projected to Redis", "key", e.Key.ID, "error", err)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// tellUnsaid sends the notices that could not be sent before. When there were more
// than are remembered, gateways are told to ask again for every key they know.
func (s *Service) tellUnsaid(ctx context.Context) {
	s.mu.Lock()
	all := s.unsaidAll
	s.unsaidAll = false
	list := make([]keyring.Entry, 0, len(s.unsaid))
	for hash, version := range s.unsaid {
		list = append(list, keyring.Entry{Hash: hash, Version: version})
	}
	clear(s.unsaid)
	s.mu.Unlock()
	if s.bus == nil {
		return
	}
	if all {
		if err := s.bus.Publish(ctx, notice.KeysChangedKind, notice.KeysChanged{}); err != nil {
			s.mu.Lock()
			s.unsaidAll = true
			s.mu.Unlock()
			s.remember(list)
			return
		}
	}
	for i, e := range list {
		err := s.bus.Publish(ctx, notice.KeyChangedKind, notice.KeyChanged{Hash: e.Hash, Version: e.Version})
		if err != nil && !errors.Is(err, context.Canceled) {
			s.remember(list[i:])
			return
		}
	}
}
