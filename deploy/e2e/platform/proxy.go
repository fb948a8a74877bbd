package platform

import (
	"bytes"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Proxy passes TCP connections on, and can be slow, stand still or damage what it passes: a server
// behind it looks as one does whose disk or network is in trouble, without an error anywhere.
type Proxy struct {
	Addr string

	target   string
	listener net.Listener
	delay    atomic.Int64 // of each piece from the client, ns
	work     sync.WaitGroup
	mu       sync.Mutex
	halted   chan struct{} // closed: bytes flow
	damage   []byte        // what the server sends is spoilt where it contains this
	conns    map[net.Conn]bool
}

// NewProxy starts one on a free port in front of a target, host:port.
func NewProxy(target string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{Addr: l.Addr().String(), target: target, listener: l, halted: make(chan struct{}), conns: map[net.Conn]bool{}}
	close(p.halted)
	p.work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.work.Go(func() { p.serve(c) })
		}
	})
	return p, nil
}

// Delay holds back each piece that a client sends for d.
func (p *Proxy) Delay(d time.Duration) { p.delay.Store(int64(d)) }

// Damage spoils one byte of the text wherever the server sends it within one piece; the lengths stay
// what they are. An empty text ends it.
func (p *Proxy) Damage(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.damage = []byte(text)
}

// Halt stops the flow of bytes; connections stay open. Resume lets them flow again.
func (p *Proxy) Halt() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.halted = make(chan struct{})
}

// Resume ends a Halt.
func (p *Proxy) Resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.halted:
	default:
		close(p.halted)
	}
}

// Close cuts everything.
func (p *Proxy) Close() {
	_ = p.listener.Close()
	p.Resume()
	p.mu.Lock()
	for c := range p.conns {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.work.Wait()
}

func (p *Proxy) serve(client net.Conn) {
	server, err := net.DialTimeout("tcp", p.target, 5*time.Second)
	if err != nil {
		_ = client.Close()
		return
	}
	p.mu.Lock()
	p.conns[client], p.conns[server] = true, true
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { p.pass(server, client, true) })
	both.Go(func() { p.pass(client, server, false) })
	both.Wait()
	p.mu.Lock()
	delete(p.conns, client)
	delete(p.conns, server)
	p.mu.Unlock()
}

func (p *Proxy) pass(to, from net.Conn, delayed bool) {
	defer func() { _, _ = to.Close(), from.Close() }()
	piece := make([]byte, 64<<10)
	for {
		n, err := from.Read(piece)
		if d := time.Duration(p.delay.Load()); delayed && n > 0 && d > 0 {
			<-time.After(d)
		}
		p.mu.Lock()
		flow, damage := p.halted, p.damage
		p.mu.Unlock()
		if !delayed && len(damage) > 0 {
			spoil(piece[:n], damage)
		}
		<-flow
		if n > 0 {
			if _, werr := to.Write(piece[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// spoil changes the first byte of each place of text.
func spoil(piece, text []byte) {
	for {
		i := bytes.Index(piece, text)
		if i < 0 {
			return
		}
		piece[i] ^= 1
		piece = piece[i+len(text):]
	}
}
