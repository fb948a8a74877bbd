package hostile

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/deploy/e2e/client"
	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// patterns is the rest of C42: a definition cannot bring a pattern that is no RE2, or a huge one.
func patterns(t *testing.T, w *world) {
	for name, p := range map[string]string{
		"a lookahead": "(?=a)b", "a back reference": `(a)\1`, "a repetition of repetitions": "((a{500}){500}){500}", "a huge repetition": "a{1000000}", "an open group": "(a", "a possessive one": "a++",
	} {
		t.Run(name, func(t *testing.T) {
			def := api("Pattern "+name, "pattern.test", "/", "http://127.0.0.1:1", open())
			def["endpoints"] = []any{map[string]any{"id": "one", "path": "/x/{v:" + p + "}"}}
			if _, err := w.p.Client(0).Create(t.Context(), "apis", def); client.Status(err) != 422 && client.Status(err) != 400 {
				t.Errorf("the pattern %s: %v, want it refused", p, err)
			}
		})
	}
}

// oneForm is C44: what is matched is what is sent. What an origin gets for a target, sent by a client,
// reaches it again as the same; and no spelling reaches what wants a key.
func oneForm(t *testing.T, w *world) {
	origin := testenv.Must(platform.NewOrigin())(t)
	t.Cleanup(origin.Close)
	def := api("Echo", "echo.test", "/", origin.URL, open())
	def["endpoints"] = []any{map[string]any{"id": "admin", "path": "/admin/**", "filters": map[string]any{"auth": keyed()}}}
	w.publish(t, def)
	pieces := []string{"/", "/", "//", ".", "..", "%2e", "%2E", "%2f", "%5c", "%25", "25", "2e", "%32%65", "%32%66", ";", "%3b", "a", "admin", "%61dmin", "%00", "%20", "%C3%A9", "%c0%af", "?", "?x=/../admin", "~", "%7e", ":", "@", "!", "|", "%7C", "%", "%zz"}
	random := rand.New(rand.NewPCG(1, 2))
	for _, k := range w.kinds() {
		taken := 0
		ask := func(target string) (int, string) {
			t.Helper()
			a, err := k.exchange(w.gates[k.name], "GET", "GET "+target+" HTTP/1.1\r\nHost: echo.test\r\nConnection: close\r\n\r\n")
			if err != nil {
				t.Fatalf("%q: %v", target, err)
			}
			return a.resp.StatusCode, strings.TrimPrefix(string(a.body), "GET ")
		}
		for range 600 {
			target := "/"
			for range 1 + random.IntN(7) {
				target += pieces[random.IntN(len(pieces))]
			}
			status, sent := ask(target)
			if status != 200 {
				continue
			}
			taken++
			if err := protected([]platform.Arrived{{Method: "GET", Target: sent}}); err != nil {
				t.Errorf("%q: %v", target, err)
			}
			if status, again := ask(sent); status != 200 || again != sent {
				t.Errorf("%q reached the origin as %q, and that as %d %q", target, sent, status, again)
			}
		}
		if taken < 50 {
			t.Errorf("only %d of 600 targets reached the origin: the test tries too little", taken)
		}
	}
	if c := origin.Take(); len(c.Faults)+len(c.Broken) > 0 {
		t.Errorf("the origin got %q, %q", c.Faults, c.Broken)
	}
}

