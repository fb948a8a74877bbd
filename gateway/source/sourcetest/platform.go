// Package sourcetest is the contract of route.Source for sources that read what a
// platform publishes: platform.go plays the dashboards, suite.go the reloader.
package sourcetest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/route"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/publish"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// Group is the gateway group that a Platform publishes for.
const Group = "default"

const (
	rootKey    = "sluice:{cfg}:root:"
	contentKey = "sluice:{cfg}:c:"
	patience   = 10 * time.Second
)

// Platform publishes to a Redis of its own.
type Platform struct {
	Redis *testenv.Server
	Keys  *trust.Keys // of a dashboard

	t     *testing.T
	tree  *publish.Tree
	texts map[string][]byte
	epoch int64
	gen   int64
}

// NewPlatform starts a Redis in which nothing is published.
func NewPlatform(t *testing.T, s *testenv.Server) *Platform {
	t.Helper()
	return &Platform{Redis: s, Keys: NewKeys(t), t: t, tree: publish.NewTree(Group), texts: map[string][]byte{}, epoch: 1}
}

// NewKeys makes the keys of another platform.
func NewKeys(t *testing.T) *trust.Keys {
	t.Helper()
	k, err := trust.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Reader reads as a node of the group does.
func (p *Platform) Reader() *publish.Reader {
	return publish.NewReader(p.Redis.Client(), p.Keys.Node(), Group)
}

// Set gives an API a text; it is out with the next Publish.
func (p *Platform) Set(id, text string) {
	p.t.Helper()
	sha := SHA(text)
	p.texts[sha] = []byte(text)
	if err := p.tree.Set(publish.Item{Org: "default", Kind: "api", ID: id, SHA: sha}); err != nil {
		p.t.Fatal(err)
	}
}

// Delete takes an API away with the next Publish.
func (p *Platform) Delete(id string) { p.tree.Delete("default", "api", id) }

// Publish puts the next generation out, with every text, and returns what a
// gateway that serves it should say.
func (p *Platform) Publish() route.State {
	p.t.Helper()
	p.gen++
	p.tree.MarkAll()
	u, err := publish.Compose(p.epoch, p.gen, time.Unix(p.gen, 0).UTC(), func(sha string) ([]byte, bool) { x, ok := p.texts[sha]; return x, ok }, p.tree)
	if err != nil {
		p.t.Fatal(err)
	}
	ok, err := publish.NewWriter(p.Redis.Client(), p.Keys).Publish(testenv.Context(p.t, patience), u)
	if err != nil || !ok {
		p.t.Fatalf("publish: %v, %v", ok, err)
	}
	return route.State{Epoch: p.epoch, Generation: p.gen, Root: u.Roots[0].Head().SHA, Origin: "live"}
}

// Restore starts a new epoch at generation 1, as a dashboard does after a backup
// was put back.
func (p *Platform) Restore() route.State {
	p.epoch, p.gen = p.epoch+1, 0
	return p.Publish()
}

// Fields returns the root as it lies in Redis; SetFields puts it, or a part of it,
// over what is there, as somebody who can write to Redis might.
func (p *Platform) Fields(group string) map[string]string {
	p.t.Helper()
	m, err := p.Redis.Client().HGetAll(testenv.Context(p.t, patience), rootKey+group).Result()
	if err != nil {
		p.t.Fatal(err)
	}
	return m
}

// SetFields is described at Fields.
func (p *Platform) SetFields(m map[string]string) {
	p.t.Helper()
	if err := p.Redis.Client().HSet(testenv.Context(p.t, patience), rootKey+Group, m).Err(); err != nil {
		p.t.Fatal(err)
	}
}

// Lose deletes contents by hash from Redis and returns what puts them back.
func (p *Platform) Lose(shas ...string) (back func()) {
	p.t.Helper()
	ctx, rdb := testenv.Context(p.t, 2*patience), p.Redis.Client()
	kept := map[string]string{}
	for _, sha := range shas {
		text, err := rdb.Get(ctx, contentKey+sha).Result()
		if err == nil {
			err = rdb.Del(ctx, contentKey+sha).Err()
		}
		if err != nil {
			p.t.Fatal(err)
		}
		kept[sha] = text
	}
	return func() {
		for sha, text := range kept {
			if err := rdb.Set(ctx, contentKey+sha, text, 0).Err(); err != nil {
				p.t.Error(err)
			}
		}
	}
}

// PartOf is the hash of the part that lists an API.
func (p *Platform) PartOf(id string) string {
	return SHA(string(p.tree.PartText(publish.PartOf("default", "api", id))))
}

// SHA is the SHA-256 of a text, hex.
func SHA(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// WantCode fails unless err is a fault with this code.
func WantCode(t *testing.T, err error, code fault.Code) {
	t.Helper()
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code != code {
		t.Errorf("error %v; want the code %s", err, code)
	}
}
