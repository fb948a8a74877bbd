package objects

import (
	"testing"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

func TestAtFollowsPointers(t *testing.T) {
	text := []byte(`{"a":{"b/c":[1, {"~x": "y"}]},"":2}`)
	for _, c := range []struct {
		pointer, want string
		ok            bool
	}{
		{"", string(text), true},
		{"/", "2", true},
		{"/a/b~1c/0", "1", true},
		{"/a/b~1c/1/~0x", `"y"`, true},
		{"/a/b~1c/2", "", false},
		{"/a/b~1c/-1", "", false},
		{"/a/b~1c/x", "", false},
		{"/a/none", "", false},
		{"/a/b~1c/0/deeper", "", false},
	} {
		got, ok := at(text, c.pointer)
		if ok != c.ok || ok && string(got) != c.want {
			t.Errorf("%s: got %s, %v", c.pointer, got, ok)
		}
	}
}

func TestKeepLooksAtTheVeryBytes(t *testing.T) {
	for _, c := range []struct {
		name, stored, text string
		kept               bool
	}{
		{"the same bytes", `{"a":{"n": 1}}`, `{"x":0,"a":{"n": 1}}`, true},
		{"another spelling", `{"a":{"n": 1}}`, `{"a":{"n":1}}`, false},
		{"new", `{}`, `{"a":{"n":1}}`, false},
		{"a creation", "", `{"a":{"n":1}}`, false},
	} {
		problems := []fault.Problem{{Code: "unknown_field", Path: "/a", Severity: fault.Error}, {Code: "wrong_type", Path: "/a", Severity: fault.Error}}
		var stored []byte
		if c.stored != "" {
			stored = []byte(c.stored)
		}
		kept := keep(problems, stored, []byte(c.text))
		if (len(kept) == 1) != c.kept || (problems[0].Severity == fault.Warning) != c.kept || problems[1].Severity != fault.Error {
			t.Errorf("%s: kept %v, %v", c.name, kept, problems)
		}
	}
}

func TestPrecondition(t *testing.T) {
	for _, c := range []struct {
		header string
		code   fault.Code
	}{
		{`"7"`, ""},
		{`*`, ""},
		{`"6", "7"`, ""},
		{` "7" `, ""},
		{``, "precondition.required"},
		{` `, "precondition.required"},
		{`"6"`, "precondition.stale"},
		{`7`, "precondition.invalid"},
		{`"6", 7`, "precondition.invalid"},
		{`W/"7"`, "precondition.stale"},
	} {
		err := Precondition(c.header, 7)
		if (err == nil) != (c.code == "") || err != nil && !fault.Is(err, c.code) {
			t.Errorf("%q: got %v", c.header, err)
		}
	}
}

func TestWithoutTakesOutOnlyWhatIsNamed(t *testing.T) {
	got, err := strictjson.Without([]byte(`{"a":[{"b":1,"c":1.50}],"d":{"e":2}}`), []string{"/a/0/b", "/d/e", "/none/x", "/a/9/b", "/d/e/f"})
	if err != nil || string(got) != `{"a":[{"c":1.50}],"d":{}}` {
		t.Errorf("got %s, %v", got, err)
	}
}
