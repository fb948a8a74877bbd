package drafts

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

func TestThreeWayMerge(t *testing.T) {
	for name, c := range map[string]struct {
		base, mine, theirs string
		text               string // of the outcome, byte for byte; "" where conflicts are
		changed            []string
		conflicts          []string
	}{
		"members apart": {
			`{"a":1,"b":1}`, `{"a":2,"b":1}`, "{ \"a\" : 1,\n  \"b\":3 }", "{ \"a\" : 2,\n  \"b\":3 }", []string{"/a"}, nil,
		},
		"deep members apart": {
			`{"f":{"a":{"x":1,"y":1}}}`, `{"f":{"a":{"x":2,"y":1}}}`, `{"f": {"a":{"x":1, "y":2}}}`, `{"f": {"a":{"x":2, "y":2}}}`, []string{"/f/a/x"}, nil,
		},
		"mine adds, theirs removes":      {`{"a":1}`, `{"a":1,"b":{"c":1}}`, `{}`, `{"b":{"c":1}}`, []string{"/b"}, nil},
		"mine removes, theirs adds":      {`{"a":1,"c":3}`, `{"c":3}`, `{"a":1,"c":3,"b":2}`, `{"c":3,"b":2}`, []string{"/a"}, nil},
		"both do the same":               {`{"a":1,"b":1}`, `{"a":2,"b":1}`, `{"a":2,"b":2}`, `{"a":2,"b":2}`, []string{"/a"}, nil},
		"both remove the same":           {`{"a":1,"b":1}`, `{"b":1}`, `{"b":2}`, `{"b":2}`, []string{"/a"}, nil},
		"both change one member":         {`{"a":1}`, `{"a":2}`, `{"a":3}`, "", []string{"/a"}, []string{"/a"}},
		"both add one member":            {`{}`, `{"a":1}`, `{"a":2}`, "", []string{"/a"}, []string{"/a"}},
		"one removes what one changes":   {`{"f":{"a":1}}`, `{}`, `{"f":{"a":2}}`, "", []string{"/f"}, []string{"/f"}},
		"one changes what one removes":   {`{"f":{"a":1}}`, `{"f":{"a":2}}`, `{}`, "", []string{"/f/a"}, []string{"/f"}},
		"items of arrays of one length":  {`{"l":[1,2,3]}`, `{"l":[9,2,3]}`, `{"l":[1,2,8]}`, `{"l":[9,2,8]}`, []string{"/l/0"}, nil},
		"one item by both":               {`{"l":[{"a":1,"b":1}]}`, `{"l":[{"a":2,"b":1}]}`, `{"l":[{"a":1,"b":2}]}`, "", []string{"/l/0"}, []string{"/l/0"}},
		"an item moved under a change":   {`{"l":[{"n":1},{"n":2}]}`, `{"l":[{"n":1,"x":1},{"n":2}]}`, `{"l":[{"n":2},{"n":1}]}`, "", []string{"/l/0"}, []string{"/l/0"}},
		"arrays of other lengths":        {`{"l":[1,2]}`, `{"l":[1,2,3]}`, `{"l":[0,2]}`, "", []string{"/l"}, []string{"/l"}},
		"an array that only mine has so": {`{"l":[1,2],"a":1}`, `{"l":[1,2,3],"a":1}`, `{"l":[1,2],"a":2}`, `{"l":[1,2,3],"a":2}`, []string{"/l"}, nil},
		"another kind of value":          {`{"a":{"b":1},"c":1}`, `{"a":[1],"c":1}`, `{"a":{"b":1},"c":2}`, `{"a":[1],"c":2}`, []string{"/a"}, nil},
		"null is a value":                {`{"a":1,"c":1}`, `{"a":null,"c":1}`, `{"a":1,"c":2}`, `{"a":null,"c":2}`, []string{"/a"}, nil},
		"an object in place of another":  {`{"a":{"b":1},"c":1}`, `{"a":{"d":{"e":1}},"c":1}`, `{"a":{"b":1},"c":2}`, `{"a":{"d":{"e":1}},"c":2}`, []string{"/a/b", "/a/d"}, nil},
		"names that pointers escape":     {`{"/v1~":1,"b":1}`, `{"/v1~":2,"b":1}`, `{"/v1~":1,"b":2}`, `{"/v1~":2,"b":2}`, []string{"/~1v1~0"}, nil},
		"numbers by their spelling":      {`{"a":1.0,"b":1}`, `{"a":1,"b":1}`, `{"a":1.0,"b":2}`, `{"a":1,"b":2}`, []string{"/a"}, nil},
		"order is no change":             {`{"a":1,"b":1}`, `{"b":1,"a":2}`, `{"b":3,"a":1}`, `{"b":3,"a":2}`, []string{"/a"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			m, ok := threeWay([]byte(c.base), []byte(c.mine), []byte(c.theirs))
			if !ok || string(m.text) != c.text || !reflect.DeepEqual(m.mine, c.changed) || !reflect.DeepEqual(m.conflicts, c.conflicts) {
				t.Errorf("%t %s, changed %v, conflicts %v", ok, m.text, m.mine, m.conflicts)
			}
		})
	}
	if _, ok := threeWay([]byte(`{}`), []byte(`{`), []byte(`{}`)); ok {
		t.Error("a text that is no JSON was merged")
	}
}

