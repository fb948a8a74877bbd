package httpapi

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-gateway/sluice/dashboard/calls"
	"github.com/sluice-gateway/sluice/dashboard/people"
	"github.com/sluice-gateway/sluice/pkg/archive"
	archivemongo "github.com/sluice-gateway/sluice/pkg/archive/mongo"
	archivesqlite "github.com/sluice-gateway/sluice/pkg/archive/sqlite"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/record"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// keeper is an archive of records with both of its ends.
type keeper interface {
	calls.Store
	Insert(ctx context.Context, entries []record.Entry) ([]archive.Rejected, error)
	Days(ctx context.Context) ([]archive.Day, error)
}

// inSQLite opens a folder of records.
func inSQLite(t *testing.T, dir string, readOnly bool) keeper {
	t.Helper()
	a, err := archivesqlite.Open(t.Context(), archivesqlite.Options{Dir: dir, ReadOnly: readOnly})
	must(t, err)
	t.Cleanup(func() { must(t, a.Close()) })
	return a
}

// lookingIn are the options of the service, as app makes them; nil is no archive.
func lookingIn(k keeper, known calls.Names) calls.Options {
	o := calls.Options{Place: "the archive of the test", Names: known}
	if k != nil {
		o.Store, o.Kept = k, func(ctx context.Context) (bool, error) {
			days, err := k.Days(ctx)
			return len(days) > 0, err
		}
	}
	return o
}

// everyArchive runs a test on each adapter.
func everyArchive(t *testing.T, f func(t *testing.T, k keeper)) {
	t.Run("sqlite", func(t *testing.T) { f(t, inSQLite(t, t.TempDir(), false)) })
	t.Run("mongodb", func(t *testing.T) { f(t, archivemongo.New(testenv.MongoDB(t), archivemongo.Options{})) })
}

// recorded stores records, whose ids say their place: the first is the newest.
func recorded(t *testing.T, k keeper, newest time.Time, list ...record.Record) {
	t.Helper()
	entries := make([]record.Entry, 0, len(list))
	for i, r := range list {
		r.At = newest.Add(-time.Duration(i) * time.Millisecond)
		entries = append(entries, record.Entry{ID: fmt.Sprintf("%d", i), Node: "n1", Group: "default", Record: r})
	}
	rejected, err := k.Insert(t.Context(), entries)
	if err != nil || len(rejected) > 0 {
		t.Fatalf("%v %v", rejected, err)
	}
}

// callsPage is the answer of GET /requests.
type callsPage struct {
	Items      []callDTO
	Next       string
	Total      int
	TotalExact bool
	From, To   time.Time
	Problems   []fault.Problem
}

func (p callsPage) ids() string {
	var ids []string
	for _, i := range p.Items {
		ids = append(ids, i.ID)
	}
	return strings.Join(ids, " ")
}

// newest is when the newest record of a test was made; its day may be yesterday's.
func newest() time.Time { return time.Now().UTC().Add(-time.Minute).Truncate(time.Second) }

func full() record.Record {
	return record.Record{
		Total: 12481 * time.Microsecond, Upstream: 11902 * time.Microsecond, Status: 502,
		Method: "POST", Scheme: "https", Host: "api.example.com", Path: "/orders/7", Query: "token=***&x=%20",
		Org: "default", API: "orders", Version: "v2", Endpoint: "e1", Route: "/orders/{id}",
		Key: "k1", KeyAlias: "shop", OAuthClient: "o1", Policies: []string{"gold"}, Tags: []string{"team:a"},
		Client: "192.0.2.7", Country: "KR", UserAgent: "<script>\xff", Protocol: "1.1", RequestID: "REQ1", TraceID: "abc",
		BytesIn: 17, BytesOut: 19, Target: "http://10.0.0.5:3000", Attempts: 2, Refusal: "upstream.failed", Error: "connection reset",
		Generation: 12, Flags: record.Retried | record.UpstreamTo, Sample: 0.5,
		Request:  &record.Capture{Header: []record.Field{{Name: "Authorization", Value: "***"}, {Name: "A", Value: "1"}}, Body: []byte(`{"n":"주문"}`), Size: 14},
		Response: &record.Capture{Body: []byte("\x00\x01"), Size: 9000, Truncated: true},
	}
}

