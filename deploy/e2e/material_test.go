package e2e

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/deploy/e2e/client"
	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
	"github.com/sluice-gateway/sluice/pkg/redisdb"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/testenv/certstest"
)

// arrives bounds the way of a change to the gateways. What is promised is a second; a busy machine gets
// more, and the time is told.
const arrives = 5 * time.Second

// bench of material: a platform whose gateway has a TLS listener and no certificate of its own.
type bench struct {
	t  *testing.T
	p  *platform.Platform
	c  *client.Client
	gw *platform.Service
	ca *certstest.CA
}

func newBench(t *testing.T) bench {
	p := platform.For(t, platform.Options{Gateways: []string{}})
	gw := testenv.Must(p.AddGatewayWith(t.Context(), "default", map[string]string{"SLUICE_GATEWAY_LISTEN_TLS": "true"}))(t)
	return bench{t, p, p.Client(0), gw, certstest.NewCA(t, "ca")}
}

// shake asks the gateway for a name and returns the serial number of what it shows.
func (b bench) shake(name string) (string, error) {
	d := &tls.Dialer{NetDialer: &net.Dialer{Timeout: arrives}, Config: b.ca.Client(name, "http/1.1")}
	c, err := d.DialContext(b.t.Context(), "tcp", b.gw.Addr())
	if err != nil {
		return "", err
	}
	defer func() { _ = c.Close() }()
	return c.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.String(), nil
}

// get calls the gateway by TLS on a connection of its own.
func (b bench) get(name, path string) (int, string, error) {
	tr := &http.Transport{TLSClientConfig: b.ca.Client(name), DisableKeepAlives: true, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, b.gw.Addr())
	}}
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, "https://"+name+path, nil)
	if err != nil {
		return 0, "", err
	}
	a, err := (&http.Client{Transport: tr, Timeout: arrives}).Do(r)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = a.Body.Close() }()
	text, err := io.ReadAll(a.Body)
	return a.StatusCode, string(text), err
}

// until waits for a change and tells how long it took.
func (b bench) until(what string, cond func() bool) {
	b.t.Helper()
	began := time.Now()
	testenv.Eventually(b.t, arrives, cond)
	b.t.Logf("%s: %d ms", what, time.Since(began).Milliseconds())
}

func pair(id string, chain, key []byte) map[string]any {
	return map[string]any{"id": id, "name": id, "chain": string(chain), "key": string(key)}
}

// TestCertificatesReachListeners: what is uploaded is shown by SNI without a restart, and replaced
// without a handshake that fails.
func TestCertificatesReachListeners(t *testing.T) {
	b := newBench(t)
	ctx := t.Context()
	if _, err := b.shake("shop.test"); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
		t.Fatalf("without a certificate: %v", err)
	}
	chain, key := b.ca.Issue(certstest.Options{Serial: 1}, "shop.test")
	testenv.Must(b.c.Create(ctx, "certificates", pair("shop", chain, key)))(t)
	b.until("a new certificate is shown", func() bool { serial, err := b.shake("shop.test"); return err == nil && serial == "1" })

	ctx2, stop := context.WithCancel(ctx)
	var work sync.WaitGroup
	var shaken int
	work.Go(func() {
		for ctx2.Err() == nil {
			if _, err := b.shake("shop.test"); err != nil {
				t.Errorf("handshake %d: %v", shaken, err)
				return
			}
			shaken++
		}
	})
	for serial := int64(2); serial < 7; serial++ {
		chain, key := b.ca.Issue(certstest.Options{Serial: serial, RSA: serial%2 == 0}, "shop.test")
		testenv.Must(b.c.Replace(ctx, "certificates", "shop", pair("shop", chain, key), "*"))(t)
		b.until("a certificate is replaced", func() bool { s, err := b.shake("shop.test"); return err == nil && s == fmt.Sprint(serial) })
	}
	stop()
	work.Wait()
	t.Logf("%d handshakes beside", shaken)
	if shaken < 5 {
		t.Errorf("only %d handshakes were made while certificates changed", shaken)
	}
	testenv.Must(b.c.Delete(ctx, "certificates", "shop", "*"))(t)
	b.until("a certificate is gone", func() bool { _, err := b.shake("shop.test"); return err != nil })
}

