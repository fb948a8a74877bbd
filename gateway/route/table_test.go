package route

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/message"
	"github.com/sluice-gateway/sluice/pkg/apidef"
	"github.com/sluice-gateway/sluice/pkg/notice"
)

// lender is an Upstreams that counts what is out.
type lender struct {
	out     map[*lent]bool
	missing error // why nothing is lent
}

type lent struct{ api string }

func (*lent) Forward(*filter.Exchange) error { return nil }

func (l *lender) Acquire(_, api string, _ apidef.Upstream) (filter.Forwarder, error) {
	if l.missing != nil {
		return nil, l.missing
	}
	f := &lent{api}
	l.out[f] = true
	return f, nil
}

func (l *lender) Release(f filter.Forwarder) {
	if !l.out[f.(*lent)] {
		panic("released twice: " + f.(*lent).api)
	}
	delete(l.out, f.(*lent))
}

func compiler() (*Compiler, *lender) {
	l := &lender{out: map[*lent]bool{}}
	auth := filter.Define("auth", func(struct {
		Open bool `json:"open"`
	},
	) (any, error) {
		return nil, nil
	}).In(filter.Identify).ForAPI()
	return NewCompiler([]filter.Spec{auth}, l), l
}

// api makes an item; listen is the JSON of listen, more is further members.
func api(id, listen, more string) Item {
	text := fmt.Sprintf(`{"id":%q,"name":"API %s","listen":%s,"upstream":{"targets":[{"url":"http://127.0.0.1:1"}]},"filters":{"auth":{"open":true}}%s}`, id, id, listen, more)
	return Item{Org: "default", Kind: kindAPI, ID: id, SHA: text, Text: []byte(text)}
}

func path(p string) string { return fmt.Sprintf(`{"path":%q}`, p) }

func table(t *testing.T, items ...Item) *Table {
	t.Helper()
	c, _ := compiler()
	tab, _ := c.apply(&Table{}, &Update{Full: true, Set: items})
	if rej := tab.rejections(); len(rej) > 0 {
		t.Fatalf("rejected: %+v", rej)
	}
	return tab
}

func match(tab *Table, method, host, target string) (*filter.Exchange, *message.Request, error) {
	x := &filter.Exchange{}
	r := &message.Request{Method: method, Host: host, Target: target}
	_, _, err := tab.Match(r, x)
	return x, r, err
}

func TestMatchHosts(t *testing.T) {
	tab := table(t,
		api("any", path("/"), ""),
		api("exact", `{"path":"/","domains":["API.example.com"]}`, ""),
		api("wild", `{"path":"/","domains":["*.example.com"]}`, ""),
		api("deep", `{"path":"/","domains":["*.eu.example.com"]}`, ""),
		api("only-orders", `{"path":"/orders","domains":["shop.test"]}`, ""),
		api("address", `{"path":"/","domains":["127.0.0.1","::1"]}`, ""),
	)
	for host, want := range map[string]string{
		"api.example.com": "exact", "api.example.com:8080": "exact", "API.EXAMPLE.COM.": "exact", "api.example.com.:443": "exact",
		"x.example.com": "wild", "a.b.example.com": "wild", "x.eu.example.com": "deep", "example.com": "any", "notexample.com": "any",
		"shop.test": "any", "127.0.0.1:8080": "address", "[::1]:8080": "address", "other": "any",
	} {
		x, _, err := match(tab, "GET", host, "/x")
		if err != nil || x.API.ID != want {
			t.Errorf("%s: %+v, %v; want %s", host, x.API, err, want)
		}
	}
	if x, _, err := match(tab, "GET", "shop.test", "/orders/1"); err != nil || x.API.ID != "only-orders" {
		t.Errorf("shop.test/orders: %+v, %v", x.API, err)
	}
}

