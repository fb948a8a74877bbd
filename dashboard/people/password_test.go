package people

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

func TestHashesAreArgon2idInPHCFormatAndSalted(t *testing.T) {
	h := newHasher(1, Cost{})
	a, b := h.hash("correct horse"), h.hash("correct horse")
	if !strings.HasPrefix(a, "$argon2id$v=19$m=19456,t=2,p=1$") || a == b {
		t.Fatalf("got %s and %s", a, b)
	}
	if !h.verify(a, "correct horse") || h.verify(a, "correct horsf") {
		t.Error("verification is wrong")
	}
	if !h.verify(h.hash("pässwörd 비밀번호"), "pässwörd 비밀번호") {
		t.Error("a password beyond ASCII")
	}
}

func TestStrangeHashesVerifyNothing(t *testing.T) {
	h := newHasher(1, Cost{})
	good := h.hash("x")
	for _, phc := range []string{
		"", "x", "$2a$10$abc", strings.Replace(good, "argon2id", "argon2i", 1), strings.Replace(good, "v=19", "v=16", 1),
		strings.Replace(good, "m=19456", "m=99999999", 1), strings.Replace(good, "t=2", "t=99", 1), strings.Replace(good, "p=1", "p=0", 1),
		strings.Replace(good, "m=19456,", "", 1), good[:len(good)-10], good + "$", "$argon2id$v=19$m=19456,t=2,p=1$!!$!!", "$argon2id$v=19$m=19456,t=2,p=1$$",
	} {
		if h.verify(phc, "x") {
			t.Errorf("%q verified", phc)
		}
	}
}

func TestHashingIsBounded(t *testing.T) {
	h := newHasher(1, Cost{})
	release, err := h.acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 16)
	for range 16 {
		go func() {
			_, err := h.acquire(ctx)
			ended <- err
		}()
	}
	testenv.Eventually(t, 10*time.Second, func() bool { return len(h.waiting) == 16 })
	if _, err := h.acquire(t.Context()); !fault.Is(err, "auth.busy") {
		t.Errorf("one more: %v", err)
	}
	cancel()
	for range 16 {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	release()
	if release, err = h.acquire(t.Context()); err != nil {
		t.Fatalf("the slot did not come back: %v", err)
	}
	release()
}

func TestBackOffDoublesToFiveMinutes(t *testing.T) {
	for failed, want := range map[int]string{1: "0s", 4: "0s", 5: "1s", 6: "2s", 13: "4m16s", 14: "5m0s", 1000: "5m0s"} {
		if got := backOff(failed, 5).String(); got != want {
			t.Errorf("%d failures: %s, want %s", failed, got, want)
		}
	}
}

func TestOneTimePasswordsPassTheRulesAndDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		p := oneTimePassword()
		if err := checkNewPassword(p, "kim"); err != nil || len(p) != 23 || seen[p] {
			t.Fatalf("%q: %v", p, err)
		}
		seen[p] = true
	}
}