func TestARequestIsListedAndShownWhole(t *testing.T) {
	everyArchive(t, func(t *testing.T, k keeper) {
		d, _ := start(t, adminPassword, k)
		d.in(t)
		d.as(people.Operator).do("POST", "/apis", definition("Orders & more", "/orders/")).want(t, 201, "")
		gone, none := full(), record.Record{Org: "default", Status: 404, Method: "GET", Host: "x", Path: "/nothing", Refusal: "route.not_found"}
		gone.API = "gone"
		ours := full()
		ours.API = "orders-more"
		when := newest()
		recorded(t, k, when, ours, gone, none)
		c := d.as(people.Viewer)
		a := c.do("GET", "/requests", "").want(t, 200, "")
		var p callsPage
		a.into(t, &p)
		if p.ids() != "0 1 2" || p.Next != "" || p.Total != 3 || !p.TotalExact || len(p.Problems) != 0 || !strings.Contains(a.body, `"problems":[]`) {
			t.Fatalf("got %s", a.body)
		}
		if since := time.Since(p.From); since < 23*time.Hour || since > 25*time.Hour || time.Until(p.To) <= 0 {
			t.Errorf("from %v to %v", p.From, p.To)
		}
		want := callDTO{
			ID: "0", At: when, Method: "POST", Host: "api.example.com", Path: "/orders/7", Status: 502, TotalMS: 12.481, UpstreamMS: 11.902, GatewayMS: 0.579,
			API: &calledAPI{"orders-more", "Orders & more"}, Key: "k1", KeyAlias: "shop", Target: "http://10.0.0.5:3000", Node: "n1",
			Refusal: "upstream.failed", Flags: []string{"retried", "upstreamTimeout"},
		}
		if !reflect.DeepEqual(p.Items[0], want) {
			t.Errorf("got  %+v\nwant %+v", p.Items[0], want)
		}
		if !reflect.DeepEqual(p.Items[1].API, &calledAPI{ID: "gone"}) || p.Items[2].API != nil || p.Items[2].Flags == nil {
			t.Errorf("got %+v and %+v", p.Items[1].API, p.Items[2])
		}

		one := c.do("GET", "/requests/0", "").want(t, 200, "")
		for _, part := range []string{
			`"id":"0","at":"` + when.Format(time.RFC3339Nano) + `","method":"POST"`, `"api":{"id":"orders-more","name":"Orders & more"}`, `"scheme":"https"`, `"protocol":"1.1"`,
			`"query":"token=***&x=%20"`, `"version":"v2"`, `"endpoint":"e1"`, `"route":"/orders/{id}"`, `"oauthClient":"o1"`, `"policies":["gold"]`, `"tags":["team:a"]`,
			`"client":"192.0.2.7"`, `"country":"KR"`, `"userAgent":"<script>\ufffd"`, `"requestId":"REQ1"`, `"traceId":"abc"`, `"bytesIn":17`, `"bytesOut":19`, `"attempts":2`,
			`"error":"connection reset"`, `"generation":12`, `"group":"default"`, `"sample":0.5`,
			`"request":{"headers":[["Authorization","***"],["A","1"]],"body":"{\"n\":\"주문\"}","bodyEncoding":"utf-8","size":14,"truncated":false}`,
			`"response":{"headers":[],"body":"AAE=","bodyEncoding":"base64","size":9000,"truncated":true}`,
		} {
			if !strings.Contains(one.body, part) {
				t.Errorf("lacks %s: %s", part, one.body)
			}
		}
		head := c.do("HEAD", "/requests/0", "")
		if head.status != 200 || head.body != "" || head.header.Get("Content-Length") != fmt.Sprint(len(one.body)) {
			t.Errorf("HEAD: %d %v", head.status, head.header)
		}
		bare := c.do("GET", "/requests/2", "").want(t, 200, "").body
		if strings.Contains(bare, `"api"`) || strings.Contains(bare, `"request":`) || !strings.Contains(bare, `"policies":[],"tags":[]`) || !strings.Contains(bare, `"sample":1`) {
			t.Errorf("got %s", bare)
		}
		c.do("GET", "/requests/7", "").want(t, 404, "requests.not_found")
		c.do("GET", "/requests/%27%20OR%201=1", "").want(t, 404, "requests.not_found")
		c.do("GET", "/requests/0?x=1", "").want(t, 400, "query.unknown")
		client{d: d}.do("GET", "/requests", "").want(t, 401, "auth.required")
		c.do("POST", "/requests", "{}").want(t, 405, "route.method_not_allowed")
	})
}

