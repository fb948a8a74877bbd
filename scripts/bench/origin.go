package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// origin is an nginx that answers every request with the same file, which the kernel has in memory: one
// address for each size.
type origin struct {
	addresses map[int]string
	process   *process
	dir       string
}

const originHead = `%sdaemon off;
worker_processes %d;
pid %s/nginx.pid;
error_log stderr crit;
worker_rlimit_nofile 16384;
events { worker_connections 8192; }
http {
  access_log off;
  sendfile on; tcp_nopush on; tcp_nodelay on;
  keepalive_requests 100000000; keepalive_timeout 1h;
  open_file_cache max=100 inactive=1h; open_file_cache_valid 1h;
  client_max_body_size 0;
  client_body_temp_path %[3]s/t1; proxy_temp_path %[3]s/t2; fastcgi_temp_path %[3]s/t3; uwsgi_temp_path %[3]s/t4; scgi_temp_path %[3]s/t5;
  default_type application/json;
`

const originServer = `  server {
    listen %[1]s backlog=4096;
    root %[2]s;
    location / { error_page 405 =200 /%[3]d; try_files /%[3]d =404; }
  }
`

// superuser is nginx's line that lets workers read what a superuser made.
func superuser() string {
	if os.Getuid() == 0 {
		return "user root root;\n"
	}
	return ""
}

func startOrigin(ctx context.Context, scratch string) (*origin, error) {
	program, err := find("nginx")
	if err != nil {
		return nil, err
	}
	memory := scratch
	if _, err := os.Stat("/dev/shm"); err == nil {
		memory = "/dev/shm"
	}
	dir, err := os.MkdirTemp(memory, "sluice-bench-")
	if err != nil {
		return nil, err
	}
	o := &origin{addresses: map[int]string{}, dir: dir}
	if err := o.begin(ctx, program); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return o, nil
}

func (o *origin) begin(ctx context.Context, program string) error {
	addresses, err := freeAddresses(3)
	if err != nil {
		return err
	}
	config := fmt.Sprintf(originHead, superuser(), runtime.NumCPU(), o.dir)
	for i, size := range []int{kib, small, large} {
		if err := os.WriteFile(filepath.Join(o.dir, fmt.Sprint(size)), bytes.Repeat([]byte("x"), size), 0o644); err != nil {
			return err
		}
		o.addresses[size] = addresses[i]
		config += fmt.Sprintf(originServer, addresses[i], o.dir, size)
	}
	file := filepath.Join(o.dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config+"}\n"), 0o600); err != nil {
		return err
	}
	if o.process, err = start(ctx, "the origin", program, os.Environ(), "-c", file, "-p", o.dir); err != nil {
		return err
	}
	return o.process.await(ctx, 20*time.Second, listens(addresses[2]))
}

func (o *origin) stop() {
	o.process.stop()
	_ = os.RemoveAll(o.dir)
}
