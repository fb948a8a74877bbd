package route

import "testing"

// TestAnAPIThatMustStayTakesItsPlaceBackFromNobody: b cannot move to /x, which c
// has, and a has moved to where b was. One of them serves there, and only one.
func TestAnAPIThatMustStayTakesItsPlaceBackFromNobody(t *testing.T) {
	c, _ := compiler()
	moved := func(id, p string) Item { it := api(id, path(p), ""); return it }
	one, _ := c.apply(&Table{}, &Update{Full: true, Set: []Item{moved("a", "/a"), moved("b", "/b"), moved("c", "/x")}})
	two, _ := c.apply(one, &Update{Set: []Item{moved("a", "/b"), moved("b", "/x")}})
	if x, _, err := match(two, "GET", "h", "/b"); err != nil || x.API.ID != "b" {
		t.Errorf("/b: %+v, %v", x.API, err)
	}
	if x, _, err := match(two, "GET", "h", "/a"); err != nil || x.API.ID != "a" {
		t.Errorf("/a: %+v, %v", x.API, err)
	}
	if n := len(two.rejections()); n != 2 {
		t.Errorf("%d rejected: %+v", n, two.rejections())
	}
	// When c leaves, both get what they want.
	three, _ := c.apply(two, &Update{Gone: []Key{{"default", kindAPI, "c"}}})
	for p, id := range map[string]string{"/x": "b", "/b": "a"} {
		if x, _, err := match(three, "GET", "h", p); err != nil || x.API.ID != id {
			t.Errorf("%s: %+v, %v", p, x.API, err)
		}
	}
	if _, _, err := match(three, "GET", "h", "/a"); err == nil {
		t.Error("/a is still served")
	}
	if n := len(three.rejections()); n != 0 {
		t.Errorf("%d rejected: %+v", n, three.rejections())
	}
}
