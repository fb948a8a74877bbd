package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// errMissing says that a program is not there; its sentence names the package that brings it.
var errMissing = errors.New("missing")

// packages are the Debian packages of the programs that are started.
func packages() map[string]string {
	return map[string]string{"nginx": "nginx", "haproxy": "haproxy", "wrk": "wrk", "h2load": "nghttp2-client", "redis-server": "redis-server"}
}

// find is exec.LookPath with a sentence that helps.
func find(program string) (string, error) {
	path, err := exec.LookPath(program)
	if err == nil {
		return path, nil
	}
	if p := packages()[program]; p != "" {
		return "", fmt.Errorf("%s is %w: apt-get install %s", program, errMissing, p)
	}
	return "", fmt.Errorf("%s is %w: run `make build`", program, errMissing)
}

// process is a program that was started and is stopped by its own id.
type process struct {
	name  string
	cmd   *exec.Cmd
	log   lockedBuffer
	ended chan struct{}
	err   error // valid when ended is closed
}

// lockedBuffer takes the output of a process while others read it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write adds to the output.
func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String is all that was written.
func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func start(ctx context.Context, name, path string, env []string, args ...string) (*process, error) {
	p := &process{name: name, cmd: exec.CommandContext(ctx, path, args...), ended: make(chan struct{})}
	p.cmd.Env = env
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = 5 * time.Second
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(5 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// await asks until the question is answered; it stops a process that gives no answer.
func (p *process) await(ctx context.Context, patience time.Duration, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended at its start: %w\n%s", p.name, p.err, p.log.String())
		case <-ctx.Done():
			p.stop()
			return fmt.Errorf("%s is not ready after %s: %w\n%s", p.name, patience, err, p.log.String())
		case <-again.C:
		}
	}
}

// listens asks whether somebody takes connections.
func listens(address string) func() error {
	return func() error {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return err
		}
		return c.Close()
	}
}

// freeAddresses are addresses that were free a moment ago; proxies cannot be given an open listener.
func freeAddresses(n int) (addresses []string, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }()
		addresses = append(addresses, l.Addr().String())
	}
	return addresses, nil
}

// tick is the unit of /proc/PID/stat: USER_HZ is 100 on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// family are processes and all that descend from them, with the CPU time of each.
func family(pids []int) (map[int]time.Duration, error) {
	parent, used := map[int]int{}, map[int]time.Duration{}
	names, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if parent[pid], used[pid], err = parseStat(text); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	counted := map[int]time.Duration{}
	for _, pid := range pids {
		if _, ok := used[pid]; !ok {
			return nil, fmt.Errorf("the process %d does not run", pid)
		}
		counted[pid] = used[pid]
	}
	for grew := true; grew; {
		grew = false
		for pid, up := range parent {
			_, above := counted[up]
			if _, known := counted[pid]; above && !known {
				counted[pid], grew = used[pid], true
			}
		}
	}
	return counted, nil
}

// cpuTime is the user and system time of processes and all that descend from them.
func cpuTime(pids []int) (sum time.Duration, err error) {
	all, err := family(pids)
	for _, used := range all {
		sum += used
	}
	return sum, err
}

// peakMemory is the sum of the largest resident sizes, in bytes, that processes and all that descend
// from them have had since they started. Pages that they share count once for each.
func peakMemory(pids []int) (sum int64, err error) {
	all, err := family(pids)
	if err != nil {
		return 0, err
	}
	for pid := range all {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			continue // it has ended
		}
		n, err := parsePeak(string(text))
		if err != nil {
			return 0, fmt.Errorf("process %d: %w", pid, err)
		}
		sum += n
	}
	return sum, nil
}

// parsePeak reads VmHWM of /proc/PID/status in bytes; 0 for a process without memory, which has ended.
func parsePeak(status string) (int64, error) {
	_, after, ok := strings.Cut(status, "\nVmHWM:")
	if !ok {
		return 0, nil
	}
	line, _, _ := strings.Cut(after, "\n")
	number, unit, _ := strings.Cut(strings.TrimSpace(line), " ")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || unit != "kB" {
		return 0, fmt.Errorf("%q is not a size in kB", line)
	}
	return n << 10, nil
}

// parseStat reads the parent and the CPU time; the name of the program may hold anything, so fields
// count from behind its last parenthesis.
func parseStat(text []byte) (parent int, used time.Duration, err error) {
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 13 {
		return 0, 0, fmt.Errorf("%q is not a stat line", text)
	}
	parent, err = strconv.Atoi(string(fields[1]))
	for _, f := range fields[11:13] {
		n, e := strconv.ParseInt(string(f), 10, 64)
		if e != nil {
			err = e
		}
		used += time.Duration(n) * tick
	}
	return parent, used, err
}
