package hostile

import (
	"fmt"
	"strings"
)

func get(lines string) string { return "GET /a HTTP/1.1\r\n" + hostLine + lines + "\r\n" }

func post(lines, body string) string {
	return "POST /a HTTP/1.1\r\n" + hostLine + lines + "\r\n" + body
}

// framing is about where a message ends, and where a line does.
func framing() []attackCase {
	smuggled := "GET /smuggled HTTP/1.1\r\n" + hostLine + "\r\n"
	return []attackCase{
		refused("A01", "CL and TE", post("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\nG"), 400),
		refused("A01", "TE and CL", post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "5c\r\n"+smuggled+"0\r\n\r\n"), 400),
		refused("A02", "TE on HTTP-1.0", "POST /a HTTP/1.0\r\n"+hostLine+"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
		refused("A03", "two different CL", post("Content-Length: 1\r\nContent-Length: 2\r\n", "ab"), 400),
		refused("A04", "two equal CL", post("Content-Length: 2\r\nContent-Length: 2\r\n", "ab"), 400),
		refused("A05", "a list as CL", post("Content-Length: 5, 5\r\n", "abcde"), 400),
		refused("A06", "an empty CL", post("Content-Length:\r\n", ""), 400),
		refused("A08", "CL before an unknown TE", post("Content-Length: 2\r\nTransfer-Encoding: blegh\r\n", "ab"), 400, 501),
		refused("A10", "TE twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400),
		refused("A10", "TE twice, one unknown", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"), 400),
		refused("A11", "space before the colon", post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), 400),
		refused("A11", "a tab before the first field", "POST /a HTTP/1.1\r\n\tTransfer-Encoding: chunked\r\n"+hostLine+"\r\n0\r\n\r\n", 400),
		refused("A11", "a bare CR within a value", post("X: y\rTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400),
		refused("A11", "a bare LF within a value", post("X: y\n Transfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400),
		refused("A12", "obs-fold", get("X: a\r\n b\r\n"), 400),
		refused("A12", "obs-fold of TE", post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), 400),
		refused("A13", "a line without a colon", get("nonsense\r\n"), 400),
		refused("A13", "an empty name", get(": x\r\n"), 400),
		refused("A13", "a name split over lines", get("Transfer-\r\n Encoding: chunked\r\n"), 400),
		refused("A16", "bare LF as line end", "GET /a HTTP/1.1\nHost: "+hostileHost+"\n\n", 400),
		refused("A16", "one bare LF", "GET /a HTTP/1.1\r\nHost: "+hostileHost+"\nX: y\r\n\r\n", 400),
		refused("A17", "bare CR as line end", "GET /a HTTP/1.1\rHost: "+hostileHost+"\r\r", 400),
		refused("A01", "a list of TE and CL", post("Content-Length: 4\r\ntransfer-encoding: Chunked\r\n", "1\r\nZ\r\nQ\r\n\r\n"), 400),
		refused("A02", "TE on HTTP-1.0 that keeps alive", "POST /a HTTP/1.0\r\n"+hostLine+"Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"+smuggled, 400),
		refused("A02", "TE and CL on HTTP-1.0", "POST /a HTTP/1.0\r\n"+hostLine+"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", 400),
		refused("A03", "two different CL far apart", post("Content-Length: 0\r\nX: y\r\nCONTENT-LENGTH: 44\r\n", smuggled), 400),
		refused("A05", "a list of different CL", post("Content-Length: 5, 6\r\n", "abcde"), 400),
		refused("A06", "a CL of spaces", post("Content-Length:   \r\n", ""), 400),
		refused("A12", "obs-fold by a tab", get("X: a\r\n\tb\r\n"), 400),
		refused("A12", "obs-fold of the first line", "GET /a HTTP/1.1\r\n X: y\r\n"+hostLine+"\r\n", 400),
		refused("A12", "obs-fold of CL", post("Content-Length: 1\r\n 0\r\n", "0123456789"), 400),
		refused("A13", "a name in two lines", get("Transfer\r\n-Encoding: chunked\r\n"), 400),
		refused("A16", "a bare LF as the empty line", "GET /a HTTP/1.1\r\n"+hostLine+"\n", 400),
		refused("A16", "a bare LF behind the request line", "GET /a HTTP/1.1\n"+hostLine+"\r\n", 400),
		refused("A17", "a CR before CRLF", "GET /a HTTP/1.1\r\n"+hostLine+"X: y\r\r\n\r\n", 400),
	}
}

// lengths are the values of Content-Length and Transfer-Encoding that no two parsers agree on.
func lengths() []attackCase {
	var cases []attackCase
	for _, v := range []string{
		"+5", "-5", "0x5", "5_0", "5a", "1e1", "5 5", "9223372036854775808", "18446744073709551616", "18446744073709551621", "99999999999999999999999", "\x0b5", "5\x00", "５", "5.0", "5;", "5,", "\"5\"", "0x", "-0", "NaN",
	} {
		cases = append(cases, refused("A07", fmt.Sprintf("CL %q", v), post("Content-Length: "+v+"\r\n", "abcde"), 400, 413))
	}
	cases = append(cases, attackCase{
		id: "A07", name: "CL 010 is ten or refused", maybe: true, arrive: []string{"POST /a 0123456789"}, send: post("Content-Length: 010\r\n", "0123456789"), statuses: []int{200, 400},
	})
	for _, v := range []string{
		",chunked", "chunked, chunked", "chunked,identity", "identity", "xchunked", "chunkedx", `"chunked"`, "\x0bchunked", "\xa0chunked\xa0", "\xffchunked", "", "chunked;q=1", "gzip, chunked", "chunked,", "chun ked", "\x00chunked",
	} {
		cases = append(cases, refused("A09", fmt.Sprintf("TE %q", v), post("Transfer-Encoding: "+v+"\r\n", "0\r\n\r\n"), 400, 501))
	}
	return cases
}

// names tries every byte that may not stand in a header's name, and those that may not in a value.
func names() []attackCase {
	var cases []attackCase
	for b := range 256 {
		if b > 0x20 && b < 0x7f && !strings.ContainsRune(`"(),/:;<=>?@[\]{}`, rune(b)) {
			continue
		}
		if b == ':' { // "X:Y: z" is the field X
			continue
		}
		cases = append(cases, refused("A14", fmt.Sprintf("byte %02x in a name", b), "GET /a HTTP/1.1\r\n"+hostLine+"X"+string([]byte{byte(b)})+"Y: z\r\n\r\n", 400))
	}
	for _, b := range []byte{0, '\r', '\n', 1, 0x0b, 0x1f, 0x7f} {
		cases = append(cases, refused("A15", fmt.Sprintf("byte %02x in a value", b), "GET /a HTTP/1.1\r\n"+hostLine+"X: y"+string([]byte{b})+"z\r\n\r\n", 400))
	}
	return cases
}
