package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// child is a process that ends with this one.
type child struct {
	name    string
	logFile string
	cmd     *exec.Cmd
	done    chan struct{} // closed when it has ended
}

// spawn starts a program with its output in a log file and with no environment but
// the one given.
func (p *platform) spawn(name, program string, args []string, env []string, stdin []byte) (*child, error) {
	c := &child{name: name, logFile: filepath.Join(p.o.data, "logs", name+".log"), done: make(chan struct{})}
	_ = os.Rename(c.logFile, c.logFile+".1") // what the run before said, perhaps why it ended
	out, err := os.OpenFile(c.logFile, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()
	c.cmd = exec.Command(program, args...)
	c.cmd.Env = env
	c.cmd.Stdout, c.cmd.Stderr = out, out
	if stdin != nil {
		c.cmd.Stdin = bytes.NewReader(stdin)
	}
	// a group of its own: Ctrl-C reaches this process only, which stops the children in order
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s could not be started: %w", name, err)
	}
	p.children = append(p.children, c)
	go func() {
		_ = c.cmd.Wait()
		close(c.done)
		select {
		case p.exits <- c:
		default:
		}
	}()
	return c, nil
}

// tail is the end of the child's log.
func (c *child) tail() string {
	text, err := os.ReadFile(c.logFile)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}

func (c *child) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// stop ends the children in reverse, those that were started last first, so that
// what the others need goes last. What does not end in time is killed.
func (p *platform) stop(grace time.Duration) error {
	deadline := time.After(grace)
	late := false
	var errs []error
	for i := len(p.children) - 1; i >= 0; i-- {
		c := p.children[i]
		if c.ended() {
			continue
		}
		_ = c.cmd.Process.Signal(syscall.SIGTERM)
		if !late {
			select {
			case <-c.done:
				continue
			case <-deadline:
				late = true
			}
		}
		_ = c.cmd.Process.Kill()
		<-c.done
		errs = append(errs, fmt.Errorf("%s did not stop in time and was killed", c.name))
	}
	if p.mini != nil {
		p.mini()
	}
	if p.o.readyFile != "" {
		_ = os.Remove(p.o.readyFile)
	}
	return errors.Join(errs...)
}
