package node_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/http1/http1test"
	"github.com/sluice-gateway/sluice/gateway/node"
	"github.com/sluice-gateway/sluice/pkg/bus"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/httpd"
	"github.com/sluice-gateway/sluice/pkg/notice"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// asker is a dashboard that commands a gateway over Redis.
type asker struct {
	t    *testing.T
	dash *bus.Bus
}

func newAsker(t *testing.T, s *testenv.Server, self string) *asker {
	t.Helper()
	keys, err := trust.Generate()
	if err != nil {
		t.Fatal(err)
	}
	probes := httpd.NewClient(httpd.ClientOptions{Timeout: 5 * time.Second, MaxBody: 1 << 10, Private: true})
	t.Cleanup(probes.CloseIdle)
	c := &node.Commands{
		Version: "1.2.3", Compiler: compiler(), Prober: probes, Self: func() string { return self },
		Client: &http.Client{
			Transport:     &http.Transport{DisableCompression: true, DisableKeepAlives: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	a := &asker{t, bus.New(s.Client(), keys, bus.Options{})}
	gw := bus.New(s.Client(), keys.Node(), bus.Options{Node: "n"})
	for cmd, f := range c.Handlers() {
		gw.Handle(cmd, f)
	}
	ctx, stop := context.WithCancel(context.Background())
	done, up := make(chan error, 2), make(chan struct{}, 16)
	for _, b := range []*bus.Bus{a.dash, gw} {
		b.OnGap(func() { up <- struct{}{} })
		go func() { done <- b.Run(ctx) }()
	}
	<-up
	<-up
	t.Cleanup(func() { stop(); <-done; <-done })
	return a
}

func (a *asker) ask(cmd notice.Command, req, reply any) error {
	a.t.Helper()
	return a.dash.Ask(testenv.Context(a.t, 10*time.Second), "n", cmd, req, reply)
}

func TestCheckCompilesWithoutUsing(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		a := newAsker(t, s, "")
		for name, tc := range map[string]struct{ kind, text, code string }{
			"good":         {"api", text, ""},
			"bad template": {"api", strings.Replace(text, `"auth"`, `"errors":[{"status":"404","body":"{{.Nope}}"}],"auth"`, 1), "errors."},
			"no filter":    {"api", strings.Replace(text, `"auth"`, `"wurst":{},"auth"`, 1), "filter.unknown"},
			"no JSON":      {"api", `{`, ""},
		} {
			var r notice.CheckReply
			if err := a.ask(notice.CheckCommand, notice.Check{Org: "default", Kind: tc.kind, ID: "a", Text: []byte(tc.text)}, &r); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			good := name == "good"
			if r.Version != "1.2.3" || good != (len(r.Rejected) == 0) || !good && !strings.HasPrefix(r.Rejected[0].Code, tc.code) {
				t.Errorf("%s: %+v", name, r)
			}
		}
	})
}

func TestProbeIsGuarded(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/slow":
				<-r.Context().Done()
				return
			case "/elsewhere":
				http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
				return
			}
			w.WriteHeader(http.StatusTeapot)
			_, _ = io.WriteString(w, strings.Repeat("large ", 10_000))
		}))
		t.Cleanup(origin.Close)
		a := newAsker(t, s, "")
		for name, tc := range map[string]struct {
			url    string
			status int
			says   string
		}{
			"answers":         {origin.URL + "/", http.StatusTeapot, ""},
			"redirect":        {origin.URL + "/elsewhere", http.StatusFound, ""},
			"metadata":        {"http://169.254.169.254/latest/meta-data/", 0, "169.254.169.254 is not dialled"},
			"metadata mapped": {"http://[::ffff:169.254.169.254]/", 0, "is not dialled"},
			"link-local":      {"http://169.254.1.1/", 0, "link-local"},
			"nobody there":    {"http://127.0.0.1:1/", 0, "refused"},
			"a file":          {"file:///etc/passwd", 0, "only http and https"},
			"too slow":        {origin.URL + "/slow", 0, "deadline"},
		} {
			var r notice.ProbeReply
			q := notice.Probe{URL: tc.url}
			if name == "too slow" {
				q.TimeoutMillis = 50
			}
			if err := a.ask(notice.ProbeCommand, q, &r); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if r.Status != tc.status || !strings.Contains(r.Error, tc.says) || tc.says == "" && r.Error != "" {
				t.Errorf("%s: %+v", name, r)
			}
		}
		wantFault(t, a.ask(notice.ProbeCommand, notice.Probe{URL: "http://a b/"}, nil), "probe.invalid")
	})
}

