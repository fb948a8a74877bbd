package upstream

import (
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/http1"
	"github.com/sluice-gateway/sluice/gateway/message"
	"github.com/sluice-gateway/sluice/pkg/apidef"
)

func exchangeOf(target, path, rest string, strip bool) *filter.Exchange {
	_, query, has := strings.Cut(target, "?")
	return &filter.Exchange{
		Request: &message.Request{Target: target, Path: path, Query: query, HasQuery: has},
		API:     &filter.API{Strip: strip}, Rest: rest,
	}
}

func TestOutboundTarget(t *testing.T) {
	for name, tc := range map[string]struct {
		target, path, rest string
		strip              bool
		prefix, want       string
	}{
		"stripped":              {"/a/x", "/a/x", "/x", true, "", "/x"},
		"kept":                  {"/a/x", "/a/x", "/x", false, "", "/a/x"},
		"nothing below":         {"/a", "/a", "/", true, "", "/"},
		"nothing below, query":  {"/a?q", "/a", "/", true, "", "/?q"},
		"query":                 {"/a/x?b=1&c=%20", "/a/x", "/x", true, "", "/x?b=1&c=%20"},
		"query kept":            {"/a/x?b=1", "/a/x", "/x", false, "", "/a/x?b=1"},
		"empty query":           {"/a/x?", "/a/x", "/x", true, "", "/x?"},
		"question marks":        {"/a/x?b?c", "/a/x", "/x", true, "", "/x?b?c"},
		"a query like the path": {"/a/x?/x", "/a/x", "/x", true, "", "/x?/x"},
		"prefix":                {"/a/x?b=1", "/a/x", "/x", true, "/v1", "/v1/x?b=1"},
		"prefix without query":  {"/a/x", "/a/x", "/x", true, "/v1", "/v1/x"},
		"prefix and root":       {"/a", "/a", "/", true, "/v1", "/v1/"},
		"normalised":            {"/a//b/../%78?q=%2E", "/a/x", "/x", true, "", "/x?q=%2E"},
		"absolute form":         {"http://h/a/x?q", "/a/x", "/x", true, "", "/x?q"},
		"edited path":           {"/a/x?q", "/other", "/other", true, "", "/other?q"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := outboundTarget(exchangeOf(tc.target, tc.path, tc.rest, tc.strip), tc.prefix); got != tc.want {
				t.Errorf("%q; want %q", got, tc.want)
			}
		})
	}
}

// Whatever shortcut is taken, the result is prefix, path and query.
func FuzzOutboundTarget(f *testing.F) {
	f.Add("/a/x?b=1", "/a/x", "/x", true, "")
	f.Add("/a/x?", "/a/x", "/x", false, "/v1")
	f.Add("/a?b?/a?b", "/a", "/", true, "")
	f.Fuzz(func(t *testing.T, target, path, rest string, strip bool, prefix string) {
		x := exchangeOf(target, path, rest, strip)
		want := prefix + path
		if strip {
			want = prefix + rest
		}
		if x.Request.HasQuery {
			want += "?" + x.Request.Query
		}
		if got := outboundTarget(x, prefix); got != want {
			t.Errorf("%q; want %q", got, want)
		}
	})
}

func TestTargets(t *testing.T) {
	for url, want := range map[string]target{
		"http://10.0.0.5:3000":       {host: "10.0.0.5:3000"},
		"http://a.example":           {host: "a.example"},
		"http://a.example/":          {host: "a.example"},
		"http://a.example/base":      {host: "a.example", prefix: "/base"},
		"http://a.example/base%20x/": {host: "a.example", prefix: "/base%20x"},
		"http://[::1]:80/b":          {host: "[::1]:80", prefix: "/b"},
	} {
		got, err := newTarget("o", apidef.Target{URL: url}, apidef.Upstream{Path: "/v1/"})
		if err != nil || got.url != url || got.host != want.host || got.prefix != want.prefix+"/v1" {
			t.Errorf("%s: %+v, %v", url, got, err)
		}
	}
	for _, url := range []string{"", "a.example:80", "ftp://a.example", "http://", "http://:80", "http://a b"} {
		if _, err := newTarget("o", apidef.Target{URL: url}, apidef.Upstream{}); err == nil || !strings.Contains(err.Error(), "is not a URL such as") {
			t.Errorf("%q: %v", url, err)
		}
		if _, err := NewManager(http1.NewClock(), nil).Acquire("o", "a", apidef.Upstream{Targets: []apidef.Target{{URL: url}}}); err == nil {
			t.Errorf("%q was acquired", url)
		}
	}
}
