package e2e

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"time"
)

// exchange sends bytes on a new connection and reads one answer whole.
func exchange(addr, method, request string) (*http.Response, []byte, error) {
	c, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return nil, nil, err
	}
	if _, err := io.WriteString(c, request); err != nil {
		return nil, nil, err
	}
	return readAnswer(bufio.NewReader(c), method)
}

// readAnswer reads the answer to a request by method, past informational ones.
func readAnswer(in *bufio.Reader, method string) (*http.Response, []byte, error) {
	for {
		resp, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return nil, nil, err
		}
		if resp.StatusCode < 200 && resp.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		return resp, body, err
	}
}
