package http1test

// words are what messages are made of, and what is done to them to have two
// parsers read two things.
func words() []string {
	return []string{
		"GET ", "POST ", "HEAD ", "OPTIONS ", "CONNECT ", "/a", "/b?c=d", "*", "http://h/x", "HTTP://H:80", "//h/x", "/%2e%2E/%2f%zz", "?", "#",
		" HTTP/1.1\r\n", " HTTP/1.0\r\n", " HTTP/1.1\n", " HTTP/2.0\r\n", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 204 No\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.0 200\r\n",
		"Host: h\r\n", "Host: H.:80\r\n", "Host: [::1]:8\r\n", "host:h\r\n", "Host: a@b\r\n", "Host : h\r\n",
		"Content-Length: 5\r\n", "Content-Length: 0\r\n", "content-length:3\r\n", "Content-Length: +5\r\n", "Content-Length: 5, 5\r\n", "Content-Length: 010\r\n", "Content-Length: ",
		"Transfer-Encoding: chunked\r\n", "transfer-encoding: Chunked\r\n", "Transfer-Encoding: identity\r\n", "Transfer-Encoding:\tchunked \r\n", "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding : chunked\r\n", "Transfer-Encoding\r\n : chunked\r\n",
		"Connection: close\r\n", "Connection: keep-alive, X\r\n", "Connection: Content-Length\r\n", "Connection: Upgrade\r\nUpgrade: websocket\r\n", "Expect: 100-continue\r\n", "Trailer: T\r\n", "X: y\r\n", "X:\r\n", "Pragma: no-cache\r\n", "Cookie: a=b; c=d\r\n",
		"\r\n", "\n", "\r", "\r\n\r\n", " ", "\t", ":", ";", ",", "\x00", "\x0b", "\x7f", "\x80", "\xa0", "\xff",
		"5\r\nabcde\r\n", "3;x=\"y\"\r\nabc\r\n", "0\r\n\r\n", "0\r\nT: v\r\n\r\n", "0\r\nContent-Length: 3\r\n\r\n", "00000000000000005\r\n", "FFFFFFFFFFFFFFFF\r\n", "1;a\n=b\r\na\r\n", "5 \r\n", "-1\r\n", "0x5\r\n", "a\r\n0123456789\r\n", "3\r\nabc", "abcde", "abc", "\r\nX",
		"GET /s HTTP/1.1\r\nHost: h\r\n\r\n", "POST /s HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", "POST /s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", "GET /s HTTP/1.0\r\n\r\n",
	}
}

// Spell makes bytes of a fuzzer's input: each of 0x80 and above stands for a word of HTTP, or a piece
// of one, the others for themselves. So a message changes by whole lines as easily as by bytes.
func Spell(in []byte) []byte {
	list := words()
	out := make([]byte, 0, 4*len(in))
	for _, b := range in {
		if b < 0x80 {
			out = append(out, b)
			continue
		}
		out = append(out, list[int(b-0x80)%len(list)]...)
	}
	return out
}
