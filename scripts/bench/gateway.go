package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/pkg/access"
	"github.com/sluice-gateway/sluice/pkg/keyring"
	"github.com/sluice-gateway/sluice/pkg/publish"
	"github.com/sluice-gateway/sluice/pkg/redisdb"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// errUnavailable says that a contestant cannot do what a row asks.
var errUnavailable = errors.New("not available")

// secret is the key that the requests of rows with keys carry.
const secret = "bench-4f1c2a9e7d3b4c60"

// org owns everything that the bench publishes.
const org = "default"

// startGateway starts a Redis and the gateway's own binary beside it, with what a dashboard would have
// published.
func startGateway(ctx context.Context, s stage) (contestant, error) {
	if s.row.tls {
		if err := knows(ctx, s.gateway, "listen.tls"); err != nil {
			return contestant{}, err
		}
	}
	redis, address, err := startRedis(ctx, s.dir)
	if err != nil {
		return contestant{}, err
	}
	c, err := gatewayOn(ctx, s, address)
	if err != nil {
		redis.stop()
		return contestant{}, err
	}
	gateway := c.stop
	c.stop = func() { gateway(); redis.stop() }
	return c, nil
}

// knows asks the binary for its settings.
func knows(ctx context.Context, program, setting string) error {
	if _, err := find(program); err != nil {
		return err
	}
	help, err := exec.CommandContext(ctx, program, "--help").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s --help: %w\n%s", program, err, help)
	}
	if !strings.Contains(string(help), "--"+setting+" ") {
		return fmt.Errorf("%w: this gateway has no setting %s", errUnavailable, setting)
	}
	return nil
}

func startRedis(ctx context.Context, dir string) (*process, string, error) {
	program, err := find("redis-server")
	if err != nil {
		return nil, "", err
	}
	addresses, err := freeAddresses(1)
	if err != nil {
		return nil, "", err
	}
	host, port, _ := net.SplitHostPort(addresses[0])
	p, err := start(ctx, "Redis", program, os.Environ(), "--bind", host, "--port", port, "--dir", dir, "--save", "", "--appendonly", "no", "--loglevel", "warning")
	if err != nil {
		return nil, "", err
	}
	return p, addresses[0], p.await(ctx, 20*time.Second, listens(addresses[0]))
}

func gatewayOn(ctx context.Context, s stage, redis string) (contestant, error) {
	program, err := find(s.gateway)
	if err != nil {
		return contestant{}, err
	}
	data := filepath.Join(s.dir, "data")
	if err := publishRow(ctx, s, redis, filepath.Join(data, "keys")); err != nil {
		return contestant{}, fmt.Errorf("publishing the row's APIs: %w", err)
	}
	addresses, err := freeAddresses(2)
	if err != nil {
		return contestant{}, err
	}
	p, err := start(ctx, "the gateway", program, gatewayEnv(s, data, redis, addresses))
	if err != nil {
		return contestant{}, err
	}
	c := contestant{name: sluice, url: s.row.scheme() + "://" + addresses[0], admin: "http://" + addresses[1], pids: []int{p.cmd.Process.Pid}, stop: p.stop}
	last := s.row.path(s.row.apis - 1)
	return c, p.await(ctx, time.Minute, func() error { return answers(ctx, c.url+last) })
}

// gatewayEnv is our own environment without settings of a gateway, and those of the row.
func gatewayEnv(s stage, data, redis string, addresses []string) (env []string) {
	const prefix = "SLUICE_GATEWAY_"
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, prefix) {
			env = append(env, kv)
		}
	}
	env = append(env,
		prefix+"DATA="+data, prefix+"LISTEN_ADDRESS="+addresses[0], prefix+"ADMIN_ADDRESS="+addresses[1], prefix+"REDIS_ADDRESSES="+redis,
		fmt.Sprintf("%sRECORDS_ENABLED=%v", prefix, s.row.records), prefix+"LOG_LEVEL=warn", prefix+"LOG_FORMAT=text", prefix+"SHUTDOWN_TIMEOUT=1s")
	if s.row.tls {
		env = append(env, prefix+"LISTEN_TLS=true", prefix+"CERTIFICATES_DIR="+s.certificate.dir, prefix+"CERTIFICATES_DEFAULT=bench")
	}
	return env
}

// publishRow makes keys for the node and publishes the row's APIs and key.
func publishRow(ctx context.Context, s stage, address, keysDir string) error {
	keys, err := trust.Generate()
	if err != nil {
		return err
	}
	if err := keys.SaveNode(keysDir); err != nil {
		return err
	}
	config := redisdb.Default()
	config.Addresses = []string{address}
	client, err := redisdb.Open(config)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	tree, texts := publish.NewTree(org), map[string][]byte{}
	for i := range s.row.apis {
		text, err := definition(s, i)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(text)
		sha := hex.EncodeToString(sum[:])
		texts[sha] = text
		if err := tree.Set(publish.Item{Org: org, Kind: "api", ID: fmt.Sprintf("api-%d", i), SHA: sha}); err != nil {
			return err
		}
	}
	tree.MarkAll()
	update, err := publish.Compose(1, 1, time.Now().UTC().Truncate(time.Millisecond), func(sha string) ([]byte, bool) { t, ok := texts[sha]; return t, ok }, tree)
	if err != nil {
		return err
	}
	if _, err := publish.NewWriter(client, keys).Publish(ctx, update); err != nil {
		return err
	}
	ring := keyring.NewWriter(client, keys)
	if err := ring.Put(ctx, keyring.Entry{Hash: keys.HashKey(secret), Version: 1, Key: access.Key{
		ID: "k_bench", Org: org, Alias: "bench", Owner: "bench", State: access.KeyActive, Version: 1, Rights: []access.Right{{API: "*"}},
	}}); err != nil {
		return err
	}
	return ring.SetWatermark(ctx, time.Now())
}

// definition is one API of the row.
func definition(s stage, i int) ([]byte, error) {
	auth := map[string]any{"open": true}
	if s.row.key {
		auth = map[string]any{"any": []any{map[string]any{"key": map[string]any{"in": []any{map[string]any{"header": "Authorization"}}}}}}
	}
	return json.Marshal(map[string]any{
		"id": fmt.Sprintf("api-%d", i), "name": fmt.Sprintf("API %d", i),
		"listen": map[string]any{"path": fmt.Sprintf("/api-%d/", i)},
		"upstream": map[string]any{
			"targets":     []any{map[string]any{"url": "http://" + s.origin}},
			"connections": map[string]any{"max": 1024, "idle": 512},
		},
		"filters": map[string]any{"auth": auth},
	})
}

// asker asks by ordinary means what is no load; the certificate is the bench's own.
func asker() *http.Client {
	t := &http.Transport{DisableKeepAlives: true, TLSClientConfig: insecure()}
	return &http.Client{Transport: t, Timeout: 5 * time.Minute}
}

// answers asks once, with the key, and wants a 200.
func answers(ctx context.Context, url string) error {
	_, err := fetch(ctx, url)
	return err
}

// fetch is one GET that must be answered by 200.
func fetch(ctx context.Context, url string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", secret)
	resp, err := asker().Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s: %.200s", url, resp.Status, body)
	}
	return body, err
}
