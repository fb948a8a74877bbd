package keys_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/keys"
	"github.com/sluice-gateway/sluice/dashboard/sqlite"
	"github.com/sluice-gateway/sluice/pkg/access"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/keyring"
	"github.com/sluice-gateway/sluice/pkg/notice"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// catalog has the policies gold (keyTtl 48h), off (disabled) and the API orders.
type catalog struct{}

func (catalog) Lookup(_ context.Context, _ string, policies, apis []string) (map[string]access.Policy, map[string]bool, error) {
	all := map[string]access.Policy{
		"gold": {ID: "gold", Name: "Gold", KeyTTL: "48h", Rights: []access.Right{{API: "orders"}}, Metadata: map[string]string{"plan": "gold"}},
		"off":  {ID: "off", Name: "Off", State: "disabled", Rights: []access.Right{{API: "*"}}},
	}
	found, known := map[string]access.Policy{}, map[string]bool{}
	for _, id := range policies {
		if p, ok := all[id]; ok {
			found[id] = p
		}
	}
	for _, id := range apis {
		known[id] = id == "orders"
	}
	return found, known, nil
}

// listener is a bus that keeps what was published.
type listener struct {
	mu     sync.Mutex
	heard  []notice.KeyChanged
	all    int // notices for every key
	broken bool
}

func (l *listener) Publish(_ context.Context, _ notice.Kind, payload any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken {
		return errors.New("no bus")
	}
	switch n := payload.(type) {
	case notice.KeyChanged:
		l.heard = append(l.heard, n)
	case notice.KeysChanged:
		l.all++
	}
	return nil
}
func (l *listener) On(notice.Kind, func(json.RawMessage)) {}
func (l *listener) OnGap(func())                          {}

func (l *listener) has(n notice.KeyChanged) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.heard {
		if h == n {
			return true
		}
	}
	return false
}

type fixture struct {
	*keys.Service
	t     *testing.T
	store *sqlite.Store
	redis *testenv.Server
	trust *trust.Keys
	bus   *listener
}

func newFixture(t *testing.T, o ...func(*keys.Options)) fixture {
	t.Helper()
	k, err := trust.Generate()
	if err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "config.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close(context.WithoutCancel(t.Context())) })
	f := fixture{t: t, store: store, redis: testenv.RedisServer(t), trust: k, bus: &listener{}}
	opts := keys.Options{Store: store.Keys(), Marks: store.Marks(), Ring: keyring.NewWriter(f.redis.Client(), k), Catalog: catalog{}, Hasher: k}
	for _, change := range o {
		change(&opts)
	}
	f.Service = keys.New(opts)
	f.Attach(f.bus)
	return f
}

// entry is what a gateway finds under a secret.
func (f fixture) entry(secret string) (keyring.Entry, error) {
	return keyring.NewReader(f.redis.Client(), f.trust).Get(f.t.Context(), f.trust.HashKey(secret))
}

func (f fixture) create(body string) keys.Result {
	f.t.Helper()
	r, err := f.Create(f.t.Context(), keys.Write{Org: "default"}, []byte(body))
	if err != nil {
		f.t.Fatalf("create %s: %v", body, err)
	}
	return r
}

func TestAKeyWorksAtOnceAndIsRevokedForEver(t *testing.T) {
	f := newFixture(t)
	r := f.create(`{"alias":"shop","rights":[{"api":"orders"}]}`)
	if ours, ok := access.ValidSecret(r.Secret); !ours || !ok || !strings.HasPrefix(r.Secret, r.Key.Prefix) || len(r.Problems) != 0 {
		t.Fatalf("got %+v", r)
	}
	e, err := f.entry(r.Secret)
	if err != nil || e.Version != 1 || e.Revoked || e.Key.ID != r.Key.ID || e.Key.Rights[0].API != "orders" {
		t.Fatalf("got %+v, %v", e, err)
	}
	if !f.bus.has(notice.KeyChanged{Hash: f.trust.HashKey(r.Secret), Version: 1}) {
		t.Errorf("gateways heard %v", f.bus.heard)
	}
	if text, err := json.Marshal(must(f.store.Keys().Get(t.Context(), "default", r.Key.ID))); err != nil || strings.Contains(string(text), r.Secret) {
		t.Errorf("the secret is in the store: %s, %v", text, err)
	}
	w := keys.Write{Org: "default", IfMatch: r.ETag}
	p, err := f.Patch(t.Context(), w, r.Key.ID, []byte(`{"state":"suspended"}`))
	if err != nil || p.Key.Version != 2 || p.Key.ExpiresAt != r.Key.ExpiresAt {
		t.Fatalf("got %+v, %v", p, err)
	}
	if e, err = f.entry(r.Secret); err != nil || e.Key.State != access.KeySuspended {
		t.Errorf("got %+v, %v", e, err)
	}
	for range 2 { // revoking twice is no error
		v, err := f.Revoke(t.Context(), keys.Write{Org: "default"}, r.Key.ID)
		if err != nil || v.Key.State != access.KeyRevoked || v.Key.Version != 3 {
			t.Fatalf("got %+v, %v", v, err)
		}
	}
	if e, err = f.entry(r.Secret); err != nil || !e.Revoked || e.Version != 3 {
		t.Errorf("got %+v, %v", e, err)
	}
	if _, err := f.Patch(t.Context(), keys.Write{Org: "default", IfMatch: "*"}, r.Key.ID, []byte(`{"state":"active"}`)); !fault.Is(err, "key.revoked") {
		t.Errorf("a revoked key came back: %v", err)
	}
}

