package message

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestQueryValuesAreDecodedAndInOrder(t *testing.T) {
	for _, c := range []struct {
		query, name string
		want        []string
	}{
		{"", "a", nil},
		{"a=1&b=2&a=3", "a", []string{"1", "3"}},
		{"a", "a", []string{""}},
		{"%61=x+y%26", "a", []string{"x y&"}},
		{"a=%zz", "a", []string{"%zz"}},
		{"A=1", "a", nil},
		{"b=1;a=2", "a", nil},
		{"&&a=1&", "a", []string{"1"}},
	} {
		if got := slices.Collect(QueryValues(c.query, c.name)); !slices.Equal(got, c.want) {
			t.Errorf("%q %q: got %q, want %q", c.query, c.name, got, c.want)
		}
	}
}

func TestDropQueryKeepsTheOthersAsTheyAre(t *testing.T) {
	for _, c := range []struct {
		query, want string
		dropped     bool
	}{
		{"", "", false},
		{"b=1", "b=1", false},
		{"k=s", "", true},
		{"a=%zz&k=s&b=+&k", "a=%zz&b=+", true},
		{"%6B=s&a=1", "a=1", true},
		{"&a=1&&k=s&", "&a=1&&", true},
		{"k=1&&a", "&a", true},
	} {
		got, dropped := DropQuery(c.query, "k")
		// Empty pairs mean nothing; they may be joined.
		same := strings.ReplaceAll(strings.Trim(got, "&"), "&&", "&") == strings.ReplaceAll(strings.Trim(c.want, "&"), "&&", "&")
		if !same || dropped != c.dropped {
			t.Errorf("%q: got %q %v, want %q %v", c.query, got, dropped, c.want, c.dropped)
		}
	}
}

func cookies(lines ...string) *Header {
	h := &Header{}
	for _, l := range lines {
		h.Add("Cookie", l)
	}
	return h
}

func TestCookieValuesOfEveryLine(t *testing.T) {
	h := cookies(`a=1; k="s 1";b=2`, "k=2; k =3; kk=4; K=5; =6; k", "")
	if got := slices.Collect(CookieValues(h, "k")); !slices.Equal(got, []string{"s 1", "2", "3"}) {
		t.Errorf("got %q", got)
	}
}

func TestDropCookieRemovesEveryOccurrence(t *testing.T) {
	h := cookies("a=1; k=s;b=2", "k=2", "c=3")
	if !DropCookie(h, "k") {
		t.Fatal("nothing was dropped")
	}
	if got := slices.Collect(h.Values("Cookie")); !slices.Equal(got, []string{"a=1; b=2", "c=3"}) {
		t.Errorf("left %q", got)
	}
	if DropCookie(h, "k") {
		t.Error("dropped twice")
	}
}

func FuzzDropQuery(f *testing.F) {
	f.Add("a=1&k=2&b", "k")
	f.Add("%6b=1&&k", "k")
	f.Add("&", "")
	f.Fuzz(func(t *testing.T, query, name string) {
		got, dropped := DropQuery(query, name)
		if !dropped && got != query {
			t.Fatalf("%q became %q though nothing was dropped", query, got)
		}
		for range QueryValues(got, name) {
			// The empty name also names empty pairs, which mean nothing.
			if name != "" {
				t.Fatalf("%q is still in %q", name, got)
			}
		}
		if !strings.ContainsAny(query+name, "%+;") {
			want, err := url.ParseQuery(query)
			if err == nil && name != "" {
				want.Del(name)
				if left, _ := url.ParseQuery(got); left.Encode() != want.Encode() {
					t.Fatalf("%q without %q is %q", query, name, got)
				}
			}
		}
		all, err := url.ParseQuery(query)
		if err != nil {
			return // a bad escape or a semicolon, which counts as it is written here
		}
		for n, values := range all {
			if ours := slices.Collect(QueryValues(query, n)); n != "" && !slices.Equal(ours, values) {
				t.Fatalf("%q has %q %q, for net/url %q", query, n, ours, values)
			}
		}
	})
}

func FuzzDropCookie(f *testing.F) {
	f.Add("a=1; k=2", "k")
	f.Add(`k="a;b"; k`, "k")
	f.Fuzz(func(t *testing.T, line, name string) {
		if !ValidValue(line) {
			return // no such line comes from the wire
		}
		h := cookies(line)
		before := slices.Collect(CookieValues(h, name))
		all := (&http.Request{Header: http.Header{"Cookie": {line}}}).Cookies()
		others := map[string][]string{}
		for _, c := range all { // net/http leaves out what it finds odd; what it reads, we read
			if c.Value == "" {
				continue // maybe "name" alone, which is no cookie of that name here
			}
			ours := slices.Collect(CookieValues(h, c.Name))
			if !slices.Contains(ours, c.Value) && !slices.Contains(ours, trimOWS(c.Value)) {
				t.Fatalf("%q has %s=%q for net/http, %q for us", line, c.Name, c.Value, ours)
			}
			if c.Name != name {
				others[c.Name] = ours
			}
		}
		dropped := DropCookie(h, name)
		if name != "" && (len(before) > 0) && !dropped {
			t.Fatalf("%q was not dropped from %q", name, line)
		}
		if after := slices.Collect(CookieValues(h, name)); name != "" && len(after) > 0 {
			t.Fatalf("%q is still in %q: %q", name, line, after)
		}
		for n, values := range others {
			if left := slices.Collect(CookieValues(h, n)); !slices.Equal(left, values) {
				t.Fatalf("%q without %q has %s %q, before %q", line, name, n, left, values)
			}
		}
	})
}
