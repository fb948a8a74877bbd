package testenv

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/redisdb"
)

// ttlTick is how often an embedded server's clock is moved on: it expires
// nothing by itself.
const ttlTick = 250 * time.Millisecond

// startWithin bounds the wait for a redis-server child.
const startWithin = 10 * time.Second

// Redis returns a client of an empty Redis that belongs to this test alone: a
// redis-server child where the program is on PATH, else an embedded server.
// SLUICE_TEST_REDIS=embedded chooses the embedded one.
func Redis(t testing.TB) redis.UniversalClient {
	t.Helper()
	return RedisServer(t).Client()
}

// EachRedis runs f against the embedded server and, in a second subtest, against
// redis-server (skipped where it is not on PATH). Contract suites use it,
// because the two differ.
func EachRedis(t *testing.T, f func(t *testing.T, s *Server)) {
	t.Run("miniredis", func(t *testing.T) { f(t, embedded(t)) })
	t.Run("redis-server", func(t *testing.T) {
		path, err := exec.LookPath("redis-server")
		if err != nil {
			Missing(t, "redis", "install redis-server, version 6.2 or newer")
		}
		f(t, child(t, path))
	})
}

// Server is a Redis that a test may stop, start, empty and turn back. Its
// address stays the same. Its methods fail the test when they cannot do their
// work; they are not for concurrent use.
type Server struct {
	t    testing.TB
	addr string

	mini *miniredis.Miniredis // nil for a child process
	quit chan struct{}        // ends the embedded server's ticker

	path, dir string // program and folder of a child process
	proc      *process
}

// process is a running child.
type process struct {
	kill   func() error
	exited chan struct{} // closed after the child was reaped
}

// RedisServer starts an own, empty Redis for this test and stops it when the
// test ends. See Redis for which one.
func RedisServer(t testing.TB) *Server {
	t.Helper()
	if os.Getenv("SLUICE_TEST_REDIS") != "embedded" {
		if path, err := exec.LookPath("redis-server"); err == nil {
			return child(t, path)
		}
	}
	return embedded(t)
}

func embedded(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t, mini: miniredis.NewMiniRedis()}
	if err := s.mini.Start(); err != nil {
		t.Fatalf("start the embedded redis: %v", err)
	}
	s.addr = s.mini.Addr()
	s.startTicker()
	t.Cleanup(s.Stop)
	return s
}

func child(t testing.TB, path string) *Server {
	t.Helper()
	s := &Server{t: t, path: path, dir: t.TempDir()}
	t.Cleanup(s.kill)
	// The port is free when asked for, and may be taken a moment later: try again.
	var err error
	for range 5 {
		if s.addr, err = freeAddress(); err != nil {
			break
		}
		if err = s.startChild(); err == nil {
			return s
		}
	}
	t.Fatalf("start redis-server: %v", err)
	return nil
}

// Addr is host:port.
func (s *Server) Addr() string { return s.addr }

// Real tells whether this is redis-server and not the embedded one.
func (s *Server) Real() bool { return s.mini == nil }

