package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// door is a gateway that clients call, and that may be restarted meanwhile.
type door struct {
	addr string
	mu   sync.Mutex
	life int           // counts its ends
	open chan struct{} // closed while it serves
}

func newDoor(addr string) *door {
	d := &door{addr: addr, open: make(chan struct{})}
	close(d.open)
	return d
}

// shut says that the gateway is about to end; the answer opens the door again.
func (d *door) shut() func() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.life++
	d.open = make(chan struct{})
	return func() { close(d.open) }
}

// state is the number of the life, and what to wait for until it serves.
func (d *door) state() (life int, open chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.life, d.open
}

// ledger is what was asked, and what came of it.
type ledger struct {
	next   atomic.Int64
	mu     sync.Mutex
	counts map[string]int
	faults []string
	unsaid map[string]ask // requests without an answer, to gateways that ended: no origin may have got them
}

func (l *ledger) count(what string) {
	l.mu.Lock()
	l.counts[what]++
	l.mu.Unlock()
}

func (l *ledger) fault(format string, args ...any) {
	l.mu.Lock()
	l.faults = append(l.faults, fmt.Sprintf(format, args...))
	l.mu.Unlock()
}

// ask is one request.
type ask struct {
	kind, id, method string
	lines            int
	body             []byte
	chunked, early   bool
	origin           *moody
	err              error // why there is no answer
}

// inquirer makes requests and checks their answers on one connection after the other.
type inquirer struct {
	l       *ledger
	door    *door
	origins map[string]*moody // by the first segment of the path
	dice    *rand.Rand

	conn net.Conn
	in   *bufio.Reader
	read atomic.Int64 // bytes that came, of all connections
	life int          // of the door, when the connection was opened
}

// Read counts.
func (q *inquirer) Read(b []byte) (int, error) {
	n, err := q.conn.Read(b)
	q.read.Add(int64(n))
	return n, err
}

func (q *inquirer) invent() ask {
	a := ask{id: fmt.Sprintf("id%dq", q.l.next.Add(1)), method: "GET", lines: q.dice.IntN(20)}
	if q.dice.IntN(50) == 0 {
		a.lines = 20_000
	}
	a.kind = []string{"good", "good", "closing", "rubbish", "early"}[q.dice.IntN(5)]
	a.early = a.kind == "early"
	a.origin = q.origins[strings.Replace(a.kind, "early", "good", 1)]
	if a.early || q.dice.IntN(2) == 0 {
		a.method = []string{"POST", "PUT"}[q.dice.IntN(2)]
		size := q.dice.IntN(300)
		if a.early {
			size = q.dice.IntN(20_000)
		}
		a.body = []byte(strings.Repeat(a.id, size))
		a.chunked = q.dice.IntN(2) == 0
	}
	return a
}

// bytes is the request as it is sent.
func (a ask) bytes(dice *rand.Rand) string {
	var b strings.Builder
	where := a.kind
	if a.early {
		where = "good/early"
	}
	fmt.Fprintf(&b, "%s /%s/%s?lines=%d HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Id: %s\r\nX-Length: %d\r\n", a.method, where, a.id, a.lines, a.id, len(a.body))
	switch {
	case a.method == "GET":
		b.WriteString("\r\n")
	case a.chunked:
		b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
		for rest := a.body; ; {
			n := min(len(rest), 1+dice.IntN(5000))
			if n == 0 {
				break
			}
			fmt.Fprintf(&b, "%x\r\n%s\r\n", n, rest[:n])
			rest = rest[n:]
		}
		b.WriteString("0\r\n\r\n")
	default:
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(a.body), a.body)
	}
	return b.String()
}

// run asks until ctx ends.
func (q *inquirer) run(ctx context.Context) {
	defer q.hangUp()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if q.conn == nil && !q.dial(ctx) {
			continue
		}
		q.once(q.invent())
	}
}

func (q *inquirer) hangUp() {
	if q.conn != nil {
		_ = q.conn.Close()
		q.conn = nil
	}
}

func (q *inquirer) dial(ctx context.Context) bool {
	life, open := q.door.state()
	select {
	case <-open:
	case <-ctx.Done():
		return false
	}
	c, err := net.DialTimeout("tcp", q.door.addr, 10*time.Second)
	if err != nil {
		if now, _ := q.door.state(); now == life {
			q.l.fault("connecting to %s: %v", q.door.addr, err)
		}
		return false
	}
	q.conn, q.life = c, life
	q.in = bufio.NewReader(q)
	return true
}

// once sends one request and judges what comes back.
func (q *inquirer) once(a ask) {
	_ = q.conn.SetDeadline(time.Now().Add(20 * time.Second))
	before, text, c := q.read.Load(), a.bytes(q.dice), q.conn
	sent := make(chan error, 1)
	if a.early {
		go func() {
			_, err := io.WriteString(c, text)
			sent <- err
		}()
	} else {
		_, err := io.WriteString(c, text)
		sent <- err
	}
	resp, body, err := readAnswer(q.in, a.method)
	if err != nil || resp.Close {
		q.hangUp()
	}
	if broken := <-sent; broken != nil {
		q.hangUp()
	}
	q.judge(a, resp, body, err, q.read.Load() > before)
}

// judge tells an answer that is the request's own, or one that says that there is none, from a loss.
func (q *inquirer) judge(a ask, resp *http.Response, body []byte, err error, began bool) {
	life, _ := q.door.state()
	body0 := a.body
	if a.early {
		body0 = nil
	}
	switch {
	case err == nil && resp.StatusCode == 200 && string(body) == answerTo(a.id, a.method, a.lines, body0):
		a.origin.forget(a.id)
		q.l.count(a.kind + " answered")
	case err == nil && resp.StatusCode == 200:
		q.l.fault("%s %s %s was answered with %.200q", a.kind, a.method, a.id, body)
	case err != nil && !began && life != q.life:
		a.err = err
		q.l.mu.Lock()
		q.l.unsaid[a.id] = a
		q.l.counts["not taken by a gateway that ended"]++
		q.l.mu.Unlock()
	case err != nil && began && a.kind == "rubbish":
		q.l.count("rubbish broken off")
	case err == nil && resp.StatusCode == 502 && (a.kind == "rubbish" || a.kind == "closing" && a.method == "POST" || a.kind == "closing" && a.chunked):
		q.l.count(a.kind + " 502")
	case err != nil:
		q.l.fault("%s %s %s, chunked %v, %d bytes of body: %v; anything came: %v", a.kind, a.method, a.id, a.chunked, len(a.body), err, began)
	default:
		q.l.fault("%s %s %s, chunked %v, %d bytes of body: %d %.300q", a.kind, a.method, a.id, a.chunked, len(a.body), resp.StatusCode, body)
	}
}

// quitter makes requests, and goes at any point of them or of their answers.
func (q *inquirer) quit(ctx context.Context) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !q.dial(ctx) {
			continue
		}
		a := q.invent()
		text := a.bytes(q.dice)
		if q.dice.IntN(2) == 0 {
			text = text[:q.dice.IntN(len(text))]
		}
		_ = q.conn.SetDeadline(time.Now().Add(time.Duration(q.dice.IntN(20)) * time.Millisecond))
		_, _ = io.WriteString(q.conn, text)
		_, _ = io.CopyN(io.Discard, q.conn, q.dice.Int64N(3000))
		if q.dice.IntN(2) == 0 {
			_ = q.conn.(*net.TCPConn).SetLinger(0)
		}
		q.hangUp()
		q.l.count("left")
	}
}