func TestMatchListenPaths(t *testing.T) {
	tab := table(t,
		api("app", path("/app"), ""), api("orders", path("/orders/"), ""), api("lines", path("/orders/{id}/lines"), ""),
		api("new", path("/orders/new"), ""), api("exact", `{"path":"/exact","match":"exact"}`, ""), api("korean", path("/주문"), ""),
		api("keep", `{"path":"/keep","encodedSlash":"keep"}`, ""),
	)
	for _, tc := range []struct{ target, want, rest string }{
		{"/app", "app", "/"},
		{"/app/", "app", "/"},
		{"/app/x", "app", "/x"},
		{"/app;v=1/x", "app", "/x"},
		{"/%61pp/x", "app", "/x"},
		{"/orders", "orders", "/"},
		{"/orders/", "orders", "/"},
		{"/orders/7", "orders", "/7"},
		{"/orders/7/lines", "lines", "/"},
		{"/orders/7/lines/3", "lines", "/3"},
		{"/orders/new", "new", "/"},
		{"/orders/new/lines", "lines", "/"},
		{"/orders/new/x", "new", "/x"},
		{"/exact", "exact", "/"},
		{"/exact/", "exact", "/"},
		{"/%EC%A3%BC%EB%AC%B8/1", "korean", "/1"},
		{"/keep/a%2fb", "keep", "/a%2Fb"},
		{"//app//x", "app", "/x"},
		{"/x/../app", "app", "/"},
	} {
		x, _, err := match(tab, "GET", "h", tc.target)
		if err != nil || x.API.ID != tc.want || x.Rest != tc.rest {
			t.Errorf("%s: %+v rest %q, %v; want %s %q", tc.target, x.API, x.Rest, err, tc.want, tc.rest)
		}
	}
	for target, code := range map[string]string{
		"/apple": "route.no_api", "/": "route.no_api", "/exact/x": "route.no_api", "/Orders": "route.no_api",
		"/app/a%2fb": "path.encoded_slash", "/app/%2e%2e%2fx": "path.encoded_slash", "*": "path.form",
	} {
		if _, _, err := match(tab, "GET", "h", target); err == nil || !strings.Contains(err.Error(), code) {
			t.Errorf("%s: %v; want %s", target, err, code)
		}
	}
	if x, _, _ := match(tab, "GET", "h", "/orders/7/lines"); x.Param("id") != "7" {
		t.Errorf("params %v", x.Params)
	}
}

func TestMatchEndpoints(t *testing.T) {
	eps := `,"endpoints":[{"id":"list","methods":["GET"],"path":"/"},{"id":"one","methods":["GET","HEAD"],"path":"/{id}"},{"id":"num","methods":["GET"],"path":"/n/{id:[0-9]+}"},
		{"id":"del","methods":["DELETE"],"path":"/{id}"},{"id":"new","path":"/new"},{"id":"admin","methods":["*"],"path":"/admin/**"},{"id":"slash","path":"/s/"}]`
	tab := table(t, api("a", path("/a"), eps), api("list", path("/l"), eps+`,"allowList":true`),
		api("ig", `{"path":"/ig","trailingSlash":"ignore"}`, eps), api("re", `{"path":"/re","trailingSlash":"redirect"}`, eps))
	for _, tc := range []struct{ method, target, want string }{
		{"GET", "/a", "list"},
		{"GET", "/a/", "list"},
		{"POST", "/a", ""},
		{"GET", "/a/7", "one"},
		{"DELETE", "/a/7", "del"},
		{"PUT", "/a/7", ""},
		{"PUT", "/a/new", "new"},
		{"GET", "/a/n/12", "num"},
		{"GET", "/a/n/x", ""},
		{"GET", "/a/admin", "admin"},
		{"GET", "/a/admin/", "admin"},
		{"TRACE", "/a/admin/x/y", "admin"},
		{"GET", "/a/admin;x/y", "admin"},
		{"get", "/a/7", ""},
		{"GET", "/a/7/", ""},
		{"GET", "/a/s/", "slash"},
		{"GET", "/a/s", "one"},
		{"GET", "/ig/7/", "one"},
		{"GET", "/ig/s/", "slash"},
		{"GET", "/a/postx", "one"},
	} {
		x, _, err := match(tab, tc.method, "h", tc.target)
		got := ""
		if x.Endpoint != nil {
			got = x.Endpoint.ID
		}
		if err != nil || got != tc.want {
			t.Errorf("%s %s: %q, %v; want %q", tc.method, tc.target, got, err, tc.want)
		}
	}
	if x, _, _ := match(tab, "GET", "h", "/a/n/12"); !reflect.DeepEqual(x.Params, []filter.Param{{Name: "id", Value: "12"}}) {
		t.Errorf("params %v", x.Params)
	}
	if _, _, err := match(tab, "POST", "h", "/l"); err == nil || !strings.Contains(err.Error(), "route.no_endpoint") {
		t.Errorf("allow list: %v", err)
	}
	_, _, err := match(tab, "GET", "h", "/re/7/?q=1")
	r, ok := err.(*filter.Reject)
	if !ok || r.Status != 308 || r.Header[0] != [2]string{"Location", "/re/7?q=1"} {
		t.Errorf("redirect: %v", err)
	}
}

