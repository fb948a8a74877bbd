package publish_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/dashboard/sqlite"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/fleet"
	"github.com/sluice-gateway/sluice/pkg/notice"
	wire "github.com/sluice-gateway/sluice/pkg/publish"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

var errCrash = errors.New("crash")

// TestACrashAtAnyStepHeals stops a dashboard at each step of a publication. Any
// other dashboard, running or started later, brings everything up to the log.
func TestACrashAtAnyStepHeals(t *testing.T) { onEachStore(t, crashAtAnyStep) }

func crashAtAnyStep(t *testing.T, newSite func(testing.TB) *site) {
	for _, step := range []string{"contents", "append", "view", "views", "mark", "roots", "notices"} {
		for _, successor := range []string{"running", "started later"} {
			t.Run(step+", successor "+successor, func(t *testing.T) {
				s := newSite(t)
				armed := false
				victim := s.engine(func(o *publish.Options) {
					o.Fault = func(at string) error {
						if armed && at == step {
							return errCrash
						}
						return nil
					}
				})
				put(t, victim, api("a", ""), api("b", ""))
				heir := s.engine()
				armed = true
				_, err := victim.Commit(t.Context(), tester, "", func(*publish.State) ([]publish.Edit, error) {
					return []publish.Edit{{Ref: ref("a"), Text: api("a", `"description":"new",`)}, {Ref: ref("b")}, {Ref: ref("c"), Text: api("c", "")}}, nil
				})
				if !errors.Is(err, errCrash) {
					t.Fatalf("the fault did not strike: %v", err)
				}
				if successor == "started later" {
					heir = s.engine()
				} else if err := heir.Repair(t.Context(), true); err != nil {
					t.Fatal(err)
				}
				want := map[string]string{"api/a": string(api("a", `"description":"new",`)), "api/c": string(api("c", ""))}
				if step == "contents" { // nothing was promised yet
					want = map[string]string{"api/a": string(api("a", "")), "api/b": string(api("b", ""))}
				}
				if err := s.holds(heir, "default", want); err != nil {
					t.Error(err)
				}
				verify(t, heir)
				put(t, heir, api("d", ""))
				want["api/d"] = string(api("d", ""))
				if err := s.holds(heir, "default", want); err != nil {
					t.Error(err)
				}
				verify(t, heir, s.engine())
			})
		}
	}
}

// filled makes an installation with 30 APIs, 10 of which changed or left.
func filled(t *testing.T) (*site, *publish.Engine, map[string]string) {
	s := newSite(t)
	e := s.engine()
	want := map[string]string{}
	for i := range 30 {
		id := fmt.Sprintf("api-%d", i)
		put(t, e, api(id, ""))
		want["api/"+id] = string(api(id, ""))
	}
	for i := range 10 {
		id := fmt.Sprintf("api-%d", i)
		want["api/"+id] = string(api(id, `"description":"2",`))
		put(t, e, []byte(want["api/"+id]))
	}
	return s, e, want
}

