package e2e

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// manner is how an origin behaves besides answering.
type manner int

const (
	wellBehaved manner = iota // and early, where the path says so
	closing                   // ends idle connections at random, unannounced
	rubbish                   // now and then answers what is no response, half of one, or more than one
)

// answerTo is what every origin says to a request: nobody else's answer looks the same.
func answerTo(id, method string, lines int, body []byte) string {
	return id + " " + method + "\n" + strings.Repeat(id+"\n", lines) + string(body)
}

// moody is a raw origin of some manner. It records which requests it got whole.
type moody struct {
	URL    string
	manner manner

	l    net.Listener
	work sync.WaitGroup
	mu   sync.Mutex
	conn map[net.Conn]bool
	seen map[string]bool
	odd  []string // requests that no client sent so
}

func newMoody(t *testing.T, m manner) *moody {
	t.Helper()
	l := testenv.Must(net.Listen("tcp", "127.0.0.1:0"))(t)
	o := &moody{URL: "http://" + l.Addr().String(), manner: m, l: l, conn: map[net.Conn]bool{}, seen: map[string]bool{}}
	o.work.Go(func() {
		for n := uint64(1); ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			o.mu.Lock()
			o.conn[c] = true
			o.mu.Unlock()
			o.work.Go(func() {
				o.serve(c, rand.New(rand.NewPCG(n, uint64(m))))
				_ = c.Close()
				o.mu.Lock()
				delete(o.conn, c)
				o.mu.Unlock()
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		o.hangUp()
		o.work.Wait()
	})
	return o
}

// hangUp ends all connections.
func (o *moody) hangUp() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for c := range o.conn {
		_ = c.Close()
	}
}

// got tells whether a request arrived whole.
func (o *moody) got(id string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.seen[id]
}

func (o *moody) note(id string, oddity string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if oddity != "" {
		o.odd = append(o.odd, id+": "+oddity)
	}
	o.seen[id] = true
}

// forget drops a request that was answered.
func (o *moody) forget(id string) {
	o.mu.Lock()
	delete(o.seen, id)
	o.mu.Unlock()
}

func (o *moody) serve(c net.Conn, dice *rand.Rand) {
	in := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		id := path.Base(r.URL.Path)
		oddity := ""
		if r.Header.Get("X-Id") != id {
			oddity = fmt.Sprintf("the header says %q", r.Header.Values("X-Id"))
		}
		lines, _ := strconv.Atoi(r.URL.Query().Get("lines"))
		if strings.Contains(r.URL.Path, "/early/") {
			o.note(id, oddity)
			text := framed(answerTo(id, r.Method, lines, nil), dice)
			if dice.IntN(2) == 0 {
				_, _ = io.WriteString(c, strings.Replace(text, "\r\n", "\r\nConnection: close\r\n", 1))
				_ = c.(*net.TCPConn).CloseWrite()
				_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
				_, _ = io.Copy(io.Discard, c)
				return
			}
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return
			}
			continue
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // a client went away: no request
		}
		if sum := r.Header.Get("X-Length"); sum != strconv.Itoa(len(body)) || string(body) != strings.Repeat(id, len(body)/len(id)) {
			oddity = fmt.Sprintf("the body has %d bytes and not %s, or is another's", len(body), sum)
		}
		o.note(id, oddity)
		text := framed(answerTo(id, r.Method, lines, body), dice)
		if o.manner == rubbish && dice.IntN(3) == 0 {
			_, _ = io.WriteString(c, spoil(text, dice))
			return
		}
		if _, err := io.WriteString(c, text); err != nil || o.manner == closing && !stays(c, in, dice) {
			return
		}
	}
}

// framed is a response with a body, its end told in one of the ways that keep a connection.
func framed(body string, dice *rand.Rand) string {
	if dice.IntN(2) == 0 {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
	var b strings.Builder
	b.WriteString("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
	for len(body) > 0 {
		n := min(len(body), 1+dice.IntN(3000))
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	b.WriteString("0\r\n\r\n")
	return b.String()
}

// spoil makes something of a response that a gateway must not mistake for another one.
func spoil(text string, dice *rand.Rand) string {
	const evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
	head, body, _ := strings.Cut(text, "\r\n\r\n")
	switch dice.IntN(8) {
	case 0:
		b := make([]byte, 1+dice.IntN(300))
		for i := range b {
			b[i] = byte(dice.Uint32())
		}
		return string(b)
	case 1:
		return text[:dice.IntN(len(text))]
	case 2:
		return text + evil
	case 3:
		return head + "\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" + body
	case 4:
		return "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + text
	case 5:
		return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nevi\r\n-1\r\n" + evil
	case 6:
		return head + "\r\nX: a\x00b\r\n\r\n" + body
	default:
		return strings.Replace(text, "HTTP/1.1 200", "HTTP/1.1 2000", 1)
	}
}

// stays tells whether a connection is kept: it often ends at once, or after a moment of silence, in
// which the next request may be on its way.
func stays(c net.Conn, in *bufio.Reader, dice *rand.Rand) bool {
	switch dice.IntN(4) {
	case 0:
		return false
	case 1:
		_ = c.SetReadDeadline(time.Now().Add(time.Duration(dice.IntN(4000)) * time.Microsecond))
		_, err := in.Peek(1)
		_ = c.SetReadDeadline(time.Time{})
		return err == nil
	}
	return true
}
