package publishtest

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/sluice-gateway/sluice/dashboard/publish"
)

// RunContents checks the contract of publish.Contents. open gives empty ones.
func RunContents(t *testing.T, open func(t *testing.T) publish.Contents) {
	for name, f := range map[string]func(*testing.T, publish.Contents){
		"texts come back byte for byte":          contentsRoundTrip,
		"a missing text is absent":               contentsMissing,
		"a text may be written twice":            contentsTwice,
		"many texts at once":                     contentsMany,
		"writers of the same texts do not clash": contentsRace,
		"an ended context ends every operation":  contentsCancelled,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open(t))
		})
	}
}

func contentsRoundTrip(t *testing.T, c publish.Contents) {
	all := texts()
	must(t, c.Put(t.Context(), all))
	for name, text := range all {
		got, err := c.Get(t.Context(), []string{name})
		must(t, err)
		if stored, ok := got[name]; !ok || !bytes.Equal(stored, text) || stored == nil {
			t.Errorf("%s: %d bytes came back as %d (present: %v)", name, len(text), len(stored), ok)
		}
	}
}

func contentsMissing(t *testing.T, c publish.Contents) {
	must(t, c.Put(t.Context(), map[string][]byte{"a": []byte("1")}))
	got, err := c.Get(t.Context(), []string{"b", "a", "c", "a"})
	must(t, err)
	if len(got) != 1 || string(got["a"]) != "1" {
		t.Errorf("Get = %v, want a alone", got)
	}
	for _, none := range [][]string{nil, {}, {"b"}} {
		if got, err := c.Get(t.Context(), none); len(got) != 0 || err != nil {
			t.Errorf("Get(%v) = %v, %v", none, got, err)
		}
	}
	must(t, c.Put(t.Context(), nil))
}

func contentsTwice(t *testing.T, c publish.Contents) {
	must(t, c.Put(t.Context(), map[string][]byte{"a": []byte("1"), "b": []byte("2")}))
	must(t, c.Put(t.Context(), map[string][]byte{"a": []byte("1"), "b": []byte("2"), "c": []byte("3")}))
	must(t, c.Put(t.Context(), map[string][]byte{"a": []byte("1")}))
	got, err := c.Get(t.Context(), []string{"a", "b", "c"})
	must(t, err)
	if len(got) != 3 || string(got["a"]) != "1" || string(got["b"]) != "2" || string(got["c"]) != "3" {
		t.Errorf("Get = %q", got)
	}
}

func contentsMany(t *testing.T, c publish.Contents) {
	const count = 1200
	put := make(map[string][]byte, count)
	var sums []string
	for i := range count {
		sum := fmt.Sprintf("%064x", i)
		put[sum], sums = fmt.Appendf(nil, `{"n":%d}`, i), append(sums, sum)
	}
	must(t, c.Put(t.Context(), put))
	got, err := c.Get(t.Context(), sums)
	must(t, err)
	if len(got) != count {
		t.Fatalf("%d texts came back, want %d", len(got), count)
	}
	for sum, text := range put {
		if !bytes.Equal(got[sum], text) {
			t.Fatalf("%s came back as %q", sum, got[sum])
		}
	}
}

func contentsRace(t *testing.T, c publish.Contents) {
	put, sums := map[string][]byte{}, []string{}
	for i := range 20 {
		sum := fmt.Sprintf("%064x", i)
		put[sum], sums = fmt.Appendf(nil, `{"n":%d}`, i), append(sums, sum)
	}
	race(8, func(int) {
		if err := c.Put(t.Context(), put); err != nil {
			t.Error(err)
		}
	})
	if got, err := c.Get(t.Context(), sums); len(got) != len(put) || err != nil {
		t.Errorf("%d texts, %v, want %d", len(got), err, len(put))
	}
}

func contentsCancelled(t *testing.T, c publish.Contents) {
	ctx := cancelled(t)
	wantCanceled(t, "Put", c.Put(ctx, map[string][]byte{"a": []byte("1")}))
	_, err := c.Get(ctx, []string{"a"})
	wantCanceled(t, "Get", err)
}
