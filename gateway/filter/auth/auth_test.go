package auth

import (
	"errors"
	"testing"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/filter/filtertest"
	"github.com/sluice-gateway/sluice/pkg/access"
)

// fake is a method whose outcome stands in the header that its options name:
// "in", "no", "away", "bad" or "broken".
type fake struct{ header string }

func (f fake) Identify(x *filter.Exchange) (*access.Session, error) {
	switch v := x.Request.Header.Get(f.header); v {
	case "":
		return nil, nil
	case "no":
		return nil, filter.Refuse(401, "test.refused", "No.")
	case "away":
		return nil, filter.Refuse(503, "test.away", "Later.")
	case "bad":
		return nil, filter.Refuse(400, "test.bad", "Bad.")
	case "broken":
		return nil, errors.New("broken")
	}
	return &access.Session{KeyID: f.header}, nil
}

func (f fake) Strip(x *filter.Exchange) { x.Request.Header.Del(f.header) }

func (f fake) Credentials() []string { return []string{"header:" + f.header} }

func (f fake) Challenge(realm string, refused bool) string {
	if refused {
		return "Fake again=" + realm
	}
	return "Fake realm=" + realm
}

func fakes() filter.Spec {
	return Spec(Methods{Key: func(c KeyConfig) (Method, error) { return fake{c.In[0].Header}, nil }})
}

func TestAnyAndAll(t *testing.T) {
	const two = `[{"key":{"in":[{"header":"A"}]}},{"key":{"in":[{"header":"B"}]}}]`
	for _, c := range []struct {
		a, b string
		any  string // session's key, or the status that refuses
		all  string
	}{
		{"", "", "401", "401"},
		{"in", "", "A", "401"},
		{"", "in", "B", "401"},
		{"in", "in", "A", "A"},
		{"no", "in", "B", "401"},
		{"in", "no", "A", "401"},
		{"no", "", "401", "401"},
		{"no", "away", "503", "503"},
		{"away", "no", "503", "503"},
		{"away", "in", "B", "503"},
		{"bad", "away", "400", "400"},
		{"away", "bad", "400", "400"},
		{"bad", "in", "400", "400"},
		{"broken", "in", "error", "error"},
		{"no", "broken", "error", "error"},
	} {
		for mode, want := range map[string]string{"any": c.any, "all": c.all} {
			b := filtertest.Get("/")
			for name, v := range map[string]string{"A": c.a, "B": c.b} {
				if v != "" {
					b.Header(name, v)
				}
			}
			o := filtertest.Run(t, fakes(), `{"`+mode+`":`+two+`}`, b)
			got := "error"
			switch {
			case o.Err == nil:
				got = o.Session.KeyID
			case o.Reject != nil:
				got = map[int]string{400: "400", 401: "401", 503: "503"}[o.Reject.Status]
			}
			if got != want {
				t.Errorf("%s with %q and %q: got %s, want %s", mode, c.a, c.b, got, want)
			}
			if o.Sent() != "" {
				t.Errorf("%s with %q and %q: a credential was left", mode, c.a, c.b)
			}
		}
	}
}

func TestEachChallengeIsNamedOnce(t *testing.T) {
	o := filtertest.Run(t, fakes(), `{"any":[{"key":{"in":[{"header":"A"}]}},{"key":{"in":[{"header":"B"}]}}]}`, filtertest.Get("/").Header("A", "no"))
	o.Refused(t, 401, "test.refused")
	if got := filtertest.Lines(&o.Response.Header); got != "Content-Type: text/plain\nWWW-Authenticate: Fake again=orders\n" {
		t.Errorf("got\n%s", got)
	}
}

func TestAMethodThatIsNotThereIsRefused(t *testing.T) {
	if got := filtertest.BuildFault(t, Spec(Methods{}), `{"any":[{"key":{}}]}`); got != "/any/0 auth.method" {
		t.Errorf("got %q", got)
	}
}
