package http2

import "encoding/binary"

// Settings (RFC 9113, 6.5.2) of which only the last value of a frame matters.
const (
	settingPush       = 0x2
	settingStreams    = 0x3
	settingWindow     = 0x4
	settingFrameSize  = 0x5
	settingHeaderList = 0x6

	settingBytes = 6
	settingsMost = 100    // net/http refuses a frame with more
	settingSpare = 0xff00 // the first of the unknown ones that stand for values without effect
)

// settings is the size of the payload of a SETTINGS frame that is read next, if it
// fits into room and net/http will look at it; else 0.
func (w *watch) settings(room int) int {
	f := &w.r
	if w.begun < len(preface) || w.off.Load() || f.have > 0 || f.skip == 0 || f.kind() != frameSettings || f.skip != f.size() {
		return 0
	}
	if n := f.size(); n <= room && n%settingBytes == 0 && n <= settingsMost*settingBytes {
		return n
	}
	return 0
}

// lastWins makes settings of a frame that come several times come once, with their
// last value: values count in the order of the frame (RFC 9113, 6.5.3), but net/http
// refuses such frames. Those before the last become unknown settings, which mean
// nothing (6.5.2). Values that are an error by themselves stay, and so does
// SETTINGS_HEADER_TABLE_SIZE, whose smallest value matters too (RFC 7541, 4.2); with
// them the frame is refused.
func lastWins(p []byte) {
	var seen [settingHeaderList + 1]int // one more than the place of the last
	spare := uint16(settingSpare)
	for i := 0; i < len(p); i += settingBytes {
		id := binary.BigEndian.Uint16(p[i:])
		if id < settingPush || id > settingHeaderList {
			continue
		}
		if was := seen[id] - 1; was >= 0 && settingValid(id, binary.BigEndian.Uint32(p[was+2:])) {
			binary.BigEndian.PutUint16(p[was:], spare)
			spare++
		}
		seen[id] = i + 1
	}
}

func settingValid(id uint16, v uint32) bool {
	switch id {
	case settingPush:
		return v <= 1
	case settingWindow:
		return v < 1<<31
	case settingFrameSize:
		return v >= 1<<14 && v < 1<<24
	}
	return true
}
