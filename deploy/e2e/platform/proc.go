package platform

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// What a wait may end with.
var (
	errEnded  = errors.New("the process has ended")
	errNotYet = errors.New("not yet")
)

// Proc is a program that may be killed, stopped, halted and started again. It is not for concurrent
// use, but its log is.
type Proc struct {
	Name string
	Env  []string // the whole environment; may be changed before a start

	program string
	args    []string
	log     *procLog
	cmd     *exec.Cmd
	exited  chan struct{} // closed when the process was reaped
	err     error         // how it ended; read it after exited
}

// NewProc describes a program; its output goes to the file name.log in dir.
func NewProc(dir, name, program string, args, env []string) *Proc {
	return &Proc{Name: name, Env: env, program: program, args: args, log: &procLog{path: filepath.Join(dir, name+".log"), addr: map[string]string{}}}
}

// Start starts the program. It is killed by the kernel when this process ends.
func (p *Proc) Start() error {
	p.log.restart()
	p.cmd = exec.Command(p.program, p.args...)
	p.cmd.Env = p.Env
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	started, exited := make(chan error, 1), make(chan struct{})
	go func() {
		// the kernel ties the child to this thread: keep it until the child is gone
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(exited)
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("starting %s: %w", p.Name, err)
	}
	p.exited = exited
	return nil
}

// PID of the running or last process.
func (p *Proc) PID() int { return p.cmd.Process.Pid }

// Exited is closed when the process has ended.
func (p *Proc) Exited() <-chan struct{} { return p.exited }

// Running tells whether it was started and has not ended.
func (p *Proc) Running() bool {
	if p.exited == nil {
		return false
	}
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// Signal sends a signal, such as SIGSTOP, to the process.
func (p *Proc) Signal(s os.Signal) error {
	if !p.Running() {
		return errEnded
	}
	return p.cmd.Process.Signal(s)
}

// Kill ends it as kill -9 does, and waits for the end.
func (p *Proc) Kill() {
	if p.Running() {
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
}

// Stop asks it to end, and kills it when it does not within the given time: then it returns an error,
// as it does for an exit status that is not 0.
func (p *Proc) Stop(within time.Duration) error {
	if !p.Running() {
		return nil
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Process.Signal(syscall.SIGCONT)
	late := time.NewTimer(within)
	defer late.Stop()
	select {
	case <-p.exited:
		if p.err != nil {
			return fmt.Errorf("%s: %w", p.Name, p.err)
		}
		return nil
	case <-late.C:
		p.Kill()
		return fmt.Errorf("%s did not end within %s and was killed", p.Name, within)
	}
}

// Tail is the end of its log.
func (p *Proc) Tail(lines int) string { return p.log.tail(lines) }

// LogHas tells whether the log since the last start contains a text.
func (p *Proc) LogHas(text string) bool { return p.log.has(text) }

// procLog keeps what a process writes, in memory and in a file, and picks up where it listens.
type procLog struct {
	path string

	mu   sync.Mutex
	text []byte
	line []byte
	addr map[string]string // by listener
}

func (l *procLog) restart() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text, l.line = nil, nil
	clear(l.addr)
}

// Write takes a piece of output; it never fails, for a test must not change how a service fares.
func (l *procLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err == nil {
		_, _ = f.Write(b)
		_ = f.Close()
	}
	l.text = append(l.text, b...)
	l.line = append(l.line, b...)
	for {
		i := bytes.IndexByte(l.line, '\n')
		if i < 0 {
			return len(b), nil
		}
		var said struct{ Msg, Listener, Address string }
		if json.Unmarshal(l.line[:i], &said) == nil && said.Msg == "listening" {
			l.addr[said.Listener] = said.Address
		}
		l.line = l.line[i+1:]
	}
}

func (l *procLog) address(listener string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.addr[listener]
}

func (l *procLog) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Contains(l.text, []byte(text))
}

func (l *procLog) tail(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(string(l.text)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
