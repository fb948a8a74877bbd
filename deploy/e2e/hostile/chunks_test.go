package hostile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
)

func chunks() []attackCase {
	chunked := func(body string) string {
		return "POST /a HTTP/1.1\r\n" + hostLine + "Transfer-Encoding: chunked\r\n\r\n" + body
	}
	var cases []attackCase
	for name, body := range map[string]string{
		"an empty size": "\r\nabc\r\n0\r\n\r\n", "a signed size": "+3\r\nabc\r\n0\r\n\r\n", "a negative size": "-3\r\nabc\r\n0\r\n\r\n",
		"0x": "0x3\r\nabc\r\n0\r\n\r\n", "an underscore": "1_0\r\n0123456789abcdef\r\n0\r\n\r\n", "no hex digit": "g\r\nabc\r\n0\r\n\r\n",
		"an overflowing size": "10000000000000003\r\nabc\r\n0\r\n\r\n", "leading spaces": "  3\r\nabc\r\n0\r\n\r\n", "trailing junk": "3 x\r\nabc\r\n0\r\n\r\n",
		"CR CR behind a semicolon": "3;\r\rabc\r\n0\r\n\r\n", "a bare CR in an extension": "3;a\rb\r\nabc\r\n0\r\n\r\n", "a bare LF in an extension": "3;a\nabc\r\n0\r\n\r\n",
		"an extension of 20 KB": "3;" + strings.Repeat("a", 20<<10) + "\r\nabc\r\n0\r\n\r\n", "a size with a bare LF": "3\nabc\r\n0\r\n\r\n",
		"data longer than its size": "2\r\nabc\r\n0\r\n\r\n", "data shorter than its size": "5\r\nabc\r\n0\r\n\r\n",
		"no CRLF behind the data": "3\r\nabc0\r\n\r\n", "CR X behind the data": "3\r\nabc\rX0\r\n\r\n", "a bare LF behind the data": "3\r\nabc\n0\r\n\r\n",
		"a bare LF at the end": "3\r\nabc\r\n0\n\n", "a trailer with a bare LF": "3\r\nabc\r\n0\r\nX: y\n\r\n",
	} {
		id := "A18"
		if strings.Contains(name, "data") {
			id = "A19"
		}
		cases = append(cases, attackCase{id: id, name: name, send: chunked(body), statuses: []int{400, 502}, partial: true, silence: true})
	}
	for _, f := range []string{"Content-Length: 3", "Transfer-Encoding: chunked", "Host: evil", "Authorization: x", "X-Forwarded-For: 1.2.3.4"} {
		cases = append(cases, attackCase{
			id: "A20", name: "trailer " + f, send: chunked("3\r\nabc\r\n0\r\n" + f + "\r\n\r\n"), statuses: []int{200, 400}, partial: true, silence: true,
			check: func(got []platform.Arrived) error {
				if strings.Contains(string(got[0].Raw), "0\r\n"+f) {
					return fmt.Errorf("the trailer arrived: %q", got[0].Raw)
				}
				return nil
			}, maybe: true, arrive: []string{"POST /a abc"},
		})
	}
	slices.SortFunc(cases, func(a, b attackCase) int { return strings.Compare(a.id+a.name, b.id+b.name) })
	return append(cases,
		passed("A18", "hex sizes and an extension", chunked("a;x=y\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"), "POST /a 01234567890123456789"),
		passed("A21", "a request behind the last chunk", chunked("3\r\nabc\r\n0\r\n\r\n")+"GET /b HTTP/1.1\r\n"+hostLine+"\r\n", "POST /a abc", "GET /b"))
}