func TestPagesHaveEveryRequestOnceWhileMoreComeIn(t *testing.T) {
	everyArchive(t, func(t *testing.T, k keeper) {
		d, _ := start(t, adminPassword, k)
		d.in(t)
		c := d.as(people.Viewer)
		when := newest()
		var entries []record.Entry
		for i := range 1000 { // three of one microsecond, over more than a day
			at := when.Add(-time.Duration(i/3) * 4 * time.Minute)
			entries = append(entries, record.Entry{ID: fmt.Sprintf("00ab-1-7-%d", i), Record: record.Record{At: at, Org: "default", Method: "GET", Path: "/a", Status: 200}})
		}
		if rejected, err := k.Insert(t.Context(), entries); err != nil || len(rejected) > 0 {
			t.Fatalf("%v %v", rejected, err)
		}
		query := "/requests?limit=37&status=2xx&path=/*&from=" + when.Add(-48*time.Hour).Format(time.RFC3339)
		seen, last, pages := map[string]int{}, when.Add(time.Hour), 0
		for next := ""; ; pages++ {
			var p callsPage
			c.do("GET", query+"&cursor="+next, "").want(t, 200, "").into(t, &p)
			if next == "" && (p.Total > 1000 || p.TotalExact && p.Total != 1000) { // counting may stop early on a slow machine
				t.Errorf("total %d, exact %v", p.Total, p.TotalExact)
			}
			for _, i := range p.Items {
				seen[i.ID]++
				if i.At.After(last) {
					t.Errorf("%s of %v comes behind %v", i.ID, i.At, last)
				}
				last = i.At
			}
			more := record.Entry{ID: fmt.Sprintf("00ff-1-8-%d", pages), Record: record.Record{At: when.Add(time.Duration(pages+1) * time.Millisecond), Org: "default", Method: "GET", Path: "/a", Status: 200}}
			if _, err := k.Insert(t.Context(), []record.Entry{more}); err != nil {
				t.Fatal(err)
			}
			if next = p.Next; next == "" {
				break
			}
			if pages > 100 {
				t.Fatal("the list has no end")
			}
		}
		if len(seen) != 1000 || pages < 27 {
			t.Errorf("%d requests on %d pages", len(seen), pages+1)
		}
		for id, n := range seen {
			if n != 1 || strings.HasPrefix(id, "00ff") {
				t.Errorf("%s was seen %d times", id, n)
			}
		}
	})
}

// corpus are requests that each filter tells apart.
func corpus() []record.Record {
	base := record.Record{Org: "default", API: "orders", Method: "GET", Host: "a.example.com", Path: "/orders/1", Route: "/orders/{id}", Status: 200, Key: "k1", Client: "192.0.2.7", Target: "http://t1", RequestID: "R0"}
	with := func(change func(*record.Record)) record.Record {
		r := base
		change(&r)
		return r
	}
	return []record.Record{
		base,
		with(func(r *record.Record) { r.Status, r.Path, r.RequestID = 404, "/orders/50%25_off", "R1" }),
		with(func(r *record.Record) {
			r.Status, r.Method, r.Total, r.RequestID = 503, "POST", 700*time.Millisecond, "R2"
		}),
		with(func(r *record.Record) {
			r.API, r.Route, r.Key, r.Path, r.Host, r.RequestID = "carts", "/carts", "", "/Carts", "b.example.com", "R3"
		}),
		with(func(r *record.Record) {
			r.API, r.Route, r.Key, r.Path, r.Status, r.Refusal, r.RequestID = "", "", "", "/%EC%A3%BC%EB%AC%B8", 404, "route.not_found", "R4"
		}),
		with(func(r *record.Record) {
			r.Client, r.Target, r.Key, r.RequestID = "2001:db8::1", "http://t2", "k2", "R5"
		}),
		with(func(r *record.Record) { r.Path, r.RequestID = "/x'; DROP TABLE calls; --", "{$ne:1}" }),
		with(func(r *record.Record) { r.Path, r.Status, r.RequestID = "*", 499, "R7" }),
		with(func(r *record.Record) { r.Org, r.RequestID = "another", "R8" }), // nobody here may see it
	}
}

