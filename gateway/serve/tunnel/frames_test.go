package tunnel

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// ends is the plain way to find the ends of frames: over all bytes at once.
func ends(b []byte) (list []int, lost bool) {
	for at := 0; ; {
		if len(b)-at < 2 {
			return list, false
		}
		n, head := uint64(b[at+1]&0x7f), 2
		switch n {
		case 126:
			head = 4
			if len(b)-at < head {
				return list, false
			}
			n = uint64(binary.BigEndian.Uint16(b[at+2:]))
		case 127:
			head = 10
			if len(b)-at < head {
				return list, false
			}
			if n = binary.BigEndian.Uint64(b[at+2:]); n>>63 != 0 {
				return list, true
			}
		}
		if b[at+1]&0x80 != 0 {
			head += 4
		}
		if uint64(len(b)-at) < uint64(head) || uint64(len(b)-at-head) < n {
			return list, false
		}
		at += head + int(n)
		list = append(list, at)
	}
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte("\x81\x05hello\x88\x82\x01\x02\x03\x04ab\x82\x7e\x00\x03abc"), uint8(1))
	f.Add([]byte("\x81\x80\x01\x02\x03\x04\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x01x\x09\x00"), uint8(3))
	f.Add([]byte("\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00\x01\x02\x03\x04"), uint8(5))
	f.Add([]byte("\xf1\x05hello\x83\x00\x08\x00"), uint8(0))
	f.Fuzz(func(t *testing.T, b []byte, step uint8) {
		want, lost := ends(b)
		at := map[int]bool{0: true}
		for _, e := range want {
			at[e] = true
		}
		// in pieces: a boundary is where a frame ends, and nowhere else
		var f frames
		for from := 0; from < len(b); {
			n := min(len(b)-from, int(step)+1)
			if got := f.pass(b[from:from+n], false); got != n {
				t.Fatalf("%d of %d bytes were seen", got, n)
			}
			if from += n; f.boundary() != at[from] && !lost {
				t.Fatalf("boundary %v at %d of % x", f.boundary(), from, b)
			}
		}
		if f.lost != lost {
			t.Fatalf("lost %v, want %v", f.lost, lost)
		}
		// with stop: up to the end of the frame in work, from every place in it
		if len(want) > 0 && want[0] > 1 {
			for cut := 1; cut < want[0]; cut += max(1, want[0]/8) {
				var g frames
				g.pass(b[:cut], false)
				if n := g.pass(b[cut:], true); cut+n != want[0] || !g.boundary() {
					t.Fatalf("stopped at %d, want %d", cut+n, want[0])
				}
				if n := g.pass(b[want[0]:], true); n != 0 {
					t.Fatalf("%d bytes past the boundary", n)
				}
			}
		}
	})
}

func TestCloseFrames(t *testing.T) {
	if got := closeFrame(goingAway, "bye", false); !bytes.Equal(got, []byte("\x88\x05\x03\xe9bye")) {
		t.Errorf("% x", got)
	}
	masked, again := closeFrame(goingAway, "bye", true), closeFrame(goingAway, "bye", true)
	if len(masked) != 11 || masked[0] != 0x88 || masked[1] != 0x85 || bytes.Equal(masked, again) {
		t.Fatalf("% x", masked)
	}
	for i := range masked[6:] {
		masked[6+i] ^= masked[2+i%4]
	}
	if string(masked[6:]) != "\x03\xe9bye" {
		t.Errorf("% x", masked[6:])
	}
	var f frames
	for _, r := range reasons() {
		b := closeFrame(goingAway, r.text(), true)
		if f.pass(b, false); !f.closed || !f.boundary() || len(b) > 131 {
			t.Errorf("%s: %+v", r, f)
		}
		f = frames{}
	}
}
