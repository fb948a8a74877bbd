package published_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/sluice-gateway/sluice/gateway/route"
	"github.com/sluice-gateway/sluice/gateway/source/published"
	"github.com/sluice-gateway/sluice/gateway/source/sourcetest"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	sourcetest.Run(t, func(_ *testing.T, p *sourcetest.Platform) route.Source { return published.New(p.Reader()) })
}

func TestHintsNeverBlockAndCoalesce(t *testing.T) {
	s := published.New(sourcetest.NewPlatform(t, testenv.RedisServer(t)).Reader())
	for range 3 {
		s.Hint()
	}
	<-s.Hints()
	select {
	case <-s.Hints():
		t.Error("three hints are more than one")
	default:
	}
}

func TestASnapshotIsTheWholeGenerationAndNeverHalf(t *testing.T) {
	p := sourcetest.NewPlatform(t, testenv.RedisServer(t))
	s := published.New(p.Reader())
	if _, ok := s.Snapshot(); ok {
		t.Error("a snapshot before anything was fetched")
	}
	c := sourcetest.NewConsumer(t, s)
	p.Set("a", "a1")
	p.Set("b", "b1")
	first := p.Publish()
	c.Must(first, map[string]string{"a": "a1", "b": "b1"})
	p.Set("a", "a2")
	p.Publish()
	back := p.Lose(sourcetest.SHA("a2"))
	if _, err := c.Fetch(); err == nil {
		t.Fatal("no error")
	}
	snap, ok := s.Snapshot()
	if !ok || snap.Root.Generation != first.Generation {
		t.Fatalf("the snapshot while a text is missing: %+v", snap.Root)
	}
	u, err := snap.Update(published.Disk)
	if err != nil || !u.Full || len(u.Set) != 2 || u.Origin != "disk" || u.Root != first.Root {
		t.Errorf("%+v, %v", u, err)
	}
	back()
	if _, err := c.Fetch(); err != nil {
		t.Fatal(err)
	}
	if snap, _ = s.Snapshot(); snap.Root.Generation != 2 || len(snap.Texts) != 2 {
		t.Errorf("generation %d, %d texts", snap.Root.Generation, len(snap.Texts))
	}
}
