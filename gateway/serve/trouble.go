package serve

import (
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/gateway/filter"
)

const (
	troubleEvery = 10 * time.Second // how often the same trouble is told
	troubleKinds = 1024             // how many are told apart
)

// troubles keeps the log readable while a backend is down: the first refusal of a
// kind is told at once, then one in ten seconds with the number of those between.
// The zero value is ready; it is safe for concurrent use.
type troubles struct {
	mu   sync.Mutex
	seen map[trouble]*told
}

// trouble is what makes two refusals the same for a reader of the log.
type trouble struct{ api, code, target string }

type told struct {
	at     time.Time
	silent uint64 // refusals since
}

// take tells whether a refusal is to be logged, and how many before it were not.
func (t *troubles) take(k trouble, now time.Time) (silent uint64, tell bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	was, ok := t.seen[k]
	if ok && now.Sub(was.at) < troubleEvery {
		was.silent++
		return 0, false
	}
	if !ok {
		if t.seen == nil || len(t.seen) >= troubleKinds {
			t.seen = map[trouble]*told{}
		}
		was = &told{}
		t.seen[k] = was
	}
	silent, was.silent, was.at = was.silent, 0, now
	return silent, true
}

// tell logs what went wrong behind the gateway or in it. The cause stands nowhere
// else: the client must not learn it.
func (h *Handler) tell(x *filter.Exchange, msg, code string, err error) {
	api := apiID(x)
	silent, tell := h.troubles.take(trouble{api, code, x.Target}, time.Now())
	if !tell {
		return
	}
	args := []any{"code", code, "request", x.ID, "api", api}
	if x.Target != "" {
		args = append(args, "target", x.Target)
	}
	if err != nil {
		args = append(args, "error", err)
	}
	if silent > 0 {
		args = append(args, "alike", silent)
	}
	h.o.Log.Warn(msg, args...)
}
