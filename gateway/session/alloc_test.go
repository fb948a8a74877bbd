//go:build !race

package session_test

import (
	"context"
	"testing"

	"github.com/sluice-gateway/sluice/gateway/session"
	"github.com/sluice-gateway/sluice/pkg/access"
	"github.com/sluice-gateway/sluice/pkg/keyring"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// A request with a key that is kept costs nothing on the heap, its hash included.
func TestAKnownKeyAllocatesNothing(t *testing.T) {
	k, err := trust.Generate()
	if err != nil {
		t.Fatal(err)
	}
	m := newMemory()
	m.Put(t, keyring.Entry{Hash: k.HashKey("abcdefgh1"), Version: 1, Key: access.Key{ID: "k_1", Org: "default", State: access.KeyActive, Version: 1}})
	l := session.New(m, k.SumKey, nil, session.Options{})
	ask := func() {
		if _, err := l.Session(context.Background(), "abcdefgh1"); err != nil {
			t.Fatal(err)
		}
	}
	ask()
	if n := testing.AllocsPerRun(1000, ask); n > 0.1 { // the hashers' pool may be emptied meanwhile
		t.Errorf("%.1f heap objects per lookup", n)
	}
}
