package main

import (
	"strings"
	"testing"
)

func TestAReportShowsFailuresInFullAndReasonsOfSkips(t *testing.T) {
	var out strings.Builder
	r := newReport(&out)
	for line := range strings.SplitSeq(`{"Action":"output","Package":"a","Test":"TestGood","Output":"quiet\n"}
{"Action":"pass","Package":"a","Test":"TestGood"}
{"Action":"output","Package":"a","Test":"TestBad","Output":"    x_test.go:1: broken\n"}
{"Action":"fail","Package":"a","Test":"TestBad"}
{"Action":"output","Package":"a","Test":"TestMongo","Output":"    s_test.go:12: no Java on PATH\n"}
{"Action":"skip","Package":"a","Test":"TestMongo"}
{"Action":"output","Package":"a","Test":"TestOther","Output":"    s_test.go:9: no Java on PATH\n"}
{"Action":"skip","Package":"a","Test":"TestOther"}
{"Action":"fail","Package":"a","Elapsed":1.25}
{"Action":"pass","Package":"b","Elapsed":0.5}
{"Action":"skip","Package":"c"}
{"Action":"build-output","ImportPath":"d","Output":"d.go:1: undefined: x\n"}`, "\n") {
		r.line([]byte(line))
	}
	r.line([]byte("not an event\n"))
	r.summary()
	got := out.String()
	for _, want := range []string{
		"FAIL a TestBad\n    x_test.go:1: broken\n", "ok   b 0.5s\n", "d.go:1: undefined: x\n", "not an event\n",
		"in 2 packages:\n1 passed, 2 failed, 2 skipped\n", "skipped 2: no Java on PATH (TestMongo, TestOther)\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("missing %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "quiet") {
		t.Error("the output of a passing test is shown")
	}
}

func TestASkipWithoutAReasonSaysSo(t *testing.T) {
	if got := reason([]string{"=== RUN   TestX\n"}); got != "no reason given" {
		t.Errorf("got %q", got)
	}
}