func TestApplyKeepsWhatIsGood(t *testing.T) {
	c, l := compiler()
	world := &Table{}
	step := func(u Update) *Table {
		next, retired := c.apply(world, &u)
		for _, f := range retired {
			l.Release(f)
		}
		world = next
		return next
	}
	reach := func(target string) string {
		x, _, err := match(world, "GET", "h", target)
		if err != nil {
			return ""
		}
		return x.API.ID
	}
	step(Update{Full: true, Set: []Item{api("a", path("/a"), ""), api("b", path("/b"), "")}})
	was, _ := world.apis.get(key("default", kindAPI, "b"))

	bad := api("a", `{"path":"nope"}`, "")
	step(Update{Set: []Item{bad}})
	if rej := world.rejections(); len(rej) != 1 || rej[0].ID != "a" || !rej[0].Kept || reach("/a") != "a" {
		t.Fatalf("a bad definition must keep the version before: %+v, /a is %q", rej, reach("/a"))
	}
	if is, _ := world.apis.get(key("default", kindAPI, "b")); is != was {
		t.Error("an unchanged API was compiled again")
	}
	step(Update{Set: []Item{api("a", path("/b"), ""), api("b", path("/a"), "")}})
	if reach("/a") != "b" || reach("/b") != "a" || len(world.rejections()) != 0 {
		t.Errorf("APIs that swap paths: /a %q /b %q %+v", reach("/a"), reach("/b"), world.rejections())
	}
	step(Update{Set: []Item{api("c", path("/a"), "")}})
	if rej := world.rejections(); len(rej) != 1 || rej[0].Code != "api.path_taken" || rej[0].Kept || reach("/a") != "b" {
		t.Errorf("a taken path: %+v", rej)
	}
	step(Update{Gone: []Key{{"default", kindAPI, "b"}}})
	if reach("/a") != "c" || len(world.rejections()) != 0 {
		t.Errorf("a path that becomes free goes to who waits for it: /a %q %+v", reach("/a"), world.rejections())
	}
	step(Update{Set: []Item{api("c", path("/a"), `,"state":"disabled"`)}})
	if reach("/a") != "" {
		t.Error("a disabled API is routed")
	}
	step(Update{Full: true, Set: []Item{api("z", path("/z"), "")}, Incomplete: []Key{{"default", kindAPI, "a"}}})
	if reach("/b") != "a" || reach("/z") != "z" {
		t.Errorf("a full update keeps what could not be fetched: /b %q", reach("/b"))
	}
	step(Update{Full: true})
	if world.APIs() != 0 || world.any != nil || world.shas.len() != 0 || len(l.out) != 0 {
		t.Errorf("an emptied world holds %d APIs, %d sums, %d forwarders", world.APIs(), world.shas.len(), len(l.out))
	}
}

func TestPoliciesRideAlong(t *testing.T) {
	c, _ := compiler()
	gold := Item{Org: "default", Kind: kindPolicy, ID: "gold", SHA: "1", Text: []byte(`{"id":"gold","name":"Gold","rights":[{"api":"*"}]}`)}
	one, _ := c.apply(&Table{}, &Update{Full: true, Set: []Item{gold}})
	two, _ := c.apply(one, &Update{Gone: []Key{{"default", kindPolicy, "gold"}}})
	if one.Policies("default")["gold"].Name != "Gold" || len(two.Policies("default")) != 0 || two.PolicyGeneration() == one.PolicyGeneration() {
		t.Errorf("%v %v", one.Policies("default"), two.Policies("default"))
	}
	bad := gold
	bad.SHA, bad.Text = "2", []byte(`{"name":""}`)
	three, _ := c.apply(one, &Update{Set: []Item{bad}})
	if rej := three.rejections(); len(rej) != 1 || !rej[0].Kept || three.Policies("default")["gold"].Name != "Gold" {
		t.Errorf("%+v", rej)
	}
}

