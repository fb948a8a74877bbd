package secrets_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/dashboard/apis"
	"github.com/sluice-gateway/sluice/dashboard/certificates"
	"github.com/sluice-gateway/sluice/dashboard/objects"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/dashboard/sealing"
	"github.com/sluice-gateway/sluice/dashboard/secrets"
	"github.com/sluice-gateway/sluice/dashboard/sqlite"
	"github.com/sluice-gateway/sluice/pkg/apidef/material"
	"github.com/sluice-gateway/sluice/pkg/fault"
	wire "github.com/sluice-gateway/sluice/pkg/publish"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/testenv/certstest"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

type fixture struct {
	t            *testing.T
	secrets      *secrets.Service
	certificates *certificates.Service
	apis         *apis.Service
	engine       *publish.Engine
	keys         *trust.Keys
	rdb          redis.UniversalClient
	dir          string
	log          *bytes.Buffer
	now          time.Time
}

func open(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, dir: t.TempDir(), rdb: testenv.Redis(t), log: &bytes.Buffer{}, now: time.Now().UTC().Truncate(time.Second)}
	var err error
	f.keys, err = trust.Generate()
	must(t, err)
	store, err := sqlite.Open(t.Context(), filepath.Join(f.dir, "config.db"))
	must(t, err)
	t.Cleanup(func() { _ = store.Close(context.WithoutCancel(t.Context())) })
	f.engine = publish.New(publish.Options{
		Log: store.Log(), Contents: store.Contents(), Views: store.Views(), Marks: store.Marks(), Roots: wire.NewWriter(f.rdb, f.keys),
		Logger: slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	must(t, f.engine.Start(t.Context()))
	now := func() time.Time { return f.now }
	box := sealing.New(f.keys, now)
	f.secrets = secrets.New(f.engine, store.Views(), box)
	f.certificates = certificates.New(f.engine, store.Views(), box, now)
	f.apis, err = apis.New(f.engine, store.Views(), nil)
	must(t, err)
	return f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(ifMatch string) objects.Write {
	return objects.Write{Org: "default", Author: publish.Author{Kind: "user", ID: "u", Name: "kim"}, IfMatch: ifMatch}
}

// plain opens the value of a stored text as a gateway would.
func (f *fixture) plain(o publish.Object) string {
	f.t.Helper()
	s, problems := material.DecodeStoredSecret(o.Text)
	if s == nil || s.Value == nil {
		f.t.Fatalf("%s: %v", o.Text, problems)
	}
	b, err := f.keys.Open(material.Domain(o.Org, o.Kind, o.ID), s.Value.Sealed)
	must(f.t, err)
	return string(b)
}

// everywhere is all that was written down: the files of the store, all of Redis, the log.
func (f *fixture) everywhere() string {
	f.t.Helper()
	var out strings.Builder
	files, err := filepath.Glob(filepath.Join(f.dir, "*"))
	must(f.t, err)
	for _, name := range files {
		text, err := os.ReadFile(name)
		must(f.t, err)
		out.Write(text)
	}
	ctx := f.t.Context()
	names, err := f.rdb.Keys(ctx, "*").Result()
	must(f.t, err)
	for _, name := range names {
		switch f.rdb.Type(ctx, name).Val() {
		case "string":
			out.WriteString(f.rdb.Get(ctx, name).Val())
		case "hash":
			fmt.Fprint(&out, f.rdb.HGetAll(ctx, name).Val())
		case "set":
			fmt.Fprint(&out, f.rdb.SMembers(ctx, name).Val())
		default:
			f.t.Fatalf("a key of another type: %s", name)
		}
	}
	return out.String() + f.log.String()
}

func TestPlainValuesAreNowhere(t *testing.T) {
	f := open(t)
	marker, first, second := rand.Text(), rand.Text(), rand.Text()
	made, err := f.secrets.Create(t.Context(), write(""), []byte(`{"name":"Origin","description":"`+marker+`","value":"`+first+`"}`))
	must(t, err)
	changed, err := f.secrets.Patch(t.Context(), write(made.ETag), "origin", []byte(`{"value":"`+second+`"}`))
	must(t, err)
	dry := write(changed.ETag)
	dry.DryRun = true
	planned, err := f.secrets.Patch(t.Context(), dry, "origin", []byte(`{"value":"`+first+`"}`))
	must(t, err)
	if f.plain(made.Object) != first || f.plain(changed.Object) != second || f.plain(planned.Object) != first {
		t.Error("another value was sealed")
	}
	ca := certstest.NewCA(t, "ca")
	chain, key := ca.Issue(certstest.Options{}, "a.test")
	cert, err := f.certificates.Create(t.Context(), write(""), fmt.Appendf(nil, `{"name":"Shop %s","chain":%q,"key":%q}`, marker, chain, key))
	must(t, err)
	refused := [][]byte{
		[]byte(`{"name":"x","vlaue":1,"value":"` + first + `"}`), []byte(`{"name":"","value":"` + first + `"}`), []byte(`{"name":"x","value":["` + first + `"]}`),
		[]byte(`{"name":"x","value":"` + first + strings.Repeat("x", 64<<10) + `"}`), []byte(`{"id":"x","name":"x","value":{"sealed":"` + first + `","setAt":"2026-01-01T00:00:00Z"}}`),
		[]byte(`{"name":"x","value":"` + first + `"`),
	}
	said := fmt.Sprint(made, changed, planned, cert)
	for _, text := range refused {
		_, err := f.secrets.Create(t.Context(), write(""), text)
		if !fault.Is(err, "secret.invalid") {
			t.Errorf("%.60s: got %v", text, err)
			continue
		}
		said += fmt.Sprintf("%v %+v", err, *fault.As(err))
	}
	_, err = f.certificates.Create(t.Context(), write(""), fmt.Appendf(nil, `{"name":"x","chain":%q,"key":%q}`, ca.PEM, key))
	said += fmt.Sprintf("%v %+v", err, *fault.As(err))
	found := f.everywhere()
	if n := strings.Count(found, marker); n < 4 {
		t.Fatalf("the search finds what is written down only %d times", n)
	}
	keyLine := strings.Split(string(key), "\n")[1]
	for name, plain := range map[string]string{"the first value": first, "the second value": second, "the key": keyLine} {
		if strings.Contains(found, plain) {
			t.Errorf("%s is written down in plain", name)
		}
		if strings.Contains(said, plain) {
			t.Errorf("%s is in a result or an error: %s", name, said)
		}
	}
}

func TestAValueThatIsLeftOutStays(t *testing.T) {
	f := open(t)
	made, err := f.secrets.Create(t.Context(), write(""), []byte(`{"id":"a","value":"one","name":"A"}`))
	must(t, err)
	shown := material.Show(publish.KindSecret, made.Object.Text)
	if string(shown) != `{"id":"a","name":"A"}` {
		t.Errorf("shown is %s", shown)
	}
	for name, text := range map[string]string{
		"what was shown": string(shown), "the same value": `{"id":"a","name":"A","value":"one"}`, "in another place": `{"value":"one","id":"a","name":"A"}`, "what is stored": string(made.Object.Text),
	} {
		if r, err := f.secrets.Replace(t.Context(), write("*"), "a", []byte(text)); err != nil || r.Revision != 0 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	f.now = f.now.Add(time.Hour)
	renamed, err := f.secrets.Replace(t.Context(), write("*"), "a", []byte(`{"name":"B"}`))
	must(t, err)
	s, _ := material.DecodeSecret(renamed.Object.Text)
	if f.plain(renamed.Object) != "one" || s.Name != "B" || !s.Value.SetAt.Equal(f.now.Add(-time.Hour)) {
		t.Errorf("got %s", renamed.Object.Text)
	}
	changed, err := f.secrets.Patch(t.Context(), write("*"), "a", []byte(`{"value":"two"}`))
	must(t, err)
	s, _ = material.DecodeSecret(changed.Object.Text)
	if f.plain(changed.Object) != "two" || !s.Value.SetAt.Equal(f.now) {
		t.Errorf("got %s", changed.Object.Text)
	}
	back, err := f.secrets.Replace(t.Context(), write("*"), "a", renamed.Object.Text) // as a rollback does
	if err != nil || f.plain(back.Object) != "one" || !bytes.Equal(back.Object.Text, renamed.Object.Text) {
		t.Errorf("got %s, %v", back.Object.Text, err)
	}
	if _, err := f.secrets.Create(t.Context(), write(""), []byte(`{"name":"none"}`)); !fault.Is(err, "secret.invalid") || fault.As(err).Problems[0].Path != "/value" {
		t.Errorf("a new secret without a value: %v", err)
	}
	other := bytes.Replace(back.Object.Text, []byte(`"name":"B"`), []byte(`"name":"C"`), 1)
	other = bytes.Replace(other, []byte(`"id": "a", `), nil, 1)
	if _, err := f.secrets.Create(t.Context(), write(""), other); !fault.Is(err, "secret.invalid") || !strings.Contains(err.Error(), "sealed for another object") {
		t.Errorf("the sealed value of another secret: %v", err)
	}
}

func TestSecretsLiveAndDieWithTheirAPIs(t *testing.T) {
	f := open(t)
	api := []byte(`{"name":"A","listen":{"path":"/a"},"upstream":{"targets":[{"url":"http://127.0.0.1:1"}]},"filters":{"auth":{"open":true},"requestHeaders":{"set":{"X-Key":"${secret:origin}"}}}}`)
	_, err := f.apis.Create(t.Context(), write(""), api)
	if p := fault.As(err); p == nil || p.Code != "secret.unknown" || p.Problems[0].Path != "/filters/requestHeaders/set/X-Key" {
		t.Fatalf("got %v", err)
	}
	_, err = f.secrets.Create(t.Context(), write(""), []byte(`{"name":"Origin","value":"v"}`))
	must(t, err)
	_, err = f.apis.Create(t.Context(), write(""), api)
	must(t, err)
	_, err = f.secrets.Delete(t.Context(), write("*"), "origin")
	if p := fault.As(err); p == nil || p.Code != "secret.in_use" || p.Kind != fault.Conflict || p.Params["some"] != "a" {
		t.Errorf("got %v", err)
	}
	_, err = f.apis.Delete(t.Context(), write("*"), "a")
	must(t, err)
	_, err = f.secrets.Delete(t.Context(), write("*"), "origin")
	must(t, err)
}

func TestCertificatesKeepTheirKeys(t *testing.T) {
	f := open(t)
	ca := certstest.NewCA(t, "ca")
	chain, key := ca.Issue(certstest.Options{}, "a.test")
	next, nextKey := ca.Issue(certstest.Options{}, "a.test")
	text := func(chain []byte, key string) []byte {
		return fmt.Appendf(nil, `{"id":"shop","name":"Shop","chain":%q%s}`, chain, key)
	}
	with := func(key []byte) string { return fmt.Sprintf(`,"key":%q`, key) }
	made, err := f.certificates.Create(t.Context(), write(""), text(append(bytes.Clone(ca.PEM), chain...), with(key)))
	if err != nil || len(made.Problems) != 1 || made.Problems[0].Code != material.CodeOrder {
		t.Fatalf("got %v, %v", made.Problems, err)
	}
	facts, ok := certificates.Facts(made.Object.Text)
	if !ok || facts.Subject != "CN=a.test" || !facts.HasKey || facts.Count != 2 {
		t.Errorf("got %+v", facts)
	}
	if r, err := f.certificates.Replace(t.Context(), write("*"), "shop", material.Show(publish.KindCertificate, made.Object.Text)); err != nil || r.Revision != 0 {
		t.Errorf("what was shown changes something: %+v, %v", r, err)
	}
	if _, err := f.certificates.Replace(t.Context(), write("*"), "shop", text(next, "")); !fault.Is(err, "certificate.invalid") || fault.As(err).Problems[0].Code != material.CodeMatch {
		t.Errorf("a new chain with the key before: %v", err)
	}
	if _, err := f.certificates.Replace(t.Context(), write("*"), "shop", text(next, with(nextKey))); err != nil {
		t.Error(err)
	}
	api := `{"name":"A","listen":{"path":"/a","certificates":["shop"]},"upstream":{"targets":[{"url":"http://127.0.0.1:1"}]},"filters":{"auth":{"open":true}}}`
	_, err = f.apis.Create(t.Context(), write(""), []byte(api))
	must(t, err)
	if _, err := f.certificates.Delete(t.Context(), write("*"), "shop"); !fault.Is(err, "certificate.in_use") {
		t.Errorf("got %v", err)
	}
	bundle, err := f.certificates.Replace(t.Context(), write("*"), "shop", text(ca.PEM, `,"key":null`))
	must(t, err)
	if facts, ok := certificates.Facts(bundle.Object.Text); !ok || facts.HasKey || facts.Subject != "CN=ca" || bytes.Contains(bundle.Object.Text, []byte(`"key"`)) {
		t.Errorf("got %s", bundle.Object.Text)
	}
}

func TestResealing(t *testing.T) {
	f := open(t)
	made, err := f.secrets.Create(t.Context(), write(""), []byte(`{"name":"A","value":"one"}`))
	must(t, err)
	next, err := trust.Generate()
	must(t, err)
	o := made.Object
	text, err := sealing.New(next, time.Now).Reseal(f.keys, o.Kind, o.Org, o.ID, o.Text)
	must(t, err)
	before, _ := material.DecodeSecret(o.Text)
	after, _ := material.DecodeSecret(text)
	if plain, err := next.Open(material.Domain(o.Org, o.Kind, o.ID), after.Value.Sealed); err != nil || string(plain) != "one" || !after.Value.SetAt.Equal(before.Value.SetAt) {
		t.Errorf("got %s, %v", plain, err)
	}
	if _, err := sealing.New(f.keys, time.Now).Reseal(next, o.Kind, o.Org, o.ID, o.Text); err == nil {
		t.Error("sealed with another key, and opened")
	}
	if got, err := sealing.New(next, time.Now).Reseal(f.keys, "api", "default", "a", []byte(`{"a":1}`)); err != nil || string(got) != `{"a":1}` {
		t.Errorf("got %s, %v", got, err)
	}
}
