package backup

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
)

const pass = "a passphrase for tests"

// cheap is the least work there is: tests are not about it.
func cheap() cost { return cost{memory: 8, passes: 1, lanes: 1} }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func sealed(t testing.TB, plain []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	s, err := newSealer(&out, pass, cheap())
	must(t, err)
	for part := range slices.Chunk(plain, 50_000) {
		_, err := s.Write(part)
		must(t, err)
	}
	must(t, s.Close())
	return out.Bytes()
}

func opened(file []byte) ([]byte, error) {
	o, err := newOpener(bytes.NewReader(file), pass)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(o)
}

func noise(n int) []byte {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestSealedBytesComeBack(t *testing.T) {
	for _, n := range []int{0, 1, chunkLen - 1, chunkLen, chunkLen + 1, 2 * chunkLen, 3*chunkLen + 7} {
		plain := noise(n)
		file := sealed(t, plain)
		if got, err := opened(file); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes: %d came back, %v", n, len(got), err)
		}
		if want := headLen + n + tagLen*max(1, (n+chunkLen-1)/chunkLen); len(file) != want {
			t.Errorf("%d bytes: the file has %d, want %d", n, len(file), want)
		}
	}
}

func TestEveryCutIsRefused(t *testing.T) {
	file := sealed(t, noise(2*chunkLen+100))
	cuts := []int{0, 1, len(magic), headLen - 1, headLen, headLen + 1, headLen + tagLen, headLen + chunkLen, headLen + chunkLen + tagLen, headLen + chunkLen + tagLen + 5, headLen + 2*(chunkLen+tagLen), len(file) - tagLen, len(file) - 1}
	for _, n := range cuts {
		_, err := opened(file[:n])
		if !errors.Is(err, ErrCut) && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNoBackup) {
			t.Errorf("cut at %d of %d: %v", n, len(file), err)
		}
		if n >= headLen && (n-headLen)%(chunkLen+tagLen) == 0 && !errors.Is(err, ErrCut) {
			t.Errorf("cut at %d, between chunks: %v, want one that says so", n, err)
		}
	}
}

func TestEveryChangeIsRefused(t *testing.T) {
	file := sealed(t, noise(3*chunkLen))
	const whole = chunkLen + tagLen
	chunk := func(i int) []byte { return file[headLen+i*whole:][:whole] }
	head := file[:headLen]
	for name, changed := range map[string][]byte{
		"chunks that change places": slices.Concat(head, chunk(1), chunk(0), chunk(2)),
		"a chunk twice":             slices.Concat(head, chunk(0), chunk(0), chunk(1), chunk(2)),
		"a chunk left out":          slices.Concat(head, chunk(0), chunk(2)),
		"the last one twice":        slices.Concat(file, chunk(2)),
		"something behind the end":  append(bytes.Clone(file), 0),
		"chunks of another file":    slices.Concat(head, sealed(t, noise(3*chunkLen))[headLen:]),
	} {
		if got, err := opened(changed); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrCut) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	at := append([]int{}, headLen, headLen+chunkLen, headLen+whole, len(file)-1)
	for i := range headLen {
		at = append(at, i)
	}
	for _, i := range at {
		if i >= len(magic)+2 && i < len(magic)+14 {
			continue // the cost; its change is another test, without the work
		}
		changed := bytes.Clone(file)
		changed[i] ^= 1 << (i % 8)
		if got, err := opened(changed); err == nil {
			t.Errorf("a bit of byte %d: %d bytes came back", i, len(got))
		}
	}
}

