package serve_test

import (
	"fmt"
	"net"
	"testing"

	"github.com/sluice-gateway/sluice/gateway/http1/http1test"
	"github.com/sluice-gateway/sluice/gateway/serve"
)

func TestCallersByHTTPAreSentToHTTPS(t *testing.T) {
	o := http1test.NewOrigin(t, http1test.Echo)
	api := func(id, path, auth string) string {
		return fmt.Sprintf(`{"id":%q,"name":%q,"listen":{"path":%q,"redirectHttp":true},"upstream":{"targets":[{"url":"http://%s"}]},"filters":{"auth":%s,"responseHeaders":{"set":{"X-Out":"seen"}}}}`, id, id, path, o.Addr(), auth)
	}
	defs := map[string]string{"k": api("k", "/k/", `{"any":[{"key":{}}]}`), "o": api("o", "/o/", `{"open":true}`), "plain": open("plain", "/p/", o.Addr(), "")}
	for name, tc := range map[string]struct {
		port   int
		peer   string // a trusted proxy is 127.0.0.9
		send   string
		status int
		to     string
	}{
		"plain":                             {0, "", "GET /o/x HTTP/1.1\r\nHost: h.test\r\n", 308, "https://h.test/o/x"},
		"before authentication":             {0, "", "GET /k/x HTTP/1.1\r\nHost: h.test\r\nX-Api-Key: no\r\n", 308, "https://h.test/k/x"},
		"any method":                        {0, "", "DELETE /o/x HTTP/1.1\r\nHost: h.test\r\n", 308, "https://h.test/o/x"},
		"query as it is":                    {0, "", "GET /o/x?a=//b.test&c=%2F HTTP/1.1\r\nHost: h.test\r\n", 308, "https://h.test/o/x?a=//b.test&c=%2F"},
		"empty query":                       {0, "", "GET /o/x? HTTP/1.1\r\nHost: h.test\r\n", 308, "https://h.test/o/x?"},
		"port dropped":                      {0, "", "GET /o/x HTTP/1.1\r\nHost: h.test:8080\r\n", 308, "https://h.test/o/x"},
		"port of the gateway":               {8443, "", "GET /o/x HTTP/1.1\r\nHost: h.test:8080\r\n", 308, "https://h.test:8443/o/x"},
		"443 goes without saying":           {443, "", "GET /o/x HTTP/1.1\r\nHost: h.test:8080\r\n", 308, "https://h.test/o/x"},
		"IPv6":                              {8443, "", "GET /o/x HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n", 308, "https://[2001:db8::1]:8443/o/x"},
		"IPv6 without a port":               {0, "", "GET /o/x HTTP/1.1\r\nHost: [2001:db8::1]\r\n", 308, "https://[2001:db8::1]/o/x"},
		"two slashes are no authority":      {0, "", "GET //evil.test/..//o/x HTTP/1.1\r\nHost: h.test\r\n", 308, "https://h.test/o/x"},
		"the absolute form":                 {0, "", "GET http://h.test/o/x HTTP/1.1\r\nHost: h.test\r\n", 308, "https://h.test/o/x"},
		"an untrusted proxy":                {0, "", "GET /o/x HTTP/1.1\r\nHost: h.test\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.test\r\n", 308, "https://h.test/o/x"},
		"a websocket":                       {0, "", "GET /o/x HTTP/1.1\r\nHost: h.test\r\n" + wsFields, 308, "https://h.test/o/x"},
		"no host":                           {0, "", "GET /o/x HTTP/1.0\r\n", 400, ""},
		"a trusted proxy with https":        {0, "127.0.0.9", "GET /o/x HTTP/1.1\r\nHost: h.test\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n", 200, ""},
		"a trusted proxy with https, a key": {0, "127.0.0.9", "GET /k/x HTTP/1.1\r\nHost: h.test\r\nX-Forwarded-Proto: https\r\n", 401, ""},
		"a trusted proxy with http":         {0, "127.0.0.9", "GET /o/x HTTP/1.1\r\nHost: h.test\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: pub.test:80\r\n", 308, "https://pub.test/o/x"},
		"an API without the option":         {0, "", "GET /p/x HTTP/1.1\r\nHost: h.test\r\n", 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(o.Requests())
			r := newRigWith(t, serve.Options{HTTPSPort: tc.port}, defs)
			c, err := (&net.Dialer{LocalAddr: local(tc.peer)}).DialContext(t.Context(), "tcp", r.addr)
			if err != nil {
				t.Fatal(err)
			}
			client := http1test.Use(t, c)
			client.Send(tc.send + "\r\n")
			resp := client.MustRead("GET")
			if resp.Status != tc.status || resp.Header.Get("Location") != tc.to {
				t.Errorf("%d %v %s", resp.Status, resp.Header, resp.Body)
			}
			switch tc.status {
			case 308:
				wantRefusal(t, resp, 308, "redirect.https")
				if resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("X-Out") != "seen" || resp.Header.Get("X-Request-Id") == "" {
					t.Errorf("%v", resp.Header)
				}
			case 200:
				got := o.Requests()[before]
				if name == "a trusted proxy with https" && got.Field("X-Forwarded-For") != "192.0.2.7, 127.0.0.9" {
					t.Errorf("the receive stage ran twice, or not: %q", got.Field("X-Forwarded-For"))
				}
				before++
			}
			if n := len(o.Requests()); n != before {
				t.Errorf("%d requests at the origin", n-before)
			}
		})
	}
}

// local is the address that a client connects from.
func local(address string) net.Addr {
	if address == "" {
		return nil
	}
	return &net.TCPAddr{IP: net.ParseIP(address)}
}
