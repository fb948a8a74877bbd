package record

import (
	"io"
	"sync"
)

// tap keeps the first bytes of a body that passes. The body may be read by another
// goroutine than the exchange's, and after its end: hence the lock, and take.
type tap struct {
	max int

	mu    sync.Mutex
	kept  []byte
	size  int64 // bytes that passed
	ended bool  // the body's end was seen
	over  bool  // taken
}

func (t *tap) pass(p []byte, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return
	}
	t.kept = append(t.kept, p[:min(len(p), t.max-len(t.kept))]...)
	t.size += int64(len(p))
	t.ended = t.ended || err == io.EOF
}

// back takes the last n bytes back: they will pass again.
func (t *tap) back(n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.size = max(t.size-n, 0)
	t.kept = t.kept[:min(int64(len(t.kept)), t.size)]
	t.ended = false
}

// take ends the tap; what passes from now on is not looked at.
func (t *tap) take() (body []byte, size int64, whole bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	return t.kept, t.size, t.ended
}

// The engine sends a body that is at hand together with the head, and takes the
// reading back where it tries again. It asks the body's type for both, so a tap
// offers exactly what the body behind it does.
type (
	lener    interface{ Len() int }
	rewinder interface{ Rewind(n int) }
)

func tapReader(body io.Reader, t *tap) io.Reader {
	r := reader{body, t}
	l, known := body.(lener)
	if !known {
		return &r
	}
	switch b := body.(type) {
	case rewinder:
		return &rewindable{r, l, b}
	case io.Seeker:
		return &seekable{r, l, b}
	}
	return &r
}

type reader struct {
	io.Reader
	t *tap
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.t.pass(p[:n], err)
	return n, err
}

type rewindable struct {
	reader
	lener
	back rewinder
}

// Rewind takes back the reading of n bytes.
func (r *rewindable) Rewind(n int) {
	r.back.Rewind(n)
	r.t.back(int64(n))
}

type seekable struct {
	reader
	lener
	back io.Seeker
}

// Seek is for going back; the tap then sees those bytes again.
func (s *seekable) Seek(offset int64, whence int) (int64, error) {
	before, err := s.back.Seek(0, io.SeekCurrent)
	if err != nil {
		return before, err
	}
	at, err := s.back.Seek(offset, whence)
	if err == nil && at < before {
		s.t.back(before - at)
	}
	return at, err
}

// tapCloser taps a response's body; one that writes itself still does.
func tapCloser(body io.ReadCloser, t *tap) io.ReadCloser {
	r := closer{reader{body, t}, body}
	if w, ok := body.(io.WriterTo); ok {
		return &writing{r, w}
	}
	return &r
}

type closer struct {
	reader
	io.Closer
}

type writing struct {
	closer
	body io.WriterTo
}

// WriteTo lets the body write itself to w, flushes included.
func (b *writing) WriteTo(w io.Writer) (int64, error) {
	n, err := b.body.WriteTo(&tee{w, b.t})
	if err == nil {
		b.t.pass(nil, io.EOF)
	}
	return n, err
}

// tee is a writer that a tap looks into.
type tee struct {
	io.Writer
	t *tap
}

func (w *tee) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.t.pass(p[:n], nil)
	return n, err
}

// Flush flushes what is behind, if it can be flushed.
func (w *tee) Flush() error {
	if f, ok := w.Writer.(interface{ Flush() error }); ok {
		return f.Flush()
	}
	return nil
}
