package http1

import "github.com/sluice-gateway/sluice/gateway/message"

// Detach takes the connection behind a 101 out of its pool: the connection counts no
// more there, its buffers are given back, and only who has Response.Tunnel can close
// it. The response's head is not valid after it; Body.Close does nothing. It reports
// false, with nothing done, where there is no tunnel, or its exchange was cut
// meanwhile.
func (b *response) Detach() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.c
	if c == nil || c.res.Tunnel == nil {
		return false
	}
	sent, calm := c.send.end(), c.unwatched()
	if fit := c.read.Set(0) && c.write.Set(0); !fit || !sent || !calm {
		return false
	}
	c.p.c.Clock.Remove(c) // and with that nothing sets a deadline any more
	b.c, c.res = nil, nil
	b.Header, b.Trailer, b.Tunnel, b.Buffered = message.Header{}, nil, nil, nil
	c.d.R = c.d.W
	c.d.Reset()
	c.p.vacate()
	return true
}