func TestCheckSaysWhatAGatewayWouldReject(t *testing.T) {
	c, l := compiler()
	if rej := c.Check("default", kindAPI, "a", api("a", path("/a"), "").Text); len(rej) != 0 {
		t.Errorf("good definition: %+v", rej)
	}
	if rej := c.Check("default", kindAPI, "a", api("a", path("/a"), `,"endpoints":[{"path":"/{x:(}"}]`).Text); len(rej) == 0 || rej[0].Path != "/endpoints/0/path" {
		t.Error("a bad regular expression passes")
	}
	if len(l.out) != 0 {
		t.Error("Check keeps a forwarder")
	}
}

// script is a Source that hands out updates when told to.
type script struct {
	updates chan *Update
	errs    chan error
	hints   chan struct{}
}

func (s *script) Fetch(context.Context, State) (*Update, error) {
	select {
	case u := <-s.updates:
		return u, nil
	case err := <-s.errs:
		return nil, err
	default:
		return nil, nil
	}
}
func (s *script) Hints() <-chan struct{} { return s.hints }

func TestReloaderCoalescesAndReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := compiler()
		w := NewWorld()
		s := &script{make(chan *Update, 9), make(chan error, 9), make(chan struct{}, 9)}
		var reports []Report
		r := NewReloader(w, c, s, Options{Applied: func(r Report) { reports = append(reports, r) }})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		synctest.Wait()

		s.updates <- &Update{State: State{Epoch: 1, Generation: 7}, Full: true, Set: []Item{api("a", path("/a"), "")}, Incomplete: []Key{{"default", kindAPI, "m"}}}
		for range 5 {
			s.hints <- struct{}{}
		}
		<-time.After(60 * time.Millisecond)
		synctest.Wait()
		if len(reports) != 1 || reports[0].Generation != 7 || reports[0].APIs != 1 || reports[0].Took != 50*time.Millisecond {
			t.Fatalf("%+v", reports)
		}
		if want := []notice.Rejected{{Org: "default", Kind: kindAPI, ID: "m", Code: "item.missing", Message: "its text could not be fetched"}}; !reflect.DeepEqual(reports[0].Rejected, want) {
			t.Errorf("%+v", reports[0].Rejected)
		}
		s.errs <- context.DeadlineExceeded
		<-time.After(5 * time.Second)
		synctest.Wait()
		if rep := w.Report(); rep.Err == nil || rep.Generation != 7 || w.Load().State().Generation != 7 {
			t.Errorf("a failed fetch: %+v", rep)
		}
		<-time.After(5 * time.Second)
		synctest.Wait()
		if w.Report().Err != nil {
			t.Error("the error outlives a good fetch")
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{1, 10, 10_000} {
		c, _ := compiler()
		var items []Item
		for i := range n {
			items = append(items, api(fmt.Sprintf("api-%d", i), path(fmt.Sprintf("/svc%d/v1", i)), ""))
		}
		tab, _ := c.apply(&Table{}, &Update{Full: true, Set: items})
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			x := &filter.Exchange{}
			r := &message.Request{Method: "GET", Host: "api.example.com:8080", Target: fmt.Sprintf("/svc%d/v1/orders/12345?page=2", min(7, n-1))}
			for b.Loop() {
				x.Params = x.Params[:0]
				if _, _, err := tab.Match(r, x); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprint("reload-one-of-", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				it := api("api-0", path("/svc0/v1"), fmt.Sprintf(`,"description":"%d"`, i))
				tab, _ = c.apply(tab, &Update{Set: []Item{it}})
			}
		})
	}
}

func TestMembersThatNothingReadsDoNotStopAnAPI(t *testing.T) {
	tab := table(t, api("a", path("/a"), `,"hedge":{"max":1},"somethingElse":true`))
	if x, _, err := match(tab, "GET", "h", "/a"); err != nil || x.API.ID != "a" {
		t.Errorf("%v", err)
	}
	c, _ := compiler()
	it := api("b", path("/b"), "")
	it.Text = []byte(strings.Replace(string(it.Text), `"filters":{`, `"filters":{"waf2":{},`, 1))
	next, _ := c.apply(&Table{}, &Update{Set: []Item{it}})
	if rej := next.rejections(); len(rej) != 1 || rej[0].Code != "filter.unknown" {
		t.Errorf("an unknown filter may be a protection and must not be passed over: %+v", rej)
	}
}
