package sourcetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/route"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/publish"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// Consumer is what a reloader makes of updates: the texts that are served.
type Consumer struct {
	Source route.Source
	State  route.State
	APIs   map[string]string // text by id
	Took   int               // items that had to be compiled

	t *testing.T
}

// NewConsumer starts with nothing.
func NewConsumer(t *testing.T, s route.Source) *Consumer {
	return &Consumer{Source: s, APIs: map[string]string{}, t: t}
}

// Fetch asks the source and takes what it says, as package route does.
func (c *Consumer) Fetch() (*route.Update, error) {
	c.t.Helper()
	u, err := c.Source.Fetch(testenv.Context(c.t, patience), c.State)
	if u == nil {
		return nil, err
	}
	kept := map[string]bool{}
	for _, k := range u.Incomplete {
		kept[k.ID] = true
	}
	for _, it := range u.Set {
		if SHA(string(it.Text)) != it.SHA {
			c.t.Errorf("the text of %s is not what its hash says", it.ID)
		}
		if c.APIs[it.ID] != string(it.Text) {
			c.Took++
		}
		c.APIs[it.ID], kept[it.ID] = string(it.Text), true
	}
	for _, k := range u.Gone {
		delete(c.APIs, k.ID)
	}
	if u.Full {
		maps.DeleteFunc(c.APIs, func(id, _ string) bool { return !kept[id] })
	}
	c.State = u.State
	return u, err
}

// Must is Fetch without an error, and the state that comes of it.
func (c *Consumer) Must(want route.State, apis map[string]string) *route.Update {
	c.t.Helper()
	u, err := c.Fetch()
	if err != nil {
		c.t.Fatal(err)
	}
	c.Serves(want, apis)
	return u
}

// Serves fails unless this and nothing else is served.
func (c *Consumer) Serves(want route.State, apis map[string]string) {
	c.t.Helper()
	if c.State != want {
		c.t.Errorf("state %+v; want %+v", c.State, want)
	}
	if !maps.Equal(c.APIs, apis) {
		c.t.Errorf("serves %v; want %v", c.APIs, apis)
	}
}

// Run checks a source that open makes against both kinds of Redis.
func Run(t *testing.T, open func(t *testing.T, p *Platform) route.Source) {
	for name, f := range map[string]func(t *testing.T, p *Platform, c *Consumer){
		"everything first, then what changed": diffs,
		"nothing newer is nil":                nothingNewer,
		"nothing published is an error":       nothingPublished,
		"what is forged changes nothing":      forged,
		"an older root is refused":            replayed,
		"a new epoch counts anew":             epochs,
		"missing texts keep what serves":      missingTexts,
		"lost parts keep what serves":         lostParts,
		"lost parts at a full update":         lostPartsFull,
		"Redis away":                          away,
	} {
		t.Run(name, func(t *testing.T) {
			testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
				p := NewPlatform(t, s)
				f(t, p, NewConsumer(t, open(t, p)))
			})
		})
	}
}

type texts = map[string]string

func diffs(t *testing.T, p *Platform, c *Consumer) {
	p.Set("a", "a1")
	p.Set("b", "b1")
	if u := c.Must(p.Publish(), texts{"a": "a1", "b": "b1"}); !u.Full || len(u.Set) != 2 {
		t.Errorf("the first update: %+v", u)
	}
	p.Set("b", "b2")
	p.Set("c", "c1")
	p.Delete("a")
	u := c.Must(p.Publish(), texts{"b": "b2", "c": "c1"})
	if u.Full || len(u.Set) != 2 || !slices.Equal(u.Gone, []route.Key{{Org: "default", Kind: "api", ID: "a"}}) {
		t.Errorf("a diff: %+v", u)
	}
	// generations that nobody asked for in between are one diff
	p.Set("c", "c2")
	p.Publish()
	p.Set("c", "c1")
	if u := c.Must(p.Publish(), texts{"b": "b2", "c": "c1"}); u.Full || len(u.Set)+len(u.Gone) != 0 {
		t.Errorf("a change and its undoing: %+v", u)
	}
	// a state that did not come from this source asks for everything
	c.State.Root = SHA("elsewhere")
	c.State.Generation--
	if u, err := c.Fetch(); err != nil || !u.Full || len(u.Set) != 2 {
		t.Errorf("a foreign state: %+v, %v", u, err)
	}
}

