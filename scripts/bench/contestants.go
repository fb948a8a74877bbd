package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// contestant is a proxy in front of the origin.
type contestant struct {
	name, url string // url without a path
	admin     string // of the gateway's operators; empty for others
	pids      []int  // processes whose CPU time and memory count, with their children
	stop      func()
}

// stage is what contestants of a row are started with.
type stage struct {
	row         row
	origin      string // host:port
	dir         string // of this contestant alone
	certificate *certificate
	gateway     string // program
	stdlib      string // program
}

// starters are how each contestant is started.
func starters() map[string]func(context.Context, stage) (contestant, error) {
	return map[string]func(context.Context, stage) (contestant, error){
		sluice: startGateway, reference: startNginx, haproxy: startHAProxy, stdlib: startStdlib,
	}
}

// workers of every proxy.
const workers = 2

// The proxies tell the origin what the gateway tells it, and the caller the request's id.
const nginxConfig = `%[1]sdaemon off;
worker_processes %[2]d;
pid %[3]s/nginx.pid;
error_log stderr crit;
worker_rlimit_nofile 16384;
events { worker_connections 8192; }
http {
  access_log off;
  tcp_nodelay on;
  keepalive_requests 100000000; keepalive_timeout 1h;
  client_max_body_size 0;
  client_body_temp_path %[3]s/t1; proxy_temp_path %[3]s/t2; fastcgi_temp_path %[3]s/t3; uwsgi_temp_path %[3]s/t4; scgi_temp_path %[3]s/t5;
  upstream origin { server %[4]s; keepalive 512; keepalive_requests 100000000; keepalive_timeout 1h; }
  server {
    listen %[5]s backlog=4096%[6]s;
    add_header X-Request-Id $request_id;
    location / {
      proxy_pass http://origin; proxy_http_version 1.1; proxy_max_temp_file_size 0; proxy_request_buffering off;
      proxy_set_header Connection "";
      proxy_set_header X-Request-Id $request_id;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Forwarded-Port $server_port;
      proxy_set_header Forwarded "for=$remote_addr;host=\"$http_host\";proto=$scheme";
      proxy_set_header Via "1.1 nginx";
    }
  }
}
`

func startNginx(ctx context.Context, s stage) (contestant, error) {
	address, err := freeAddresses(1)
	if err != nil {
		return contestant{}, err
	}
	tls := ""
	if s.row.tls {
		tls = " ssl"
		if s.row.h2 {
			tls += " http2"
		}
		tls += fmt.Sprintf(";\n    ssl_certificate %s; ssl_certificate_key %s; ssl_session_cache shared:s:10m", s.certificate.chain, s.certificate.key)
	}
	text := fmt.Sprintf(nginxConfig, superuser(), workers, s.dir, s.origin, address[0], tls)
	return startProxy(ctx, s, reference, "nginx", address[0], text, func(file string) []string { return []string{"-c", file, "-p", s.dir} })
}

const haproxyConfig = `global
  nbthread %[1]d
  maxconn 8192
defaults
  mode http
  http-reuse always
  timeout client 1h
  timeout server 1h
  timeout connect 5s
frontend in
  bind %[2]s backlog 4096%[3]s
  http-request set-var(txn.id) uuid
  http-request set-header X-Request-Id %%[var(txn.id)]
  http-request set-header X-Forwarded-For %%[src]
  http-request set-header X-Real-IP %%[src]
  http-request set-header X-Forwarded-Proto %[4]s
  http-request set-header X-Forwarded-Host %%[req.hdr(host)]
  http-request set-header X-Forwarded-Port %%[dst_port]
  http-request set-header Forwarded for=%%[src];host=\"%%[req.hdr(host)]\";proto=%[4]s
  http-request set-header Via "1.1 haproxy"
  http-response set-header X-Request-Id %%[var(txn.id)]
  default_backend out
backend out
  server origin %[5]s pool-max-conn 512
`

func startHAProxy(ctx context.Context, s stage) (contestant, error) {
	address, err := freeAddresses(1)
	if err != nil {
		return contestant{}, err
	}
	tls := ""
	if s.row.tls {
		tls = " ssl crt " + s.certificate.both
		if s.row.h2 {
			tls += " alpn h2,http/1.1"
		}
	}
	text := fmt.Sprintf(haproxyConfig, workers, address[0], tls, s.row.scheme(), s.origin)
	return startProxy(ctx, s, haproxy, "haproxy", address[0], text, func(file string) []string { return []string{"-db", "-f", file} })
}

// startProxy writes a configuration, starts the program and waits until it accepts connections.
func startProxy(ctx context.Context, s stage, name, program, address, text string, args func(file string) []string) (contestant, error) {
	path, err := find(program)
	if err != nil {
		return contestant{}, err
	}
	file := filepath.Join(s.dir, program+".conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return contestant{}, err
	}
	return runProxy(ctx, s, name, address, path, args(file)...)
}

func runProxy(ctx context.Context, s stage, name, address, path string, args ...string) (contestant, error) {
	p, err := start(ctx, name, path, os.Environ(), args...)
	if err != nil {
		return contestant{}, err
	}
	if err := p.await(ctx, 20*time.Second, listens(address)); err != nil {
		return contestant{}, err
	}
	return contestant{name: name, url: s.row.scheme() + "://" + address, pids: []int{p.cmd.Process.Pid}, stop: p.stop}, nil
}

// stdlibPackage is the reverse proxy of the standard library.
const stdlibPackage = "github.com/sluice-gateway/sluice/scripts/bench/reverseproxy"

// buildStdlib builds it into a folder.
func buildStdlib(ctx context.Context, dir string) (string, error) {
	file := filepath.Join(dir, "reverseproxy")
	out, err := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", file, stdlibPackage).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building the reverse proxy of the standard library: %w\n%s", err, out)
	}
	return file, nil
}

func startStdlib(ctx context.Context, s stage) (contestant, error) {
	address, err := freeAddresses(1)
	if err != nil {
		return contestant{}, err
	}
	args := []string{"-listen", address[0], "-origin", s.origin}
	if s.row.tls {
		args = append(args, "-certificate", s.certificate.chain, "-key", s.certificate.key)
	}
	return runProxy(ctx, s, stdlib, address[0], s.stdlib, args...)
}
