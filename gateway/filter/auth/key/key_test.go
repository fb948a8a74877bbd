package key_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/filter/auth"
	"github.com/sluice-gateway/sluice/gateway/filter/auth/key"
	"github.com/sluice-gateway/sluice/gateway/filter/filtertest"
	"github.com/sluice-gateway/sluice/pkg/access"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

var errAway = errors.New("redis at 10.0.0.5: connection refused")

// ring is a Lookup of a few keys.
type ring map[string]any

func (r ring) Session(_ context.Context, secret string) (*access.Session, error) {
	switch v := r[secret].(type) {
	case *access.Session:
		return v, nil
	case error:
		return nil, v
	}
	return nil, key.ErrUnknown
}

func now() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func spec() filter.Spec {
	active := func(id string) *access.Session {
		return &access.Session{Org: "default", KeyID: id, State: access.KeyActive}
	}
	suspended, expired, expiring, foreign := active("k_s"), active("k_e"), active("k_f"), active("k_o")
	suspended.State = access.KeySuspended
	expired.ExpiresAt = now()
	expiring.ExpiresAt = now().Add(time.Second)
	foreign.Org = "other"
	return auth.Spec(auth.Methods{Key: key.Make(ring{
		"good": active("k_1"), "good2": active("k_2"), "suspended": suspended,
		"expired": expired, "expiring": expiring, "foreign": foreign, "revoked": key.ErrRevoked, "away": errAway,
	}, now)})
}

const everywhere = `{"any":[{"key":{"in":[{"header":"Authorization"},{"header":"X-Api-Key"},{"query":"api_key"},{"cookie":"key"}]}}]}`