func must(s keys.Stored, err error) keys.Stored {
	if err != nil {
		panic(err)
	}
	return s
}

func TestExpiry(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	f := newFixture(t, func(o *keys.Options) { o.Now = func() time.Time { return now } })
	year := 365 * 24 * time.Hour
	for _, c := range []struct {
		name, body string
		want       time.Time
	}{
		{"a year when nobody says", `{"alias":"a","rights":[{"api":"*"}]}`, now.Add(year)},
		{"the policy's time to live", `{"alias":"a","policies":["gold"]}`, now.Add(48 * time.Hour)},
		{"null is never", `{"alias":"a","policies":["gold"],"expiresAt":null}`, time.Time{}},
		{"an instant, in any zone", `{"alias":"a","policies":["gold"],"expiresAt":"2030-01-01T09:00:00+09:00"}`, time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		if r := f.create(c.body); !r.Key.ExpiresAt.Equal(c.want) {
			t.Errorf("%s: got %v, want %v", c.name, r.Key.ExpiresAt, c.want)
		}
	}
	r := f.create(`{"alias":"a","rights":[{"api":"*"}]}`)
	p, err := f.Patch(t.Context(), keys.Write{Org: "default", IfMatch: r.ETag}, r.Key.ID, []byte(`{"expiresAt":null}`))
	if err != nil || !p.Key.ExpiresAt.IsZero() {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestKeyRefusals(t *testing.T) {
	f := newFixture(t)
	f.create(`{"alias":"own","secret":"chosen-by-me","rights":[{"api":"*"}]}`)
	for _, c := range []struct{ name, body, code, path string }{
		{"no alias", `{"rights":[{"api":"*"}]}`, "required", "/alias"},
		{"an unknown policy", `{"alias":"a","policies":["gold","none"]}`, "key.policy_unknown", "/policies/1"},
		{"an unknown API", `{"alias":"a","rights":[{"api":"none"}]}`, "key.api_unknown", "/rights/0/api"},
		{"a limit, which nothing enforces yet", `{"alias":"a","rateLimit":[]}`, "not_available", "/rateLimit"},
		{"an unknown member", `{"alias":"a","polices":[]}`, "unknown_field", "/polices"},
		{"a time that is over", `{"alias":"a","expiresAt":"2020-01-01T00:00:00Z"}`, "key.expiry_past", "/expiresAt"},
		{"born revoked", `{"alias":"a","state":"revoked"}`, "key.state_invalid", "/state"},
		{"a short secret", `{"alias":"a","secret":"abc"}`, "key.secret_invalid", "/secret"},
		{"not JSON", `nope`, "syntax", ""},
	} {
		_, err := f.Create(t.Context(), keys.Write{Org: "default"}, []byte(c.body))
		x := fault.As(err)
		if x == nil || x.Code != "key.invalid" || x.Problems[0].Code != fault.Code(c.code) && x.Problems[len(x.Problems)-1].Code != fault.Code(c.code) {
			t.Errorf("%s: got %v", c.name, err)
			continue
		}
		found := false
		for _, p := range x.Problems {
			found = found || p.Path == c.path
		}
		if !found {
			t.Errorf("%s: no problem at %s: %v", c.name, c.path, x.Problems)
		}
	}
	if _, err := f.Create(t.Context(), keys.Write{Org: "default"}, []byte(`{"alias":"b","secret":"chosen-by-me"}`)); !fault.Is(err, "key.secret_taken") {
		t.Errorf("got %v", err)
	}
	if _, err := f.Patch(t.Context(), keys.Write{Org: "default", IfMatch: "*"}, "k_none", []byte(`{}`)); !fault.Is(err, "key.not_found") {
		t.Errorf("got %v", err)
	}
	if _, err := f.Revoke(t.Context(), keys.Write{Org: "other"}, f.create(`{"alias":"x"}`).Key.ID); !fault.Is(err, "key.not_found") {
		t.Errorf("another organisation's key: %v", err)
	}
}

func TestPatchNeedsItsPreconditionAndChangesOnlyWhatItNames(t *testing.T) {
	f := newFixture(t)
	r := f.create(`{"alias":"a","owner":"kim","policies":["gold"],"tags":["x"],"metadata":{"k":"v"}}`)
	w := func(etag string) keys.Write { return keys.Write{Org: "default", IfMatch: etag} }
	if _, err := f.Patch(t.Context(), w(""), r.Key.ID, []byte(`{}`)); !fault.Is(err, "precondition.required") {
		t.Errorf("got %v", err)
	}
	if _, err := f.Patch(t.Context(), w(`1`), r.Key.ID, []byte(`{}`)); !fault.Is(err, "precondition.invalid") {
		t.Errorf("got %v", err)
	}
	p, err := f.Patch(t.Context(), w(r.ETag), r.Key.ID, []byte(`{"metadata":{"k":null,"n":"1"}}`))
	if err != nil || p.Key.Owner != "kim" || p.Key.Tags[0] != "x" || p.Key.Metadata["n"] != "1" || len(p.Key.Metadata) != 1 {
		t.Fatalf("got %+v, %v", p, err)
	}
	if _, err := f.Patch(t.Context(), w(r.ETag), r.Key.ID, []byte(`{"alias":"b"}`)); !fault.Is(err, "precondition.stale") {
		t.Errorf("got %v", err)
	}
	if q, err := f.Patch(t.Context(), w(p.ETag), r.Key.ID, []byte(`{"owner":"kim"}`)); err != nil || q.ETag != p.ETag {
		t.Errorf("no change made a version: %+v, %v", q, err)
	}
	for _, bad := range []string{`{"secret":"another-one"}`, `{"id":"k_x"}`, `{"version":9}`, `{"alias":null}`, `[]`} {
		if _, err := f.Patch(t.Context(), w("*"), r.Key.ID, []byte(bad)); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
	dry := w("*")
	dry.DryRun = true
	if q, err := f.Patch(t.Context(), dry, r.Key.ID, []byte(`{"alias":"dry"}`)); err != nil || q.Key.Alias != "dry" {
		t.Errorf("got %+v, %v", q, err)
	}
	if k, err := f.Get(t.Context(), "default", r.Key.ID); err != nil || k.Alias != "a" {
		t.Errorf("a dry run stored %+v, %v", k, err)
	}
}

func TestChangesAtOnceAllCount(t *testing.T) {
	f := newFixture(t)
	r := f.create(`{"alias":"a","rights":[{"api":"*"}]}`)
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			patch := fmt.Appendf(nil, `{"metadata":{"m%d":"1"}}`, i)
			if _, err := f.Patch(t.Context(), keys.Write{Org: "default", IfMatch: "*"}, r.Key.ID, patch); err != nil {
				t.Errorf("got %v", err)
			}
		})
	}
	all.Wait()
	k, err := f.Get(t.Context(), "default", r.Key.ID)
	if err != nil || len(k.Metadata) != 20 || k.Version != 21 {
		t.Errorf("%d of 20 changes are there, version %d, %v", len(k.Metadata), k.Version, err)
	}
	if e, err := f.entry(r.Secret); err != nil || e.Version != 21 {
		t.Errorf("gateways see version %d, %v", e.Version, err)
	}
}

func TestPreviewAndEffectiveSayWhatGatewaysWouldDo(t *testing.T) {
	f := newFixture(t)
	body := []byte(`{"alias":"a","policies":["gold","off"],"metadata":{"own":"1"}}`)
	_, s, problems, err := f.Preview(t.Context(), "default", body)
	if err != nil || len(problems) != 0 || !s.Allows("orders", "GET", "/x") || s.Metadata["plan"] != "gold" || s.Metadata["own"] != "1" || len(s.Skipped) != 1 {
		t.Errorf("got %+v, %v, %v", s, problems, err)
	}
	if e, err := f.Effective(t.Context(), "default", f.create(string(body)).Key.ID); err != nil || !e.Allows("orders", "GET", "/x") {
		t.Errorf("got %+v, %v", e, err)
	}
	if _, _, problems, err = f.Preview(t.Context(), "default", []byte(`{"alias":"a"}`)); err != nil || len(problems) != 1 || problems[0].Code != "key.may_nothing" {
		t.Errorf("got %v, %v", problems, err)
	}
}

func TestUsesCountKeysThatAreNotRevoked(t *testing.T) {
	f := newFixture(t)
	f.create(`{"alias":"one","policies":["gold"]}`)
	f.create(`{"alias":"two","policies":["gold"],"state":"suspended"}`)
	gone := f.create(`{"alias":"gone","policies":["gold"]}`)
	if _, err := f.Revoke(t.Context(), keys.Write{Org: "default"}, gone.Key.ID); err != nil {
		t.Fatal(err)
	}
	n, some, err := keys.Uses{Store: f.store.Keys()}.Using(t.Context(), "default", "gold")
	if err != nil || n != 2 || len(some) != 2 {
		t.Errorf("got %d, %v, %v", n, some, err)
	}
}