func nothingNewer(t *testing.T, p *Platform, c *Consumer) {
	p.Set("a", "a1")
	c.Must(p.Publish(), texts{"a": "a1"})
	for range 2 {
		if u, err := c.Fetch(); u != nil || err != nil {
			t.Errorf("%+v, %v", u, err)
		}
	}
	// fields that nobody signed say otherwise: the signed root decides
	p.SetFields(map[string]string{"generation": "99"})
	if u, err := c.Fetch(); u != nil || err != nil {
		t.Errorf("with a generation that lies: %+v, %v", u, err)
	}
}

func nothingPublished(t *testing.T, p *Platform, c *Consumer) {
	u, err := c.Fetch()
	if u != nil {
		t.Errorf("%+v", u)
	}
	WantCode(t, err, "root.absent")
	p.Set("a", "a1")
	c.Must(p.Publish(), texts{"a": "a1"})
}

func forged(t *testing.T, p *Platform, c *Consumer) {
	p.Set("a", "a1")
	p.Set("b", "b1")
	at := p.Publish()
	good := p.Fields(Group)
	c.Must(at, texts{"a": "a1", "b": "b1"})

	refused := func(what string, code fault.Code) {
		t.Helper()
		for range 2 {
			u, err := c.Fetch()
			if u != nil {
				t.Errorf("%s: %+v", what, u)
			}
			WantCode(t, err, code)
			c.Serves(at, texts{"a": "a1", "b": "b1"})
		}
		p.SetFields(good)
		if u, err := c.Fetch(); u != nil || err != nil {
			t.Errorf("after %s was mended: %+v, %v", what, u, err)
		}
	}
	bytes := []byte(good["root"])
	for i := range bytes {
		if bytes[i] == '1' {
			bytes[i] = '9'
			break
		}
	}
	p.SetFields(map[string]string{"root": string(bytes), "generation": "9"})
	refused("changed bytes", "root.signature")

	other := publish.NewTree("other")
	root, err := publish.Seal(other.Root(1, 50, time.Unix(0, 0).UTC()), p.Keys)
	if err != nil {
		t.Fatal(err)
	}
	p.SetFields(map[string]string{"root": string(root.Root), "sig": string(root.Signature), "generation": "50"})
	refused("another group's root", "root.group")

	mine := publish.NewTree(Group)
	if root, err = publish.Seal(mine.Root(1, 60, time.Unix(0, 0).UTC()), NewKeys(t)); err != nil {
		t.Fatal(err)
	}
	p.SetFields(map[string]string{"root": string(root.Root), "sig": string(root.Signature), "generation": "60"})
	refused("another key's root", "root.key")

	if root, err = publish.Seal(mine.Root(1, at.Generation, time.Unix(0, 0).UTC()), p.Keys); err != nil {
		t.Fatal(err)
	}
	p.SetFields(map[string]string{"root": string(root.Root), "sig": string(root.Signature), "sha": SHA(string(root.Root))})
	refused("another root of this generation", "root.diverged")
}

func replayed(t *testing.T, p *Platform, c *Consumer) {
	p.Set("a", "a1")
	p.Publish()
	old := p.Fields(Group)
	p.Set("a", "a2")
	at := p.Publish()
	now := p.Fields(Group)
	c.Must(at, texts{"a": "a2"})
	p.SetFields(old)
	u, err := c.Fetch()
	if u != nil {
		t.Errorf("an older root: %+v", u)
	}
	WantCode(t, err, "root.replayed")
	c.Serves(at, texts{"a": "a2"})
	p.SetFields(now)
	if u, err := c.Fetch(); u != nil || err != nil {
		t.Errorf("after it was mended: %+v, %v", u, err)
	}
}

