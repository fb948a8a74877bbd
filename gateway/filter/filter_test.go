package filter_test

import (
	"errors"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/filter/filtertest"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

type config struct {
	Max   int            `json:"max"`
	Names []string       `json:"names"`
	Sub   map[string]int `json:"sub"`
}

type pass struct{}

func (pass) Request(*filter.Exchange) error { return nil }

func TestOptionsAreDecodedStrictly(t *testing.T) {
	s := filter.Define("x", func(c config) (any, error) {
		if c.Max < 0 {
			return nil, filter.Problem("/max", "x.max", "The maximum must be at least 0.")
		}
		return pass{}, nil
	})
	for options, want := range map[string]string{
		``:                  "",
		`{}`:                "",
		`null`:              "",
		`{"max":1}`:         "",
		`{"max":-1}`:        "/max x.max",
		`{"max":"1"}`:       "/max wrong_type",
		`{"names":[1]}`:     "/names wrong_type",
		`{"maximum":1}`:     " unknown_field",
		`{"max":1} {}`:      " malformed",
		`{"max":1`:          " malformed",
		`[]`:                " wrong_type",
		`"off"`:             " wrong_type",
		`{"max":1e400}`:     "/max wrong_type",
		`{"sub":{"a":"b"}}`: "/sub wrong_type",
	} {
		if got := filtertest.BuildFault(t, s, options); got != want {
			t.Errorf("%s: got %q, want %q", options, got, want)
		}
	}
}

func TestAFilterThatDoesNothingIsAMistake(t *testing.T) {
	s := filter.Define("x", func(config) (any, error) { return 1, nil })
	if _, err := s.Value(nil); err == nil {
		t.Error("it was taken")
	}
	none := filter.Define("x", func(config) (any, error) { return nil, nil })
	if req, resp, err := none.Build(nil); req != nil || resp != nil || err != nil {
		t.Error("a filter with nothing to do was not left out")
	}
}

func TestSpecsAreChangedAsCopies(t *testing.T) {
	a := filter.Define("x", func(config) (any, error) { return pass{}, nil })
	b := a.In(filter.Limit).About("en", "ko").Refuses(429).ForAPI().EveryAPI().NoOptions()
	if a.Stage != "" || a.APIOnly || a.Always || a.Hidden {
		t.Errorf("the original changed: %+v", a)
	}
	if b.Stage != filter.Limit || b.Summary.KO != "ko" || b.StatusCodes[0] != 429 || !b.APIOnly || !b.Always || !b.Hidden {
		t.Errorf("the copy is %+v", b)
	}
}

func TestProblemsKeepTheirPaths(t *testing.T) {
	var inner, outer filter.Problems
	inner.Addf("/a", "x.one", "One.")
	inner.Addf("/b", "x.two", "Two.")
	outer.Add("/list/0", inner.Err())
	outer.Add("/other", errors.New("plain"))
	outer.Add("/fault", fault.New(fault.Invalid, "x.bare", "Bare."))
	outer.Add("/none", nil)
	f := fault.As(outer.Err())
	want := []string{"/list/0/a x.one", "/list/0/b x.two", "/other filter.invalid", "/fault x.bare"}
	if f == nil || len(f.Problems) != len(want) {
		t.Fatalf("got %v", outer.Err())
	}
	for i, p := range f.Problems {
		if got := p.Path + " " + string(p.Code); got != want[i] || p.Severity != fault.Error {
			t.Errorf("got %s, want %s", got, want[i])
		}
	}
	if (&filter.Problems{}).Err() != nil {
		t.Error("no problem is an error")
	}
	if got := filter.Pointer("a/b~c"); got != "/a~1b~0c" {
		t.Errorf("pointer %q", got)
	}
}

func TestRejects(t *testing.T) {
	cause := errors.New("cause")
	r := filter.Refuse(429, "limit.rate", "Wait for %s.", "it").RetryAfter(1500*time.Millisecond).With("X-A", "b").Because(cause)
	if !errors.Is(r, cause) || r.Error() != "429 Too Many Requests: Wait for it. (limit.rate): cause" {
		t.Errorf("got %q", r.Error())
	}
	if r.Header[0] != [2]string{"Retry-After", "2"} || filter.Refuse(503, "x", "y").RetryAfter(0).Header[0][1] != "1" {
		t.Errorf("headers %v", r.Header)
	}
}

func TestExchangesAreReusedEmpty(t *testing.T) {
	var p filter.Pool
	x := p.Get()
	x.Params = append(x.Params, filter.Param{Name: "a", Value: "b"})
	x.Enter(20)
	x.SetState("secret")
	x.SetEntered(3)
	x.ID = "r1"
	if x.Param("a") != "b" || x.Param("b") != "" || x.State() != "secret" {
		t.Error("what was set is not there")
	}
	x.Enter(40)
	if x.State() != nil {
		t.Error("one filter sees another's state")
	}
	params := x.Params[:1]
	x.Reset()
	x.Enter(20)
	if x.State() != nil || x.ID != "" || x.Entered() != 0 || len(x.Params) != 0 || params[0].Value != "" {
		t.Errorf("something was left: %+v", x)
	}
}