func TestListsOfChangesAreBounded(t *testing.T) {
	many := func(v string) []byte { return []byte(`{"l":[` + strings.Repeat(v+",", 1000) + v + `]}`) }
	m, ok := threeWay(many("1"), many("2"), many("3"))
	if !ok || len(m.mine) != maxPaths || len(m.theirs) != maxPaths || len(m.conflicts) != maxPaths || m.text != nil {
		t.Errorf("%d %d %d", len(m.mine), len(m.theirs), len(m.conflicts))
	}
}

func TestManyMembersAndDeepOnesAreMerged(t *testing.T) {
	wide := func(v string) []byte {
		var b strings.Builder
		for i := range 20_000 {
			fmt.Fprintf(&b, `"m%d":%s,`, i, v)
		}
		return []byte(`{` + b.String() + `"z":1}`)
	}
	deep := func(v string) []byte {
		return []byte(strings.Repeat(`{"a":`, 60) + `"` + strings.Repeat("x", 1<<16) + v + `"` + strings.Repeat(`}`, 60))
	}
	for name, text := range map[string]func(string) []byte{"wide": wide, "deep": deep} {
		if m, ok := threeWay(text("1"), text("2"), text("1")); !ok || !strictjson.Equal(m.text, text("2")) {
			t.Errorf("%s: not merged", name)
		}
	}
}

// FuzzThreeWay checks the laws of a merge: who changed nothing gives way, and it
// does not matter who is first.
func FuzzThreeWay(f *testing.F) {
	f.Add(`{"a":1,"l":[1,{"x":2}]}`, `{"a":2,"l":[1,{"x":2}]}`, `{"a":1,"l":[3,{"x":2}],"n":null}`)
	f.Add(`{"a":{"b":[1,2]}}`, `{"a":{"b":[1]}}`, `{"a":{"b":[1,2],"c":{"d":null}}}`)
	f.Add(`{}`, `{"\u0061":{}}`, `{"b":{"c":null}}`)
	f.Fuzz(func(t *testing.T, base, mine, theirs string) {
		for _, text := range []string{base, mine, theirs} {
			if n, problems := strictjson.Parse([]byte(text), strictjson.Options{}); len(problems) > 0 || n.Kind != strictjson.Object {
				return
			}
		}
		merge := func(b, x, y string) merged {
			m, ok := threeWay([]byte(b), []byte(x), []byte(y))
			if !ok {
				t.Fatalf("merge(%s, %s, %s) cannot be read", b, x, y)
			}
			return m
		}
		if m := merge(base, base, theirs); string(m.text) != theirs || m.mine != nil {
			t.Errorf("mine unchanged: %s, want %s", m.text, theirs)
		}
		if m := merge(base, mine, base); !strictjson.Equal(m.text, []byte(mine)) || m.theirs != nil {
			t.Errorf("theirs unchanged: %s, want %s", m.text, mine)
		}
		if m := merge(base, mine, mine); string(m.text) != mine {
			t.Errorf("the same change: %s, want %s", m.text, mine)
		}
		one, other := merge(base, mine, theirs), merge(base, theirs, mine)
		if (one.conflicts == nil) != (other.conflicts == nil) {
			t.Fatalf("conflicts %v, the other way round %v", one.conflicts, other.conflicts)
		}
		if one.conflicts == nil && !strictjson.Equal(one.text, other.text) {
			t.Errorf("merged to %s, the other way round to %s", one.text, other.text)
		}
	})
}
