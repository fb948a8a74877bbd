package record

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// whole is a body that is at hand, as the engine's is.
type whole struct {
	*strings.Reader
	at int
}

func (w *whole) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	w.at += n
	return n, err
}

// Seek is hidden: the engine's body has none.
func (w *whole) Seek() {}

func (w *whole) Rewind(n int) {
	w.at -= n
	_, _ = w.Reader.Seek(int64(w.at), io.SeekStart)
}

func TestABodyAtHandStaysAtHand(t *testing.T) {
	tp := &tap{max: 4}
	body := tapReader(&whole{Reader: strings.NewReader("abcdef")}, tp)
	l, ok := body.(interface{ Len() int })
	r, can := body.(interface{ Rewind(n int) })
	if !ok || !can || l.Len() != 6 {
		t.Fatalf("%T does not tell its length or cannot go back", body)
	}
	var buf [6]byte
	_, _ = io.ReadFull(body, buf[:])
	r.Rewind(6)
	if l.Len() != 6 {
		t.Errorf("after going back %d bytes are at hand", l.Len())
	}
	text, err := io.ReadAll(body)
	if kept, size, ended := tp.take(); err != nil || string(text) != "abcdef" || string(kept) != "abcd" || size != 6 || !ended {
		t.Errorf("%q %v; kept %q of %d, %v", text, err, kept, size, ended)
	}
}

func TestABodyThatSeeksStillDoes(t *testing.T) {
	tp := &tap{max: 4}
	body := tapReader(strings.NewReader("abcdef"), tp)
	var buf [3]byte
	_, _ = io.ReadFull(body, buf[:])
	if at, err := body.(io.Seeker).Seek(-2, io.SeekCurrent); at != 1 || err != nil {
		t.Fatal(at, err)
	}
	text, _ := io.ReadAll(body)
	if kept, size, _ := tp.take(); string(text) != "bcdef" || string(kept) != "abcd" || size != 6 {
		t.Errorf("%q; kept %q of %d", text, kept, size)
	}
}

func TestABodyThatIsNotAtHandDoesNotSaySo(t *testing.T) {
	body := tapReader(io.MultiReader(strings.NewReader("a")), &tap{max: 4})
	if _, ok := body.(interface{ Len() int }); ok {
		t.Error("a stream has no length")
	}
}

// streaming is a response body that writes itself and flushes between.
type streaming struct{ fail error }

func (streaming) Read([]byte) (int, error) { return 0, errors.New("read") }
func (streaming) Close() error             { return nil }
func (s streaming) WriteTo(w io.Writer) (int64, error) {
	for _, part := range []string{"one", "two"} {
		if _, err := io.WriteString(w, part); err != nil {
			return 0, err
		}
		if err := w.(interface{ Flush() error }).Flush(); err != nil {
			return 0, err
		}
	}
	return 6, s.fail
}

// flushed notes what was written when it was flushed.
type flushed struct {
	text string
	at   []string
}

func (f *flushed) Write(p []byte) (int, error) { f.text += string(p); return len(p), nil }
func (f *flushed) Flush() error                { f.at = append(f.at, f.text); return nil }

func TestABodyThatWritesItselfStillDoes(t *testing.T) {
	tp := &tap{max: 4}
	body := tapCloser(streaming{}, tp)
	var w flushed
	if n, err := body.(io.WriterTo).WriteTo(&w); n != 6 || err != nil || strings.Join(w.at, " ") != "one onetwo" {
		t.Errorf("%d %v %q", n, err, w.at)
	}
	if kept, size, ended := tp.take(); string(kept) != "onet" || size != 6 || !ended {
		t.Errorf("kept %q of %d, %v", kept, size, ended)
	}
	tp = &tap{max: 9}
	_, _ = tapCloser(streaming{errors.New("cut")}, tp).(io.WriterTo).WriteTo(&w)
	if _, _, ended := tp.take(); ended {
		t.Error("a body that was cut did not end")
	}
}

func TestNothingIsKeptAfterTheExchange(t *testing.T) {
	tp := &tap{max: 10}
	body := tapReader(strings.NewReader("abcdef"), tp)
	var buf [3]byte
	_, _ = io.ReadFull(body, buf[:])
	kept, _, _ := tp.take()
	_, _ = io.ReadAll(body)
	if again, size, _ := tp.take(); string(kept) != "abc" || string(again) != "abc" || size != 3 {
		t.Errorf("%q %q %d", kept, again, size)
	}
}
