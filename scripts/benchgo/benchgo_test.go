package main

import (
	"strings"
	"testing"
)

const printed = `goos: linux
pkg: github.com/sluice-gateway/sluice/gateway/route
BenchmarkMatch/1-2                       	  883645	       346.1 ns/op	       0 B/op	       0 allocs/op
BenchmarkMatch/1-2                       	  883645	       290.5 ns/op	       0 B/op	       1 allocs/op
BenchmarkMatch/reload-one-of-10-2        	    1488	    161975 ns/op	   27954 B/op	     226 allocs/op
BenchmarkObserve/whole-2         	  144656	      1562 ns/op	       228.0 B/record	       0 B/op	       0 allocs/op
BenchmarkAlone 	  144656	      15 ns/op	 1.50 MB/s	       0 B/op	       3 allocs/op
some log line
PASS
`

func TestTheBestRunOfEachBenchmarkIsRead(t *testing.T) {
	got, err := parse(printed)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]result{
		"Match/1": {290.5, 0}, "Match/reload-one-of-10": {161975, 226}, "Observe/whole": {1562, 0}, "Alone": {15, 3},
	} {
		if got[name] != want {
			t.Errorf("%s: %+v, want %+v", name, got[name], want)
		}
	}
	if len(got) != 4 {
		t.Errorf("%v", got)
	}
}

func TestOutputWithoutFiguresIsAnError(t *testing.T) {
	for _, text := range []string{"", "PASS\nok x 0.1s\n", "BenchmarkX-2 10 5 ns/op\n", "BenchmarkX-2 10 a ns/op 0 allocs/op\n"} {
		if got, err := parse(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestABudgetIsJudgedByTimeObjectsAndRatio(t *testing.T) {
	b := budget{pkg: "p", name: "B", ns: 100, allocs: 1, to: "A", ratio: 1.5}
	for _, c := range []struct {
		a, b result
		want string
	}{
		{result{60, 0}, result{90, 1}, ""},
		{result{60, 0}, result{101, 1}, "OVER: 101 ns, ratio 1.68"},
		{result{50, 0}, result{90, 2}, "OVER: 2 heap objects, ratio 1.80"},
		{result{}, result{90, 0}, "OVER: ratio 0.00"},
	} {
		best := map[string]result{"p A": c.a, "p B": c.b}
		if got := b.judge(best); got != c.want {
			t.Errorf("%+v: %q, want %q", c, got, c.want)
		}
	}
	if got := b.judge(map[string]result{}); got != "DID NOT RUN" {
		t.Errorf("a benchmark that is gone: %q", got)
	}
	free := budget{pkg: "p", name: "B"}
	if got := free.judge(map[string]result{"p B": {1e9, 0}}); got != "" {
		t.Errorf("without a bound of time: %q", got)
	}
}

func TestARatioIsMeasuredAgainOnBothSides(t *testing.T) {
	a, b := budget{pkg: "p", name: "A"}, budget{pkg: "p", name: "B", to: "A", ratio: 1}
	got := withPartners([]budget{b}, []budget{a, b, {pkg: "q", name: "A"}})
	if len(got) != 2 || got[0] != b || got[1] != a {
		t.Errorf("%+v", got)
	}
}

func TestEveryRatioNamesABudgetOfItsPackage(t *testing.T) {
	all := budgets()
	for _, b := range all {
		if b.to != "" && len(withPartners([]budget{b}, all)) != 2 {
			t.Errorf("%s: nothing is called %s", b.key(), b.to)
		}
	}
	text := table(all, map[string]result{"gateway/route Match/1": {200, 0}, "gateway/route Match/10000": {500, 0}})
	for _, want := range []string{"| gateway/route Match/1 | 200 | 400 | 0 | 0 |  |  | held |", "OVER: 500 ns, ratio 2.50", "DID NOT RUN"} {
		if !strings.Contains(text, want) {
			t.Errorf("missing %q in\n%s", want, text)
		}
	}
}
