package trust

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// loaded saves a set and loads it again.
func loaded(t *testing.T, k *Keys) *Keys {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "keys")
	if err := k.SaveReplacing(dir); err != nil {
		t.Fatal(err)
	}
	load := LoadNode
	if k.Signing != nil {
		load = LoadDashboard
	}
	got, err := load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func must(t *testing.T) func(*Keys, error) *Keys {
	return func(k *Keys, err error) *Keys {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
}

func TestEveryoneFollowsARotation(t *testing.T) {
	first, msg := newKeys(t), []byte("root")
	node, dashboard := loaded(t, first.Node()), loaded(t, first)
	old := first.Sign("root", msg)

	second := loaded(t, must(t)(first.Rotate()))
	if _, err := second.Rotate(); !errors.Is(err, ErrRotating) {
		t.Error(err)
	}
	if node.Verify("root", msg, second.Sign("root", msg)) {
		t.Error("a signature without the succession is believed")
	}
	following := second.SignFollowing("root", msg)
	for name, k := range map[string]*Keys{"node": node, "dashboard": dashboard} {
		if !k.VerifyFollowing("root", msg, following) || !k.Verify("root", msg, second.Sign("root", msg)) {
			t.Fatalf("a %s does not follow", name)
		}
		if !k.Verify("root", msg, old) || !k.Rotating() {
			t.Errorf("the old key does not count for a %s during the rotation", name)
		}
		load := LoadNode
		if name == "dashboard" {
			load = LoadDashboard
		}
		if saved := must(t)(load(k.dir)); saved.Fingerprint() != second.Fingerprint() {
			t.Errorf("a %s did not save what it followed", name)
		}
	}
	if !second.Verify("root", msg, dashboard.Sign("root", msg)) || dashboard.Fingerprint() != second.Fingerprint() {
		t.Error("the other dashboard does not sign with the new key")
	}

	third := loaded(t, must(t)(second.Retire()))
	retired := third.SignFollowing("root", msg)
	late := loaded(t, first.Node()) // away all the time
	for name, k := range map[string]*Keys{"node": node, "dashboard": dashboard, "late node": late} {
		if !k.VerifyFollowing("root", msg, retired) {
			t.Fatalf("a %s does not follow the end", name)
		}
		if k.Verify("root", msg, old) || k.Rotating() {
			t.Errorf("the old key still counts for a %s", name)
		}
		// What was published before does not bring the old key back.
		if k.VerifyFollowing("root", msg, following); k.Verify("root", msg, old) || k.Rotating() {
			t.Errorf("an earlier root brought the old key back to a %s", name)
		}
	}
	if again := must(t)(third.Retire()); again.Fingerprint() != third.Fingerprint() {
		t.Error("ending it twice changes the keys")
	}
	if _, err := first.Retire(); !errors.Is(err, ErrNotRotating) {
		t.Error(err)
	}
	if _, err := first.Node().Rotate(); err == nil {
		t.Error("a node rotates")
	}
}

func TestManyRotationsAreFollowedAtOnce(t *testing.T) {
	k, msg := newKeys(t), []byte("root")
	start := k
	for i := range maxLinks + 3 {
		k = must(t)(must(t)(k.Rotate()).Retire())
		sig := k.SignFollowing("root", msg)
		if len(sig) > SignatureSize+MaxSuccession {
			t.Fatalf("%d bytes after %d rotations", len(sig), i+1)
		}
		node := start.Node()
		if got, want := node.VerifyFollowing("root", msg, sig), i < maxLinks; got != want {
			t.Errorf("after %d rotations: %v", i+1, got)
		}
		if got := loaded(t, k); got.Fingerprint() != k.Fingerprint() || !got.VerifyFollowing("root", msg, sig) {
			t.Errorf("after %d rotations the files are not the set", i+1)
		}
	}
}

func TestForgedSuccessionsAreNotFollowed(t *testing.T) {
	first, msg := newKeys(t), []byte("root")
	second := must(t)(first.Rotate())
	good := second.SignFollowing("root", msg)
	thief := must(t)(newKeys(t).Rotate()) // has no key of ours
	branch := must(t)(first.Rotate())     // has the old one
	for name, c := range map[string]struct {
		k   *Keys
		sig []byte
	}{
		"another platform's":       {first.Node(), thief.SignFollowing("root", msg)},
		"cut short":                {first.Node(), good[:len(good)-1]},
		"too long":                 {first.Node(), append(append([]byte{}, good...), make([]byte, MaxSuccession)...)},
		"another message":          {first.Node(), second.SignFollowing("root", []byte("other"))},
		"a branch off the old key": {second.Node(), branch.SignFollowing("root", msg)},
		"less than a signature":    {first.Node(), good[:SignatureSize-1]},
	} {
		before := c.k.Fingerprint()
		if c.k.VerifyFollowing("root", msg, c.sig) || c.k.Fingerprint() != before {
			t.Errorf("%s was followed", name)
		}
	}
	for i := range good {
		bad := append([]byte{}, good...)
		bad[i] ^= 1
		k := first.Node()
		if k.VerifyFollowing("root", msg, bad) && k.Fingerprint() != second.Fingerprint() {
			t.Errorf("with byte %d changed another key is trusted", i)
		}
	}
}

func TestARotationThatACrashCutShortIsCompleted(t *testing.T) {
	first := newKeys(t)
	second := must(t)(first.Rotate())
	dir := filepath.Join(t.TempDir(), "keys")
	if err := first.SaveReplacing(dir); err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(filepath.Join(dir, signingKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := second.SaveReplacing(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, signingKeyFile), old, 0o600); err != nil { // the last file was not renamed
		t.Fatal(err)
	}
	if got := must(t)(LoadDashboard(dir)); !got.Signing.Equal(second.Signing) {
		t.Error("the old key signs on")
	}
}

func FuzzSuccession(f *testing.F) {
	first, err := Generate()
	if err != nil {
		f.Fatal(err)
	}
	second, err := first.Rotate()
	if err != nil {
		f.Fatal(err)
	}
	sig := second.SignFollowing("root", []byte("m"))
	f.Add(sig[SignatureSize:])
	f.Add([]byte(`[{"key":null},{}]`))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, chain []byte) {
		k := first.Node()
		ok := k.VerifyFollowing("root", []byte("m"), append(sig[:SignatureSize:SignatureSize], chain...))
		if k.Fingerprint() != first.Fingerprint() && k.Fingerprint() != second.Fingerprint() {
			t.Fatal("a key that nobody named is trusted")
		}
		if ok != (k.Fingerprint() == second.Fingerprint()) {
			t.Fatalf("believed: %v", ok)
		}
	})
}
