// Package mongodouble starts a MongoDB double for tests: mongo-java-server, an independent
// implementation of the protocol, behind a launcher that reports a wire version which today's
// drivers accept. It listens on loopback without credentials. No package registry holds MongoDB
// itself; what the double does and does not do like it is written down in README.md beside this file
// and checked by this package's tests.
package mongodouble

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// startTimeout bounds the wait for a started server's connection string.
const startTimeout = 60 * time.Second

// Options say how a server is started. The zero value is a server in memory on a free port.
type Options struct {
	Port  int    // TCP port on 127.0.0.1; 0 is a free one
	Data  string // file of the H2 store, created if absent; "" keeps everything in memory
	Cache string // folder that built jars are kept in; "" is bin/ of the checkout
}

// Server is one running double.
type Server struct {
	URL string // connection string, such as mongodb://127.0.0.1:40123

	cmd    *exec.Cmd
	stdin  io.Closer
	once   sync.Once
	exited chan struct{}
	err    error // of the process's end; read it after exited
	stderr bytes.Buffer
}

// Start builds the server if that was not done before (about 10 s, with downloads), starts it and
// returns once it listens. Its process ends with Stop, with Kill, with ctx, and with this process.
// The error wraps ErrTool when Java or Maven is missing.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.Cache == "" {
		o.Cache = cacheDir()
	}
	jar, err := build(ctx, o.Cache)
	if err != nil {
		return nil, err
	}
	args := []string{"-Xmx3g", "-XX:+UseSerialGC", "-jar", jar, "--port", strconv.Itoa(o.Port)}
	if o.Data != "" {
		args = append(args, "--data", o.Data)
	}
	s := &Server{cmd: exec.CommandContext(ctx, "java", args...), exited: make(chan struct{})}
	s.cmd.Stderr = &s.stderr
	// The server ends when its standard input closes, which the kernel does for us if we are killed.
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting java: %w", err)
	}
	line := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(stdout).ReadString('\n')
		line <- strings.TrimSpace(text)
		_, _ = io.Copy(io.Discard, stdout)
		s.err = s.cmd.Wait()
		close(s.exited)
	}()
	select {
	case s.URL = <-line:
	case <-time.After(startTimeout):
	}
	if !strings.HasPrefix(s.URL, "mongodb://") {
		s.Kill()
		return nil, fmt.Errorf("the server did not start: %v\n%s", s.err, s.stderr.String())
	}
	return s, nil
}

// Stop ends the server in order, with its data saved, and waits for its end.
func (s *Server) Stop() {
	s.once.Do(func() { _ = s.stdin.Close() })
	select {
	case <-s.exited:
	case <-time.After(10 * time.Second):
		s.Kill()
	}
}

// Kill ends the server as a crash would and waits for its end.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill()
	<-s.exited
}

// Exited is closed when the server's process has ended, whoever ended it.
func (s *Server) Exited() <-chan struct{} { return s.exited }
