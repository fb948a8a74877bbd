package hostile

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"time"
)

// patience bounds every exchange: a test that hangs says where.
const patience = 15 * time.Second

// said is one answer of a gateway.
type said struct {
	resp *http.Response
	body []byte
}

// readAnswer reads the answer to a request by method, past informational ones.
func readAnswer(in *bufio.Reader, method string) (said, error) {
	for {
		resp, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return said{}, err
		}
		if resp.StatusCode < 200 && resp.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		if resp.StatusCode == http.StatusSwitchingProtocols {
			return said{resp: resp}, nil
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		return said{resp, body}, err
	}
}

// readAnswers reads to the end of the connection. head: the first request was HEAD.
func readAnswers(in *bufio.Reader, head bool) (all []said) {
	for {
		method := http.MethodGet
		if head && len(all) == 0 {
			method = http.MethodHead
		}
		s, err := readAnswer(in, method)
		if err != nil {
			return all
		}
		all = append(all, s)
	}
}

// exchange sends bytes on a new connection and reads one answer whole.
func (k kind) exchange(g gate, method, request string) (said, error) {
	c, err := k.dial(g)
	if err != nil {
		return said{}, err
	}
	defer func() { _ = c.Close() }()
	if _, err := io.WriteString(c, request); err != nil {
		return said{}, err
	}
	return readAnswer(bufio.NewReader(c), method)
}

// closeWrite ends the sending side, where the connection can.
func closeWrite(c net.Conn) {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}