// TestSecretsReachOriginsAndNothingElse: a secret and the certificates of an upstream arrive where they are
// meant to, changes follow, and no plain text lies in a file, in Redis or in a log.
func TestSecretsReachOriginsAndNothingElse(t *testing.T) {
	b := newBench(t)
	ctx := t.Context()
	marker, first, second := "m"+rand.Text(), "s"+rand.Text(), "{"+rand.Text()+"}"
	asks := b.ca.Server(certstest.Options{}, "127.0.0.1")
	asks.ClientAuth, asks.ClientCAs = tls.RequireAndVerifyClientCert, b.ca.Pool()
	up := platform.NewSecureUpstream("asks", asks, "http/1.1")
	t.Cleanup(up.Close)

	chain, key := b.ca.Issue(certstest.Options{}, "api.test")
	callerChain, callerKey := b.ca.Issue(certstest.Options{Client: true}, "gateway")
	testenv.Must(b.c.Create(ctx, "certificates", pair("listen", chain, key)))(t)
	testenv.Must(b.c.Create(ctx, "certificates", pair("caller", callerChain, callerKey)))(t)
	testenv.Must(b.c.Create(ctx, "certificates", map[string]any{"id": "roots", "name": "Roots", "chain": string(b.ca.PEM)}))(t)
	testenv.Must(b.c.Create(ctx, "secrets", map[string]any{"id": "origin", "name": "Origin", "description": marker, "value": first}))(t)
	def := definition("Paid", "/paid/", up.URL, map[string]any{"open": true})
	def["listen"] = map[string]any{"path": "/paid/", "certificates": []string{"listen"}}
	def["upstream"].(map[string]any)["tls"] = map[string]any{"ca": "roots", "clientCertificate": "caller"}
	def["filters"].(map[string]any)["requestHeaders"] = map[string]any{"set": map[string]string{"X-Api-Key": "Bearer ${secret:origin}"}}
	saved := testenv.Must(b.c.Create(ctx, "apis", def))(t)
	b.p.Live(t, saved.Revision, arrives)

	holds := func(secret string) func() bool {
		return func() bool {
			status, body, err := b.get("api.test", "/paid/x")
			return err == nil && status == 200 && strings.Contains(body, `"caller":"gateway"`) && strings.Contains(body, `"Bearer `+secret+`"`)
		}
	}
	b.until("a secret arrives", holds(first))
	testenv.Must(b.c.Patch(ctx, "secrets", "origin", map[string]any{"value": second}, "*"))(t)
	b.until("a changed secret arrives", holds(second))
	if _, err := b.c.Delete(ctx, "secrets", "origin", "*"); err == nil || !strings.Contains(err.Error(), "secret.in_use") {
		t.Errorf("a secret in use is deleted: %v", err)
	}
	def["id"], def["filters"].(map[string]any)["requestHeaders"] = "other", map[string]any{"set": map[string]string{"X": "${secret:nobody}"}}
	if _, err := b.c.Create(ctx, "apis", def); err == nil || !strings.Contains(err.Error(), "secret.unknown") {
		t.Errorf("an API with an unknown secret: %v", err)
	}

	found := b.everywhere()
	// a gateway that starts again has all of it, from its disk where Redis is away
	if b.p.Redis.Real() {
		b.p.Redis.Stop()
	}
	if err := b.gw.Stop(arrives); err != nil {
		t.Fatal(err)
	}
	if err := b.gw.Start(ctx); err != nil {
		t.Fatal(err)
	}
	b.until("a gateway that started again serves", holds(second))

	if n := strings.Count(found, marker); n < 4 {
		t.Fatalf("the search finds what is written down only %d times", n)
	}
	for name, plain := range map[string]string{
		"the first value": first, "the second value": second,
		"the listener's key": strings.Split(string(key), "\n")[1], "the caller's key": strings.Split(string(callerKey), "\n")[1],
	} {
		if strings.Contains(found, plain) {
			t.Errorf("%s is written down in plain", name)
		}
	}
}

// everywhere is what lies in the files of all services, logs too, and in Redis.
func (b bench) everywhere() string {
	b.t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(filepath.Dir(b.p.StorePath()), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		out.Write(text)
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	ctx := b.t.Context()
	rdb := testenv.Must(redisdb.Open(redisdb.Config{Addresses: []string{b.p.Redis.Addr}}))(b.t)
	defer func() { _ = rdb.Close() }()
	for _, name := range testenv.Must(rdb.Keys(ctx, "*").Result())(b.t) {
		switch rdb.Type(ctx, name).Val() {
		case "string":
			out.WriteString(rdb.Get(ctx, name).Val())
		case "hash":
			fmt.Fprint(&out, rdb.HGetAll(ctx, name).Val())
		case "stream":
			fmt.Fprint(&out, rdb.XRange(ctx, name, "-", "+").Val())
		}
	}
	return out.String()
}
