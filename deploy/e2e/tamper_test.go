package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
	"github.com/sluice-gateway/sluice/pkg/bus"
	"github.com/sluice-gateway/sluice/pkg/fleet"
	"github.com/sluice-gateway/sluice/pkg/notice"
	"github.com/sluice-gateway/sluice/pkg/publish"
	"github.com/sluice-gateway/sluice/pkg/redisdb"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// rootKey is where the root of the group lies: the format is agreed, and a test of attacks has to know it.
const rootKey = "sluice:{cfg}:root:default"

// attacker can write to Redis, but has not all keys.
type attacker struct {
	p      *platform.Platform
	gw     *platform.Service
	set    func(t *testing.T, root, signature []byte, h publish.Head)
	notify func(generation int64)
}

// TestForgedRootsAreRefused writes what an attacker with access to Redis could. The dashboards are
// halted meanwhile, for they would mend it.
func TestForgedRootsAreRefused(t *testing.T) {
	p := platform.For(t, platform.Options{})
	ctx, c := t.Context(), p.Client(0)
	up := platform.NewUpstream("one")
	t.Cleanup(up.Close)
	rdb := testenv.Must(redisdb.Open(redisdb.Config{Addresses: []string{p.Redis.Addr}}))(t)
	t.Cleanup(func() { _ = rdb.Close() })
	def := definition("Guarded", "/guarded/", up.URL, map[string]any{"open": true})
	saved := testenv.Must(c.Create(ctx, "apis", def))(t)
	p.Live(t, saved.Revision, 5*time.Second)
	reader := publish.NewReader(rdb, p.Keys, "default")
	_, old, err := reader.Root(ctx)
	if err != nil {
		t.Fatal(err)
	}
	saved = testenv.Must(c.Patch(ctx, "apis", "guarded", map[string]any{"filters": map[string]any{"responseHeaders": map[string]any{"set": map[string]string{"X-Version": "two"}}}}, "*"))(t)
	p.Live(t, saved.Revision, 5*time.Second)
	newest, envelope, err := reader.Root(ctx)
	if err != nil {
		t.Fatal(err)
	}
	b := bus.New(rdb, p.Keys, bus.Options{Node: "attacker", Name: "attacker"})
	a := attacker{p: p, gw: p.Gateways[0], set: func(t *testing.T, root, signature []byte, h publish.Head) {
		t.Helper()
		err := rdb.HSet(ctx, rootKey, "epoch", h.Epoch, "generation", h.Generation, "sha", h.SHA, "root", root, "sig", signature).Err()
		if err != nil {
			t.Fatal(err)
		}
	}, notify: func(generation int64) {
		_ = b.Publish(ctx, notice.ConfigChangedKind, notice.ConfigChanged{Generation: generation})
	}}

	strangers := testenv.Must(trust.Generate())(t)
	next := *newest
	next.Generation += 100
	other := next
	other.Group = "other"
	replayed := testenv.Must(publish.DecodeRoot(old.Root))(t)
	raised := []byte(strings.Replace(string(envelope.Root), `"generation":`+strconv.FormatInt(newest.Generation, 10), `"generation":9999`, 1))
	byStranger, ofOther := testenv.Must(publish.Seal(&next, strangers))(t), testenv.Must(publish.Seal(&other, p.Keys))(t)
	for _, attack := range []struct {
		name            string
		root, signature []byte
		head            publish.Head
		code            string
	}{
		{"tampered with", raised, envelope.Signature, head(raised, newest.Epoch, 9999), "sign"},
		{"signed by another key", byStranger.Root, byStranger.Signature, next.Head(), "sign"},
		{"of another group", ofOther.Root, ofOther.Signature, other.Head(), "group"},
		{"replayed", old.Root, old.Signature, replayed.Head(), "older"},
		{"cut off", envelope.Root[:len(envelope.Root)/2], envelope.Signature, head(nil, newest.Epoch, 9999), "sign"},
		{"removed", nil, nil, publish.Head{Epoch: newest.Epoch, Generation: 9999, SHA: "x"}, ""},
	} {
		t.Run(attack.name, func(t *testing.T) {
			a.mount(t, attack.root, attack.signature, attack.head, attack.code, newest)
		})
	}
	a.shown(t, byStranger, next.Head())
}

func head(root []byte, epoch, generation int64) publish.Head {
	sum := sha256.Sum256(root)
	return publish.Head{Epoch: epoch, Generation: generation, SHA: hex.EncodeToString(sum[:])}
}

// mount writes a root while the dashboard is halted: the gateway must refuse it, say so, and serve on;
// when the dashboard runs again everything must be as before by itself.
func (a attacker) mount(t *testing.T, root, signature []byte, h publish.Head, says string, newest *publish.Root) {
	ctx, dashboard := t.Context(), a.p.Dashboards[0]
	if err := dashboard.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	a.set(t, root, signature, h)
	a.notify(h.Generation)
	testenv.EventuallyNoError(t, 10*time.Second, func() error {
		st, err := a.gw.State(ctx)
		if err == nil && (st.Error == "" || !strings.Contains(st.Error, says)) {
			err = fmt.Errorf("the gateway reports %q, want something with %q", st.Error, says)
		}
		return err
	})
	st := testenv.Must(a.gw.State(ctx))(t)
	if st.Generation != newest.Generation || st.Epoch != newest.Epoch {
		t.Errorf("the gateway runs generation %d of epoch %d, want %d of %d", st.Generation, st.Epoch, newest.Generation, newest.Epoch)
	}
	resp, body, err := exchange(a.gw.Addr(), "GET", "GET /guarded/x HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
	if err != nil || resp.StatusCode != 200 || resp.Header.Get("X-Version") != "two" {
		t.Errorf("the old generation does not serve: %v %s", err, body)
	}
	a.beat(t, says)
	if err := dashboard.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	testenv.EventuallyNoError(t, 10*time.Second, func() error {
		st, err := a.gw.State(ctx)
		if err == nil && (st.Error != "" || st.Origin != "live") {
			err = fmt.Errorf("after the dashboard's repair the gateway reports %q", st.Error)
		}
		return err
	})
}

// beat waits until the gateway's beat tells of the refusal.
func (a attacker) beat(t *testing.T, says string) {
	t.Helper()
	rdb := testenv.Must(redisdb.Open(redisdb.Config{Addresses: []string{a.p.Redis.Addr}}))(t)
	defer func() { _ = rdb.Close() }()
	testenv.EventuallyNoError(t, 5*time.Second, func() error {
		beats, err := fleet.NewReader(rdb, a.p.Keys).List(t.Context())
		for _, b := range beats {
			if b.Name == a.gw.Name && b.State == fleet.Degraded && b.LastError != "" && strings.Contains(b.LastError, says) {
				return nil
			}
		}
		return fmt.Errorf("no beat tells of it: %+v, %w", beats, err)
	})
}

// shown attacks again and again, against the dashboard's repair, until the dashboard's list of gateways
// shows it.
func (a attacker) shown(t *testing.T, e publish.Envelope, h publish.Head) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	testenv.EventuallyNoError(t, 20*time.Second, func() error {
		a.set(t, e.Root, e.Signature, h)
		a.notify(h.Generation)
		nodes, err := a.p.Client(0).Gateways(ctx)
		for _, n := range nodes {
			if n.Name == a.gw.Name && n.State == "degraded" && strings.Contains(n.Reason+n.LastError, "sign") {
				return nil
			}
		}
		return fmt.Errorf("the dashboard shows %+v, %w", nodes, err)
	})
}
