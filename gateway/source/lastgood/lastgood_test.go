package lastgood_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluice-gateway/sluice/gateway/route"
	"github.com/sluice-gateway/sluice/gateway/source/lastgood"
	"github.com/sluice-gateway/sluice/gateway/source/published"
	"github.com/sluice-gateway/sluice/gateway/source/sourcetest"
	"github.com/sluice-gateway/sluice/pkg/publish"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// node is a gateway's disk beside a platform.
type node struct {
	t   *testing.T
	p   *sourcetest.Platform
	o   lastgood.Options
	log *bytes.Buffer
}

func newNode(t *testing.T, p *sourcetest.Platform) *node {
	log := new(bytes.Buffer)
	return &node{t, p, lastgood.Options{
		Dir: filepath.Join(t.TempDir(), "last-good"), Keys: p.Keys.Node(), Group: sourcetest.Group, Log: slog.New(slog.NewTextHandler(log, nil)),
	}, log}
}

// start is a start of the gateway: a source that knows nothing but the disk.
func (n *node) start() (*sourcetest.Consumer, *lastgood.Source) {
	n.t.Helper()
	s, err := lastgood.Wrap(published.New(n.p.Reader()), n.o)
	if err != nil {
		n.t.Fatal(err)
	}
	return sourcetest.NewConsumer(n.t, s), s
}

// save lets the source save as at the end of the process.
func save(t *testing.T, s *lastgood.Source) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

// onDisk is the generation that root.json holds; 0 without one.
func (n *node) onDisk() int64 {
	n.t.Helper()
	text, err := os.ReadFile(filepath.Join(n.o.Dir, "root.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0
	}
	var e publish.Envelope
	if err == nil {
		err = json.Unmarshal(text, &e)
	}
	if err != nil {
		n.t.Fatal(err)
	}
	root, err := publish.Open(e, n.o.Keys, n.o.Group)
	if err != nil {
		n.t.Fatal(err)
	}
	return root.Generation
}

// seeded is a node with generation 1 of two APIs on disk, and Redis away.
func seeded(t *testing.T) *node {
	t.Helper()
	p := sourcetest.NewPlatform(t, testenv.RedisServer(t))
	n := newNode(t, p)
	p.Set("a", text("a1"))
	p.Set("b", text("b1"))
	c, s := n.start()
	c.Must(p.Publish(), texts{"a": text("a1"), "b": text("b1")})
	save(t, s)
	if n.onDisk() != 1 {
		t.Fatal("nothing was saved")
	}
	p.Redis.Stop()
	return n
}

type texts = map[string]string

// text is long enough to be torn.
func text(s string) string { return strings.Repeat(s+" ", 200) }

func TestContract(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T, p *sourcetest.Platform) route.Source {
		_, s := newNode(t, p).start()
		return s
	})
}

func TestAStartWithoutRedisServesTheDiskAndThenTakesOverLive(t *testing.T) {
	n := seeded(t)
	c, s := n.start()
	u, err := c.Fetch()
	if u == nil || !u.Full || u.Origin != "disk" || u.Generation != 1 {
		t.Fatalf("%+v", u)
	}
	sourcetest.WantCode(t, err, "publish.unavailable")
	state := c.State
	c.Serves(state, texts{"a": text("a1"), "b": text("b1")})
	if u, err = c.Fetch(); u != nil || err == nil {
		t.Errorf("the disk is served once, the error again: %+v, %v", u, err)
	}

	n.p.Redis.Start(true)
	took := c.Took
	if _, err = c.Fetch(); err != nil {
		t.Fatal(err)
	}
	state.Origin = "live"
	c.Serves(state, texts{"a": text("a1"), "b": text("b1")})
	if c.Took != took {
		t.Errorf("%d items were compiled again", c.Took-took)
	}
	n.p.Set("a", text("a2"))
	c.Must(n.p.Publish(), texts{"a": text("a2"), "b": text("b1")})
	save(t, s)
	if n.onDisk() != 2 {
		t.Errorf("generation %d on disk", n.onDisk())
	}
	left, err := os.ReadDir(filepath.Join(n.o.Dir, "items"))
	if err != nil || len(left) != 4 { // two texts, two parts
		t.Errorf("%v, %v", left, err)
	}
}

