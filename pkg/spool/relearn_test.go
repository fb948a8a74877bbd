package spool

import (
	"errors"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// noGaps checks that a group misses nothing.
func noGaps(t *testing.T, rdb redis.UniversalClient) {
	t.Helper()
	if at := locate(t, rdb, "g"); len(at.Gaps) != 0 || at.Forgotten != 0 {
		t.Errorf("%+v", at.Gaps)
	}
}

// acked reads so many batches and acknowledges them.
func acked(t *testing.T, r *Reader, want int) {
	t.Helper()
	if err := r.Ack(t.Context(), read(t, r, want)...); err != nil {
		t.Fatal(err)
	}
}

// TestWhatASinkHasIsNoGapAlthoughRedisLostIt empties Redis between a sink's commit and its
// acknowledgement: nobody sends such batches again, and nothing is missing.
func TestWhatASinkHasIsNoGapAlthoughRedisLostIt(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb := s.Client()
		_, more := filled(t, rdb, 2)
		r := reader(t, rdb, ReaderOptions{Group: "g"})
		acked(t, r, 2)
		more(3)
		written := read(t, r, 3)
		s.Flush()
		if err := r.Ack(t.Context(), written...); err == nil || !strings.Contains(err.Error(), "NOGROUP") {
			t.Fatal(err)
		}
		more(2)
		read(t, r, 0) // finds that its group is gone
		acked(t, r, 2)
		noGaps(t, rdb)
	})
}

// TestReadersOfOneGroupPutTogetherWhatTheyKnow has two that each acknowledged other
// batches, when Redis is emptied and one of them makes the group anew.
func TestReadersOfOneGroupPutTogetherWhatTheyKnow(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb := s.Client()
		_, more := filled(t, rdb, 2)
		a := reader(t, rdb, ReaderOptions{Group: "g", Consumer: "a"})
		b := reader(t, rdb, ReaderOptions{Group: "g", Consumer: "b"})
		acked(t, a, 2)
		more(2)
		acked(t, b, 2)
		more(3)
		acked(t, a, 3) // b knows nothing of these
		more(2)
		written := read(t, a, 2)
		s.Flush()
		more(1)
		read(t, b, 0)
		acked(t, b, 1) // b made the group, and it seems that a's are missing
		if err := a.Ack(t.Context(), written...); !errors.Is(err, ErrLost) {
			t.Fatal(err)
		}
		a.made, a.anew = false, true // a's next read failed while the group was not there
		more(1)
		acked(t, a, 1)
		noGaps(t, rdb)
		if err := a.Ack(t.Context(), written...); !errors.Is(err, ErrLost) {
			t.Fatal(err)
		}
		noGaps(t, rdb)
	})
}

// TestARealLossIsStillAGapAfterRelearning loses a batch that no sink has.
func TestARealLossIsStillAGapAfterRelearning(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		rdb := s.Client()
		p, more := filled(t, rdb, 2)
		r := reader(t, rdb, ReaderOptions{Group: "g"})
		acked(t, r, 2)
		before := p.Stats().Sent
		more(1)
		lost := p.Stats().Sent - before
		s.Flush()
		more(1)
		read(t, r, 0)
		acked(t, r, 1)
		at := locate(t, rdb, "g")
		if len(at.Gaps) != 1 || at.Gaps[0].Records != lost {
			t.Errorf("%+v, want one gap of %d", at.Gaps, lost)
		}
	})
}
