package message

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestEveryKnownNameIsFound(t *testing.T) {
	seen := map[string]bool{}
	for k := Unknown + 1; k < numKnown; k++ {
		n := k.String()
		if n == "" || seen[n] {
			t.Fatalf("name %d is %q", k, n)
		}
		seen[n] = true
		for _, s := range []string{n, strings.ToUpper(n), http.CanonicalHeaderKey(n)} {
			if got := KnownName(s); got != k {
				t.Errorf("%q is %v, want %v", s, got, k)
			}
		}
		for _, s := range []string{n + "x", "x" + n, n[1:], strings.Replace(n, "-", "_", 1) + "!", "\x00" + n[1:]} {
			if got := KnownName(s); got == k {
				t.Errorf("%q is taken for %v", s, k)
			}
		}
	}
	if KnownName("") != Unknown || KnownName("x-unheard-of") != Unknown || numKnown.String() != "" {
		t.Error("an unknown name is known")
	}
}

func FuzzKnownName(f *testing.F) {
	f.Add("Host")
	f.Add("x-forwarded-for")
	f.Fuzz(func(t *testing.T, s string) {
		want := Unknown
		for k := Unknown + 1; k < numKnown; k++ {
			if strings.ToLower(s) == k.String() && ValidName(s) {
				want = k
			}
		}
		if got := KnownName(s); got != want {
			t.Errorf("%q is %v, want %v", s, got, want)
		}
	})
}

func lines(h *Header) []string {
	var l []string
	for f := range h.Fields() {
		l = append(l, f.Name+": "+f.Value)
	}
	return l
}

func TestHeaderEdits(t *testing.T) {
	var h Header
	h.Add("Host", "h")
	h.Add("X-A", "1")
	h.Add("Cookie", "c")
	h.Add("x-a", "2")
	steps := []struct {
		name string
		do   func()
		want string
	}{
		{"added", func() {}, "Host: h|X-A: 1|Cookie: c|x-a: 2"},
		{"set at the place of the first", func() { h.Set("X-a", "3") }, "Host: h|X-a: 3|Cookie: c"},
		{"set what is not there", func() { h.Set("Y", "4") }, "Host: h|X-a: 3|Cookie: c|Y: 4"},
		{"deleted", func() { h.Del("COOKIE") }, "Host: h|X-a: 3|Y: 4"},
		{"deleted what is not there", func() { h.Del("Z") }, "Host: h|X-a: 3|Y: 4"},
		{"added again", func() { h.Add("Cookie", "d") }, "Host: h|X-a: 3|Y: 4|Cookie: d"},
		{"reset", func() { h.Reset() }, ""},
	}
	for _, s := range steps {
		s.do()
		if got := strings.Join(lines(&h), "|"); got != s.want || h.Len() != len(lines(&h)) {
			t.Fatalf("%s: %q, want %q; length %d", s.name, got, s.want, h.Len())
		}
	}
}

func TestHeaderLookups(t *testing.T) {
	var h Header
	h.Add("Set-Cookie", "a")
	h.Add("Empty", "")
	h.Add("SET-COOKIE", "b")
	if v, ok := h.Lookup("empty"); v != "" || !ok {
		t.Error("an empty value is not found")
	}
	if _, ok := h.Lookup("none"); ok || h.Get("none") != "" {
		t.Error("found what is not there")
	}
	if v, ok := h.Known(SetCookie); v != "a" || !ok || h.Get("set-cookie") != "a" || h.Count("Set-cookie") != 2 {
		t.Error("known name")
	}
	if got := slices.Collect(h.Values("set-cookie")); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("values %q", got)
	}
	for range h.Values("set-cookie") {
		break // an early end is taken
	}
	var c Header
	c.Add("old", "x")
	h.Del("empty")
	c.CopyFrom(&h)
	if got := strings.Join(lines(&c), "|"); got != "Set-Cookie: a|SET-COOKIE: b" {
		t.Errorf("copy %q", got)
	}
}

func TestOnlyCheckedLinesAreWritable(t *testing.T) {
	var h Header
	h.Append(Field{Name: "Host", Value: "h", Known: Host})
	h.Add("Good", "a\tb\xff")
	h.Add("Bad", "a\r\nEvil: b")
	h.Add("Bad Name", "a")
	h.Add("", "a")
	h.Set("Host", "x\n")
	want := []bool{false, true, false, false, false}
	i := 0
	for f := range h.Fields() {
		if f.Writable() != want[i] {
			t.Errorf("%q: %q is writable: %v", f.Name, f.Value, f.Writable())
		}
		i++
	}
}

func TestTokenBytes(t *testing.T) {
	const tokens = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	for c := range 256 {
		if got, want := TokenByte(byte(c)), strings.IndexByte(tokens, byte(c)) >= 0; got != want {
			t.Errorf("%#02x: %v", c, got)
		}
		if got, want := ValidValue("a"+string([]byte{byte(c)})), c == '\t' || c >= ' ' && c != 0x7f; got != want {
			t.Errorf("value with %#02x: %v", c, got)
		}
	}
}

func TestEqualFold(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{{"", "", true}, {"aZ-1", "Az-1", true}, {"a", "ab", false}, {"[", "{", false}, {"@", "`", false}, {"\xe1", "\xc1", false}} {
		if got := EqualFold(c.a, c.b); got != c.want {
			t.Errorf("%q and %q: %v", c.a, c.b, got)
		}
	}
}

type cutter struct{ cuts int }

func (c *cutter) SetDeadline(time.Time) error {
	c.cuts++
	return nil
}

func TestAbort(t *testing.T) {
	var a Abort
	var c, d cutter
	if !a.Watch(&c) || a.Fired() {
		t.Fatal("a new value is fired")
	}
	a.Unwatch()
	a.Watch(&d)
	a.Fire()
	if c.cuts != 0 || d.cuts != 1 || !a.Fired() || a.Watch(&c) {
		t.Errorf("cuts %d and %d, fired %v", c.cuts, d.cuts, a.Fired())
	}
	a.Reset()
	if a.Fired() || !a.Watch(&c) {
		t.Error("Reset does not make it ready")
	}
	var none *Abort
	if !none.Watch(&c) || none.Fired() {
		t.Error("nil is fired")
	}
	none.Unwatch()
}
