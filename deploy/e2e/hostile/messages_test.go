package hostile

import (
	"fmt"
	"strings"
)

// requestLines are about the request line, and about heads that are too large.
func requestLines() []attackCase {
	method := func(m string) string { return m + " /a HTTP/1.1\r\n" + hostLine + "\r\n" }
	preface := refused("A26", "the preface of HTTP-2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, 405, 501, 505)
	preface.silence = true // where HTTP/2 is spoken, what follows is no frame
	lower := passed("A26", "the method's case is kept", method("get"), "get /a")
	return []attackCase{
		refused("A25", "HTTP-0.9", "GET /a\r\n\r\n", 400, 505),
		refused("A25", "HTTP-1.32", "GET /a HTTP/1.32\r\n"+hostLine+"\r\n", 400, 505),
		refused("A25", "HTTP-2.0 in a line", "GET /a HTTP/2.0\r\n"+hostLine+"\r\n", 400, 505),
		refused("A25", "an overflowing version", "GET /a HTTP/4294967297.1\r\n"+hostLine+"\r\n", 400, 505),
		refused("A25", "lower-case http", "GET /a http/1.1\r\n"+hostLine+"\r\n", 400, 505),
		refused("A25", "two spaces", "GET  /a HTTP/1.1\r\n"+hostLine+"\r\n", 400),
		refused("A25", "a tab", "GET\t/a HTTP/1.1\r\n"+hostLine+"\r\n", 400),
		refused("A25", "space behind the version", "GET /a HTTP/1.1 \r\n"+hostLine+"\r\n", 400, 505),
		refused("A25", "LF before the version", "GET /a\nHTTP/1.1\r\n"+hostLine+"\r\n", 400),
		passed("A25", "one empty line before", "\r\nGET /a HTTP/1.1\r\n"+hostLine+"\r\n", "GET /a"),
		refused("A25", "many empty lines before", strings.Repeat("\r\n", 20)+get(""), 400),
		refused("A26", "a quote in the method", "GE\"T /a HTTP/1.1\r\n"+hostLine+"\r\n", 400, 405, 501),
		refused("A26", "no method", " /a HTTP/1.1\r\n"+hostLine+"\r\n", 400),
		refused("A26", "8 KB of method", strings.Repeat("A", 8192)+" /a HTTP/1.1\r\n"+hostLine+"\r\n", 400, 405, 414, 501),
		preface,
		refused("A28", "16 KB of request line", "GET /"+strings.Repeat("a", 16<<10)+" HTTP/1.1\r\n"+hostLine+"\r\n", 414),
		refused("A28", "a value of 64 KB", get("X: "+strings.Repeat("a", 64<<10)+"\r\n"), 431),
		refused("A28", "a header of 1 MB", get("X: "+strings.Repeat("a", 1<<20)+"\r\n"), 431),
		refused("A28", "10 000 fields", get(strings.Repeat("X: y\r\n", 10000)), 431),
		refused("A31", "CONNECT", "CONNECT 127.0.0.1:22 HTTP/1.1\r\n"+hostLine+"\r\n", 400, 405, 501),
		refused("A31", "TRACE", "TRACE /a HTTP/1.1\r\n"+hostLine+"\r\n", 405, 501),
		lower,
		refused("A25", "HTTP-1.2", "GET /a HTTP/1.2\r\n"+hostLine+"\r\n", 400, 505),
		refused("A25", "a leading space", " GET /a HTTP/1.1\r\n"+hostLine+"\r\n", 400),
		refused("A25", "an empty version", "GET /a \r\n"+hostLine+"\r\n", 400, 505),
		refused("A25", "two empty lines before", "\r\n\r\n"+get(""), 400),
		refused("A25", "a bare LF before", "\n"+get(""), 400),
		refused("A26", "a control character in the method", method("G\x01T"), 400, 405, 501),
		refused("A26", "a DEL in the method", method("GET\x7f"), 400, 405, 501),
		refused("A26", "a byte beyond ASCII in the method", method("G\xc3\x89T"), 400, 405, 501),
		refused("A26", "PRI", "PRI * HTTP/1.1\r\n"+hostLine+"\r\n", 400, 405, 501),
		refused("A28", "one field too many", get(strings.Repeat("X: y\r\n", 100)), 431),
		refused("A28", "a request line without end", "GET /"+strings.Repeat("a", 1<<20), 414),
		refused("A31", "CONNECT in origin-form", "CONNECT /a HTTP/1.1\r\n"+hostLine+"\r\n", 400, 405, 501),
		refused("A31", "CONNECT with a body", "CONNECT "+hostileHost+":80 HTTP/1.1\r\n"+hostLine+"Content-Length: 3\r\n\r\nabc", 400, 405, 501),
	}
}

// messages are whole messages that are awkward.
func messages() []attackCase {
	smuggled := "GET /smuggled HTTP/1.1\r\n" + hostLine + "\r\n"
	pipeline := attackCase{id: "A27", name: "100 pipelined requests", statuses: []int{200}}
	for i := range 100 {
		pipeline.send += fmt.Sprintf("GET /p%d HTTP/1.1\r\n%s\r\n", i, hostLine)
		pipeline.arrive = append(pipeline.arrive, fmt.Sprintf("GET /p%d", i))
	}
	garbage := passed("A21", "garbage behind the last chunk ends the connection", post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n")+"GARBAGE\r\n\r\n", "POST /a abc")
	short := attackCase{
		id: "A23", name: "a body that is shorter than its CL", send: post("Content-Length: 100000\r\n", "abc"),
		statuses: []int{400, 408, 499, 502}, partial: true, silence: true, ends: true,
	}
	none := short
	none.name, none.send = "no byte of the body comes", post("Content-Length: 100000\r\n", "")
	chunked := short
	chunked.name, chunked.send = "chunks that end early", post("Transfer-Encoding: chunked\r\n", "ffff\r\nabc")
	h2c := passed("A30", "h2c is not upgraded", get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"), "GET /a")
	h2c.check = lacks("Upgrade", "HTTP2-Settings")
	lone := passed("A30", "h2c without a nomination", get("Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"), "GET /a")
	lone.check = lacks("Upgrade", "HTTP2-Settings")
	socket := passed("A30", "a websocket answered by 200 is no tunnel",
		get("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), "GET /a")
	return []attackCase{
		passed("A21", "a pipelined request behind a body", post("Content-Length: 2\r\n", "ab")+"GET /b HTTP/1.1\r\n"+hostLine+"\r\n", "POST /a ab", "GET /b"),
		passed("A22", "GET with a body", "GET /a HTTP/1.1\r\n"+hostLine+"Content-Length: 3\r\n\r\nabc", "GET /a abc"),
		passed("A22", "DELETE with a body", "DELETE /a HTTP/1.1\r\n"+hostLine+"Content-Length: 3\r\n\r\nabc", "DELETE /a abc"),
		refused("A24", "an unknown expectation", post("Expect: garbage\r\nContent-Length: 2\r\n", "ab"), 417, 400),
		passed("A24", "100-continue with the body at once", post("Expect: 100-continue\r\nContent-Length: 2\r\n", "ab"), "POST /a ab"),
		pipeline, short, none, chunked, h2c, lone, socket,
		refused("A24", "two expectations", post("Expect: 100-continue, x\r\nContent-Length: 2\r\n", "ab"), 417, 400),
		passed("A24", "an expectation without a body", get("Expect: 100-continue\r\n"), "GET /a"),
		passed("A21", "a smuggled request in a body is a body", post(fmt.Sprintf("Content-Length: %d\r\n", len(smuggled)), smuggled), "POST /a "+strings.TrimSpace(smuggled)),
		garbage,
		passed("A22", "OPTIONS with a body", "OPTIONS /a HTTP/1.1\r\n"+hostLine+"Content-Length: 3\r\n\r\nabc", "OPTIONS /a abc"),
		{id: "A22", name: "HEAD with a body", send: "HEAD /a HTTP/1.1\r\n" + hostLine + "Content-Length: 3\r\n\r\nabc", statuses: []int{200, 400}, maybe: true, arrive: []string{"HEAD /a abc"}},
		passed("A22", "GET with chunks", get("Transfer-Encoding: chunked\r\n")+"3\r\nabc\r\n0\r\n\r\n", "GET /a abc"),
		passed("A22", "a CL of 0 on GET", get("Content-Length: 0\r\n"), "GET /a"),
	}
}