// TestWhatIsWrongOnDiskIsNotServedAndMendedLater: the rest of what a sound root
// names is served.
func TestWhatIsWrongOnDiskIsNotServedAndMendedLater(t *testing.T) {
	item := func(n *node) string { return filepath.Join(n.o.Dir, "items", sourcetest.SHA(text("a1"))) }
	part := func(n *node) string { return filepath.Join(n.o.Dir, "items", n.p.PartOf("a")) }
	root := func(n *node) string { return filepath.Join(n.o.Dir, "root.json") }
	edit := func(f func(b []byte) []byte, at func(*node) string) func(*node) {
		return func(n *node) {
			b, err := os.ReadFile(at(n))
			if err == nil {
				err = os.WriteFile(at(n), f(b), 0o600)
			}
			if err != nil {
				n.t.Fatal(err)
			}
		}
	}
	envelope := func(f func(e *publish.Envelope)) func(*node) {
		return edit(func(b []byte) []byte {
			var e publish.Envelope
			if err := json.Unmarshal(b, &e); err != nil {
				t.Fatal(err)
			}
			f(&e)
			b, _ = json.Marshal(e)
			return b
		}, root)
	}
	half := func(b []byte) []byte { return b[:len(b)/2] }
	flip := func(b []byte) []byte { b[len(b)/2] ^= 1; return b }
	remove := func(at func(*node) string) func(*node) {
		return func(n *node) {
			if err := os.Remove(at(n)); err != nil {
				n.t.Fatal(err)
			}
		}
	}
	for name, tc := range map[string]struct {
		damage func(n *node)
		code   string
		rest   texts // what is served nevertheless
	}{
		"a flipped bit in a text": {edit(flip, item), "root.incomplete", texts{"b": text("b1")}},
		"half a text":             {edit(half, item), "root.incomplete", texts{"b": text("b1")}},
		"an empty text":           {edit(func([]byte) []byte { return nil }, item), "root.incomplete", texts{"b": text("b1")}},
		"a text is missing":       {remove(item), "root.incomplete", texts{"b": text("b1")}},
		"a flipped bit in a part": {edit(flip, part), "root.incomplete", texts{"b": text("b1")}},
		"a part is missing":       {remove(part), "root.incomplete", texts{"b": text("b1")}},
		"nothing but a root": {func(n *node) {
			if err := os.RemoveAll(filepath.Join(n.o.Dir, "items")); err != nil {
				n.t.Fatal(err)
			}
		}, "root.incomplete", nil},
		"half a root":             {edit(half, root), "root.json", nil},
		"changed root":            {envelope(func(e *publish.Envelope) { e.Root = bytes.Replace(e.Root, []byte(`1`), []byte(`7`), 1) }), "root.signature", nil},
		"changed signature":       {envelope(func(e *publish.Envelope) { e.Signature = flip(e.Signature) }), "root.", nil},
		"another platform's keys": {func(n *node) { n.o.Keys = sourcetest.NewKeys(n.t).Node() }, "root.key", nil},
		"another group":           {func(n *node) { n.o.Group = "edge" }, "root.group", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := seeded(t)
			keys, group := n.o.Keys, n.o.Group
			tc.damage(n)
			c, s := n.start()
			for attempt := range 2 {
				u, err := c.Fetch()
				if (u != nil) != (tc.rest != nil && attempt == 0) || !maps.Equal(c.APIs, tc.rest) {
					t.Fatalf("served: %+v", u)
				}
				if tc.rest != nil && attempt > 0 { // the rest is served once
					break
				}
				if err == nil || !strings.Contains(err.Error(), "last-known-good state") || !strings.Contains(err.Error(), tc.code) {
					t.Fatalf("not reported: %v; want %s", err, tc.code)
				}
			}
			n.p.Redis.Start(true)
			if _, err := c.Fetch(); err != nil || c.State.Origin != "live" || len(c.APIs) != 2 {
				t.Fatalf("live again: %+v %v, %v", c.State, c.APIs, err)
			}
			save(t, s)

			n.o.Keys, n.o.Group = keys, group
			n.p.Redis.Stop()
			c, _ = n.start()
			if u, _ := c.Fetch(); u == nil || u.Origin != "disk" || len(c.APIs) != 2 {
				t.Errorf("the disk was not mended: %+v", u)
			}
		})
	}
}