func TestCallersAreIdentifiedOrRefused(t *testing.T) {
	for _, c := range []struct {
		name    string
		options string
		b       *filtertest.Builder
		key     string // of the session, where it passes
		status  int
		code    fault.Code
		cause   fault.Code
	}{
		{"no credential", everywhere, filtertest.Get("/"), "", 401, "auth.missing", ""},
		{"bearer", everywhere, filtertest.Get("/").Header("Authorization", "Bearer good"), "k_1", 0, "", ""},
		{"bearer in any case", everywhere, filtertest.Get("/").Header("authorization", "bEARER  good"), "k_1", 0, "", ""},
		{"bare Authorization", everywhere, filtertest.Get("/").Header("Authorization", "good"), "k_1", 0, "", ""},
		{"another scheme is no key", everywhere, filtertest.Get("/").Header("Authorization", "Basic good"), "", 401, "auth.missing", ""},
		{"empty bearer", everywhere, filtertest.Get("/").Header("Authorization", "Bearer "), "", 401, "auth.missing", ""},
		{"header", everywhere, filtertest.Get("/").Header("X-Api-Key", "good"), "k_1", 0, "", ""},
		{"query", everywhere, filtertest.Get("/?a=1&api_key=good"), "k_1", 0, "", ""},
		{"escaped query name", everywhere, filtertest.Get("/?api%5Fkey=good"), "k_1", 0, "", ""},
		{"cookie", everywhere, filtertest.Get("/").Header("Cookie", "a=b; key=good"), "k_1", 0, "", ""},
		{"the same key twice", everywhere, filtertest.Get("/?api_key=good").Header("X-Api-Key", "good"), "k_1", 0, "", ""},
		{"two different keys", everywhere, filtertest.Get("/?api_key=good").Header("X-Api-Key", "good2"), "", 400, "auth.ambiguous", ""},
		{"two Authorization lines", everywhere, filtertest.Get("/").Header("Authorization", "Bearer good").Header("Authorization", "Bearer good2"), "", 400, "auth.ambiguous", ""},
		{"a parameter twice", everywhere, filtertest.Get("/?api_key=good&api_key=x"), "", 400, "auth.ambiguous", ""},
		{"unknown", everywhere, filtertest.Get("/?api_key=nobody"), "", 401, key.Refused, "auth.key_unknown"},
		{"revoked", everywhere, filtertest.Get("/?api_key=revoked"), "", 401, key.Refused, "auth.key_revoked"},
		{"suspended", everywhere, filtertest.Get("/?api_key=suspended"), "", 401, key.Refused, "auth.key_suspended"},
		{"expired this instant", everywhere, filtertest.Get("/?api_key=expired"), "", 401, key.Refused, "auth.key_expired"},
		{"not yet expired", everywhere, filtertest.Get("/?api_key=expiring"), "k_f", 0, "", ""},
		{"of another organisation", everywhere, filtertest.Get("/?api_key=foreign"), "", 401, key.Refused, "auth.key_other_org"},
		{"cannot be judged", everywhere, filtertest.Get("/?api_key=away"), "", 503, "auth.unavailable", ""},
		{"far too long", everywhere, filtertest.Get("/").Header("X-Api-Key", strings.Repeat("g", 64<<10)), "", 401, key.Refused, "auth.key_unknown"},
		{"NUL", everywhere, filtertest.Get("/?api_key=good%00"), "", 401, key.Refused, "auth.key_unknown"},
		{"glob", everywhere, filtertest.Get("/?api_key=*"), "", 401, key.Refused, "auth.key_unknown"},
		{"not a source", `{"any":[{"key":{"in":[{"header":"X-Api-Key"}]}}]}`, filtertest.Get("/?api_key=good"), "", 401, "auth.missing", ""},
		{"default source", `{"any":[{"key":{}}]}`, filtertest.Get("/").Header("Authorization", "Bearer good"), "k_1", 0, "", ""},
		{"own scheme", `{"any":[{"key":{"in":[{"header":"Authorization","scheme":"ApiKey"}]}}]}`, filtertest.Get("/").Header("Authorization", "apikey good"), "k_1", 0, "", ""},
		{"own scheme wanted", `{"any":[{"key":{"in":[{"header":"Authorization","scheme":"ApiKey"}]}}]}`, filtertest.Get("/").Header("Authorization", "Bearer good"), "", 401, "auth.missing", ""},
		{"anonymous without credential", `{"any":[{"key":{}}],"anonymous":true}`, filtertest.Get("/"), "", 0, "", ""},
		{"anonymous with a bad credential", `{"any":[{"key":{}}],"anonymous":true}`, filtertest.Get("/").Header("Authorization", "x"), "", 401, key.Refused, "auth.key_unknown"},
		{"any: the second method", `{"any":[{"key":{"in":[{"header":"X-A"}]}},{"key":{"in":[{"header":"X-B"}]}}]}`, filtertest.Get("/").Header("X-B", "good"), "k_1", 0, "", ""},
		{"any: one bad, one good", `{"any":[{"key":{"in":[{"header":"X-A"}]}},{"key":{"in":[{"header":"X-B"}]}}]}`, filtertest.Get("/").Header("X-A", "nobody").Header("X-B", "good"), "k_1", 0, "", ""},
		{"any: unavailable outranks refused", `{"any":[{"key":{"in":[{"header":"X-A"}]}},{"key":{"in":[{"header":"X-B"}]}}]}`, filtertest.Get("/").Header("X-A", "away").Header("X-B", "nobody"), "", 503, "auth.unavailable", ""},
		{"all: both", `{"all":[{"key":{"in":[{"header":"X-A"}]}},{"key":{"in":[{"header":"X-B"}]}}]}`, filtertest.Get("/").Header("X-A", "good").Header("X-B", "good2"), "k_1", 0, "", ""},
		{"all: one is missing", `{"all":[{"key":{"in":[{"header":"X-A"}]}},{"key":{"in":[{"header":"X-B"}]}}]}`, filtertest.Get("/").Header("X-A", "good"), "", 401, "auth.missing", ""},
		{"all: one is missing, anonymous", `{"all":[{"key":{"in":[{"header":"X-A"}]}},{"key":{"in":[{"header":"X-B"}]}}],"anonymous":true}`, filtertest.Get("/").Header("X-A", "good"), "", 401, "auth.missing", ""},
		{"all: one is bad", `{"all":[{"key":{"in":[{"header":"X-A"}]}},{"key":{"in":[{"header":"X-B"}]}}]}`, filtertest.Get("/").Header("X-A", "good").Header("X-B", "revoked"), "", 401, key.Refused, "auth.key_revoked"},
		{"open", `{"open":true}`, filtertest.Get("/?api_key=nobody"), "", 0, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := filtertest.Run(t, spec(), c.options, c.b)
			if c.status == 0 {
				o.Passed(t)
				if got := keyID(o.Session); got != c.key {
					t.Errorf("identified as %q, want %q", got, c.key)
				}
				return
			}
			o.Refused(t, c.status, c.code)
			if o.Session != nil {
				t.Error("a refused caller has a session")
			}
			if _, challenged := o.Response.Header.Lookup("WWW-Authenticate"); challenged != (c.status == 401) {
				t.Errorf("WWW-Authenticate with %d: %v", c.status, challenged)
			}
			if _, wait := o.Response.Header.Lookup("Retry-After"); wait != (c.status == 503) {
				t.Errorf("Retry-After with %d: %v", c.status, wait)
			}
			if f := fault.As(o.Reject.Err); c.cause != "" && (f == nil || f.Code != c.cause) {
				t.Errorf("cause %v, want %s", o.Reject.Err, c.cause)
			}
		})
	}
}