func TestEveryFilterFindsItsOwn(t *testing.T) {
	everyArchive(t, func(t *testing.T, k keeper) {
		d, _ := start(t, adminPassword, k)
		d.in(t)
		c := d.as(people.Viewer)
		when := newest()
		recorded(t, k, when, corpus()...)
		stamp := func(ms int) string {
			return when.Add(-time.Duration(ms) * time.Millisecond).Format("2006-01-02T15:04:05.000Z07:00")
		}
		for _, v := range []struct{ query, want string }{
			{"", "0 1 2 3 4 5 6 7"},
			{"api=carts", "3"},
			{"api=none", ""},
			{"api=*", ""},
			{"status=404", "1 4"},
			{"status=5xx", "2"},
			{"status=4xx", "1 4 7"},
			{"status=404-499", "1 4 7"},
			{"status=200-404&method=GET", "0 1 3 4 5 6"},
			{"key=k2", "5"},
			{"method=POST", "2"},
			{"method=G", ""},
			{"path=/orders/1", "0 2 5"},
			{"path=/orders/*", "0 1 2 5"},
			{"path=/ORDERS/*", ""},
			{"path=/*", "0 1 2 3 4 5 6"},
			{"path=*", "0 1 2 3 4 5 6 7"},
			{"path=/orders/50%2525_off", "1"},
			{"path=/orders/50%2525*", "1"},
			{"path=/주*", "4"},
			{"path=/orders/_", ""},
			{"path=/orders/%25", ""},
			{"route=/carts", "3"},
			{"route=/orders/{id}", "0 1 2 5 6 7"},
			{"minLatency=500ms", "2"},
			{"minLatency=700ms", "2"},
			{"minLatency=701ms", ""},
			{"client=2001:DB8:0:0::1", "5"},
			{"client=192.0.2.7&key=k1", "0 1 2 6 7"},
			{"node=n1&api=carts", "3"},
			{"node=n2", ""},
			{"target=http://t2", "5"},
			{"host=B.example.com", "3"},
			{"requestId=R2", "2"},
			{"requestId=R8", ""},
			{"requestId=r2", ""},
			{"requestId={$ne:1}", "6"},
			{"refusal=route.not_found", "4"},
			{"noApi=1", "4"},
			{"noApi=0", "0 1 2 3 4 5 6 7"},
			{"noApi=1&status=200", ""},
			{"q=CART", "3"},
			{"q=R5", "5"},
			{"q=R", "0 1 2 3 5 6"},
			{"q=주문", "4"},
			{"q=50%2525_", "1"},
			{"q=_off", "1"},
			{"q=50__off", ""},
			{"q=%2525", "1"},
			{"q=';", "6"},
			{"q=DROP%20TABLE", ""},
			{"q={$ne:1}", "6"},
			{"q=[a-z]", ""},
			{"q=.*", ""},
			{"q=%5C", ""},
			{"q=%00", ""},
			{"q=%FF", ""},
			{"q=\"", ""},
			{"from=" + stamp(2), "0 1 2"},
			{"from=" + stamp(4) + "&to=" + stamp(1), "2 3 4"},
			{"to=" + stamp(6), "7"},
			{"api=orders&status=2xx&q=orders&client=192.0.2.7&limit=200", "0"},
		} {
			var p callsPage
			a := c.do("GET", "/requests?"+escapedQuery(v.query), "")
			if a.status != 200 {
				t.Errorf("%s: %d %s", v.query, a.status, a.body)
				continue
			}
			a.into(t, &p)
			if p.ids() != v.want || p.Next != "" || p.Total != len(p.Items) || !p.TotalExact {
				t.Errorf("%s: got %q of %d, want %q; %s", v.query, p.ids(), p.Total, v.want, a.body)
			}
		}
		var p callsPage
		c.do("GET", "/requests?limit=3&status=200", "").want(t, 200, "").into(t, &p)
		c.do("GET", "/requests/8", "").want(t, 404, "requests.not_found")
		if p.ids() != "0 3 5" || p.Next == "" || p.TotalExact && p.Total != 4 {
			t.Errorf("got %+v", p)
		}
	})
}

