package fault

import (
	"errors"
	"testing"
)

func TestAtMakesTheFaultItsOwnProblem(t *testing.T) {
	f := Wrap(errors.New("cause"), Unprocessable, "people.role_too_high", "at most %s", "viewer").With("maximum", "viewer").At("/role")
	if len(f.Problems) != 1 {
		t.Fatalf("got %+v", f.Problems)
	}
	p := f.Problems[0]
	if p.Path != "/role" || p.Code != f.Code || p.Message != f.Message || p.Params["maximum"] != "viewer" || p.Severity != Error {
		t.Errorf("got %+v", p)
	}
	if got := f.Error(); got != "at most viewer (people.role_too_high); /role: cause" {
		t.Errorf("got %q", got)
	}
}

func TestErrorTellsEveryProblem(t *testing.T) {
	f := &Fault{Code: "body.invalid", Message: "see problems", Problems: []Problem{{Path: "/a", Message: "no a"}, {Path: "/b", Message: "no b"}}}
	if got := f.Error(); got != "see problems (body.invalid); /a: no a; /b: no b" {
		t.Errorf("got %q", got)
	}
}