func TestRefusalsDoNotTellWhetherAKeyExists(t *testing.T) {
	answers := map[string]bool{}
	for _, k := range []string{"nobody", "revoked", "suspended", "expired", "foreign"} {
		o := filtertest.Run(t, spec(), everywhere, filtertest.Get("/?api_key="+k))
		answers[string(o.Reject.Code)+o.Reject.Message+filtertest.Lines(&o.Response.Header)] = true
	}
	if len(answers) != 1 {
		t.Errorf("callers can tell them apart: %v", answers)
	}
	o := filtertest.Run(t, spec(), everywhere, filtertest.Get("/?api_key=away"))
	if strings.Contains(o.Reject.Message, "10.0.0.5") {
		t.Errorf("the answer tells of the inside: %s", o.Reject.Message)
	}
}

func TestCredentialsAreStripped(t *testing.T) {
	for _, c := range []struct {
		name, options string
		b             *filtertest.Builder
		query, sent   string
	}{
		{"bearer", everywhere, filtertest.Get("/").Header("Authorization", "Bearer good").Header("X-A", "1"), "", "X-A: 1\n"},
		{"basic stays", everywhere, filtertest.Get("/?api_key=good").Header("Authorization", "Basic eA=="), "", "Authorization: Basic eA==\n"},
		{"query", everywhere, filtertest.Get("/?b=%20&api_key=good&c"), "b=%20&c", ""},
		{"escaped query", everywhere, filtertest.Get("/?%61pi_key=good&c"), "c", ""},
		{"cookie", everywhere, filtertest.Get("/").Header("Cookie", "a=1; key=good; b=2").Header("Cookie", "key=good"), "", "Cookie: a=1; b=2\n"},
		{"everywhere at once", everywhere, filtertest.Get("/?api_key=good").Header("X-Api-Key", "good").Header("x-api-key", "good").Header("Cookie", "key=good"), "", ""},
		{"of refused callers", everywhere, filtertest.Get("/?api_key=revoked&a=1").Header("X-Api-Key", "revoked"), "a=1", ""},
		{"of ambiguous requests", everywhere, filtertest.Get("/?api_key=good&a=1").Header("X-Api-Key", "x"), "a=1", ""},
		{"not when told so", `{"any":[{"key":{"in":[{"query":"k"}]}}],"strip":false}`, filtertest.Get("/?k=good"), "k=good", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := filtertest.Run(t, spec(), c.options, c.b)
			if o.Request.Query != c.query || o.Request.HasQuery != (c.query != "") || o.Sent() != c.sent {
				t.Errorf("query %q, header\n%s", o.Request.Query, o.Sent())
			}
		})
	}
}

