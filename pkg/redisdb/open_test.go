package redisdb_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/redisdb"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

func open(t *testing.T, c redisdb.Config) redis.UniversalClient {
	t.Helper()
	rdb, err := redisdb.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

func TestPing(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		detail, err := redisdb.Ping(testenv.Context(t, 10*time.Second), s.Client())
		if err != nil || !strings.HasPrefix(detail, "answered in ") {
			t.Errorf("%q %v", detail, err)
		}
	})
}

func TestEachModeHasItsClient(t *testing.T) {
	one := []string{"127.0.0.1:1"}
	if _, ok := open(t, redisdb.Config{Addresses: one, Database: 3}).(*redis.Client); !ok {
		t.Error("standalone")
	}
	cluster, ok := open(t, redisdb.Config{Addresses: one, Cluster: true}).(*redis.ClusterClient)
	if !ok {
		t.Fatal("a cluster of one address got another client")
	}
	o := cluster.Options()
	if o.ClusterStateReloadInterval != time.Second || o.DialerRetries != 1 || !o.ContextTimeoutEnabled || !o.DisableIdentity {
		t.Errorf("cluster options %+v: the recovery from a dead master depends on them", o)
	}
	sentinel, ok := open(t, redisdb.Config{Addresses: one, MasterName: "m", Database: 2}).(*redis.Client)
	if !ok || sentinel.Options().DB != 2 || !strings.HasPrefix(sentinel.String(), "Redis<FailoverClient") {
		t.Errorf("sentinel: %v", sentinel)
	}
}

func TestADeadServerIsNotWaitedFor(t *testing.T) {
	s := testenv.RedisServer(t)
	rdb := s.Client()
	s.Stop()
	start := time.Now()
	if err := rdb.Ping(testenv.Context(t, 30*time.Second)).Err(); err == nil {
		t.Error("a dead server answers")
	}
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("a refused connection took %s", d)
	}
}

func TestDeadlineBoundsACommandToASilentServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts, never answers
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	rdb := open(t, redisdb.Config{Addresses: []string{l.Addr().String()}})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	if err := rdb.Get(ctx, "x").Err(); err == nil {
		t.Error("an answer from nobody")
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("the command took %s", d)
	}
}

func TestPasswordAndTLS(t *testing.T) {
	dir := t.TempDir()
	pair, ca := certificate(t, dir)
	m := miniredis.NewMiniRedis()
	m.RequireUserAuth("sluice", "secret")
	if err := m.StartTLS(&tls.Config{Certificates: []tls.Certificate{pair}}); err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	good := redisdb.Config{
		Addresses: []string{m.Addr()}, Username: "sluice", Password: "secret",
		TLS: redisdb.TLS{Enabled: true, CAFile: ca, ServerName: "redis.test"},
	}
	if _, err := redisdb.Ping(testenv.Context(t, 10*time.Second), open(t, good)); err != nil {
		t.Errorf("with the right settings: %v", err)
	}
	for name, change := range map[string]func(*redisdb.Config){
		"wrong password":    func(c *redisdb.Config) { c.Password = "x" },
		"unknown authority": func(c *redisdb.Config) { c.TLS.CAFile = "" },
		"another name":      func(c *redisdb.Config) { c.TLS.ServerName = "other.test" },
		"no TLS":            func(c *redisdb.Config) { c.TLS = redisdb.TLS{} },
	} {
		c := good
		change(&c)
		c.Timeout = time.Second
		if _, err := redisdb.Ping(testenv.Context(t, 10*time.Second), open(t, c)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	bad := good
	bad.TLS.CAFile = filepath.Join(dir, "empty.pem")
	if err := os.WriteFile(bad.TLS.CAFile, []byte("no"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := redisdb.Open(bad); err == nil || !strings.Contains(err.Error(), "holds no PEM certificate") {
		t.Errorf("got %v", err)
	}
}

func certificate(t *testing.T, dir string) (pair tls.Certificate, caFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"redis.test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	caFile = filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, caFile
}

func TestValidate(t *testing.T) {
	if err := redisdb.Default().Validate(); err != nil {
		t.Error(err)
	}
	for want, c := range map[string]redisdb.Config{
		"addresses: there is none":                      {},
		`addresses: "redis://x" is not host:port`:       {Addresses: []string{"redis://x"}},
		"addresses: there are several":                  {Addresses: []string{"a:1", "b:1"}},
		"master_name: it cannot be used with cluster":   {Addresses: []string{"a:1"}, Cluster: true, MasterName: "m"},
		"database: a Redis Cluster has no database 1":   {Addresses: []string{"a:1"}, Cluster: true, Database: 1},
		"database: it is negative":                      {Addresses: []string{"a:1"}, Database: -1},
		"pool_size: it is negative":                     {Addresses: []string{"a:1"}, PoolSize: -1},
		"tls.cert_file: it needs tls.key_file":          {Addresses: []string{"a:1"}, TLS: redisdb.TLS{Enabled: true, CertFile: "x"}},
		"tls.enabled: other tls settings are set":       {Addresses: []string{"a:1"}, TLS: redisdb.TLS{CAFile: "x"}},
		"tls.ca_file: open /nonexistent: no such file ": {Addresses: []string{"a:1"}, TLS: redisdb.TLS{Enabled: true, CAFile: "/nonexistent"}},
	} {
		if _, err := redisdb.Open(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	_, _, err := config.Load(struct {
		Redis redisdb.Config `config:"redis"`
	}{redisdb.Default()}, config.Options{Service: "gateway", Environ: []string{"SLUICE_GATEWAY_REDIS_ADDRESSES=nowhere"}, DefaultFile: "/nonexistent"})
	const want = `configuration: redis.addresses (environment SLUICE_GATEWAY_REDIS_ADDRESSES): "nowhere" is not host:port; write it like redis.example:6379, without redis://`
	if err == nil || err.Error() != want {
		t.Errorf("through config: %v", err)
	}
}
