package httpapi

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/live"
	"github.com/sluice-gateway/sluice/dashboard/people"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/fleet"
	"github.com/sluice-gateway/sluice/pkg/notice"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// event is one server-sent event as a browser sees it.
type event struct{ id, name, data string }

// listen opens a stream; events come until the test ends.
func (d *dashboard) listen(topics, lastID string) <-chan event {
	d.t.Helper()
	r, err := http.NewRequestWithContext(testenv.Context(d.t, 20*time.Second), http.MethodGet, d.url+Base+"/events?topics="+topics, nil)
	must(d.t, err)
	r.Header.Set("Authorization", "Bearer "+d.tokens[people.Viewer])
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := http.DefaultClient.Do(r)
	must(d.t, err)
	d.t.Cleanup(func() { _ = resp.Body.Close() })
	if got := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || got != "text/event-stream" {
		d.t.Fatalf("got %d %s", resp.StatusCode, got)
	}
	out := make(chan event, 1000)
	go func() {
		defer close(out)
		var e event
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				e.id = value
			case "event":
				e.name = value
			case "data":
				e.data = value
			case "":
				if e.name != "" {
					out <- e
				}
				e = event{}
			}
		}
	}()
	return out
}

// next waits for an event.
func (d *dashboard) next(from <-chan event) event {
	d.t.Helper()
	select {
	case e, ok := <-from:
		if !ok {
			d.t.Fatal("the stream ended")
		}
		return e
	case <-time.After(10 * time.Second):
		d.t.Fatal("no event within 10 s")
	}
	return event{}
}

func TestThePublishingOfAChangeIsToldWhileItHappens(t *testing.T) {
	d, _ := start(t, adminPassword)
	for _, node := range []string{"gw-1", "gw-2"} {
		must(t, d.beats.Beat(t.Context(), fleet.Beat{Node: node, Name: node, Service: "gateway", Group: "default", State: fleet.Current, Start: "s", Source: "live"}))
	}
	stream := d.listen("publish", "")
	d.as(people.Operator).do("POST", "/apis", definition("Orders", "/orders/")).want(t, 201, "")
	status := func(e event) (s publish.Status) {
		t.Helper()
		if e.name != live.Publish || e.id == "" {
			t.Fatalf("got %+v", e)
		}
		must(t, json.Unmarshal([]byte(e.data), &s))
		return s
	}
	applied := func(s publish.Status) (n int) {
		for _, node := range s.Nodes {
			if node.State == publish.Applied {
				n++
			}
		}
		return n
	}
	first := d.next(stream)
	for s := status(first); len(s.Nodes) != 2; s = status(d.next(stream)) {
		t.Logf("before both nodes are seen: %+v", s)
	}
	ids := []string{first.id}
	for i, node := range []string{"gw-1", "gw-2"} {
		d.engine.Acknowledge(notice.Applied{Node: node, Name: node, Group: "default", Epoch: 1, Generation: 1, Millis: 5})
		for {
			e := d.next(stream)
			ids = append(ids, e.id)
			s := status(e)
			if s.Revision != 1 || applied(s) > i+1 {
				t.Fatalf("got %+v", s)
			}
			if applied(s) == i+1 {
				break
			}
		}
	}
	again := d.listen("publish", ids[0])
	for _, want := range ids[1:] {
		if e := d.next(again); e.id != want {
			t.Fatalf("missed events come as %s, want %s", e.id, want)
		}
	}
	for name, id := range map[string]string{"another dashboard's": "other-1", "the future's": "test-99999", "nonsense": "x"} {
		if e := d.next(d.listen("publish", id)); e.name != live.Reset {
			t.Errorf("%s id: got %+v, want a reset", name, e)
		}
	}
}

func TestTheFleetsChangesAreTold(t *testing.T) {
	d, _ := start(t, adminPassword)
	stream := d.listen("fleet,notice", "")
	must(t, d.beats.Beat(t.Context(), fleet.Beat{Node: "gw-1", Name: "gw-1", Service: "gateway", Group: "default", State: fleet.Current, Start: "s", Source: "live"}))
	e := d.next(stream)
	if e.name != live.Fleet || !strings.Contains(e.data, `"id":"gw-1"`) || !strings.HasSuffix(e.data, `"gone":[]}`) {
		t.Errorf("got %+v", e)
	}
	c := d.as(people.Viewer)
	if a := c.do("GET", "/gateways", "").want(t, 200, ""); !strings.Contains(a.body, `"id":"gw-1"`) || !strings.Contains(a.body, `"total":1`) {
		t.Errorf("got %s", a.body)
	}
	c.do("GET", "/gateways/gw-1", "").want(t, 200, "")
}

func TestStreamsEndWithTheHub(t *testing.T) {
	d, _ := start(t, adminPassword)
	stream := d.listen("publish", "")
	d.hub.Close()
	select {
	case e, ok := <-stream:
		if ok {
			t.Errorf("got %+v", e)
		}
	case <-time.After(5 * time.Second):
		t.Error("the stream goes on")
	}
}