func TestRunTakesTheGatewaysOwnPath(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		o := http1test.NewOrigin(t, func(q *http1test.Request) string {
			switch q.Target {
			case "/large":
				return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", 64<<10+1, strings.Repeat("x", 64<<10+1))
			case "/exact":
				return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", 64<<10, strings.Repeat("x", 64<<10))
			case "/redirect":
				return "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"
			}
			return "HTTP/1.1 201 Created\r\nX-B: 2\r\nX-A: 1\r\nX-A: 3\r\nContent-Length: 2\r\n\r\nok"
		})
		a := newAsker(t, s, "http://"+o.Addr())
		var r notice.RunReply
		q := notice.Run{Method: "POST", Host: "api.example", Target: "/x/../y%2Fz?q=1", Headers: [][2]string{{"Authorization", "k"}, {"X-Two", "1"}, {"X-Two", "2"}}, Body: []byte("hello")}
		if err := a.ask(notice.RunCommand, q, &r); err != nil {
			t.Fatal(err)
		}
		if r.Status != 201 || string(r.Body) != "ok" || r.Truncated || r.Error != "" || fmt.Sprint(r.Headers) != "[[Content-Length 2] [X-A 1] [X-A 3] [X-B 2]]" {
			t.Errorf("%+v", r)
		}
		got := o.Requests()[0]
		if got.Method != "POST" || got.Target != "/x/../y%2Fz?q=1" || got.Field("Host") != "api.example" || got.Field("Authorization") != "k" ||
			string(got.Body) != "hello" || strings.Contains(got.Head, "User-Agent") || strings.Contains(got.Head, "Accept-Encoding") {
			t.Errorf("the listener got %s", got.Raw)
		}
		for target, want := range map[string]struct {
			status, body int
			truncated    bool
		}{"/large": {200, 64 << 10, true}, "/exact": {200, 64 << 10, false}, "/redirect": {302, 0, false}} {
			r = notice.RunReply{}
			if err := a.ask(notice.RunCommand, notice.Run{Method: "GET", Host: "h", Target: target}, &r); err != nil {
				t.Fatal(err)
			}
			if r.Status != want.status || len(r.Body) != want.body || r.Truncated != want.truncated || r.Error != "" {
				t.Errorf("%s: %d, %d bytes, truncated %v, %s", target, r.Status, len(r.Body), r.Truncated, r.Error)
			}
		}
		for _, target := range []string{"", "@169.254.169.254/", ".evil.example/", "http://169.254.169.254/"} {
			wantFault(t, a.ask(notice.RunCommand, notice.Run{Method: "GET", Host: "h", Target: target}, nil), "run.invalid")
		}
		wantFault(t, a.ask(notice.RunCommand, notice.Run{Method: "G T", Host: "h", Target: "/"}, nil), "run.invalid")
		for _, cmd := range []notice.Command{notice.CheckCommand, notice.ProbeCommand, notice.RunCommand} {
			wantFault(t, a.ask(cmd, "no object", nil), "command.malformed")
		}
	})
}

func TestRunSaysWhatBroke(t *testing.T) {
	o := http1test.NewScripted(t, func(_ int, c net.Conn, r *bufio.Reader) {
		if q, err := http1test.ReadRequest(r); err == nil && q.Target == "/half" {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
		}
	})
	a := newAsker(t, testenv.RedisServer(t), "http://"+o.Addr())
	for target, want := range map[string]struct {
		status int
		body   string
		says   string
	}{"/half": {200, "abc", "ended early"}, "/none": {0, "", "did not answer"}} {
		var r notice.RunReply
		if err := a.ask(notice.RunCommand, notice.Run{Method: "GET", Host: "h", Target: target}, &r); err != nil {
			t.Fatal(err)
		}
		if r.Status != want.status || string(r.Body) != want.body || !strings.Contains(r.Error, want.says) {
			t.Errorf("%s: %+v", target, r)
		}
	}
}

func wantFault(t *testing.T, err error, code fault.Code) {
	t.Helper()
	if f := fault.As(err); f == nil || f.Code != code {
		t.Errorf("%v; want %s", err, code)
	}
}
