package http2

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
)

func TestTheLastOfSeveralSettingsCounts(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"nothing", "", ""},
		{"once each", "1=4096 2=0 3=100 4=65535 5=16384 6=9999", "1=4096 2=0 3=100 4=65535 5=16384 6=9999"},
		{"twice", "4=100 4=1", "65280=100 4=1"},
		{"three times, with others between", "4=100 3=7 4=2 3=8 4=3", "65280=100 65281=7 65282=2 3=8 4=3"},
		{"the size of the table", "1=0 1=4096", "1=0 1=4096"},
		{"an unknown one", "7777=1 7777=2", "7777=1 7777=2"},
		{"a window that is an error", "4=2147483648 4=1", "4=2147483648 4=1"},
		{"a frame size that is an error", "5=16383 5=16384", "5=16383 5=16384"},
		{"a push that is an error", "2=2 2=0", "2=2 2=0"},
		{"a last value that is an error", "4=1 4=2147483648", "65280=1 4=2147483648"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := settingsOf(t, c.in)
			lastWins(p)
			if got := textOf(p); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestOnlyWholeSettingsAreLookedAt(t *testing.T) {
	for _, c := range []struct {
		name string
		sent []byte // before the read
		room int
		want int
	}{
		{"before the preface", nil, 600, 0},
		{"at a frame's head", []byte(preface), 600, 0},
		{"settings", append([]byte(preface), 0, 0, 12, frameSettings, 0, 0, 0, 0, 0), 12, 12},
		{"less room", append([]byte(preface), 0, 0, 12, frameSettings, 0, 0, 0, 0, 0), 11, 0},
		{"behind their first byte", append([]byte(preface), 0, 0, 12, frameSettings, 0, 0, 0, 0, 0, 0), 12, 0},
		{"an acknowledgement", append([]byte(preface), 0, 0, 0, frameSettings, 1, 0, 0, 0, 0), 12, 0},
		{"a size that is an error", append([]byte(preface), 0, 0, 11, frameSettings, 0, 0, 0, 0, 0), 12, 0},
		{"more than are taken", append([]byte(preface), 0, 0x2, 0x5e, frameSettings, 0, 0, 0, 0, 0), 9999, 0},
		{"another frame", append([]byte(preface), 0, 0, 12, frameData, 0, 0, 0, 0, 1), 12, 0},
		{"no HTTP/2", []byte("GET / HTTP/1.1\r\n"), 600, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWatch(1)
			w.received(c.sent)
			if got := w.settings(c.room); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}

// settingsOf makes a payload of "id=value" and so on.
func settingsOf(t *testing.T, text string) (p []byte) {
	t.Helper()
	for word := range strings.FieldsSeq(text) {
		var id uint16
		var v uint32
		if _, err := fmt.Sscanf(word, "%d=%d", &id, &v); err != nil {
			t.Fatal(err)
		}
		p = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(p, id), v)
	}
	return p
}

func textOf(p []byte) string {
	var words []string
	for ; len(p) > 0; p = p[settingBytes:] {
		words = append(words, fmt.Sprintf("%d=%d", binary.BigEndian.Uint16(p), binary.BigEndian.Uint32(p[2:])))
	}
	return strings.Join(words, " ")
}