func epochs(t *testing.T, p *Platform, c *Consumer) {
	p.Set("a", "a1")
	p.Publish()
	p.Set("b", "b1")
	c.Must(p.Publish(), texts{"a": "a1", "b": "b1"})
	p.Delete("b")
	at := p.Restore()
	if at.Generation != 1 || at.Epoch != 2 {
		t.Fatalf("%+v", at)
	}
	if u := c.Must(at, texts{"a": "a1"}); u.Full {
		t.Errorf("a new epoch is a diff like any other: %+v", u)
	}
}

func missingTexts(t *testing.T, p *Platform, c *Consumer) {
	p.Set("a", "a1")
	p.Set("b", "b1")
	c.Must(p.Publish(), texts{"a": "a1", "b": "b1"})
	p.Set("a", "a2")
	p.Set("c", "c1")
	p.Delete("b")
	at := p.Publish()
	back := p.Lose(SHA("a2"))
	for range 3 {
		u, err := c.Fetch()
		WantCode(t, err, "root.incomplete")
		if u == nil || !slices.Equal(u.Incomplete, []route.Key{{Org: "default", Kind: "api", ID: "a"}}) {
			t.Fatalf("%+v", u)
		}
		c.Serves(at, texts{"a": "a1", "c": "c1"})
	}
	back()
	c.Must(at, texts{"a": "a2", "c": "c1"})
	if u, err := c.Fetch(); u != nil || err != nil {
		t.Errorf("%+v, %v", u, err)
	}
}

// fill sets so many APIs that each part holds some.
func fill(p *Platform, n int) texts {
	all := texts{}
	for i := range n {
		id := fmt.Sprintf("api-%d", i)
		all[id] = "text of " + id
		p.Set(id, all[id])
	}
	return all
}

func lostParts(t *testing.T, p *Platform, c *Consumer) {
	all := fill(p, 40)
	c.Must(p.Publish(), all)
	p.Set("api-7", "changed")
	p.Delete("api-8")
	if p.PartOf("api-7") == p.PartOf("api-8") {
		t.Fatal("choose two APIs of different parts")
	}
	at := p.Publish()
	back := p.Lose(p.PartOf("api-7"))
	delete(all, "api-8")
	for range 3 { // again and again it must not fall out
		_, err := c.Fetch()
		WantCode(t, err, "root.incomplete")
		c.Serves(at, all)
	}
	back()
	all["api-7"] = "changed"
	c.Must(at, all)
}

func lostPartsFull(t *testing.T, p *Platform, c *Consumer) {
	all := fill(p, 40)
	p.Publish()
	// what another source, such as the disk, had given
	c.State = route.State{Epoch: 1, Generation: 0, Root: SHA("before"), Origin: "disk"}
	maps.Copy(c.APIs, all)
	c.APIs["deleted"] = "x"
	p.Set("api-7", "changed")
	at := p.Publish()
	back := p.Lose(p.PartOf("api-7"))
	for range 3 {
		_, err := c.Fetch()
		WantCode(t, err, "root.incomplete")
		if c.APIs["api-7"] != all["api-7"] {
			t.Fatal("an API of a part that cannot be read fell out")
		}
	}
	back()
	all["api-7"] = "changed"
	c.Must(at, all)
}

func away(t *testing.T, p *Platform, c *Consumer) {
	p.Set("a", "a1")
	at := p.Publish()
	c.Must(at, texts{"a": "a1"})
	p.Redis.Stop()
	u, err := c.Fetch()
	if u != nil {
		t.Errorf("%+v", u)
	}
	WantCode(t, err, "publish.unavailable")
	c.Serves(at, texts{"a": "a1"})
	p.Redis.Start(true)
	p.Set("a", "a2")
	c.Must(p.Publish(), texts{"a": "a2"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if u, err := c.Source.Fetch(ctx, c.State); u != nil || err == nil {
		t.Errorf("an ended context: %+v, %v", u, err)
	}
}
