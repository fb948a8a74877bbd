package trust

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func newKeys(t testing.TB) *Keys {
	t.Helper()
	k, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSignatureCoversDomainBytesAndKey(t *testing.T) {
	k, other := newKeys(t), newKeys(t)
	msg := []byte("the exact bytes")
	sig := k.Sign("root", msg)
	flipped := bytes.Clone(sig)
	flipped[len(flipped)-1] ^= 1
	foreign := other.Sign("root", msg)
	relabelled := append(bytes.Clone(sig[:8]), foreign[8:]...)
	for name, c := range map[string]struct {
		domain string
		msg    []byte
		sig    []byte
		want   bool
	}{
		"as signed":                    {"root", msg, sig, true},
		"another domain":               {"roo", append([]byte("t"), msg...), sig, false},
		"a changed byte":               {"root", []byte("the exact bytez"), sig, false},
		"a changed signature":          {"root", msg, flipped, false},
		"another key":                  {"root", msg, foreign, false},
		"another key under our name":   {"root", msg, relabelled, false},
		"no signature":                 {"root", msg, nil, false},
		"a signature that is too long": {"root", msg, append(bytes.Clone(sig), 0), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := k.Verify(c.domain, c.msg, c.sig); got != c.want {
				t.Errorf("Verify = %v", got)
			}
		})
	}
	if !k.Knows(sig) || k.Knows(foreign) || k.Knows(nil) {
		t.Error("Knows does not tell our key from another")
	}
	if k.Node().Sign("root", msg) != nil {
		t.Error("a node signed")
	}
}

func TestTwoKeysAreTrustedDuringRotation(t *testing.T) {
	old, next := newKeys(t), newKeys(t)
	node := old.Node()
	node.Trusted = append(node.Trusted[:1:1], next.Trusted[0])
	for _, k := range []*Keys{old, next} {
		if !node.Verify("root", []byte("x"), k.Sign("root", []byte("x"))) {
			t.Error("a trusted key was refused")
		}
	}
}

