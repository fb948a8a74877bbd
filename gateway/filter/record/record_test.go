package record

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/filter/filtertest"
	"github.com/sluice-gateway/sluice/pkg/access"
	"github.com/sluice-gateway/sluice/pkg/record"
)

// recording builds options and tells them where keys stand.
func recording(t *testing.T, options string, places ...string) *Recording {
	t.Helper()
	v, err := Spec(Deps{}).Value([]byte(options))
	if err != nil {
		t.Fatal(err)
	}
	r := v.(interface{ Options() *Recording }).Options()
	if err := r.Hide(places); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestOptionsAreRefused(t *testing.T) {
	for o, want := range map[string]string{
		``:   "",
		`{}`: "",
		`{"enabled":false,"sample":1,"only":"all","clientAddress":"full","tags":[]}`: "",
		`{"sample":0}`:                    "/sample record.sample",
		`{"sample":-0.5}`:                 "/sample record.sample",
		`{"sample":1.01}`:                 "/sample record.sample",
		`{"sample":"10%"}`:                "/sample wrong_type",
		`{"only":"error"}`:                "/only record.only",
		`{"clientAddress":"none"}`:        "/clientAddress record.client_address",
		`{"retention":"7d"}`:              " unknown_field",
		`{"bodies":{}}`:                   "/bodies/until record.until",
		`{"bodies":{"until":"tomorrow"}}`: "/bodies/until record.until",
		`{"bodies":{"until":"2026-12-01T00:00:00Z","max":"16"}}`:                                                             "/bodies/max record.max",
		`{"bodies":{"until":"2026-12-01T00:00:00Z","max":"0B"}}`:                                                             "/bodies/max record.max",
		`{"bodies":{"until":"2026-12-01T00:00:00Z","max":"49KiB"}}`:                                                          "/bodies/max record.max",
		`{"bodies":{"until":"2026-12-01T00:00:00+09:00","max":"1B"}}`:                                                        "",
		`{"bodies":{"until":"2026-12-01T00:00:00Z","mask":["$.a","password"]}}`:                                              "/bodies/mask/1 record.mask",
		`{"bodies":{"until":"2026-12-01T00:00:00Z","mask":[` + strings.TrimSuffix(strings.Repeat(`"$.a",`, 65), ",") + `]}}`: "/bodies/mask record.mask",
		`{"tags":["X-Channel"]}`:                     "/tags/0 record.tag",
		`{"tags":["header:X-Channel","header:X Y"]}`: "/tags/1 record.tag",
		`{"tags":["header:cookie"]}`:                 "/tags/0 record.tag_secret",
		`{"tags":["header:Authorization"]}`:          "/tags/0 record.tag_secret",
		`{"tags":["meta:"]}`:                         "/tags/0 record.tag",
		`{"tags":["query:a:b"]}`:                     "/tags/0 record.tag",
		`{"tags":["cookie:a"]}`:                      "/tags/0 record.tag",
		`{"tags":["meta:a","meta:a","meta:a","meta:a","meta:a","meta:a","meta:a","meta:a","meta:a"]}`: "/tags record.tags",
		`{"sample":2,"only":"x"}`: "/sample record.sample\n/only record.only",
	} {
		if got := filtertest.BuildFault(t, Spec(Deps{}), o); got != want {
			t.Errorf("%.100s: got %q, want %q", o, got, want)
		}
	}
}

func TestOnlyWhatLooksAtMessagesHasPhases(t *testing.T) {
	for o, want := range map[string]bool{
		``: false, `{"sample":0.5}`: false, `{"tags":["meta:a"]}`: false, `{"tags":["header:A"]}`: true, `{"tags":["query:a"]}`: true,
		`{"bodies":{"until":"2026-12-01T00:00:00Z"}}`: true, `{"enabled":false,"bodies":{"until":"2026-12-01T00:00:00Z"}}`: false,
	} {
		req, _, err := Spec(Deps{}).Build([]byte(o))
		if err != nil || (req != nil) != want {
			t.Errorf("%s: a request phase %v, %v", o, req != nil, err)
		}
	}
}

func TestATagIsNoPlaceOfKeys(t *testing.T) {
	for tag, want := range map[string]string{
		"header:x-key": "/tags/0 record.tag_secret", "query:api_key": "/tags/0 record.tag_secret", "query:X-Key": "", "meta:api_key": "", "header:api_key": "",
	} {
		v, err := Spec(Deps{}).Value([]byte(`{"tags":["` + tag + `"]}`))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := v.(interface{ Options() *Recording }).Options().Hide([]string{"header:X-Key", "query:api_key"}); err != nil {
			p := filter.ProblemsOf("", err)[0]
			got = p.Path + " " + string(p.Code)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", tag, got, want)
		}
	}
}

// TestSamplingIsByRequestID: the same everywhere, even where ids only count, and
// as many as were asked for.
func TestSamplingIsByRequestID(t *testing.T) {
	for _, share := range []float64{0.01, 0.1, 0.5, 0.99} {
		a, b := recording(t, fmt.Sprintf(`{"sample":%v}`, share)), recording(t, fmt.Sprintf(`{"sample":%v,"tags":["meta:x"]}`, share))
		const n = 50_000
		kept := 0
		for i := range n {
			id := fmt.Sprintf("4k7qz0w9m2hx%08d", i)
			if a.Keep(id, i%2 == 0) != b.Keep(id, i%3 == 0) {
				t.Fatalf("%s is kept by one and not by the other", id)
			}
			if a.Keep(id, false) {
				kept++
			}
		}
		if off := math.Abs(float64(kept) - n*share); off > 5*math.Sqrt(n*share*(1-share)) {
			t.Errorf("sample %v kept %d of %d", share, kept, n)
		}
		if a.Sample() != share {
			t.Errorf("sample %v is told as %v", share, a.Sample())
		}
	}
	if r := recording(t, ``); !r.Keep("x", false) || r.Sample() != 0 {
		t.Error("without a sample everything is kept")
	}
}

func TestOnlyErrors(t *testing.T) {
	r := recording(t, `{"only":"errors"}`)
	if r.Keep("a", false) || !r.Keep("a", true) {
		t.Error("exactly the failed are kept")
	}
	half := recording(t, `{"only":"errors","sample":0.5}`)
	kept := 0
	for i := range 1000 {
		if half.Keep(fmt.Sprint(i), true) {
			kept++
		}
	}
	if kept < 400 || kept > 600 {
		t.Errorf("half of the failed are kept, not %d of 1000", kept)
	}
}

func TestTagsAreWhatTheClientSent(t *testing.T) {
	const options = `{"tags":["header:X-Channel","query:campaign","meta:grade","header:X-Absent","query:none","meta:none"]}`
	b := filtertest.Get("/a?campaign=autumn%20sale&campaign=2&none=").Header("x-channel", "web").Header("X-Channel", "second").
		Session(&access.Session{Metadata: map[string]string{"grade": strings.Repeat("g", 100)}})
	v, err := Spec(Deps{}).Value([]byte(options))
	if err != nil {
		t.Fatal(err)
	}
	x := b.Exchange()
	if err := v.(filter.RequestPhase).Request(x); err != nil {
		t.Fatal(err)
	}
	x.Request.Header.Del("X-Channel") // by a filter behind
	x.Request.Query = ""
	seen, _ := x.State().(*Capture)
	r := v.(interface{ Options() *Recording }).Options()
	want := []string{"x-channel:web", "campaign:autumn sale", "grade:" + strings.Repeat("g", longestTag)}
	if got := r.AppendTags(nil, x, seen); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	x.Session = nil
	if got := r.AppendTags(nil, x, nil); len(got) != 0 {
		t.Errorf("of nothing: %q", got)
	}
}

func TestKeysInTheQueryAreHidden(t *testing.T) {
	r := recording(t, `{"bodies":{"until":"2026-12-01T00:00:00Z","mask":["query:token","$.pin"]}}`, "query:api_key", "header:X-Key")
	if got := r.Query("a=1&api%5Fkey=s3cret&token=t&pin=1234&b"); got != "a=1&api%5Fkey=***&token=***&pin=***&b" {
		t.Error(got)
	}
	if got := recording(t, ``, "query:api_key").Query("api_key=s3cret&api_key=other"); got != "api_key=***&api_key=***" {
		t.Error(got)
	}
}

func TestAddressIsTheOptions(t *testing.T) {
	for o, want := range map[string]record.AddressMode{``: "", `{"clientAddress":"hashed"}`: record.HashedAddress} {
		if got := recording(t, o).Address(); got != want {
			t.Errorf("%s: %q", o, got)
		}
	}
}
