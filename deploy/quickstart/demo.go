package main

import (
	"bytes"
	"context"
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
)

// demoPort is where the demo upstream listens, so that the demo API still finds it
// after a restart; where it is taken another one serves and the API is left as it is.
const demoPort = 8099

// demo starts an upstream that tells what reached it, and at the first start puts
// an open API in front of it through the dashboard's own API.
func (p *platform) demo(ctx context.Context) error {
	l, err := net.Listen("tcp", listenAddress(p.demoPort()))
	if err != nil {
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return err
		}
	}
	server := &http.Server{Handler: http.HandlerFunc(echo), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }()
	p.ready.Upstream = "http://" + l.Addr().String()
	p.ready.Curl = "curl -i " + p.ready.Gateways[0].URL + "/demo/hello"
	marker := filepath.Join(p.o.data, "demo-made")
	if _, err := os.Stat(marker); err == nil {
		return nil // it was made, and may have been changed or deleted since
	}
	token, err := p.token(ctx)
	if err != nil {
		return err
	}
	text, err := json.Marshal(map[string]any{
		"id": "demo", "name": "Demo", "description": "Shows what reaches a backend. Delete it when you have seen enough.",
		"listen":   map[string]any{"path": "/demo/"},
		"upstream": map[string]any{"targets": []map[string]any{{"url": p.ready.Upstream}}},
		"filters":  map[string]any{"auth": map[string]any{"open": true}},
	})
	if err != nil {
		return err
	}
	status, answer, err := call(ctx, http.MethodPost, p.ready.Dashboard.URL+"/api/v1/apis", token, text)
	if err != nil {
		return err
	}
	if status != http.StatusCreated && status != http.StatusConflict && status != http.StatusUnprocessableEntity {
		return fmt.Errorf("the dashboard answered %d: %s", status, answer)
	}
	if err := os.WriteFile(marker, nil, 0o600); err != nil {
		return err
	}
	return p.reachable(ctx)
}

func (p *platform) demoPort() int {
	if p.o.gatewayPort == 0 {
		return 0
	}
	return demoPort
}

// token asks for an API token that lives as long as the demo takes to be made.
func (p *platform) token(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(p.o.bin, "sluice-dashboard"), "token", "quickstart", "--role", "operator", "--ttl", "10m")
	cmd.Env = append(p.baseEnv(), p.dashboardEnv()...)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "", fmt.Errorf("sluice-dashboard token: %s", strings.TrimSpace(string(exit.Stderr)))
	}
	return strings.TrimSpace(string(out)), err
}

// reachable waits until every gateway serves the demo API, so that the curl that
// is printed works the moment it is read.
func (p *platform) reachable(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for i := 0; i < len(p.ready.Gateways); {
		status, _, err := call(ctx, http.MethodGet, p.ready.Gateways[i].URL+"/demo/hello", "", nil)
		if err == nil && status == http.StatusOK {
			i++
			continue
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("gateway %d does not serve it: status %d, %w", i+1, status, errors.Join(err, ctx.Err()))
		}
	}
	return nil
}

func call(ctx context.Context, method, url, token string, body []byte) (int, string, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	return resp.StatusCode, string(text), err
}

// echo answers with what it was sent, so that a person sees what the gateway does.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(map[string]any{
		"message": "Hello from the demo upstream.", "method": r.Method, "path": r.URL.RequestURI(), "host": r.Host, "headers": r.Header, "body": string(body),
	})
}
