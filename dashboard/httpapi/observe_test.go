package httpapi

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/sluice-gateway/sluice/dashboard/people"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

func TestTheObservedRouteIsTheRoutesOwnPathBehindAnotherRouter(t *testing.T) {
	var got string
	a := &api{Options: Options{
		Log:     slog.New(slog.DiscardHandler),
		Observe: func(_, path string, _ int, _ time.Duration) { got = path },
	}}
	inner := chi.NewRouter()
	inner.Use(a.envelope)
	inner.Get(Base+"/apis/{id}", func(http.ResponseWriter, *http.Request) {})
	outer := chi.NewRouter()
	outer.Handle(Base+"/*", inner)
	for path, want := range map[string]string{Base + "/apis/a": Base + "/apis/{id}", Base + "/nothing": "none"} {
		outer.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
		if got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

// lines are the log's lines about requests of a path, by method and status.
func (d *dashboard) lines(path string) map[string]map[string]any {
	d.t.Helper()
	out := map[string]map[string]any{}
	for line := range strings.Lines(d.log.String()) {
		var m map[string]any
		must(d.t, json.Unmarshal([]byte(line), &m))
		if m["msg"] == "request" && m["path"] == Base+path {
			out[fmt.Sprint(m["method"], " ", m["status"])] = m
		}
	}
	return out
}

func TestTheLogSaysWhoAskedAndWhatWasRefused(t *testing.T) {
	d, _ := start(t, adminPassword)
	stranger := client{d: d}
	const wrong = "not the password of anybody"
	for range 5 {
		stranger.do("POST", "/session", `{"login":"kim","password":"`+wrong+`"}`).want(t, 401, "auth.invalid")
	}
	stranger.do("POST", "/session", `{"login":"kim","password":"`+wrong+`"}`).want(t, 429, "auth.locked")
	signedIn := d.signIn("admin", adminPassword)
	signedIn.do("GET", "/me", "").want(t, 200, "")
	stranger.do("GET", "/apis", "", "Authorization", "Bearer slt_unknown").want(t, 401, "auth.invalid")
	d.as(people.Viewer).do("POST", "/apis", definition("A", "/a/")).want(t, 403, "auth.denied")
	d.as(people.Admin).do("PUT", "/apis", "{}").want(t, 405, "")
	users, err := d.people.Users(t.Context(), people.Actor{User: people.User{Org: "default"}})
	must(t, err)
	user := users[0].ID
	for _, c := range []struct {
		path, answer, level, caller, login, code string
	}{
		{"/session", "POST 401", "WARN", "", "kim", "auth.invalid"},
		{"/session", "POST 429", "WARN", "", "kim", "auth.locked"},
		{"/session", "POST 200", "INFO", user, "admin", ""},
		{"/me", "GET 200", "DEBUG", user, "", ""},
		{"/apis", "GET 401", "INFO", "", "", "auth.invalid"},
		{"/apis", "POST 403", "INFO", "t_", "", "auth.denied"},
		{"/apis", "PUT 405", "INFO", "", "", "route.method_not_allowed"},
	} {
		var line map[string]any
		testenv.Eventually(t, time.Second, func() bool { // the line follows the answer
			line = d.lines(c.path)[c.answer]
			return line != nil
		})
		text := func(name string) string { s, _ := line[name].(string); return s }
		caller := text("caller")
		if c.caller == "t_" && strings.HasPrefix(caller, "t_") {
			caller = "t_"
		}
		if line["level"] != c.level || caller != c.caller || text("login") != c.login || text("code") != c.code || text("client") != "127.0.0.1" {
			t.Errorf("%s %s: %v", c.path, c.answer, line)
		}
	}
	for _, secret := range []string{wrong, adminPassword, "slt_", signedIn.cookie, signedIn.csrf} {
		if strings.Contains(d.log.String(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}
