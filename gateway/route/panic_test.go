package route

import (
	"testing"

	"github.com/sluice-gateway/sluice/gateway/filter"
)

// TestAnObjectThatMakesAFilterPanicIsRejected: one definition must not end every
// gateway of the fleet, again at each start.
func TestAnObjectThatMakesAFilterPanicIsRejected(t *testing.T) {
	l := &lender{out: map[*lent]bool{}}
	bad := filter.Define("auth", func(c struct {
		Open bool `json:"open"`
	},
	) (any, error) {
		if !c.Open {
			panic("a mistake in a filter")
		}
		return nil, nil
	}).In(filter.Identify).ForAPI()
	c := NewCompiler([]filter.Spec{bad}, l)
	it := api("b", path("/b"), "")
	it.Text = []byte(`{"id":"b","name":"b","listen":{"path":"/b"},"upstream":{"targets":[{"url":"http://127.0.0.1:1"}]},"filters":{"auth":{"open":false}}}`)
	tab, _ := c.apply(&Table{}, &Update{Full: true, Set: []Item{api("a", path("/a"), ""), it}})
	if rej := tab.rejections(); len(rej) != 1 || rej[0].ID != "b" || rej[0].Code != "compile.failed" {
		t.Errorf("rejected: %+v", rej)
	}
	if x, _, err := match(tab, "GET", "h", "/a"); err != nil || x.API.ID != "a" {
		t.Errorf("the sound one: %v", err)
	}
	if rej := c.Check("default", kindAPI, "b", it.Text); len(rej) != 1 || rej[0].Code != "compile.failed" {
		t.Errorf("checked: %+v", rej)
	}
}
