package policies_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/sluice-gateway/sluice/dashboard/keys"
	"github.com/sluice-gateway/sluice/dashboard/objects"
	"github.com/sluice-gateway/sluice/dashboard/policies"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/dashboard/sqlite"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/keyring"
	wire "github.com/sluice-gateway/sluice/pkg/publish"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

func TestPoliciesLiveAndDieWithTheirKeys(t *testing.T) {
	k, err := trust.Generate()
	if err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "config.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close(context.WithoutCancel(t.Context())) })
	rdb := testenv.Redis(t)
	e := publish.New(publish.Options{Log: store.Log(), Contents: store.Contents(), Views: store.Views(), Marks: store.Marks(), Roots: wire.NewWriter(rdb, k)})
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := policies.New(e, store.Views(), keys.Uses{Store: store.Keys()})
	ks := keys.New(keys.Options{Store: store.Keys(), Marks: store.Marks(), Ring: keyring.NewWriter(rdb, k), Catalog: s, Hasher: k})
	w := objects.Write{Org: "default", IfMatch: "*"}

	r, err := s.Create(t.Context(), w, []byte(`{"name":"주문","rights":[{"api":"orders"}],"metadata":{"plan":"gold"}}`))
	if err != nil || r.Object.ID[:7] != "policy-" || len(r.Problems) != 1 || r.Problems[0].Code != "policy.api_unknown" {
		t.Fatalf("got %+v, %v", r, err)
	}
	gold, err := s.Create(t.Context(), w, []byte(`{"name":"Gold","rights":[{"api":"*"}]}`))
	if err != nil || gold.Object.ID != "gold" || len(gold.Problems) != 0 {
		t.Fatalf("got %+v, %v", gold, err)
	}
	if _, err := s.Create(t.Context(), w, []byte(`{"name":"X","rateLimit":{}}`)); !fault.Is(err, "policy.invalid") || fault.As(err).Problems[0].Code != "not_available" {
		t.Errorf("got %v", err)
	}
	key, err := ks.Create(t.Context(), keys.Write{Org: "default"}, []byte(`{"alias":"shop","policies":["gold"]}`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Delete(t.Context(), w, "gold")
	if f := fault.As(err); f == nil || f.Code != "policy.in_use" || f.Kind != fault.Conflict || f.Params["keys"] != 1 {
		t.Fatalf("got %v", err)
	}
	if _, err := s.Patch(t.Context(), w, "gold", []byte(`{"state":"disabled"}`)); err != nil {
		t.Fatal(err)
	}
	if eff, err := ks.Effective(t.Context(), "default", key.Key.ID); err != nil || !eff.Refused {
		t.Errorf("a key with a disabled policy only: %+v, %v", eff, err)
	}
	if _, err := ks.Revoke(t.Context(), keys.Write{Org: "default"}, key.Key.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Delete(t.Context(), w, "gold"); err != nil {
		t.Fatal(err)
	}
	if _, err := ks.Create(t.Context(), keys.Write{Org: "default"}, []byte(`{"alias":"late","policies":["gold"]}`)); !fault.Is(err, "key.invalid") {
		t.Errorf("got %v", err)
	}
	if page, err := s.List(t.Context(), publish.Query{Org: "default", Limit: 10}); err != nil || page.Total != 1 {
		t.Errorf("got %+v, %v", page, err)
	}
	if err := e.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}
