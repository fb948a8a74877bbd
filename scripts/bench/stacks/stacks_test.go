package stacks

import (
	"slices"
	"strings"
	"testing"
)

func TestStacksOfAProfileAreSummedByFunctionAndPackage(t *testing.T) {
	samples, err := parse(`File: sluice-gateway
Type: cpu
Duration: 20s, Total samples = 9s
-----------+-------------------------------------------------------
             thread:  a b
     30000us   syscall.Syscall
             net/http.(*conn).serve (inline)
             example.com/a.b/gateway/http1.(*conn).serve
-----------+-------------------------------------------------------
     10000us   example.com/a.b/gateway/http1/wire.All[go.shape.[]uint8]
             example.com/a.b/gateway/http1.(*conn).run
             example.com/a.b/gateway/http1.(*conn).serve
-----------+-------------------------------------------------------
`)
	if err != nil || len(samples) != 2 || len(samples[0].frames) != 3 || samples[0].value != 30000 {
		t.Fatalf("%+v %v", samples, err)
	}
	var got []share
	for _, s := range shares(samples, packageOf) {
		if strings.HasPrefix(s.name, "example.com/a.b/") {
			got = append(got, share{strings.TrimPrefix(s.name, "example.com/a.b/"), s.flat, s.cum})
		}
	}
	if !slices.Equal(got, []share{{"gateway/http1/wire", 10000, 10000}, {"gateway/http1", 0, 40000}}) {
		t.Errorf("%+v", got)
	}
	if byFunction := shares(samples, func(f string) string { return f }); byFunction[0] != (share{"syscall.Syscall", 30000, 30000}) {
		t.Errorf("%+v", byFunction)
	}
	if got := packageOf("net/http.(*conn).serve"); got != "net/http" {
		t.Error(got)
	}
	if _, err := parse("-----------+--\n  what is this\n"); err == nil {
		t.Error("a stack without a value was accepted")
	}
}

func TestSharesAreWrittenByBothOrders(t *testing.T) {
	got, err := Markdown("-----------+--\n  3000000us   a.f\n   b.g\n-----------+--\n 1000000us   b.g\n", 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"4.0 s of processor time", "| function, by flat | flat | cum |\n|---|---|---|\n| `a.f` | 75.0 % | 75.0 % |\n\n", "| package, by cum | flat | cum |\n|---|---|---|\n| `b` | 25.0 % | 100.0 % |\n\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("missing %q in\n%s", want, got)
		}
	}
	if _, err := Markdown("", 1); err == nil {
		t.Error("an empty profile has shares")
	}
}
