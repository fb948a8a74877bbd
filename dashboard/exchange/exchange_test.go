package exchange_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/dashboard/exchange"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

func request(target, body string, header ...string) exchange.Exchange {
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return exchange.Exchange{W: httptest.NewRecorder(), R: r}
}

func wantCode(t *testing.T, err error, code fault.Code) {
	t.Helper()
	switch f := fault.As(err); {
	case err == nil && code == "":
	case f == nil || f.Code != code:
		t.Errorf("error %v, want the code %q", err, code)
	}
}

func TestBodiesThatAreNoPlainJSONAreRefused(t *testing.T) {
	for name, at := range map[string]struct {
		body   string
		header []string
		code   fault.Code
	}{
		"JSON":                  {`{"a":1}`, []string{"Content-Type", "application/json; charset=UTF-8"}, ""},
		"a type that is told":   {`{"a":1}`, []string{"Content-Type", "application/merge-patch+json"}, ""},
		"no type":               {`{"a":1}`, nil, ""},
		"a form":                {`a=1`, []string{"Content-Type", "application/x-www-form-urlencoded"}, "body.type"},
		"another charset":       {`{"a":1}`, []string{"Content-Type", "application/json; charset=euc-kr"}, "body.type"},
		"compressed":            {"\x1f\x8b", []string{"Content-Encoding", "gzip"}, "body.encoding"},
		"a coding that is none": {`{"a":1}`, []string{"Content-Encoding", "identity"}, ""},
		"nothing":               {" \n", nil, "body.missing"},
		"a member twice":        {`{"a":1,"a":2}`, nil, "body.invalid"},
		"an unknown member":     {`{"b":1}`, nil, "body.invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := exchange.Decode[struct {
				A int `json:"a"`
			}](request("/", at.body, at.header...))
			wantCode(t, err, at.code)
			if err == nil && v.A != 1 {
				t.Errorf("read %+v", v)
			}
		})
	}
	_, err := request("/", strings.Repeat(" ", exchange.MaxBody+1)).Body()
	if large := (*http.MaxBytesError)(nil); !errors.As(err, &large) {
		t.Errorf("a body that is too large: %v", err)
	}
}

func TestQueryParametersAreKnownOnceAndInTheirBounds(t *testing.T) {
	for query, code := range map[string]fault.Code{
		"?limit=200&dry_run=1&state=on": "",
		"?":                             "",
		"?limt=2":                       "query.unknown",
		"?state=on&state=on":            "query.repeated",
		"?limit=201":                    "query.invalid",
		"?limit=-1":                     "query.invalid",
		"?dry_run=yes":                  "query.invalid",
		"?state=offf":                   "query.invalid",
	} {
		e := request("/"+query, "")
		_, dry := e.DryRun()
		_, limit := e.Limit()
		_, state := e.OneOf("state", "on", "off")
		var err error
		for _, each := range []error{e.Query("limit", "dry_run", "state"), dry, limit, state} {
			if err == nil {
				err = each
			}
		}
		wantCode(t, err, code)
	}
}

func TestDocumentsGoOutByteForByte(t *testing.T) {
	document, err := exchange.WithObject([]byte(`{"n":1.0,  "s":"<&>"}`), struct {
		ID string `json:"id"`
	}{"a&b"})
	if err != nil || string(document) != `{"object":{"n":1.0,  "s":"<&>"},"id":"a&b"}` {
		t.Errorf("%s %v", document, err)
	}
	list, err := exchange.RawPage([]exchange.Raw{document, exchange.Raw("[ ]")}, "x", 7)
	if want := `{"items":[` + string(document) + `,[ ]],"next":"x","total":7,"totalExact":true}`; err != nil || string(list) != want {
		t.Errorf("%s %v", list, err)
	}
	if none, err := exchange.RawPage(nil, "", 0); err != nil || string(none) != `{"items":[],"next":"","total":0,"totalExact":true}` {
		t.Errorf("%s %v", none, err)
	}
	e := request("/", "")
	if err := e.JSON(http.StatusAccepted, list); err != nil {
		t.Fatal(err)
	}
	if w := e.W.(*httptest.ResponseRecorder); w.Code != http.StatusAccepted || w.Body.String() != string(list)+"\n" || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}

func TestLongValuesAreCutBetweenLetters(t *testing.T) {
	if got := exchange.Brief(strings.Repeat("한", 27)); got != strings.Repeat("한", 26)+"…" {
		t.Errorf("%q", got)
	}
}
