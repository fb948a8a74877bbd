package platform

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/sluice-gateway/sluice/pkg/redisdb"
)

// ErrNoServer says that redis-server is not there, for what the embedded one cannot do.
var ErrNoServer = errors.New("redis-server is not on PATH (Debian: redis-server)")

// Redis is the platform's own Redis: a redis-server where the program is on PATH, else miniredis in
// this process, which can be neither stopped nor restored.
type Redis struct {
	Addr string

	dir  string
	proc *Proc
	mini *miniredis.Miniredis
	quit chan struct{}
}

func startRedis(ctx context.Context, dir string) (*Redis, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil || os.Getenv("SLUICE_TEST_REDIS") == "embedded" {
		return startMini()
	}
	r := &Redis{dir: filepath.Join(dir, "redis")}
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return nil, err
	}
	// the port is free when asked for, and may be taken a moment later: try again
	for range 5 {
		if r.Addr, err = freeAddress(); err != nil {
			return nil, err
		}
		host, port, _ := net.SplitHostPort(r.Addr)
		r.proc = NewProc(dir, "redis", path, []string{
			"--bind", host, "--port", port, "--dir", r.dir, "--dbfilename", "dump.rdb", "--save", "", "--appendonly", "no", "--loglevel", "warning",
		}, nil)
		if err = r.Start(ctx); err == nil {
			return r, nil
		}
	}
	return nil, err
}

func startMini() (*Redis, error) {
	m := miniredis.NewMiniRedis()
	if err := m.Start(); err != nil {
		return nil, err
	}
	r := &Redis{Addr: m.Addr(), mini: m, quit: make(chan struct{})}
	go func() {
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		last := time.Now()
		for {
			select {
			case <-r.quit:
				return
			case now := <-tick.C:
				m.FastForward(now.Sub(last))
				last = now
			}
		}
	}()
	return r, nil
}

// Real tells whether it is redis-server.
func (r *Redis) Real() bool { return r.mini == nil }

// Start starts a stopped redis-server on its old address with what Save wrote.
func (r *Redis) Start(ctx context.Context) error {
	if err := r.proc.Start(); err != nil {
		return err
	}
	return until(ctx, 10*time.Second, func() error {
		if !r.proc.Running() {
			return fmt.Errorf("%w: %s", errEnded, r.proc.Tail(3))
		}
		return r.Do(ctx, "PING")
	})
}

// Kill ends redis-server as a crash does.
func (r *Redis) Kill() { r.proc.Kill() }

// Signal halts redis-server and lets it go on.
func (r *Redis) Signal(s os.Signal) error {
	if r.proc == nil {
		return ErrNoServer
	}
	return r.proc.Signal(s)
}

// Stop ends Redis for good.
func (r *Redis) Stop() {
	if r.mini != nil {
		close(r.quit)
		r.mini.Close()
		return
	}
	r.proc.Kill()
}

// Dump is a copy of all data, for Restore.
func (r *Redis) Dump(ctx context.Context) ([]byte, error) {
	if err := r.Do(ctx, "SAVE"); err != nil {
		return nil, err
	}
	return os.ReadFile(r.file())
}

// Restore puts a copy back as an operator does: stopped, replaced, started.
func (r *Redis) Restore(ctx context.Context, dump []byte) error {
	r.Kill()
	if err := os.WriteFile(r.file(), dump, 0o600); err != nil {
		return err
	}
	return r.Start(ctx)
}

// Empty removes everything.
func (r *Redis) Empty(ctx context.Context) error { return r.Do(ctx, "FLUSHALL") }

// Do runs one command on a connection of its own.
func (r *Redis) Do(ctx context.Context, args ...any) error {
	c, err := redisdb.Open(redisdb.Config{Addresses: []string{r.Addr}})
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return c.Do(ctx, args...).Err()
}

func (r *Redis) file() string { return filepath.Join(r.dir, "dump.rdb") }

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String(), nil
}