func TestMACSeparatesDomainsAndParts(t *testing.T) {
	k := newKeys(t)
	sum := k.MAC("beat", []byte("ab"), []byte("c"))
	if !k.CheckMAC("beat", sum, []byte("ab"), []byte("c")) {
		t.Error("own MAC refused")
	}
	for name, ok := range map[string]bool{
		"moved boundary": k.CheckMAC("beat", sum, []byte("a"), []byte("bc")),
		"joined parts":   k.CheckMAC("beat", sum, []byte("abc")),
		"another domain": k.CheckMAC("key entry", sum, []byte("ab"), []byte("c")),
		"another key":    newKeys(t).CheckMAC("beat", sum, []byte("ab"), []byte("c")),
		"cut MAC":        k.CheckMAC("beat", sum[:31], []byte("ab"), []byte("c")),
		"no MAC":         k.CheckMAC("beat", nil, []byte("ab"), []byte("c")),
	} {
		if ok {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestSealedBytesOpenOnlyWhereMeant(t *testing.T) {
	k := newKeys(t)
	sealed, err := k.Seal("item", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := k.Open("item", sealed); err != nil || string(plain) != "secret" {
		t.Fatalf("Open = %q, %v", plain, err)
	}
	again, err := k.Seal("item", []byte("secret"))
	if err != nil || bytes.Equal(sealed, again) {
		t.Error("two seals of one text are equal")
	}
	broken := bytes.Clone(sealed)
	broken[0] ^= 1
	onBus, err := k.SealBus("item", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func() ([]byte, error){
		"another domain":         func() ([]byte, error) { return k.Open("last-known-good", sealed) },
		"a changed byte":         func() ([]byte, error) { return k.Open("item", broken) },
		"cut bytes":              func() ([]byte, error) { return k.Open("item", sealed[:10]) },
		"nothing":                func() ([]byte, error) { return k.Open("item", nil) },
		"another installation":   func() ([]byte, error) { return newKeys(t).Open("item", sealed) },
		"the bus's key":          func() ([]byte, error) { return k.OpenBus("item", sealed) },
		"the sealing key's turn": func() ([]byte, error) { return k.Open("item", onBus) },
	} {
		if plain, err := open(); err != ErrSealed || plain != nil {
			t.Errorf("%s: %q, %v", name, plain, err)
		}
	}
	if plain, err := k.OpenBus("item", onBus); err != nil || string(plain) != "secret" {
		t.Errorf("OpenBus = %q, %v", plain, err)
	}
}

func TestKeyHashDependsOnThePepperOnly(t *testing.T) {
	k := newKeys(t)
	rotated := newKeys(t)
	rotated.Pepper = k.Pepper
	if k.HashKey("slc_x") != rotated.HashKey("slc_x") {
		t.Error("rotating the other keys changed a key's hash")
	}
	if k.HashKey("slc_x") == newKeys(t).HashKey("slc_x") || len(k.HashKey("")) != 64 {
		t.Error("the hash does not depend on the pepper, or is no SHA-256")
	}
}

func TestSavedSetsLoadAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	k := newKeys(t)
	if err := k.Save(dir); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder: %v, %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 5 {
		t.Fatalf("%d files, %v", len(entries), err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", e.Name(), info.Mode(), err)
		}
	}
	back, err := LoadDashboard(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !back.Signing.Equal(k.Signing) || fmt.Sprint(back.Node()) != fmt.Sprint(k.Node()) {
		t.Error("the set changed on its way through the files")
	}
	if err := newKeys(t).Save(dir); err == nil || !strings.Contains(err.Error(), "never overwritten") {
		t.Errorf("saving over keys: %v", err)
	}
	if again, err := LoadDashboard(dir); err != nil || !again.Signing.Equal(k.Signing) {
		t.Errorf("a refused save changed the files: %v", err)
	}
}

func TestNodeSetIsReplacedAndHasNoSigningKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	first, second := newKeys(t), newKeys(t)
	second.Trusted = append(second.Trusted, first.Trusted...)
	for _, k := range []*Keys{first, second} {
		if err := k.SaveNode(dir); err != nil {
			t.Fatal(err)
		}
	}
	got, err := LoadNode(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got.Signing != nil || got.Fingerprint() != second.Fingerprint() {
		t.Error("the node set is not the second one")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 4 {
		t.Errorf("%d files, %v", len(entries), err)
	}
}

func TestLoadRefusesWithTheFileAndTheMend(t *testing.T) {
	write := func(name, text string, mode os.FileMode) func(string) error {
		return func(dir string) error {
			path := filepath.Join(dir, name)
			if err := os.Remove(path); err != nil {
				return err
			}
			return os.WriteFile(path, []byte(text), mode)
		}
	}
	mode := func(name string, m os.FileMode) func(string) error {
		return func(dir string) error { return os.Chmod(filepath.Join(dir, name), m) }
	}
	foreign := filepath.Join(t.TempDir(), "foreign")
	if err := newKeys(t).Save(foreign); err != nil {
		t.Fatal(err)
	}
	foreignKey, err := os.ReadFile(filepath.Join(foreign, "signing.key"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		spoil func(dir string) error
		want  []string
	}{
		"a missing file":           {func(d string) error { return os.Remove(filepath.Join(d, "bus.key")) }, []string{"bus.key", "missing"}},
		"a missing signing key":    {func(d string) error { return os.Remove(filepath.Join(d, "signing.key")) }, []string{"signing.key", "sluice-dashboard init"}},
		"a group-readable secret":  {mode("pepper.key", 0o640), []string{"pepper.key", "chmod 600"}},
		"a world-readable secret":  {mode("signing.key", 0o604), []string{"signing.key", "chmod 600"}},
		"a writable public key":    {mode("signing.pub", 0o622), []string{"signing.pub", "chmod 600"}},
		"a cut key":                {write("sealing.key", "AAAA\n", 0o600), []string{"sealing.key", "32 bytes"}},
		"an empty public key file": {write("signing.pub", "", 0o600), []string{"signing.pub", "0 public keys"}},
		"no PEM":                   {write("signing.key", "hello", 0o600), []string{"signing.key", "PEM"}},
		"a huge file":              {write("bus.key", strings.Repeat("A", 20000), 0o600), []string{"bus.key", "regular file"}},
		"another's signing key":    {write("signing.key", string(foreignKey), 0o600), []string{"signing.key", "does not belong"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "keys")
			if err := newKeys(t).Save(dir); err != nil {
				t.Fatal(err)
			}
			if err := c.spoil(dir); err != nil {
				t.Fatal(err)
			}
			_, err := LoadDashboard(dir)
			if err == nil {
				t.Fatal("loaded")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

func TestNoncesAreUsedOnce(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	n := NewNonces(3)
	in := func(s int) time.Time { return now.Add(time.Duration(s) * time.Second) }
	for i, c := range []struct {
		nonce string
		until time.Time
		now   time.Time
		want  bool
	}{
		{"a", in(30), now, true},
		{"a", in(30), now, false},
		{"a", in(60), now, false},    // a later end does not make it new
		{"old", now, now, false},     // ended already
		{"b", in(10), now, true},     //
		{"c", in(40), now, true},     // full
		{"d", in(5), now, false},     // ends before all that are remembered
		{"d", in(50), now, true},     // pushes b out
		{"b", in(10), now, false},    // forgotten, yet not accepted again
		{"e", in(10), now, false},    // as early as what was forgotten
		{"e", in(35), in(31), true},  // a ended, so there is room
		{"a", in(61), in(31), true},  // and a may be used anew
		{"c", in(40), in(31), false}, // c still counts
	} {
		if got := n.Use(c.nonce, c.until, c.now); got != c.want {
			t.Errorf("step %d: Use(%s) = %v", i, c.nonce, got)
		}
	}
	if n.Len() > 3 {
		t.Errorf("%d values are remembered", n.Len())
	}
}

func BenchmarkHashKey(b *testing.B) {
	k, err := Generate()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		k.HashKey("slc_0123456789abcdefghijABCDEFGHIJ01abcdef")
	}
}

func TestSetsTravelWhole(t *testing.T) {
	k, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	for name, set := range map[string]*Keys{"dashboard": k, "node": k.Node()} {
		text, err := set.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		got, err := Unmarshal(text)
		if err != nil || got.Fingerprint() != k.Fingerprint() || (got.Signing != nil) != (name == "dashboard") {
			t.Errorf("%s: %+v %v", name, got, err)
		}
		if got.Signing != nil && !got.Signing.Equal(k.Signing) {
			t.Error("another signing key")
		}
		for i := range text { // what is cut off is never taken for a set
			if _, err := Unmarshal(text[:i]); err == nil {
				t.Fatalf("%s: the first %d of %d bytes are a set", name, i, len(text))
			}
		}
	}
	other, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Keys){
		"no public key":          func(x *Keys) { x.Trusted = nil },
		"three public keys":      func(x *Keys) { x.Trusted = append(x.Trusted, other.Trusted[0], other.Trusted[0]) },
		"a short public key":     func(x *Keys) { x.Trusted = append(x.Trusted[:0:0], x.Trusted[0][:31]) },
		"a foreign signing key":  func(x *Keys) { x.Signing = other.Signing },
		"a short bus key":        func(x *Keys) { x.Bus = x.Bus[:31] },
		"no pepper":              func(x *Keys) { x.Pepper = nil },
		"another sealing length": func(x *Keys) { x.Sealing = make([]byte, 33) },
	} {
		x := &Keys{Signing: k.Signing, Trusted: k.Trusted, Bus: k.Bus, Sealing: k.Sealing, Pepper: k.Pepper}
		change(x)
		if _, err := x.Marshal(); err == nil {
			t.Errorf("a set with %s travels", name)
		}
		if err := x.SaveReplacing(t.TempDir()); err == nil {
			t.Errorf("a set with %s is saved", name)
		}
	}
}

func TestFingerprintsTellSetsApart(t *testing.T) {
	k, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Keys){
		"trusted": func(x *Keys) { x.Trusted = append(x.Trusted, make([]byte, 32)) },
		"bus":     func(x *Keys) { x.Bus = make([]byte, KeySize) },
		"sealing": func(x *Keys) { x.Sealing = make([]byte, KeySize) },
		"pepper":  func(x *Keys) { x.Pepper = make([]byte, KeySize) },
	} {
		x := k.Node()
		if x.Fingerprint() != k.Fingerprint() {
			t.Error("a node has another fingerprint than its dashboard")
		}
		if change(x); x.Fingerprint() == k.Fingerprint() {
			t.Errorf("another %s has the same fingerprint", name)
		}
	}
}

func TestPresentListsKeyFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	if there, err := Present(dir); err != nil || there != nil {
		t.Errorf("%v %v", there, err)
	}
	k, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Node().SaveReplacing(dir); err != nil {
		t.Fatal(err)
	}
	if there, err := Present(dir); err != nil || len(there) != 4 {
		t.Errorf("%v %v", there, err)
	}
	if err := k.SaveReplacing(dir); err != nil {
		t.Fatal(err)
	}
	if there, err := Present(dir); err != nil || len(there) != 5 {
		t.Errorf("%v %v", there, err)
	}
	if got, err := LoadDashboard(dir); err != nil || !got.Signing.Equal(k.Signing) {
		t.Errorf("%v %v", got, err)
	}
}
