package httpapi

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/people"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

func TestAOneTimePasswordIsChangedBeforeAnythingElse(t *testing.T) {
	d, password := start(t, "")
	c := d.signIn("admin", password)
	other := d.signIn("admin", password)
	var s sessionDTO
	c.do("GET", "/session", "").want(t, 200, "").into(t, &s)
	if !s.MustChange || s.Role != people.Admin || s.Org != "default" {
		t.Errorf("got %+v", s)
	}
	for _, r := range routes() {
		if r.needs == anyone || r.needs == oneTime {
			continue
		}
		c.do(r.Method, strings.NewReplacer("{id}", "x", "{n}", "1", "{revision}", "1").Replace(r.Path), "").want(t, 403, "auth.password_change_required")
	}
	c.do("PUT", "/session/password", `{"old":"`+password+`","new":"short"}`).want(t, 422, "people.password_short")
	wrong := c.do("PUT", "/session/password", `{"old":"wrong","new":"`+adminPassword+`"}`).want(t, 422, "people.password_wrong")
	if p := wrong.problem(t).Problems; len(p) != 1 || p[0].Path != "/old" || wrong.header.Get("Set-Cookie") != "" || wrong.header.Get("WWW-Authenticate") != "" {
		t.Errorf("a wrong old password: %v %s", wrong.header, wrong.body)
	}
	testenv.Eventually(t, time.Second, func() bool { // the line follows the answer
		line := d.lines("/session/password")["PUT 422"]
		return line["code"] == "people.password_wrong" && line["level"] == "WARN"
	})
	c.do("PUT", "/session/password", `{"old":"`+password+`","new":"`+adminPassword+`"}`).want(t, 204, "")
	if len(d.changed) != 1 || d.changed[0].Login != "admin" {
		t.Errorf("told of %v", d.changed)
	}
	c.do("GET", "/apis", "").want(t, 200, "")
	other.do("GET", "/session", "").want(t, 401, "auth.expired")
	client{d: d}.do("POST", "/session", `{"login":"admin","password":"`+password+`"}`).want(t, 401, "auth.invalid")
	d.signIn("Admin ", adminPassword)
	for _, secret := range []string{password, adminPassword, c.cookie, c.csrf, d.tokens[people.Admin]} {
		if strings.Contains(d.log.String(), secret) {
			t.Errorf("the log has the secret %s", secret)
		}
	}
}

func TestTheSessionCookie(t *testing.T) {
	d, _ := start(t, adminPassword)
	a := client{d: d}.do("POST", "/session", `{"login":"admin","password":"`+adminPassword+`"}`).want(t, 200, "")
	cookie := a.header.Get("Set-Cookie")
	for _, part := range []string{"sluice_session=", "; Path=/", "; HttpOnly", "; SameSite=Lax"} {
		if !strings.Contains(cookie, part) {
			t.Errorf("%q lacks %q", cookie, part)
		}
	}
	if strings.Contains(cookie, "Secure") {
		t.Errorf("%q is marked Secure although the console is on http", cookie)
	}
	w := httptest.NewRecorder()
	(&api{Options: Options{Secure: true}}).setCookie(w, "x")
	if got := w.Header().Get("Set-Cookie"); !strings.Contains(got, "; Secure") {
		t.Errorf("%q is not marked Secure", got)
	}

	c := d.signIn("admin", adminPassword)
	again := c.do("POST", "/session", `{"login":"admin","password":"`+adminPassword+`"}`).want(t, 200, "")
	if again.header.Get("Set-Cookie") == "" {
		t.Error("no new cookie")
	}
	c.do("GET", "/session", "").want(t, 401, "auth.expired") // signing in ended the session before
	c = d.signIn("admin", adminPassword)
	out := c.do("DELETE", "/session", "").want(t, 204, "")
	if !strings.Contains(out.header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("the cookie stays: %v", out.header)
	}
	c.do("GET", "/session", "").want(t, 401, "auth.expired")
}

