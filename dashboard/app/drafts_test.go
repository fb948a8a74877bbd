package app

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/people"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// TestADraftIsPublishedAtItsTimeByWhicheverDashboardRuns plans two drafts: one is
// published by a dashboard that runs, the other by the one that starts after its time.
func TestADraftIsPublishedAtItsTimeByWhicheverDashboardRuns(t *testing.T) {
	c := settings(t, testenv.RedisServer(t).Addr())
	_, err := Init(t.Context(), c, Admin{Login: "admin", Password: "a password for tests"})
	must(t, err)
	token, err := Token(t.Context(), c, NewToken{Name: "x", Role: people.Operator})
	must(t, err)
	url, stop := running(t, c)
	at := time.Now().Add(1500 * time.Millisecond)
	plan := func(name string, at time.Time) string {
		var made struct{ Draft struct{ ID string } }
		a := call(t, "POST", url+"/api/v1/drafts", token, fmt.Sprintf(
			`{"kind":"api","object":{"name":%q,"listen":{"path":"/%s/"},"upstream":{"targets":[{"url":"http://127.0.0.1:1"}]},"filters":{"auth":{"open":true}}}}`, name, name))
		must(t, json.Unmarshal([]byte(a.body), &made))
		path := "/api/v1/drafts/" + made.Draft.ID
		if a := call(t, "POST", url+path+"/schedule", token, fmt.Sprintf(`{"at":%q}`, at.UTC().Format(time.RFC3339Nano)), "If-Match", "*"); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		return path
	}
	published := func(path string) func() bool {
		return func() bool { return strings.Contains(get(t, url+path, token).body, `"state":"published"`) }
	}
	first, second := plan("first", at), plan("second", at.Add(4*time.Second))
	testenv.Eventually(t, 20*time.Second, published(first))
	t.Logf("published %s after its time", time.Since(at))
	if published(second)() && time.Now().Before(at.Add(4*time.Second)) {
		t.Error("the second one was published before its time")
	}
	must(t, stop())
	testenv.Eventually(t, 20*time.Second, func() bool { return time.Now().After(at.Add(4 * time.Second)) })
	url, _ = running(t, c)
	testenv.Eventually(t, 20*time.Second, published(second))
	if a := get(t, url+"/api/v1/apis", token); !strings.Contains(a.body, `"total":2`) {
		t.Error(a.body)
	}
}
