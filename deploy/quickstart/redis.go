package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// redisAt is where the services find Redis.
type redisAt struct {
	address, username, password, database string
	kind                                  string // for people
	pid                                   int    // of a child; 0: none
}

// env is the part of a service's environment that leads it to Redis.
func (r redisAt) env(service string) []string {
	prefix := "SLUICE_" + strings.ToUpper(service) + "_REDIS_"
	return []string{prefix + "ADDRESSES=" + r.address, prefix + "USERNAME=" + r.username, prefix + "PASSWORD=" + r.password, prefix + "DATABASE=" + r.database}
}

// startRedis takes the one that was named, else redis-server where it is installed,
// else the one that is built in.
func (p *platform) startRedis(ctx context.Context) (redisAt, error) {
	if p.o.redis != "" {
		return namedRedis(p.o.redis)
	}
	if program, err := exec.LookPath("redis-server"); err == nil {
		return p.childRedis(ctx, program)
	}
	return p.builtinRedis()
}

func namedRedis(text string) (redisAt, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "redis" || u.Host == "" {
		return redisAt{}, errors.New("--redis is not a URL such as redis://127.0.0.1:6379/0")
	}
	r := redisAt{address: u.Host, username: u.User.Username(), database: strings.Trim(u.Path, "/"), kind: "as named"}
	r.password, _ = u.User.Password()
	if u.Port() == "" {
		r.address = net.JoinHostPort(u.Hostname(), "6379")
	}
	if r.database == "" {
		r.database = "0"
	}
	return r, nil
}

// childRedis runs redis-server with its files in the data folder. Its password is
// new at each start and reaches it on its standard input, where no list of
// processes shows it.
func (p *platform) childRedis(ctx context.Context, program string) (redisAt, error) {
	dir := filepath.Join(p.o.data, "redis")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return redisAt{}, err
	}
	port, err := freePort()
	if err != nil {
		return redisAt{}, err
	}
	r := redisAt{address: listenAddress(port), password: rand.Text(), database: "0", kind: "redis-server"}
	conf := fmt.Sprintf("bind 127.0.0.1\nport %d\ndir %q\nappendonly yes\nsave \"\"\nrequirepass %s\n", port, dir, r.password)
	c, err := p.spawn("redis", program, []string{"-"}, nil, []byte(conf))
	if err != nil {
		return redisAt{}, err
	}
	r.pid = c.cmd.Process.Pid
	return r, p.await(ctx, c, func() error { return pingRedis(r) })
}

// builtinRedis runs miniredis in this process. It has no clock of its own, so a
// ticker lets its keys expire.
func (p *platform) builtinRedis() (redisAt, error) {
	m := miniredis.NewMiniRedis()
	r := redisAt{password: rand.Text(), database: "0", kind: "built in; records are lost at a stop"}
	m.RequireAuth(r.password)
	if err := m.StartAddr("127.0.0.1:0"); err != nil {
		return redisAt{}, err
	}
	r.address = m.Addr()
	const step = 500 * time.Millisecond
	tick := time.NewTicker(step)
	done := make(chan struct{})
	go func() {
		last := time.Now()
		for {
			select {
			case now := <-tick.C:
				m.FastForward(now.Sub(last))
				last = now
			case <-done:
				return
			}
		}
	}()
	p.mini = func() {
		tick.Stop()
		close(done)
		m.Close()
	}
	return r, nil
}

// pingRedis asks once whether Redis answers with our password (RESP).
func pingRedis(r redisAt) error {
	c, err := net.DialTimeout("tcp", r.address, time.Second)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	if _, err := fmt.Fprintf(c, "*2\r\n$4\r\nAUTH\r\n$%d\r\n%s\r\n*1\r\n$4\r\nPING\r\n", len(r.password), r.password); err != nil {
		return err
	}
	in := bufio.NewReader(c)
	for _, want := range []string{"+OK", "+PONG"} {
		line, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		if strings.TrimSpace(line) != want {
			return fmt.Errorf("redis said %q", strings.TrimSpace(line))
		}
	}
	return nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	a, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("%v is no TCP address", l.Addr())
	}
	return a.Port, nil
}