// escapedQuery keeps what a table writes escaped and escapes the rest.
func escapedQuery(q string) string {
	return strings.NewReplacer(" ", "%20", "\"", "%22", "{", "%7B", "}", "%7D", ";", "%3B", "주", url.QueryEscape("주"), "문", url.QueryEscape("문")).Replace(q)
}

func TestAQuestionAboutRequestsThatIsNoneSaysWhy(t *testing.T) {
	d, _ := start(t, adminPassword)
	c := d.as(people.Viewer)
	for _, v := range []struct{ query, code, name, says string }{
		{"apis=orders", "query.unknown", "apis", `nearest is "api"`},
		{"satus=404", "query.unknown", "satus", `nearest is "status"`},
		{"min_latency=1s", "query.unknown", "min_latency", `nearest is "minLatency"`},
		{"request_id=1", "query.unknown", "request_id", `nearest is "requestId"`},
		{"status=404&status=500", "query.repeated", "status", "once"},
		{"status=4x4", "query.invalid", "status", "5xx"},
		{"from=today", "query.invalid", "from", "RFC 3339"},
		{"minLatency=500", "query.invalid", "minLatency", "500ms"},
		{"method=get", "query.invalid", "method", "GET"},
		{"path=orders", "query.invalid", "path", "/orders/*"},
		{"noApi=1&api=orders", "query.invalid", "noApi", "leave one"},
		{"limit=201", "query.invalid", "limit", "200"},
		{"key=%FF", "query.invalid", "key", "UTF-8"},
		{"host=a%00b", "query.invalid", "host", "control"},
		{"cursor=x", "list.cursor_invalid", "", "first page"},
		{"q=" + strings.Repeat("x", 1025), "list.query_too_long", "", "shorter"},
	} {
		p := c.do("GET", "/requests?"+v.query, "").want(t, 400, v.code).problem(t)
		if name, _ := p.Params["name"].(string); name != v.name || !strings.Contains(p.Title, v.says) {
			t.Errorf("%.40s: got %+v", v.query, p)
		}
	}
}

func TestAnInstallationWithoutRecordsSaysSo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "records")
	d, _ := start(t, adminPassword, inSQLite(t, dir, true))
	c := d.as(people.Viewer)
	var p callsPage
	c.do("GET", "/requests", "").want(t, 200, "").into(t, &p)
	if len(p.Items) != 0 || p.Total != 0 || len(p.Problems) != 1 || p.Problems[0].Code != "requests.nothing_kept" || p.Problems[0].Severity != fault.Warning || p.Problems[0].Params["place"] != "the archive of the test" {
		t.Errorf("got %+v", p)
	}
	c.do("GET", "/requests/1", "").want(t, 404, "requests.not_found")

	writer := inSQLite(t, dir, false) // a pump starts
	recorded(t, writer, newest(), full())
	c.do("GET", "/requests", "").want(t, 200, "").into(t, &p)
	if p.ids() != "0" || len(p.Problems) != 0 {
		t.Errorf("got %+v", p)
	}
	c.do("GET", "/requests?api=none", "").want(t, 200, "").into(t, &p)
	if len(p.Items) != 0 || len(p.Problems) != 0 {
		t.Errorf("got %+v", p)
	}

	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	d, _ = start(t, adminPassword, inSQLite(t, file, true))
	for _, path := range []string{"/requests", "/requests/1"} {
		if p := d.as(people.Viewer).do("GET", path, "").want(t, 503, "requests.unavailable").problem(t); !strings.Contains(p.Title, "the archive of the test") {
			t.Errorf("%s: got %+v", path, p)
		}
	}
	d, _ = start(t, adminPassword, nil)
	for _, path := range []string{"/requests", "/requests/1"} {
		if p := d.as(people.Viewer).do("GET", path, "").want(t, 409, "requests.no_archive").problem(t); !strings.Contains(p.Title, "records.driver") {
			t.Errorf("%s: got %+v", path, p)
		}
	}
}