// trustedChains is the other half of D04 and D05: who is believed, and how far.
func trustedChains(t *testing.T, w *world) {
	g := testenv.Must(w.p.AddGatewayWith(t.Context(), "default", map[string]string{"SLUICE_GATEWAY_TRUSTED_PROXIES": "127.0.0.1/32,10.0.0.0/8"}))(t)
	origin := testenv.Must(platform.NewOrigin())(t)
	t.Cleanup(origin.Close)
	w.publish(t, api("Trusted", "trusted.test", "/", origin.URL, open()))
	for lines, want := range map[string]string{
		"":                                    "127.0.0.1",
		"X-Forwarded-For: 1.2.3.4":            "1.2.3.4",
		"X-Forwarded-For: 6.6.6.6, 1.2.3.4":   "1.2.3.4",
		"X-Forwarded-For: 127.0.0.1, 1.2.3.4": "1.2.3.4",
		"X-Forwarded-For: 6.6.6.6, 1.2.3.4, 10.0.0.2":                        "1.2.3.4",
		"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 1.2.3.4, 10.0.0.2":     "1.2.3.4",
		"X-Forwarded-For: 1.2.3.4:8080":                                      "1.2.3.4",
		"X-Forwarded-For: [2001:db8::1]:443":                                 "2001:db8::1",
		"X-Forwarded-For: ::ffff:1.2.3.4":                                    "1.2.3.4",
		"X-Forwarded-For: garbage, 10.0.0.2":                                 "10.0.0.2",
		"X-Forwarded-For: 1.2.3.4, unknown":                                  "127.0.0.1",
		"X-Forwarded-For: fe80::1%eth0":                                      "127.0.0.1",
		"X-Forwarded-For: 010.0.0.1":                                         "127.0.0.1",
		"X-Forwarded-For: 0x0a000001":                                        "127.0.0.1",
		"X-Forwarded-For: " + strings.Repeat("10.0.0.3,", 5000) + "10.0.0.4": "10.0.0.3",
		"True-Client-IP: 6.6.6.6":                                            "127.0.0.1",
		"CF-Connecting-IP: 6.6.6.6":                                          "127.0.0.1",
		"X-Forwarded-For: 1.2.3.4\r\nTrue-Client-IP: 6.6.6.6":                "1.2.3.4",
	} {
		t.Run(fmt.Sprintf("%.60s", lines), func(t *testing.T) {
			if lines != "" {
				lines += "\r\n"
			}
			origin.Take()
			k := kind{connect: plain}
			a, err := k.exchange(g, "GET", "GET /a HTTP/1.1\r\nHost: trusted.test\r\n"+lines+"Connection: close\r\n\r\n")
			got := origin.Take().Arrived
			if err != nil || a.resp.StatusCode != 200 || len(got) != 1 {
				t.Fatalf("answered %v, %v; %d arrived", a.resp, err, len(got))
			}
			if ip := got[0].Field("X-Real-IP"); ip != want || strings.Contains(got[0].Head, "6.6.6.6") && !strings.Contains(lines, "-IP:") { // what a trusted peer says beside the list goes on, and counts for nothing
				t.Errorf("the client is taken for %q, want %q:\n%s", ip, want, got[0].Head)
			}
		})
	}
}

// errorPages is the rest of D10: no page says where the upstream is, or what broke.
func errorPages(t *testing.T, w *world) {
	dead := testenv.Must(net.Listen("tcp", "127.0.0.1:0"))(t)
	addr := dead.Addr().String()
	_ = dead.Close()
	mute := listenRaw(t, func(c net.Conn) { _ = c.Close() })
	w.publish(t, api("Dead", "dead.test", "/", "http://"+addr, open()), api("Mute", "mute.test", "/", mute, open()))
	for _, k := range w.kinds() {
		for host, words := range map[string][]string{"dead.test": {addr, "127.0.0.1", "dial", "refused", "goroutine", ".go"}, "mute.test": {mute, "127.0.0.1", "EOF", "reset", "goroutine", ".go"}, "nobody.test": {"127.0.0.1", "goroutine"}} {
			a, err := k.exchange(w.gates[k.name], "GET", "GET /x%3Cscript%3E HTTP/1.1\r\nHost: "+host+"\r\nX-Api-Key: slc_secret\r\nConnection: close\r\n\r\n")
			if err != nil || a.resp.StatusCode < 400 {
				t.Fatalf("%s: %v, %v", host, a.resp, err)
			}
			page := fmt.Sprint(a.resp.Header) + string(a.body)
			for _, word := range append(words, "slc_secret", "<script>") {
				if strings.Contains(page, word) {
					t.Errorf("%s: the answer says %q: %s", host, word, page)
				}
			}
			if a.resp.Header.Get("Server") != "" || a.resp.Header.Get("X-Powered-By") != "" || a.resp.Header.Get("Date") == "" {
				t.Errorf("%s: headers %v", host, a.resp.Header)
			}
		}
	}
}