func TestChallengesNameTheScheme(t *testing.T) {
	for _, c := range []struct{ options, target, want string }{
		{everywhere, "/", `Bearer realm="orders"`},
		{everywhere, "/?api_key=nobody", `Bearer realm="orders", error="invalid_token"`},
		{`{"any":[{"key":{"in":[{"query":"api_key"}]}}]}`, "/", `ApiKey realm="orders"`},
		{`{"any":[{"key":{"in":[{"header":"X-K","scheme":"Token"}]}}]}`, "/", `Token realm="orders"`},
	} {
		o := filtertest.Run(t, spec(), c.options, filtertest.Get(c.target))
		if got := o.Response.Header.Get("WWW-Authenticate"); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestOptionsAreRefused(t *testing.T) {
	for options, want := range map[string]string{
		``:                                 " auth.undecided",
		`{}`:                               " auth.undecided",
		`{"open":false}`:                   " auth.undecided",
		`{"any":[]}`:                       " auth.undecided",
		`{"open":true,"any":[{"key":{}}]}`: "/open auth.contradiction",
		`{"open":true,"anonymous":true}`:   "/anonymous auth.contradiction",
		`{"any":[{"key":{}}],"all":[{"key":{}}]}`: "/all auth.contradiction",
		`{"any":[{}]}`:                                             "/any/0 auth.method",
		`{"any":[{"jwt":{}}]}`:                                     " unknown_field",
		`{"any":[{"key":{"in":[]}}]}`:                              "/any/0/key/in auth.no_source",
		`{"any":[{"key":{"in":[{}]}}]}`:                            "/any/0/key/in/0 auth.source",
		`{"any":[{"key":{"in":[{"header":"A","query":"b"}]}}]}`:    "/any/0/key/in/0 auth.source",
		`{"any":[{"key":{"in":[{"header":"A b"}]}}]}`:              "/any/0/key/in/0/header auth.source",
		`{"any":[{"key":{"in":[{"header":"Cookie"}]}}]}`:           "/any/0/key/in/0/header auth.source",
		`{"any":[{"key":{"in":[{"header":"Host"}]}}]}`:             "/any/0/key/in/0/header auth.source",
		`{"any":[{"key":{"in":[{"header":"Connection"}]}}]}`:       "/any/0/key/in/0/header auth.source",
		`{"any":[{"key":{"in":[{"cookie":"a;b"}]}}]}`:              "/any/0/key/in/0/cookie auth.source",
		`{"any":[{"key":{"in":[{"query":"a","scheme":"B"}]}}]}`:    "/any/0/key/in/0/scheme auth.source",
		`{"any":[{"key":{"in":[{"header":"A","scheme":"a b"}]}}]}`: "/any/0/key/in/0/scheme auth.source",
		`{"all":[{"key":{"in":"Authorization"}}]}`:                 "/all/key/in wrong_type",
		`{"open":true}`: "",
	} {
		if got := filtertest.BuildFault(t, spec(), options); got != want {
			t.Errorf("%s: got %q, want %q", options, got, want)
		}
	}
}

func TestAGatewayWithoutKeysCannotJudge(t *testing.T) {
	o := filtertest.Run(t, auth.Spec(auth.Methods{Key: key.Make(nil, now)}), `{"any":[{"key":{}}]}`, filtertest.Get("/").Header("Authorization", "Bearer good"))
	o.Refused(t, 503, "auth.unavailable")
}

func keyID(s *access.Session) string {
	if s == nil {
		return ""
	}
	return s.KeyID
}

func FuzzStrip(f *testing.F) {
	f.Add("a=1&api_key=good", "a=1; key=good", "Bearer good")
	f.Add("%61pi_key=good&api_key", `key="good"`, "good")
	s := spec()
	f.Fuzz(func(t *testing.T, query, cookie, authorization string) {
		b := filtertest.Get("/").Header("Cookie", cookie).Header("Authorization", authorization)
		b.Exchange().Request.Query = query
		first := filtertest.Run(t, s, everywhere, b)
		// What was stripped is no credential any more.
		if first.Err == nil && first.Session == nil {
			t.Fatal("passed without a session")
		}
		x := first.Exchange
		x.Response, x.Session = nil, nil
		again, _, err := s.Build([]byte(everywhere))
		if err != nil {
			t.Fatal(err)
		}
		var r *filter.Reject
		if err := again.Request(x); !errors.As(err, &r) || r.Code != "auth.missing" {
			t.Fatalf("a credential was left: %v in %q and\n%s", err, x.Request.Query, filtertest.Lines(&x.Request.Header))
		}
	})
}
