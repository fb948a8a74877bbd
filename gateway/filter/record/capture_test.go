package record

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/filter/filtertest"
	"github.com/sluice-gateway/sluice/gateway/message"
	"github.com/sluice-gateway/sluice/pkg/record"
)

const bodies = `{"bodies":{"until":"2026-12-01T00:00:00Z","max":"32B","mask":["$..password","header:X-Session"]}}`

// call takes an exchange with bodies through a recording.
type call struct {
	options           string
	now               string // default: before the end of bodies
	pressed           bool
	request, response string
	requestType       string
	responseHeader    [][2]string
	unread            bool // nobody reads the request's body
}

func (c call) run(t *testing.T) (request, response *record.Capture, sent, got string) {
	t.Helper()
	now, _ := time.Parse(time.RFC3339, "2026-11-30T00:00:00Z")
	if c.now != "" {
		now, _ = time.Parse(time.RFC3339, c.now)
	}
	if c.options == "" {
		c.options = bodies
	}
	v, err := Spec(Deps{Now: func() time.Time { return now }, Pressed: func() bool { return c.pressed }}).Value([]byte(c.options))
	if err != nil {
		t.Fatal(err)
	}
	r := v.(interface{ Options() *Recording }).Options()
	if err := r.Hide([]string{"header:X-Key", "query:api_key"}); err != nil {
		t.Fatal(err)
	}
	x := filtertest.Request("POST", "/a").Header("Content-Type", c.requestType).Header("Authorization", "Bearer s3cret").Header("X-Key", "s3cret").
		Header("X-Session", "s3cret").Header("Cookie", "a=s3cret").Header("Referer", "https://h/p?api_key=s3cret&q=1#f").Header("X-Plain", "plain").Exchange()
	x.Request.Body, x.Request.ContentLength = io.NopCloser(strings.NewReader(c.request)), int64(len(c.request))
	if err := v.(filter.RequestPhase).Request(x); err != nil {
		t.Fatal(err)
	}
	if !c.unread {
		text, err := io.ReadAll(x.Request.Body)
		if err != nil {
			t.Fatal(err)
		}
		sent = string(text)
	}
	x.Response = &message.Response{Status: 200, ContentLength: -1, Body: io.NopCloser(strings.NewReader(c.response))}
	for _, f := range c.responseHeader {
		x.Response.Header.Add(f[0], f[1])
	}
	if err := v.(filter.ResponsePhase).Response(x); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(x.Response.Body)
	if err != nil {
		t.Fatal(err)
	}
	got = string(text)
	request, response = r.Messages(x, x.State().(*Capture))
	return request, response, sent, got
}

