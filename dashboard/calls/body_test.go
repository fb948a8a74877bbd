package calls

import (
	"reflect"
	"testing"

	"github.com/sluice-gateway/sluice/pkg/record"
)

func TestBodiesAreTextWhereTheyAre(t *testing.T) {
	for _, v := range []struct {
		name      string
		body      string
		truncated bool
		want      string
		encoding  string
	}{
		{"nothing", "", false, "", UTF8},
		{"JSON", "{\"name\":\"주문\",\r\n\t\"n\":1}", false, "{\"name\":\"주문\",\r\n\t\"n\":1}", UTF8},
		{"hostile text is text", "<script>alert(1)</script>\u202e", false, "<script>alert(1)</script>\u202e", UTF8},
		{"bytes", "\x89PNG\r\n\x1a\n", false, "iVBORw0KGgo=", Base64},
		{"a NUL", "a\x00", false, "YQA=", Base64},
		{"an escape sequence of terminals", "\x1b[2J", false, "G1sySg==", Base64},
		{"Latin-1", "caf\xe9", false, "Y2Fm6Q==", Base64},
		{"text that was cut within a character", "주문"[:5], true, "주", UTF8},
		{"cut within one of four bytes", "a\U0001F600"[:4], true, "a", UTF8},
		{"cut between two", "주", true, "주", UTF8},
		{"the same, but said to be whole", "주문"[:5], false, "7KO866w=", Base64},
		{"bytes that were cut", "\xff\xfe\xed", true, "//7t", Base64},
		{"cut to nothing", "\xed", true, "", UTF8},
	} {
		text, encoding := Body(&record.Capture{Body: []byte(v.body), Truncated: v.truncated})
		if text != v.want || encoding != v.encoding {
			t.Errorf("%s: %q in %s, want %q in %s", v.name, text, encoding, v.want, v.encoding)
		}
	}
}

func TestFlagsHaveNames(t *testing.T) {
	all := record.Flags(0)
	for bit := range 31 {
		all |= 1 << bit
	}
	want := []string{"cacheHit", "limited", "retried", "shadow", "upgraded", "aborted", "mocked", "shrunk", "clientTls", "upstreamTimeout"}
	if got := Flags(all); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
	if got := Flags(record.CacheHit | record.CountOnly); !reflect.DeepEqual(got, []string{"cacheHit"}) {
		t.Errorf("got %q", got)
	}
	if got := Flags(0); got == nil || len(got) != 0 {
		t.Errorf("none is not an empty list: %v", got)
	}
}