func TestAnEmptiedRedisIsFilledAgain(t *testing.T) {
	s, e, want := filled(t)
	s.redis.Flush()
	if err := e.Repair(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if err := s.holds(e, "default", want); err != nil {
		t.Error(err)
	}
	// A change may come before the repair.
	s.redis.Flush()
	done := put(t, e, api("late", ""))
	want["api/late"] = string(api("late", ""))
	if len(done.Problems) != 1 || done.Problems[0].Code != "publish.pending" {
		t.Errorf("got %v", done.Problems)
	}
	if err := e.Repair(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if err := s.holds(e, "default", want); err != nil {
		t.Error(err)
	}
}

func TestARestoredRedisIsBroughtUpToDate(t *testing.T) {
	s, e, want := filled(t)
	old := s.redis.Dump()
	for i := range 10 {
		id := fmt.Sprintf("api-%d", i)
		want["api/"+id] = string(api(id, `"description":"3",`))
		put(t, e, []byte(want["api/"+id]))
	}
	s.redis.Restore(old)
	testenv.EventuallyNoError(t, 10*time.Second, func() error { return e.Repair(t.Context(), false) })
	if err := s.holds(e, "default", want); err != nil {
		t.Error(err)
	}
	put(t, e, api("api-1", ""))
	want["api/api-1"] = string(api("api-1", ""))
	if err := s.holds(e, "default", want); err != nil {
		t.Error(err)
	}
}

func TestLostContentsAreFoundAndWrittenAgain(t *testing.T) {
	s, _, want := filled(t)
	rdb := s.redis.Client()
	keys, err := rdb.Keys(t.Context(), "sluice:{cfg}:c:*").Result()
	if err != nil || len(keys) == 0 {
		t.Fatal(keys, err)
	}
	if err := rdb.Del(t.Context(), keys...).Err(); err != nil {
		t.Fatal(err)
	}
	e := s.engine() // looks for every content at its start
	if err := s.holds(e, "default", want); err != nil {
		t.Error(err)
	}
}

func TestRedisBeingAwayDoesNotStopChanges(t *testing.T) {
	s, e, want := filled(t)
	s.redis.Stop()
	for i, id := range []string{"api-1", "api-2"} {
		done := put(t, e, api(id, `"description":"away",`))
		want["api/"+id] = string(api(id, `"description":"away",`))
		if done.Revision.N != int64(41+i) || len(done.Problems) != 1 || done.Problems[0].Code != "publish.pending" {
			t.Fatalf("got %+v", done)
		}
	}
	fresh := s.engine() // starts without Redis
	s.redis.Start(true)
	testenv.EventuallyNoError(t, 10*time.Second, func() error { return fresh.Repair(t.Context(), true) })
	if err := s.holds(e, "default", want); err != nil {
		t.Error(err)
	}
	testenv.EventuallyNoError(t, 10*time.Second, func() error { return e.Repair(t.Context(), true) })
	put(t, e, api("api-3", `"description":"back",`))
	want["api/api-3"] = string(api("api-3", `"description":"back",`))
	if err := s.holds(e, "default", want); err != nil {
		t.Error(err)
	}
	verify(t, e, fresh)
}

func TestAStoreFromAnOldBackupIsRefusedUntilANewEpoch(t *testing.T) {
	s, _, want := filled(t)
	old := *s
	path := filepath.Join(t.TempDir(), "config.db")
	old.open = sqliteAt(path) // as good as a backup from before the first revision
	e := old.engine()
	edit := func(e *publish.Engine) error {
		_, err := e.Commit(t.Context(), tester, "", func(*publish.State) ([]publish.Edit, error) {
			return []publish.Edit{{Ref: ref("x"), Text: api("x", "")}}, nil
		})
		return err
	}
	if err := edit(e); !fault.Is(err, "publish.store_behind") {
		t.Fatalf("got %v", err)
	}
	if c := e.Condition(); !c.StoreBehind || c.Error == "" {
		t.Errorf("got %+v", c)
	}
	if err := e.Repair(t.Context(), true); !fault.Is(err, "publish.store_behind") {
		t.Errorf("got %v", err)
	}
	if head, got, err := s.published("default"); err != nil || head.Generation != 40 || len(got) != len(want) {
		t.Errorf("what is published was touched: %v, %v", head, err)
	}
	store, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close(t.Context()) }()
	if err := store.Marks().Raise(t.Context(), "epoch", 2); err != nil {
		t.Fatal(err)
	}
	if err := e.Repair(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if err := edit(e); err != nil {
		t.Fatal(err)
	}
	head, got, err := s.published("default")
	if err != nil || head.Epoch != 2 || head.Generation != 1 || got["api/x"] != string(api("x", "")) || len(got) != 1 {
		t.Errorf("got %v, %v, %v", head, got, err)
	}
}

func TestAForgedNewerRootStopsNobody(t *testing.T) {
	s, e, want := filled(t)
	rdb := s.redis.Client()
	if err := rdb.HSet(t.Context(), "sluice:{cfg}:root:default", "epoch", 9, "generation", 999).Err(); err != nil {
		t.Fatal(err)
	}
	if err := e.Repair(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	put(t, e, api("after", ""))
	want["api/after"] = string(api("after", ""))
	if err := s.holds(e, "default", want); err != nil {
		t.Error(err)
	}
}

// brokenLog appends, but says that it did not; it may fail to look, too.
type brokenLog struct {
	publish.Log
	broken bool
	never  error // of an append that was not made
	blind  bool
}

func (l *brokenLog) Since(ctx context.Context, after int64, limit int) ([]publish.Revision, error) {
	if l.blind {
		return nil, errors.New("no majority")
	}
	return l.Log.Since(ctx, after, limit)
}

func (l *brokenLog) Append(ctx context.Context, r publish.Revision) error {
	if l.never != nil {
		return l.never
	}
	if err := l.Log.Append(ctx, r); err != nil || !l.broken {
		return err
	}
	return errors.New("the connection broke")
}

func TestAnAppendOfUnknownOutcomeIsLookedUp(t *testing.T) {
	s := newSite(t)
	log := &brokenLog{broken: true}
	e := s.engine(func(o *publish.Options) { log.Log = o.Log; o.Log = log })
	done := put(t, e, api("a", ""))
	if done.Revision.N != 1 {
		t.Fatalf("got %+v", done)
	}
	verify(t, e)
}

func TestAnAppendOfUnknownOutcomeIsNotCalledUndone(t *testing.T) {
	for name, c := range map[string]struct {
		log  brokenLog
		code fault.Code
	}{
		"made, nobody can look":   {brokenLog{broken: true, blind: true}, "publish.outcome_unknown"},
		"unmade, nobody can look": {brokenLog{never: errors.New("the connection broke"), blind: true}, "publish.outcome_unknown"},
		"perhaps made yet":        {brokenLog{never: fmt.Errorf("insert: %w", context.DeadlineExceeded)}, "publish.outcome_unknown"},
		"refused":                 {brokenLog{never: errors.New("no space left")}, "publish.store_unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			log := &c.log
			e := newSite(t).engine(func(o *publish.Options) { log.Log = o.Log; o.Log = log })
			_, err := e.Commit(t.Context(), tester, "", func(*publish.State) ([]publish.Edit, error) {
				return []publish.Edit{{Ref: ref("a"), Text: api("a", "")}}, nil
			})
			if !fault.Is(err, c.code) || strings.Contains(fault.As(err).Message, "nothing was changed") != (c.code == "publish.store_unavailable") {
				t.Errorf("got %v", err)
			}
			log.blind, log.never, log.broken = false, nil, false
			put(t, e, api("b", "")) // goes on, whatever became of it
			verify(t, e)
		})
	}
}

// brokenViews refuses to apply.
type brokenViews struct {
	publish.Views
	broken bool
}

func (v *brokenViews) Apply(ctx context.Context, o publish.Object) error {
	if v.broken {
		return errors.New("no space left")
	}
	return v.Views.Apply(ctx, o)
}

func TestViewsThatFellBehindCatchUp(t *testing.T) {
	s := newSite(t)
	views := &brokenViews{}
	e := s.engine(func(o *publish.Options) { views.Views = o.Views; o.Views = views })
	views.broken = true
	done := put(t, e, api("a", ""))
	if len(done.Problems) != 1 || done.Problems[0].Code != "publish.views_pending" {
		t.Fatalf("got %+v", done.Problems)
	}
	views.broken = false
	verify(t, e)
}

func TestRunRepairsByItself(t *testing.T) {
	s, e, want := filled(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	s.redis.Flush()
	e.Wake()
	testenv.EventuallyNoError(t, 10*time.Second, func() error { return s.holds(e, "default", want) })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestATamperedRootIsMended: its fields still say what they should, but gateways
// refuse it.
func TestATamperedRootIsMended(t *testing.T) {
	s, e, want := filled(t)
	key := "sluice:{cfg}:root:default"
	for _, field := range []string{"sig", "root"} {
		good, err := s.redis.Client().HGet(t.Context(), key, field).Result()
		if err != nil {
			t.Fatal(err)
		}
		if err := s.redis.Client().HSet(t.Context(), key, field, good[:len(good)-2]+"xx").Err(); err != nil {
			t.Fatal(err)
		}
		if err := e.Repair(t.Context(), false); err != nil {
			t.Error(err)
		}
		if err := s.holds(e, "default", want); err != nil {
			t.Errorf("after %s was changed: %v", field, err)
		}
	}
}

// turned is a log that was put back to an older copy under a running dashboard.
type turned struct {
	publish.Log
	newest int64
}

func (l *turned) Newest(ctx context.Context) (int64, error) {
	if l.newest > 0 {
		return l.newest, nil
	}
	return l.Log.Newest(ctx)
}

func TestALogThatWasTurnedBackGetsNoGap(t *testing.T) {
	s := newSite(t)
	var l *turned
	e := s.engine(func(o *publish.Options) { l = &turned{Log: o.Log}; o.Log = l })
	put(t, e, api("a", ""))
	put(t, e, api("b", ""))
	l.newest = 1
	_, err := e.Commit(t.Context(), tester, "", func(*publish.State) ([]publish.Edit, error) {
		return []publish.Edit{{Ref: ref("c"), Text: api("c", "")}}, nil
	})
	if !fault.Is(err, "publish.store_turned_back") {
		t.Errorf("a change was taken that would follow revision 2, which the store has lost: %v", err)
	}
}

// unsettled is a log whose next number is taken by a revision that cannot be read
// yet, as while MongoDB has no majority.
type unsettled struct {
	publish.Log
	appends int
}

func (l *unsettled) Append(context.Context, publish.Revision) error {
	l.appends++
	return publish.ErrTaken
}

func TestARevisionThatCannotBeReadYetIsWaitedFor(t *testing.T) {
	s := newSite(t)
	var l *unsettled
	e := s.engine(func(o *publish.Options) { l = &unsettled{Log: o.Log}; o.Log = l })
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := e.Commit(ctx, tester, "", func(*publish.State) ([]publish.Edit, error) {
		return []publish.Edit{{Ref: ref("c"), Text: api("c", "")}}, nil
	})
	if !fault.Is(err, "publish.store_unavailable") || l.appends > 30 {
		t.Errorf("%d attempts, then %v", l.appends, err)
	}
}

// TestAContentThatAGatewayCannotReadIsWrittenAgain: it is there, for good, but is
// not what its name says.
func TestAContentThatAGatewayCannotReadIsWrittenAgain(t *testing.T) {
	s, e, want := filled(t)
	sha := publish.Sum([]byte(want["api/api-3"]))
	if err := s.redis.Client().Set(t.Context(), "sluice:{cfg}:c:"+sha, "bit rot", 0).Err(); err != nil {
		t.Fatal(err)
	}
	e.Acknowledge(notice.Applied{
		Node: "n", Name: "n", Epoch: 1, Generation: e.Condition().Revision,
		Rejected: []notice.Rejected{{Org: "default", Kind: "api", ID: "api-3", Code: "item.missing", Kept: true}},
	})
	if err := e.Repair(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if err := s.holds(e, "default", want); err != nil {
		t.Error(err)
	}
}

// TestAPartThatAGatewayCannotReadIsWrittenAgain: a gateway that has just started
// does not know what was in it, so only its beat tells.
func TestAPartThatAGatewayCannotReadIsWrittenAgain(t *testing.T) {
	s, e, want := filled(t)
	root, _, err := wire.NewReader(s.redis.Client(), s.keys, "default").Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	part := fmt.Sprintf("%x", root.Parts[wire.PartOf("default", "api", "api-3")])
	if err := s.redis.Client().Set(t.Context(), "sluice:{cfg}:c:"+part, "bit rot", 0).Err(); err != nil {
		t.Fatal(err)
	}
	_, _, err = s.published("default")
	if !fault.Is(err, "root.incomplete") {
		t.Fatalf("got %v", err)
	}
	if err := fleet.NewWriter(s.redis.Client(), s.keys).Beat(t.Context(), fleet.Beat{
		Node: "n", Name: "n", Service: "gateway", Group: "default",
		State: fleet.Degraded, Source: "none", LastError: err.Error(),
	}); err != nil {
		t.Fatal(err)
	}
	if err := e.Repair(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if err := s.holds(e, "default", want); err != nil {
		t.Error(err)
	}
}
