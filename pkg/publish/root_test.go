package publish

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

var at = time.Date(2026, 5, 6, 7, 8, 9, 123456789, time.FixedZone("", 3600))

func newKeys(t testing.TB) *trust.Keys {
	t.Helper()
	k, err := trust.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func item(id, text string) Item {
	return Item{Org: "default", Kind: "api", ID: id, SHA: hexSum([]byte(text))}
}

func set(t testing.TB, tree *Tree, items ...Item) {
	t.Helper()
	for _, i := range items {
		if err := tree.Set(i); err != nil {
			t.Fatal(err)
		}
	}
}

func wantCode(t testing.TB, err error, code fault.Code) {
	t.Helper()
	if !fault.Is(err, code) {
		t.Errorf("error %v, want the code %s", err, code)
	}
}

func TestRootHasExactlyTheAgreedMembers(t *testing.T) {
	tree := NewTree("eu-west")
	set(t, tree, item("orders", "{}"), item("주문", "{}"))
	text := tree.Root(2, 129, at).Encode()
	testenv.Golden(t, "root.json", text)
	back, err := DecodeRoot(text)
	if err != nil {
		t.Fatal(err)
	}
	if *back != *tree.Root(2, 129, at) {
		t.Error("the root changed on its way through JSON")
	}
	if h := back.Head(); h != (Head{2, 129, hexSum(text)}) {
		t.Errorf("head %+v", h)
	}
}

func TestOnlyTheCanonicalSpellingOfARootDecodes(t *testing.T) {
	good := string(NewTree("g").Root(1, 2, at).Encode())
	parts := base64.StdEncoding.EncodeToString(make([]byte, 256*32))
	for name, text := range map[string]string{
		"nothing":         "",
		"not JSON":        "root",
		"unknown member":  strings.Replace(good, `{"v"`, `{"x":1,"v"`, 1),
		"repeated member": strings.Replace(good, `"epoch":1`, `"epoch":7,"epoch":1`, 1),
		"other case":      strings.Replace(good, `"epoch"`, `"Epoch"`, 1),
		"space":           strings.Replace(good, `"epoch":`, `"epoch": `, 1),
		"trailing bytes":  good + "\n",
		"two roots":       good + good,
		"another version": strings.Replace(good, `"v":1`, `"v":2`, 1),
		"negative":        strings.Replace(good, `"generation":2`, `"generation":-2`, 1),
		"no group":        strings.Replace(good, `"group":"g"`, `"group":""`, 1),
		"long group":      strings.Replace(good, `"group":"g"`, `"group":"`+strings.Repeat("g", 257)+`"`, 1),
		"time with zone":  strings.Replace(good, `.123Z`, `.123+00:00`, 1),
		"short parts":     strings.Replace(good, parts, parts[:len(parts)-8], 1),
		"missing member":  strings.Replace(good, `"epoch":1,`, ``, 1),
		"huge":            strings.Replace(good, parts, strings.Repeat("A", 40000), 1),
	} {
		if text == good {
			t.Fatalf("%s: the case changes nothing", name)
		}
		_, err := DecodeRoot([]byte(text))
		if !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
		wantCode(t, err, "root.malformed")
	}
}

func TestOpenTellsWhatIsWrongWithARoot(t *testing.T) {
	k, other := newKeys(t), newKeys(t)
	sealed := func(r *Root, k *trust.Keys) Envelope {
		e, err := Seal(r, k)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	root := NewTree("g").Root(1, 5, at)
	good := sealed(root, k)
	tampered := Envelope{bytes.Replace(good.Root, []byte(`"generation":5`), []byte(`"generation":6`), 1), good.Signature}
	odd := Envelope{[]byte("{}"), k.Sign(rootDomain, []byte("{}"))}
	foreignDomain := Envelope{good.Root, k.Sign("bus command", good.Root)}
	for name, c := range map[string]struct {
		e        Envelope
		group    string
		sentinel error
		code     fault.Code
	}{
		"tampered":         {tampered, "g", ErrSignature, "root.signature"},
		"another purpose":  {foreignDomain, "g", ErrSignature, "root.signature"},
		"no signature":     {Envelope{Root: good.Root}, "g", ErrSignature, "root.signature"},
		"another key":      {sealed(root, other), "g", ErrKey, "root.key"},
		"another group":    {good, "h", ErrGroup, "root.group"},
		"signed, but odd":  {odd, "g", ErrMalformed, "root.malformed"},
		"nothing whatever": {Envelope{}, "g", ErrSignature, "root.signature"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Open(c.e, k.Node(), c.group)
			if r != nil || !errors.Is(err, c.sentinel) {
				t.Errorf("Open = %v, %v", r, err)
			}
			wantCode(t, err, c.code)
		})
	}
	if r, err := Open(good, k.Node(), "g"); err != nil || *r != *root {
		t.Errorf("the good root: %v", err)
	}
	if _, err := Seal(root, k.Node()); err == nil {
		t.Error("a node sealed a root")
	}
}

func TestNewerRefusesReplays(t *testing.T) {
	h := func(e, g int64, sha string) Head { return Head{e, g, sha} }
	for name, c := range map[string]struct {
		have, got Head
		code      fault.Code
	}{
		"first":                          {Head{}, h(1, 1, "a"), ""},
		"the same":                       {h(1, 5, "a"), h(1, 5, "a"), ""},
		"next":                           {h(1, 5, "a"), h(1, 6, "b"), ""},
		"older":                          {h(1, 5, "a"), h(1, 4, "b"), "root.replayed"},
		"lower generation, newer epoch":  {h(1, 5, "a"), h(2, 1, "b"), ""},
		"higher generation, older epoch": {h(2, 5, "a"), h(1, 9, "b"), "root.replayed"},
		"another of the same generation": {h(1, 5, "a"), h(1, 5, "b"), "root.diverged"},
		"nothing after something":        {h(1, 5, "a"), Head{}, "root.replayed"},
	} {
		err := Newer(c.have, c.got)
		if c.code == "" && err != nil || c.code != "" && !fault.Is(err, c.code) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTreeHashesTheSameWhateverTheOrder(t *testing.T) {
	var items []Item
	for i := range 1000 {
		items = append(items, item(fmt.Sprintf("api-%d", i), fmt.Sprint("text", i%7)))
	}
	a, b := NewTree("g"), NewTree("g")
	set(t, a, items...)
	slices.Reverse(items)
	for _, i := range items {
		old := i
		old.SHA = hexSum([]byte("before"))
		set(t, b, old)
		b.Root(1, 1, at) // hash in between
	}
	set(t, b, item("gone", "x"))
	set(t, b, items...)
	b.Delete("default", "api", "gone")
	b.Delete("default", "api", "never there")
	if *a.Root(1, 1, at) != *b.Root(1, 1, at) {
		t.Error("the same items gave two roots")
	}
	if n := len(slices.Collect(b.Items())); n != 1000 {
		t.Errorf("%d items", n)
	}
	if got, ok := b.Get("default", "api", "api-3"); !ok || got.SHA != hexSum([]byte("text3")) {
		t.Errorf("Get = %v, %v", got, ok)
	}
	c := NewTree("h")
	set(t, c, items...)
	if c.Root(1, 1, at).Parts == a.Root(1, 1, at).Parts {
		t.Error("parts of two groups are interchangeable")
	}
}

func TestTreeRefusesItemsThatWouldBreakAPart(t *testing.T) {
	good := item("a", "")
	for name, change := range map[string]func(*Item){
		"tab":         func(i *Item) { i.ID = "a\tb" },
		"newline":     func(i *Item) { i.Org = "a\nb" },
		"empty kind":  func(i *Item) { i.Kind = "" },
		"long":        func(i *Item) { i.ID = strings.Repeat("x", 257) },
		"not UTF-8":   func(i *Item) { i.ID = "\xff" },
		"no hash":     func(i *Item) { i.SHA = "" },
		"upper case":  func(i *Item) { i.SHA = strings.ToUpper(i.SHA) },
		"NUL":         func(i *Item) { i.ID = "a\x00" },
		"line marker": func(i *Item) { i.ID = "a\u2028b" },
	} {
		i := good
		change(&i)
		tree := NewTree("g")
		wantCode(t, tree.Set(i), "publish.item")
		if len(slices.Collect(tree.Items())) != 0 {
			t.Errorf("%s: kept", name)
		}
	}
}

func TestComposeCarriesWhatChangedAndDropsWhatNobodyNames(t *testing.T) {
	texts := map[string][]byte{}
	text := func(s string) string { texts[hexSum([]byte(s))] = []byte(s); return s }
	lookup := func(sha string) ([]byte, bool) { b, ok := texts[sha]; return b, ok }
	a, b := NewTree("a"), NewTree("b")
	set(t, a, item("x", text("one")), item("y", text("two")))
	set(t, b, item("x", "one"))
	u, err := Compose(1, 1, at, lookup, a, b)
	if err != nil || len(u.Roots) != 2 || len(u.Contents) != 2 || len(u.Parts) != 3 || u.Dropped != nil {
		t.Fatalf("first: %d roots, %d contents, %d parts, %v, %v", len(u.Roots), len(u.Contents), len(u.Parts), u.Dropped, err)
	}
	a.Commit()
	b.Commit()

	// x moves on in one group only; y passes through a text that never got out.
	set(t, a, item("x", text("three")), item("y", text("passing")), item("y", text("four")))
	u, err = Compose(1, 2, at, lookup, a, b)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{hexSum([]byte("two")), hexSum([]byte("passing"))}
	slices.Sort(want)
	if !slices.Equal(u.Dropped, want) || len(u.Contents) != 2 || len(u.Parts) != 2 {
		t.Errorf("dropped %v, want %v; %d contents, %d parts", u.Dropped, want, len(u.Contents), len(u.Parts))
	}
	a.Commit()
	b.Commit()
	if u, err = Compose(1, 3, at, lookup, a, b); err != nil || len(u.Contents)+len(u.Parts)+len(u.Dropped) != 0 {
		t.Errorf("nothing changed, yet %+v, %v", u, err)
	}
	a.MarkAll()
	if u, err = Compose(1, 3, at, lookup, a, b); err != nil || len(u.Contents) != 2 || len(u.Parts) < 2 {
		t.Errorf("all: %d contents, %d parts, %v", len(u.Contents), len(u.Parts), err)
	}
	delete(texts, hexSum([]byte("four")))
	_, err = Compose(1, 3, at, lookup, a, b)
	wantCode(t, err, "publish.text_missing")
}

func FuzzDecodeRoot(f *testing.F) {
	// PARTS stands for the 11 kB of hashes, which the fuzzer need not learn.
	parts := []byte(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 256*32)))
	good := NewTree("g").Root(1, 2, at)
	for i := range good.Parts {
		good.Parts[i] = [32]byte(bytes.Repeat([]byte{7}, 32))
	}
	seed := bytes.Replace(good.Encode(), parts, []byte("PARTS"), 1)
	f.Add(seed)
	f.Add([]byte(`{"v":1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		text = bytes.Replace(text, []byte("PARTS"), parts, 1)
		r, err := DecodeRoot(text)
		if err == nil && !bytes.Equal(r.Encode(), text) {
			t.Errorf("%q decodes, but encodes to %q", text, r.Encode())
		}
	})
}

func FuzzDecodePart(f *testing.F) {
	tree := NewTree("g")
	i := item("a", "b")
	set(f, tree, i)
	n := PartOf(i.Org, i.Kind, i.ID)
	f.Add(n, tree.PartText(n))
	f.Add(0, []byte("sluice part 1\tg\t0\n"))
	f.Fuzz(func(t *testing.T, n int, text []byte) {
		items, err := decodePart("g", n, text)
		if err != nil {
			return
		}
		if !bytes.Equal(encodePart("g", n, items), text) {
			t.Errorf("%q decodes, but not to itself", text)
		}
		tree := NewTree("g")
		set(t, tree, items...)
		if !bytes.Equal(tree.PartText(n), text) || tree.Root(1, 1, at).Parts[n] != sha256.Sum256(text) {
			t.Errorf("a tree of the items makes another part than %q", text)
		}
	})
}

func FuzzUnpack(f *testing.F) {
	f.Add(pack([]byte("hello hello hello")))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, packed []byte) {
		text, err := unpack(packed)
		if err == nil && len(text) > MaxContent {
			t.Errorf("unpacked %d bytes", len(text))
		}
	})
}