// Client returns a new client, set up as in production and closed at the test's
// end.
func (s *Server) Client() redis.UniversalClient {
	s.t.Helper()
	c, err := redisdb.Open(redisdb.Config{Addresses: []string{s.addr}})
	if err != nil {
		s.t.Fatalf("open redis: %v", err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

// Stop cuts all connections at once, as a crash does. The data is kept for a
// later Start. Stopping a stopped server does nothing.
func (s *Server) Stop() {
	s.t.Helper()
	if s.mini != nil {
		if s.quit != nil {
			close(s.quit)
			s.quit = nil
			s.mini.Close()
		}
		return
	}
	if s.proc == nil {
		return
	}
	s.save()
	s.kill()
}

// Start starts a stopped server on its old address, with the data that it had
// when it stopped, or empty.
func (s *Server) Start(keepData bool) {
	s.t.Helper()
	if s.mini != nil {
		if s.quit != nil {
			return
		}
		if err := s.mini.Restart(); err != nil {
			s.t.Fatalf("restart the embedded redis: %v", err)
		}
		if !keepData {
			s.mini.FlushAll()
		}
		s.startTicker()
		return
	}
	if s.proc != nil {
		return
	}
	if !keepData {
		if err := os.Remove(s.rdb()); err != nil && !os.IsNotExist(err) {
			s.t.Fatal(err)
		}
	}
	if err := s.startChild(); err != nil {
		s.t.Fatalf("restart redis-server: %v", err)
	}
}

// Flush empties the server without touching connections.
func (s *Server) Flush() {
	s.t.Helper()
	if s.mini != nil {
		s.mini.FlushAll()
		return
	}
	s.do("FLUSHALL")
}

// Dump returns a copy of all data, for a later Restore. It needs redis-server:
// the test is skipped (see Missing) on the embedded one.
func (s *Server) Dump() []byte {
	s.t.Helper()
	s.needReal()
	s.save()
	b, err := os.ReadFile(s.rdb())
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

// Restore puts the data back to an older Dump, as an operator does from a
// backup: the server is stopped and started again.
func (s *Server) Restore(dump []byte) {
	s.t.Helper()
	s.needReal()
	s.kill()
	if err := os.WriteFile(s.rdb(), dump, 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.Start(true)
}

func (s *Server) needReal() {
	s.t.Helper()
	if !s.Real() {
		Missing(s.t, "redis", "install redis-server; the embedded one cannot dump its data")
	}
}

func (s *Server) rdb() string { return filepath.Join(s.dir, "dump.rdb") }

func (s *Server) save() { s.t.Helper(); s.do("SAVE") }

func (s *Server) do(args ...any) {
	s.t.Helper()
	c := redis.NewClient(&redis.Options{Addr: s.addr, DisableIdentity: true})
	defer func() { _ = c.Close() }()
	// Cleanup functions call this after the test's context has ended.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.t.Context()), startWithin)
	defer cancel()
	if err := c.Do(ctx, args...).Err(); err != nil {
		s.t.Fatalf("redis-server: %v: %v", args, err)
	}
}

// startTicker lets the embedded server's keys expire in real time.
func (s *Server) startTicker() {
	quit, mini := make(chan struct{}), s.mini
	s.quit = quit
	go func() {
		tick := time.NewTicker(ttlTick)
		defer tick.Stop()
		last := time.Now()
		for {
			select {
			case <-quit:
				return
			case now := <-tick.C:
				mini.FastForward(now.Sub(last))
				last = now
			}
		}
	}()
}

func (s *Server) startChild() error {
	host, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		return err
	}
	cmd := exec.Command(s.path, "--bind", host, "--port", port, "--dir", s.dir, "--dbfilename", "dump.rdb",
		"--save", "", "--appendonly", "no", "--daemonize", "no", "--loglevel", "warning")
	cmd.SysProcAttr = dieWithTest()
	p := &process{exited: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The kernel ties the child to this thread: keep the thread until the
		// child is gone.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.exited)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	p.kill = cmd.Process.Kill
	s.proc = p
	ready := poll(startWithin, func() bool {
		select {
		case <-p.exited:
			return true
		default:
			return answers(s.addr)
		}
	})
	select {
	case <-p.exited:
		s.proc = nil
		return fmt.Errorf("it ended at once on %s", s.addr)
	default:
	}
	if !ready {
		s.kill()
		return fmt.Errorf("no answer on %s within %s", s.addr, startWithin)
	}
	return nil
}

// answers asks for a PONG by hand: a client would log every refusal.
func answers(addr string) bool {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return false
	}
	pong := make([]byte, len("+PONG\r\n"))
	if _, err := c.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	_, err = io.ReadFull(c, pong)
	return err == nil && string(pong) == "+PONG\r\n"
}

// kill ends a child process and waits until it is gone.
func (s *Server) kill() {
	if s.proc == nil {
		return
	}
	_ = s.proc.kill()
	<-s.proc.exited
	s.proc = nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String(), nil
}
