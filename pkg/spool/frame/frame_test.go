package frame

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/testenv"
)

func header() Header {
	return Header{
		Start: StartID{1, 2, 3, 4, 5, 6, 7, 8}, Shard: 3, Seq: 1 << 40, Base: 1<<40 + 77, Count: 500, End: true,
		First: time.UnixMicro(1_795_000_000_000_001).UTC(), Last: time.UnixMicro(1_795_000_001_000_000).UTC(),
	}
}

func TestFramesTravel(t *testing.T) {
	for name, body := range map[string][]byte{
		"none": nil, "short": []byte("abc"), "long": bytes.Repeat([]byte("some record "), 9000),
		"incompressible": randomBytes(40), "63": bytes.Repeat([]byte("a"), 63), "64": bytes.Repeat([]byte("a"), 64),
	} {
		t.Run(name, func(t *testing.T) {
			h := header()
			b, _ := Append([]byte("before"), &h, body, nil)
			f, err := Parse(b[len("before"):])
			if err != nil {
				t.Fatal(err)
			}
			got, err := f.Body()
			if err != nil {
				t.Fatal(err)
			}
			if f.Header != h || !bytes.Equal(got, body) {
				t.Errorf("%+v, %d bytes", f.Header, len(got))
			}
			if len(b) > MaxSize {
				t.Errorf("%d bytes", len(b))
			}
		})
	}
}

// randomBytes is random bytes.
func randomBytes(n int) (b []byte) {
	for range n {
		s := NewStartID()
		b = append(b, s[:]...)
	}
	return b
}

// TestTheFormStays compares with the bytes of the first release: what lies in Redis
// and on disks must be read by every later one.
func TestTheFormStays(t *testing.T) {
	h := header()
	b, _ := Append(nil, &h, []byte(strings.Repeat("record ", 20)), nil)
	plain, _ := Append(nil, &Header{Start: h.Start, Seq: 1}, nil, nil)
	testenv.Golden(t, "frame_v1.hex", []byte(hex.EncodeToString(b)+"\n"+hex.EncodeToString(plain)+"\n"))
}

func TestNoTimeIsNoTime(t *testing.T) {
	b, _ := Append(nil, &Header{Seq: 1}, nil, nil)
	f, err := Parse(b)
	if err != nil || !f.First.IsZero() || !f.Last.IsZero() {
		t.Errorf("%+v, %v", f.Header, err)
	}
}

// resum makes the checksum right again.
func resum(b []byte, body int) []byte {
	table := crc32.MakeTable(crc32.Castagnoli)
	at := len(b) - body - 4
	binary.LittleEndian.PutUint32(b[at:], crc32.Update(crc32.Checksum(b[:at], table), table, b[at+4:]))
	return b
}

func TestWhatIsNoFrame(t *testing.T) {
	h := header()
	h.Shard = 1
	body := []byte("0123456789")
	good, _ := Append(nil, &h, body, nil)
	changed := func(f func(b []byte)) []byte {
		b := bytes.Clone(good)
		f(b)
		return b
	}
	for name, c := range map[string]struct {
		in   []byte
		want error
	}{
		"nothing":             {nil, ErrNotFrame},
		"something else":      {[]byte(strings.Repeat("x", 100)), ErrNotFrame},
		"magic alone":         {[]byte("SLF\x01"), ErrNotFrame},
		"newer version":       {changed(func(b []byte) { b[3] = 2 }), ErrVersion},
		"newer codec":         {resum(changed(func(b []byte) { b[4] = 2 }), len(body)), ErrVersion},
		"newer compression":   {resum(changed(func(b []byte) { b[5] = 9 }), len(body)), ErrVersion},
		"changed codec":       {changed(func(b []byte) { b[4] = 2 }), ErrCorrupt},
		"changed body":        {changed(func(b []byte) { b[len(b)-1]++ }), ErrCorrupt},
		"cut":                 {good[:len(good)-1], ErrCorrupt},
		"cut header":          {good[:16], ErrCorrupt},
		"shard out of range":  {resum(changed(func(b []byte) { b[14] = MaxShards }), len(body)), ErrCorrupt},
		"sequence zero":       {frameOf(0, 0, 0), ErrCorrupt},
		"huge count":          {frameOf(1, 0, 1<<30), ErrCorrupt},
		"huge base":           {frameOf(1, 1<<60, 0), ErrCorrupt},
		"a varint of ten 255": {append(bytes.Clone(good[:14]), bytes.Repeat([]byte{255}, 80)...), ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse(c.in); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

func frameOf(seq, base uint64, count int) []byte {
	b, _ := Append(nil, &Header{Seq: seq, Base: base, Count: count}, nil, nil)
	return b
}

func TestABodyThatLiesAboutItsSize(t *testing.T) {
	for _, compression := range []byte{compressNone, compressS2, compressS2} {
		b := appendHeader(nil, &Header{Seq: 1}, compression, 100)
		f, err := Parse(finish(b, 0, []byte("short")))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Body(); !errors.Is(err, ErrCorrupt) {
			t.Errorf("compression %d: %v", compression, err)
		}
	}
}

func TestIDs(t *testing.T) {
	h := Header{Start: StartID{0xab, 1}, Shard: 3, Seq: 17}
	if got := h.RecordID(4); got != "ab01000000000000-3-17-4" {
		t.Error(got)
	}
	if s, err := ParseStartID(h.Start.String()); err != nil || s != h.Start {
		t.Error(s, err)
	}
	for _, bad := range []string{"", "ab", "zz01000000000000", "ab0100000000000000"} {
		if _, err := ParseStartID(bad); err == nil {
			t.Errorf("%q is an id", bad)
		}
	}
	if a, b := NewStartID(), NewStartID(); a == b {
		t.Error("two starts have one id")
	}
}

func FuzzParse(f *testing.F) {
	h := header()
	long, _ := Append(nil, &h, bytes.Repeat([]byte("some record "), 90), nil)
	f.Add(long, 0)
	f.Add(frameOf(1, 0, 0), 0)
	f.Fuzz(func(t *testing.T, b []byte, body int) {
		if len(b) > 30 { // most of what is interesting has a right checksum
			b = resum(bytes.Clone(b), min(max(body, 0), len(b)-20))
		}
		frame, err := Parse(b)
		if err != nil {
			if !errors.Is(err, ErrNotFrame) && !errors.Is(err, ErrVersion) && !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		text, err := frame.Body()
		if err != nil {
			return
		}
		again, _ := Append(nil, &frame.Header, text, nil)
		second, err := Parse(again)
		if err != nil || second.Header != frame.Header {
			t.Fatalf("%+v, %+v, %v", frame.Header, second.Header, err)
		}
	})
}