func TestAWrongPassphraseIsToldFromDamage(t *testing.T) {
	file := sealed(t, []byte("secret"))
	if _, err := newOpener(bytes.NewReader(file), pass+" "); !errors.Is(err, ErrPassphrase) {
		t.Errorf("a wrong passphrase: %v", err)
	}
	for name, c := range map[string]struct {
		file []byte
		want error
	}{
		"another file":        {noise(1000), ErrNoBackup},
		"nothing":             {nil, ErrNoBackup},
		"a head that is cut":  {file[:headLen-1], ErrCut},
		"a changed salt":      {replaced(file, 40, file[40]^1), ErrPassphrase},
		"a version of later":  {replaced(file, len(magic)+1, 2), ErrNewer},
		"a changed last byte": {replaced(file, len(file)-1, file[len(file)-1]^1), ErrDamaged},
	} {
		if _, err := opened(c.file); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func replaced(file []byte, i int, b byte) []byte {
	file = bytes.Clone(file)
	file[i] = b
	return file
}

func TestAHeadMayNotAskForAnyCost(t *testing.T) {
	head := sealed(t, nil)[:headLen]
	for _, c := range []cost{{0, 1, 1}, {8, 0, 1}, {8, 1, 0}, {8, 1, 2}, {1<<20 + 1, 1, 1}, {64, 65, 1}, {1 << 10, 1, 17}, {1 << 31, 1 << 31, 1 << 31}} {
		for i, v := range []uint32{c.memory, c.passes, c.lanes} {
			binary.BigEndian.PutUint32(head[len(magic)+2+4*i:], v)
		}
		if _, _, err := parseHead(head); !errors.Is(err, ErrDamaged) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	must(t, defaultCost().check())
}

func TestWhatCannotBeWrittenIsAnError(t *testing.T) {
	plain := noise(2 * chunkLen)
	for room := range 4 {
		s, err := newSealer(&narrow{room: room}, pass, cheap())
		if err == nil {
			_, err = s.Write(plain)
		}
		if err == nil {
			err = s.Close()
		}
		if want := room < 3; (err != nil) != want {
			t.Errorf("room for %d writes: %v", room, err)
		}
	}
}

// narrow takes some writes.
type narrow struct{ room int }

func (n *narrow) Write(p []byte) (int, error) {
	if n.room == 0 {
		return 0, fmt.Errorf("no space left")
	}
	n.room--
	return len(p), nil
}

// FuzzChunks changes a sealed file behind its head: what comes back without an error
// is what was sealed.
func FuzzChunks(f *testing.F) {
	plain := noise(2*chunkLen + 77)
	file := sealed(f, plain)
	_, salt, err := parseHead(file[:headLen])
	must(f, err)
	k, err := derive(pass, salt, cheap())
	must(f, err)
	chunks := file[headLen:]
	f.Add(uint32(0), uint32(0), byte(0), uint32(len(chunks)), []byte{})
	f.Add(uint32(70_000), uint32(3), byte(4), uint32(len(chunks)), []byte{})
	f.Add(uint32(0), uint32(chunkLen+tagLen), byte(0), uint32(chunkLen+tagLen), []byte("behind"))
	f.Fuzz(func(t *testing.T, at, other uint32, bits byte, cut uint32, behind []byte) {
		changed := bytes.Clone(chunks)
		a, b := int(at)%len(changed), int(other)%len(changed)
		changed[a], changed[b] = changed[b]^bits, changed[a]
		changed = append(changed[:min(int(cut), len(changed))], behind...)
		got, err := io.ReadAll(k.opener(bytes.NewReader(changed)))
		if err == nil && !bytes.Equal(changed, chunks) {
			t.Fatalf("%d bytes came back of a changed file", len(got))
		}
		if err == nil && !bytes.Equal(got, plain) {
			t.Fatal("other bytes came back")
		}
		if !bytes.HasPrefix(plain, got) {
			t.Fatal("bytes were given that were not sealed")
		}
	})
}

// FuzzHead reads any head.
func FuzzHead(f *testing.F) {
	f.Add(sealed(f, nil)[:headLen])
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, head []byte) {
		c, salt, err := parseHead(head)
		if err == nil && (c.memory > 1<<20 || c.passes > 64 || c.lanes > 16 || len(salt) != 32) {
			t.Fatalf("%+v with a salt of %d bytes", c, len(salt))
		}
	})
}