func TestChangesNeedTheCSRFToken(t *testing.T) {
	d, _ := start(t, adminPassword)
	c := d.signIn("admin", adminPassword)
	body := definition("Orders", "/orders/")
	for name, csrf := range map[string]string{"none": "", "another": "x" + c.csrf, "that of another session": d.signIn("admin", adminPassword).csrf} {
		t.Run(name, func(t *testing.T) {
			without := client{d: d, cookie: c.cookie, csrf: csrf}
			without.do("GET", "/apis", "").want(t, 200, "")
			without.do("POST", "/apis", body).want(t, 403, "auth.csrf")
			without.do("DELETE", "/session", "").want(t, 403, "auth.csrf")
		})
	}
	c.do("POST", "/apis", body, "Sec-Fetch-Site", "cross-site").want(t, 403, "auth.cross_origin")
	c.do("POST", "/apis", body, "Origin", "https://elsewhere.example").want(t, 403, "auth.cross_origin")
	client{d: d}.do("POST", "/session", `{}`, "Sec-Fetch-Site", "cross-site").want(t, 403, "auth.cross_origin")
	c.do("POST", "/apis", body, "Sec-Fetch-Site", "same-origin").want(t, 201, "")
	// no browser sends a token by itself
	d.as(people.Operator).do("POST", "/apis?dry_run=1", definition("Stock", "/stock/")).want(t, 200, "")
}

func TestFailedSignInsAreHeldUp(t *testing.T) {
	d, _ := start(t, adminPassword)
	c := client{d: d}
	for range 5 {
		c.do("POST", "/session", `{"login":"admin","password":"wrong"}`).want(t, 401, "auth.invalid")
	}
	a := c.do("POST", "/session", `{"login":"admin","password":"`+adminPassword+`"}`).want(t, 429, "auth.locked")
	if a.header.Get("Retry-After") == "" || a.problem(t).Params["seconds"] == nil {
		t.Errorf("nobody is told when to come back: %v %s", a.header, a.body)
	}
	d.as(people.Admin).do("GET", "/apis", "").want(t, 200, "")
}

func TestEveryRouteAsksForItsPermission(t *testing.T) {
	d, _ := start(t, adminPassword)
	for _, r := range routes() {
		path := strings.NewReplacer("{id}", "none", "{n}", "9", "{revision}", "9").Replace(r.Path)
		t.Run(r.Method+" "+r.Path, func(t *testing.T) {
			d.in(t)
			for _, role := range []people.Role{"", people.Viewer, people.Operator, people.Admin} {
				a := d.as(role).do(r.Method, path, "{}", "If-Match", "*")
				switch {
				case r.needs == anyone:
					if a.status == 403 || a.status == 401 && r.Path != "/session" {
						t.Errorf("%s is refused: %s", role, a.body)
					}
				case role == "":
					a.want(t, 401, "auth.required")
					if !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer") {
						t.Errorf("401 without WWW-Authenticate: %v", a.header)
					}
				case r.needs == oneTime || r.needs == signedIn || role.Can(r.needs):
					sessionOnly := r.Path == "/session/password" // a token has no password
					if a.status == 401 || a.status == 403 && !sessionOnly {
						t.Errorf("%s is refused: %s", role, a.body)
					}
				default:
					if p := a.want(t, 403, "auth.denied").problem(t); p.Params["permission"] != string(r.needs) {
						t.Errorf("%s: the missing permission is not named: %s", role, a.body)
					}
				}
			}
		})
	}
}

func TestCredentialsThatAreNone(t *testing.T) {
	d, _ := start(t, adminPassword)
	c := client{d: d}
	c.do("GET", "/apis", "", "Authorization", "Basic YWRtaW46eA==").want(t, 401, "auth.scheme")
	c.do("GET", "/apis", "", "Authorization", "Bearer slt_unknown").want(t, 401, "auth.invalid")
	c.do("GET", "/apis", "", "Authorization", "Bearer").want(t, 401, "auth.scheme")
	client{d: d, cookie: "made-up"}.do("GET", "/apis", "").want(t, 401, "auth.expired")
	// a bad token is not helped by a good session
	good := d.signIn("admin", adminPassword)
	good.do("GET", "/apis", "", "Authorization", "Bearer slt_unknown").want(t, 401, "auth.invalid")
}

func TestClientAddress(t *testing.T) {
	a := &api{Options: Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}
	for _, c := range []struct {
		name, remote, forwarded, want string
	}{
		{"direct", "192.0.2.1:5", "", "192.0.2.1"},
		{"a stranger's word", "192.0.2.1:5", "198.51.100.7", "192.0.2.1"},
		{"a trusted proxy's word", "10.0.0.1:5", "198.51.100.7", "198.51.100.7"},
		{"two trusted proxies", "10.0.0.1:5", "198.51.100.7, 10.0.0.2", "198.51.100.7"},
		{"a client's own list", "10.0.0.1:5", "1.1.1.1, 198.51.100.7", "198.51.100.7"},
		{"nonsense", "10.0.0.1:5", "nobody", "10.0.0.1"},
		{"no list", "10.0.0.1:5", "", "10.0.0.1"},
		{"mapped", "[::ffff:192.0.2.1]:5", "", "192.0.2.1"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = c.remote
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got := a.clientAddress(r); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
