package message

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestWellKnownNamesAreInterned(t *testing.T) {
	for k, name := range knownNames() {
		if name == "" {
			continue
		}
		for _, spelled := range []string{name, strings.ToUpper(name), strings.ToUpper(name[:1]) + name[1:]} {
			if got := KnownName(spelled); got != Known(k) {
				t.Errorf("%q is %d, want %d", spelled, got, k)
			}
		}
		// A name that differs in one byte is another one.
		for i := range len(name) {
			other := name[:i] + "!" + name[i+1:]
			if got := KnownName(other); got != Unknown {
				t.Errorf("%q is taken for %d", other, got)
			}
		}
	}
	for _, name := range []string{"", "a", "x-forwarded-fo", "x-forwarded-for-", strings.Repeat("a", 300)} {
		if got := KnownName(name); got != Unknown {
			t.Errorf("%q is taken for %d", name, got)
		}
	}
}

func lines(h *Header) string {
	var l []string
	for f := range h.Fields() {
		l = append(l, f.Name+"="+f.Value)
	}
	return strings.Join(l, " ")
}

func TestHeaderEdits(t *testing.T) {
	fresh := func() *Header {
		h := &Header{}
		for _, f := range [][2]string{{"Host", "h"}, {"X-A", "1"}, {"accept", "*/*"}, {"x-a", "2"}, {"Via", "v"}} {
			h.Add(f[0], f[1])
		}
		return h
	}
	for _, c := range []struct {
		name string
		edit func(*Header)
		want string
	}{
		{"nothing", func(*Header) {}, "Host=h X-A=1 accept=*/* x-a=2 Via=v"},
		{"set takes the first place", func(h *Header) { h.Set("x-A", "3") }, "Host=h x-A=3 accept=*/* Via=v"},
		{"set of a new one", func(h *Header) { h.Set("X-B", "3") }, "Host=h X-A=1 accept=*/* x-a=2 Via=v X-B=3"},
		{"set of a known one", func(h *Header) { h.Set("VIA", "3") }, "Host=h X-A=1 accept=*/* x-a=2 VIA=3"},
		{"del", func(h *Header) { h.Del("X-a"); h.Del("none") }, "Host=h accept=*/* Via=v"},
		{"del, then add", func(h *Header) { h.Del("Via"); h.Add("Via", "w") }, "Host=h X-A=1 accept=*/* x-a=2 Via=w"},
		{"del, then set", func(h *Header) { h.Del("X-A"); h.Set("X-A", "w") }, "Host=h accept=*/* Via=v X-A=w"},
		{"reset", func(h *Header) { h.Reset() }, ""},
	} {
		h := fresh()
		c.edit(h)
		if got := lines(h); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
		if h.Len() != len(strings.Fields(c.want)) {
			t.Errorf("%s: length %d", c.name, h.Len())
		}
		var o Header
		o.Add("Old", "1")
		if o.CopyFrom(h); lines(&o) != c.want {
			t.Errorf("%s: the copy is %s", c.name, lines(&o))
		}
	}
	h := fresh()
	if v, ok := h.Lookup("ACCEPT"); v != "*/*" || !ok || h.Get("x-b") != "" || h.Count("X-A") != 2 {
		t.Error("lookups are wrong")
	}
	if v, ok := h.Known(Via); v != "v" || !ok {
		t.Error("a known name is not found")
	}
	if _, ok := h.Known(Unknown); !ok {
		t.Error("lines without a known name are not found")
	}
	if got := slices.Collect(h.Values("x-A")); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("values %q", got)
	}
}

// TestNamesAndValues goes through every byte (A14, A15 of the hostile inputs).
func TestNamesAndValues(t *testing.T) {
	const token = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	for i := range 256 {
		c := string([]byte{byte(i)})
		if got, want := ValidName("a"+c), strings.Contains(token, c); got != want {
			t.Errorf("byte %#x in a name: %v", i, got)
		}
		if got, want := ValidValue("a"+c), i == '\t' || i >= ' ' && i != 0x7f; got != want {
			t.Errorf("byte %#x in a value: %v", i, got)
		}
	}
	if ValidName("") || !ValidValue("") {
		t.Error("the empty name or value")
	}
}

func TestEqualFoldIsASCII(t *testing.T) {
	for i := range 256 {
		for j := range 256 {
			a, b := string([]byte{byte(i)}), string([]byte{byte(j)})
			want := i == j || i < 128 && j < 128 && strings.EqualFold(a, b)
			if got := EqualFold(a, b); got != want {
				t.Fatalf("%q and %q: %v", a, b, got)
			}
		}
	}
}

type deadline struct{ at []time.Time }

func (d *deadline) SetDeadline(t time.Time) error {
	d.at = append(d.at, t)
	return errors.New("the outcome does not matter")
}

func TestAbortCutsWhatIsWatched(t *testing.T) {
	var a Abort
	d := &deadline{}
	if !a.Watch(d) || a.Fired() {
		t.Fatal("fresh, but fired")
	}
	a.Fire()
	if len(d.at) != 1 || !d.at[0].Before(time.Now()) || !a.Fired() {
		t.Errorf("deadlines %v", d.at)
	}
	if a.Watch(d) {
		t.Error("a fired one may be watched")
	}
	a.Reset()
	if !a.Watch(d) {
		t.Error("a reset one may not be watched")
	}
	a.Unwatch()
	if a.Fire(); len(d.at) != 1 {
		t.Error("a connection was cut that is not watched")
	}
	var none *Abort
	if none.Unwatch(); !none.Watch(d) || none.Fired() {
		t.Error("without a signal nobody has gone away")
	}
}