func TestABrokenDayIsTold(t *testing.T) {
	dir := t.TempDir()
	k := inSQLite(t, dir, false)
	recorded(t, k, newest(), full())
	days, err := k.Days(t.Context())
	must(t, err)
	if len(days) != 1 {
		t.Fatalf("got %v", days)
	}
	before := days[0].Start().Add(-time.Hour)
	must(t, os.WriteFile(filepath.Join(dir, "records-"+archive.DayOf(before).String()+".db"), slices.Repeat([]byte("no database "), 1000), 0o600))
	d, _ := start(t, adminPassword, inSQLite(t, dir, true))
	var p callsPage
	d.as(people.Viewer).do("GET", "/requests?from="+before.Format(time.RFC3339), "").want(t, 200, "").into(t, &p)
	if p.ids() != "0" || p.TotalExact || len(p.Problems) != 1 || p.Problems[0].Code != "requests.day_skipped" || !strings.Contains(p.Problems[0].Message, before.Format(time.DateOnly)) {
		t.Errorf("got %+v", p)
	}
}

// TestTheContractTellsRequestsAsTheyAre holds what is sent and what is read against
// openapi.yaml.
func TestTheContractTellsRequestsAsTheyAre(t *testing.T) {
	doc, _ := readContract(t)
	var list struct {
		Parameters []struct{ Ref, Name string }
	}
	node := doc.Paths["/requests"]["get"]
	must(t, node.Decode(&list))
	var told []string
	for _, p := range list.Parameters {
		if p.Name != "" {
			told = append(told, p.Name)
		}
	}
	if read := slices.DeleteFunc(calls.Parameters(), func(n string) bool { return n == "cursor" }); !reflect.DeepEqual(slices.Sorted(slices.Values(told)), slices.Sorted(slices.Values(read))) {
		t.Errorf("told %v, read %v", told, read)
	}

	k := inSQLite(t, t.TempDir(), false)
	recorded(t, k, newest(), full(), record.Record{Org: "default"})
	d, _ := start(t, adminPassword, k)
	c := d.as(people.Viewer)
	schema := func(name string) (s struct {
		Required   []string
		Properties map[string]yaml.Node
	},
	) {
		node := doc.Components["schemas"][name]
		must(t, node.Decode(&s))
		return s
	}
	compare := func(name, what string, sent map[string]any, whole bool) {
		t.Helper()
		s := schema(name)
		for member := range sent {
			if _, ok := s.Properties[member]; !ok {
				t.Errorf("%s: %s has the member %s, which the contract does not know", what, name, member)
			}
		}
		for member := range s.Properties {
			if _, ok := sent[member]; !ok && (whole || slices.Contains(s.Required, member)) {
				t.Errorf("%s: %s lacks %s", what, name, member)
			}
		}
	}
	var page map[string]any
	c.do("GET", "/requests", "").want(t, 200, "").into(t, &page)
	compare("RequestList", "list", page, true)
	for i, what := range []string{"a full record", "an empty one"} {
		whole := i == 0
		compare("RequestSummary", what, page["items"].([]any)[i].(map[string]any), whole)
		var one map[string]any
		c.do("GET", fmt.Sprintf("/requests/%d", i), "").want(t, 200, "").into(t, &one)
		compare("RequestRecord", what, one, whole)
		if whole {
			compare("RequestCapture", what, one["response"].(map[string]any), true)
		}
	}
}
