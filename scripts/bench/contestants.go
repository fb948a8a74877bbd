package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// errMissing says that a program is not there.
var errMissing = errors.New("missing")

// contestant is a proxy in front of the origin.
type contestant struct {
	name, url string
	pids      []int // processes whose CPU time counts, with their children; none for the origin
	stop      func()
}

// origin answers everything with the same kilobyte, from this process.
type origin struct {
	address string
	server  *http.Server
}

func startOrigin(address string) (*origin, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	body := bytes.Repeat([]byte("x"), 1024)
	s := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = []string{"text/plain"}
		_, _ = w.Write(body)
	})}
	go func() { _ = s.Serve(l) }()
	return &origin{l.Addr().String(), s}, nil
}

func (o *origin) stop() { _ = o.server.Close() }

const nginxConfig = `daemon off;
worker_processes %[1]d;
pid %[2]s/nginx.pid;
error_log stderr crit;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 100000000;
  client_body_temp_path %[2]s; proxy_temp_path %[2]s; fastcgi_temp_path %[2]s; uwsgi_temp_path %[2]s; scgi_temp_path %[2]s;
  upstream origin { server %[3]s; keepalive 256; keepalive_requests 100000000; }
  server {
    listen %[4]s;
    location / { proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
`

func startNginx(ctx context.Context, scratch, origin string) (contestant, error) {
	address, err := freeAddress()
	if err != nil {
		return contestant{}, err
	}
	file := filepath.Join(scratch, "nginx.conf")
	text := fmt.Sprintf(nginxConfig, runtime.NumCPU(), scratch, origin, address)
	return startProxy(ctx, "nginx", address, file, text, "-c", file, "-p", scratch)
}

const haproxyConfig = `global
  nbthread %d
  maxconn 8192
defaults
  mode http
  http-reuse always
  timeout client 30s
  timeout server 30s
  timeout connect 5s
frontend in
  bind %s
  default_backend out
backend out
  server origin %s pool-max-conn 256
`

func startHAProxy(ctx context.Context, scratch, origin string) (contestant, error) {
	address, err := freeAddress()
	if err != nil {
		return contestant{}, err
	}
	file := filepath.Join(scratch, "haproxy.cfg")
	text := fmt.Sprintf(haproxyConfig, runtime.NumCPU(), address, origin)
	return startProxy(ctx, "haproxy", address, file, text, "-db", "-f", file)
}

// freeAddress is an address that was free a moment ago; proxies cannot be given an open listener.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String(), nil
}

// startProxy writes a configuration, starts the program and waits until it accepts connections.
func startProxy(ctx context.Context, name, address, file, text string, args ...string) (contestant, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return contestant{}, fmt.Errorf("%s is %w", name, errMissing)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return contestant{}, err
	}
	var log bytes.Buffer
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		return contestant{}, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop := func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
	}
	for range 100 {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			_ = c.Close()
			return contestant{name: name, url: "http://" + address + "/", pids: []int{cmd.Process.Pid}, stop: stop}, nil
		}
		select {
		case err := <-ended:
			return contestant{}, fmt.Errorf("%s did not start: %w\n%s", name, err, log.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
	stop()
	return contestant{}, fmt.Errorf("%s does not listen\n%s", name, log.String())
}