func header(c *record.Capture, name string) string {
	for _, f := range c.Header {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

func TestMessagesPassUnchangedAndAreRecorded(t *testing.T) {
	in, out := `{"user":"kim","password":"s3cret"}`, `"`+strings.Repeat("long ", 20)[:98]+`"`
	request, response, sent, got := call{request: in, response: out, requestType: "application/json", responseHeader: [][2]string{{"Content-Type", "application/json"}, {"Set-Cookie", "a=s3cret"}, {"Location", "/x?api_key=s3cret"}}}.run(t)
	if sent != in || got != out {
		t.Errorf("passed %q and %q", sent, got)
	}
	if string(request.Body) != `{"user":"kim","password":"***"` {
		t.Errorf("cut in the middle of a secret: %s", request.Body)
	}
	if request.Size != int64(len(in)) || !request.Truncated {
		t.Errorf("request %d, cut %v", request.Size, request.Truncated)
	}
	if string(response.Body) != out[:32] || response.Size != 100 || !response.Truncated {
		t.Errorf("response %+v", response)
	}
	for name, want := range map[string]string{
		"Authorization": "***", "X-Key": "***", "X-Session": "***", "Cookie": "***", "Referer": "https://h/p?api_key=***&q=1#f", "X-Plain": "plain",
	} {
		if v := header(request, name); v != want {
			t.Errorf("%s is recorded as %q", name, v)
		}
	}
	if header(response, "Set-Cookie") != "***" || header(response, "Location") != "/x?api_key=***" {
		t.Errorf("%+v", response.Header)
	}
}

func TestWholeBodiesAreNotCalledCut(t *testing.T) {
	request, response, _, _ := call{request: `{"password":"s3cret","a":1}`, response: "[1]", requestType: "application/json"}.run(t)
	if string(request.Body) != `{"password":"***","a":1}` || request.Truncated || string(response.Body) != "[1]" || response.Truncated {
		t.Errorf("%+v\n%+v", request, response)
	}
	request, _, _, _ = call{request: "api_key=s3cret&a=1", requestType: "application/x-www-form-urlencoded"}.run(t)
	if string(request.Body) != "api_key=***&a=1" {
		t.Errorf("a form: %s", request.Body)
	}
	request, response, _, _ = call{}.run(t)
	if request == nil || request.Truncated || len(request.Body) != 0 || response.Truncated {
		t.Errorf("empty: %+v %+v", request, response)
	}
	request, _, _, _ = call{request: "abc", unread: true}.run(t)
	if !request.Truncated || request.Size != 0 {
		t.Errorf("unread: %+v", request)
	}
}

func TestNothingIsRecordedAfterTheEndOrUnderPressure(t *testing.T) {
	for name, c := range map[string]call{
		"at the end": {now: "2026-12-01T00:00:00Z"}, "after it": {now: "2027-01-01T00:00:00Z"}, "pressed": {pressed: true}, "tags only": {options: `{"tags":["header:A"]}`},
	} {
		c.request, c.response = "in", "out"
		request, response, sent, got := c.run(t)
		if request != nil || response != nil || sent != "in" || got != "out" {
			t.Errorf("%s: %+v %+v %q %q", name, request, response, sent, got)
		}
	}
}

func packed(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return b.String()
}

// TestCodedBodiesHideNothingFromMasks: what cannot be unpacked is not kept.
func TestCodedBodiesHideNothingFromMasks(t *testing.T) {
	const large = `{"bodies":{"until":"2026-12-01T00:00:00Z","max":"1KiB","mask":["$.password"]}}`
	for _, tc := range []struct {
		coding, body, want string
		truncated          bool
	}{
		{"gzip", packed(`{"password":"s3cret","a":1}`), `{"password":"***","a":1}`, false},
		{"GZIP ", packed(`{"a":1}`), `{"a":1}`, false},
		{"identity", `{"password":"s3cret"}`, `{"password":"***"}`, false},
		{"br", `{"password":"s3cret"}`, ``, true},
		{"gzip, br", `{"password":"s3cret"}`, ``, true},
		{"gzip", `{"password":"s3cret"}`, ``, true}, // a lie
		{"gzip", packed(strings.Repeat("a", 1<<20)), strings.Repeat("a", 1<<10), true},
	} {
		_, response, _, got := call{options: large, response: tc.body, responseHeader: [][2]string{{"Content-Type", "application/json"}, {"Content-Encoding", tc.coding}}}.run(t)
		if got != tc.body || string(response.Body) != tc.want || response.Truncated != tc.truncated || response.Size != int64(len(tc.body)) {
			t.Errorf("%s %.40q: %.60q, cut %v, size %d", tc.coding, tc.body, response.Body, response.Truncated, response.Size)
		}
	}
}

// TestAnAnswerThatIsReplacedIsRecordedInItsPlace: the chain takes back two responses
// where the first one broke.
func TestAnAnswerThatIsReplacedIsRecordedInItsPlace(t *testing.T) {
	v, err := Spec(Deps{Now: func() time.Time { return time.Time{} }}).Value([]byte(bodies))
	if err != nil {
		t.Fatal(err)
	}
	x := filtertest.Get("/").Exchange()
	_ = v.(filter.RequestPhase).Request(x)
	for _, text := range []string{"[1,2]", "[3,4]"} {
		x.Response = filter.Respond(502, "application/json", []byte(text))
		_ = v.(filter.ResponsePhase).Response(x)
		_, _ = io.ReadAll(io.LimitReader(x.Response.Body, 7))
	}
	r := v.(interface{ Options() *Recording }).Options()
	if _, response := r.Messages(x, x.State().(*Capture)); string(response.Body) != "[3,4]" || response.Truncated {
		t.Errorf("%+v", response)
	}
}

func TestATunnelIsNotTapped(t *testing.T) {
	v, _ := Spec(Deps{Now: func() time.Time { return time.Time{} }}).Value([]byte(bodies))
	x := filtertest.Get("/").Exchange()
	_ = v.(filter.RequestPhase).Request(x)
	x.Response = &message.Response{Status: 101, Body: message.NoBody}
	_ = v.(filter.ResponsePhase).Response(x)
	if x.Response.Body != io.ReadCloser(message.NoBody) {
		t.Errorf("%T", x.Response.Body)
	}
}
