package page

import (
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sluice-gateway/sluice/pkg/fault"
)

func TestCursorRoundTrip(t *testing.T) {
	for _, c := range []Cursor{
		{Sort: "name", Key: "orders", ID: "orders"},
		{Sort: "name", Key: "주문 \" % $ne", ID: "api-1x2y3z"},
		{Sort: "-updated", Key: "-62135596800000", ID: "a"},
	} {
		got, err := Decode(c.Sort, c.Encode())
		if err != nil || got != c {
			t.Errorf("Decode(Encode(%+v)) = %+v, %v", c, got, err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := Cursor{Sort: "name", Key: "a", ID: "a"}
	for name, text := range map[string]string{
		"not base64":           "%%%",
		"not JSON":             "AAAA",
		"another list order":   Cursor{Sort: "-updated", Key: "1", ID: "a"}.Encode(),
		"no id":                Cursor{Sort: "name", Key: "a"}.Encode(),
		"cut short":            good.Encode()[:5],
		"JSON of a wrong type": "eyJzIjoxfQ",
	} {
		if _, err := Decode("name", text); !fault.Is(err, CodeCursor) {
			t.Errorf("%s: error %v, want %s", name, err, CodeCursor)
		}
	}
}

func TestFold(t *testing.T) {
	for in, want := range map[string]string{
		"Orders V1":          "orders v1",
		"a\nb\x00c":          "a b c",
		"bad\xffutf8":        "bad\uFFFDutf8",
		"ÀÉ":                 "àé",
		"\u1112\u1161\u11ab": "한", // decomposed Hangul, as some file systems and keyboards give it
		"50%_.*{$ne}":        "50%_.*{$ne}",
	} {
		if got := Fold(in); got != want {
			t.Errorf("Fold(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestJoinAndSplit(t *testing.T) {
	joined := Join("A b", "", "c\nd", "주문")
	if want := []string{"a b", "c d", "주문"}; !reflect.DeepEqual(Split(joined), want) {
		t.Errorf("Split(Join) = %q, want %q", Split(joined), want)
	}
	if q, err := Question("b\nc"); err != nil || strings.Contains(joined, q) {
		t.Errorf("the question %q (%v) matches across two texts of %q", q, err, joined)
	}
	if Split(Join()) != nil || Split(Join("", "")) != nil {
		t.Error("no texts do not stay none")
	}
}

func TestQuestionIsBounded(t *testing.T) {
	if q, err := Question(strings.Repeat("X", MaxQuestion)); err != nil || q != strings.Repeat("x", MaxQuestion) {
		t.Errorf("a question of the longest size: %d bytes, %v", len(q), err)
	}
	if _, err := Question(strings.Repeat("x", MaxQuestion+1)); !fault.Is(err, CodeQuestion) {
		t.Errorf("a longer one: %v, want %s", err, CodeQuestion)
	}
}

func TestSortKeyIsBoundedAtARune(t *testing.T) {
	got := SortKey(strings.Repeat("한", 200))
	if len(got) > maxSortKey || !utf8.ValidString(got) || !strings.HasPrefix(got, "한한") {
		t.Errorf("SortKey of a long name: %d bytes, valid %v", len(got), utf8.ValidString(got))
	}
	if SortKey("Orders") != "orders" {
		t.Errorf("SortKey(Orders) = %q", SortKey("Orders"))
	}
}

func TestLimit(t *testing.T) {
	for in, want := range map[int]int{-1: 1, 0: 1, 1: 1, 50: 50, 200: 200, 100000: 200} {
		if got := Limit(in); got != want {
			t.Errorf("Limit(%d) = %d, want %d", in, got, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(Cursor{Sort: "name", Key: "k", ID: "i"}.Encode())
	f.Add("eyJzIjpudWxsfQ")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Decode("name", text)
		if err == nil && (c.ID == "" || c.Sort != "name") {
			t.Errorf("Decode(%q) accepted %+v", text, c)
		}
	})
}