func TestADamagedTextOnDiskIsReported(t *testing.T) {
	n := seeded(t)
	if err := os.WriteFile(filepath.Join(n.o.Dir, "items", sourcetest.SHA(text("a1"))), []byte("bit rot"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _ := n.start()
	u, err := c.Fetch()
	sourcetest.WantCode(t, err, "publish.unavailable")
	if u == nil || !u.Full || u.Origin != "disk" || !slices.Equal(u.Incomplete, []route.Key{{Org: "default", Kind: "api", ID: "a"}}) {
		t.Fatalf("%+v", u)
	}
	if !strings.Contains(err.Error(), "does not have the hash") {
		t.Errorf("the damage is not told: %v", err)
	}
}

// TestAStepIsOnTheDiskBeforeTheNext: else a loss of power leaves a root without
// its texts.
func TestAStepIsOnTheDiskBeforeTheNext(t *testing.T) {
	n := seeded(t)
	n.p.Redis.Start(true)
	old := filepath.Join(n.o.Dir, "items", sourcetest.SHA(text("a1")))
	n.p.Set("a", text("a2"))
	at := n.p.Publish()
	for i, failing := range []string{"items", "last-good"} {
		want := int64(i + 1)
		c, s := n.start()
		s.OnSync(func(dir string) error {
			if filepath.Base(dir) == failing {
				return errors.New("the disk is gone")
			}
			return nil
		})
		c.Must(at, texts{"a": text("a2"), "b": text("b1")})
		save(t, s)
		if n.onDisk() != want {
			t.Errorf("%s is not synced: generation %d on disk, want %d", failing, n.onDisk(), want)
		}
		if _, err := os.Stat(old); err != nil {
			t.Errorf("%s is not synced, but what the root before names is gone: %v", failing, err)
		}
	}
	c, s := n.start()
	c.Must(at, texts{"a": text("a2"), "b": text("b1")})
	save(t, s)
	if _, err := os.Stat(old); n.onDisk() != 2 || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("generation %d on disk; the old text: %v", n.onDisk(), err)
	}
}

func TestTheDiskIsTheFloorOfAStart(t *testing.T) {
	p := sourcetest.NewPlatform(t, testenv.RedisServer(t))
	n := newNode(t, p)
	p.Set("a", "a1")
	p.Publish()
	old := p.Fields(sourcetest.Group)
	p.Set("a", "a2")
	c, s := n.start()
	c.Must(p.Publish(), texts{"a": "a2"})
	save(t, s)

	p.SetFields(old) // an older Redis, or somebody who replays
	c, s = n.start()
	u, err := c.Fetch()
	sourcetest.WantCode(t, err, "root.replayed")
	if u == nil || u.Origin != "disk" || c.APIs["a"] != "a2" {
		t.Fatalf("%+v serves %v", u, c.APIs)
	}
	save(t, s)
	if n.onDisk() != 2 {
		t.Errorf("generation %d on disk", n.onDisk())
	}
	p.Delete("a")
	c.Must(p.Restore(), texts{}) // a new epoch is believed
}

func TestAnIncompleteStartServesTheDiskFirst(t *testing.T) {
	p := sourcetest.NewPlatform(t, testenv.RedisServer(t))
	n := newNode(t, p)
	p.Set("a", "a1")
	p.Set("b", "b1")
	c, s := n.start()
	c.Must(p.Publish(), texts{"a": "a1", "b": "b1"})
	save(t, s)
	p.Set("a", "a2")
	p.Delete("b")
	at := p.Publish()
	back := p.Lose(sourcetest.SHA("a2"))

	c, _ = n.start()
	u, err := c.Fetch()
	sourcetest.WantCode(t, err, "root.incomplete")
	if u == nil || u.Origin != "disk" {
		t.Fatalf("%+v", u)
	}
	_, err = c.Fetch()
	sourcetest.WantCode(t, err, "root.incomplete")
	c.Serves(at, texts{"a": "a1"})
	back()
	c.Must(at, texts{"a": "a2"})
}

func TestTheStateIsSavedAtMostOnceInAWhileAndAtTheEnd(t *testing.T) {
	p := sourcetest.NewPlatform(t, testenv.RedisServer(t))
	n := newNode(t, p)
	n.o.Every = time.Hour
	c, s := n.start()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	p.Set("a", "a1")
	c.Must(p.Publish(), texts{"a": "a1"})
	testenv.Eventually(t, 5*time.Second, func() bool { return n.onDisk() == 1 })
	p.Set("a", "a2")
	c.Must(p.Publish(), texts{"a": "a2"})
	if got := n.onDisk(); got != 1 {
		t.Errorf("generation %d was saved within the hour", got)
	}
	cancel()
	if err := <-done; err != nil || n.onDisk() != 2 {
		t.Errorf("%v; generation %d on disk at the end", err, n.onDisk())
	}
}

func TestACrashLeavesNothingBehind(t *testing.T) {
	n := seeded(t)
	left := []string{filepath.Join(n.o.Dir, ".new-1234"), filepath.Join(n.o.Dir, "items", ".new-5678")}
	for _, name := range left {
		if err := os.WriteFile(name, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, _ := n.start()
	if u, _ := c.Fetch(); u == nil || len(c.APIs) != 2 {
		t.Errorf("%+v", u)
	}
	for _, name := range left {
		if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
}

func TestSessionsAreSealed(t *testing.T) {
	p := sourcetest.NewPlatform(t, testenv.RedisServer(t))
	n := newNode(t, p)
	_, s := n.start()
	if plain, err := s.LoadSessions(); plain != nil || err != nil {
		t.Errorf("before the first: %q, %v", plain, err)
	}
	hash := p.Keys.HashKey("slc_secret")
	said := []byte(`{"sessions":[{"hash":"` + hash + `","owner":"kim"}]}`)
	if err := s.SaveSessions(said); err != nil {
		t.Fatal(err)
	}
	_, s = n.start()
	if plain, err := s.LoadSessions(); err != nil || !bytes.Equal(plain, said) {
		t.Errorf("%q, %v", plain, err)
	}
	raw, err := os.ReadFile(filepath.Join(n.o.Dir, "sessions"))
	if err != nil || bytes.Contains(raw, []byte(hash)) || bytes.Contains(raw, []byte("kim")) {
		t.Errorf("readable on disk: %q, %v", raw, err)
	}
	info, err := os.Stat(filepath.Join(n.o.Dir, "sessions"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	raw[len(raw)/2] ^= 1
	for name, damage := range map[string]func(){
		"changed":     func() { _ = os.WriteFile(filepath.Join(n.o.Dir, "sessions"), raw, 0o600) },
		"another key": func() { n.o.Keys = sourcetest.NewKeys(t).Node(); _ = s.SaveSessions(said) },
	} {
		damage()
		_, other := n.start()
		if plain, err := other.LoadSessions(); plain != nil || err == nil || !strings.Contains(err.Error(), "sessions on disk") {
			t.Errorf("%s: %q, %v", name, plain, err)
		}
	}
}
