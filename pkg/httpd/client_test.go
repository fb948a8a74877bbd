package httpd

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/fault"
)

func TestRefusal(t *testing.T) {
	for _, c := range []struct {
		addr            string
		public, private string // reason without and with Private
	}{
		{"8.8.8.8", "", ""},
		{"2606:4700::1111", "", ""},
		{"127.0.0.1", "loopback", ""},
		{"::1", "loopback", ""},
		{"::ffff:127.0.0.1", "loopback", ""},
		{"10.1.2.3", "private", ""},
		{"172.31.0.1", "private", ""},
		{"192.168.1.1", "private", ""},
		{"100.64.0.1", "private", ""},
		{"fd12::1", "private", ""},
		{"169.254.169.254", "a cloud's metadata service", "a cloud's metadata service"},
		{"::ffff:169.254.169.254", "a cloud's metadata service", "a cloud's metadata service"},
		{"64:ff9b::a9fe:a9fe", "a cloud's metadata service", "a cloud's metadata service"},
		{"2002:a9fe:a9fe::1", "a cloud's metadata service", "a cloud's metadata service"},
		{"fd00:ec2::254", "a cloud's metadata service", "a cloud's metadata service"},
		{"100.100.100.200", "a cloud's metadata service", "a cloud's metadata service"},
		{"169.254.1.1", "link-local", "link-local"},
		{"fe80::1", "link-local", "link-local"},
		{"fe80::1%eth0", "link-local", "link-local"},
		{"0.0.0.0", "unspecified", "unspecified"},
		{"0.1.2.3", "unspecified", "unspecified"},
		{"::", "unspecified", "unspecified"},
		{"224.0.0.1", "multicast or broadcast", "multicast or broadcast"},
		{"ff02::1", "multicast or broadcast", "multicast or broadcast"},
		{"255.255.255.255", "multicast or broadcast", "multicast or broadcast"},
	} {
		a := netip.MustParseAddr(c.addr)
		if got := refusal(a, false, nil); got != c.public {
			t.Errorf("%s: %q, want %q", c.addr, got, c.public)
		}
		if got := refusal(a, true, nil); got != c.private {
			t.Errorf("%s with Private: %q, want %q", c.addr, got, c.private)
		}
		if got := refusal(a, false, []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}); got != "" {
			t.Errorf("%s although allowed: %q", c.addr, got)
		}
	}
}

func TestTheDialledAddressIsJudged(t *testing.T) {
	called := false
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true }))
	defer s.Close()
	// A name that leads to a forbidden address is as bad as the address.
	for _, url := range []string{s.URL, strings.Replace(s.URL, "127.0.0.1", "localhost", 1)} {
		_, _, _, err := NewClient(ClientOptions{}).Get(t.Context(), url)
		if !fault.Is(err, RefusedCode) {
			t.Errorf("%s: %v", url, err)
		}
	}
	if called {
		t.Error("the server was reached")
	}
	if status, _, _, err := NewClient(ClientOptions{Private: true}).Get(t.Context(), s.URL); err != nil || status != 200 {
		t.Errorf("with Private: %d %v", status, err)
	}
}

func TestSchemes(t *testing.T) {
	c := NewClient(ClientOptions{HTTPSOnly: true, Private: true})
	for _, url := range []string{"http://127.0.0.1:1/", "file:///etc/passwd", "gopher://127.0.0.1/", "https:///x"} {
		if _, _, _, err := c.Get(t.Context(), url); !fault.Is(err, RefusedCode) {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestBodyLimit(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(make([]byte, len(r.URL.Path)-1))
	}))
	defer s.Close()
	c := NewClient(ClientOptions{Private: true, MaxBody: 4})
	if _, _, body, err := c.Get(t.Context(), s.URL+"/1234"); err != nil || len(body) != 4 {
		t.Errorf("a body of the limit: %d %v", len(body), err)
	}
	if _, _, _, err := c.Get(t.Context(), s.URL+"/12345"); !fault.Is(err, TooLargeCode) {
		t.Errorf("a larger body: %v", err)
	}
}

func TestRedirects(t *testing.T) {
	mux := http.NewServeMux()
	s := httptest.NewServer(mux)
	defer s.Close()
	mux.Handle("/one", http.RedirectHandler("/end", http.StatusFound))
	mux.Handle("/two", http.RedirectHandler("/one", http.StatusFound))
	mux.Handle("/meta", http.RedirectHandler("http://169.254.169.254/latest", http.StatusFound))
	mux.Handle("/file", http.RedirectHandler("file:///etc/passwd", http.StatusFound))
	mux.HandleFunc("/end", func(http.ResponseWriter, *http.Request) {})
	get := func(redirects int, path string) (int, error) {
		status, _, _, err := NewClient(ClientOptions{Private: true, Redirects: redirects}).Get(t.Context(), s.URL+path)
		return status, err
	}
	if status, err := get(0, "/one"); err != nil || status != 302 {
		t.Errorf("by default a redirect is the answer: %d %v", status, err)
	}
	if status, err := get(1, "/one"); err != nil || status != 200 {
		t.Errorf("one is allowed: %d %v", status, err)
	}
	for _, path := range []string{"/two", "/meta", "/file"} {
		if _, err := get(1, path); !fault.Is(err, RefusedCode) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestTimeoutCoversTheBody(t *testing.T) {
	end := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(200)
		_ = http.NewResponseController(w).Flush()
		<-end
	}))
	defer s.Close()
	defer close(end)
	_, _, _, err := NewClient(ClientOptions{Private: true, Timeout: 50 * time.Millisecond}).Get(t.Context(), s.URL)
	if err == nil {
		t.Error("a body without end was waited for")
	}
}

func TestAFailedCallNamesItsAddressOnceAndWithoutPassword(t *testing.T) {
	_, _, _, err := NewClient(ClientOptions{Private: true}).Get(t.Context(), "http://user:secret@127.0.0.1:1/x")
	if err == nil || strings.Contains(err.Error(), "secret") || strings.Count(err.Error(), "http://") != 1 || !strings.Contains(err.Error(), "refused") {
		t.Errorf("got %v", err)
	}
}
