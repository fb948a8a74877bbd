package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/pkg/trust"
)

// startTimeout bounds the start of each part.
const startTimeout = 30 * time.Second

// platform is what runs, and how to reach it. It is also the ready file.
type platform struct {
	o        options
	out      io.Writer
	redis    redisAt
	children []*child
	exits    chan *child
	mini     func() // stops the built-in Redis
	ready    ready
}

// ready is the ready file.
type ready struct {
	Dashboard    service   `json:"dashboard"`
	Gateways     []service `json:"gateways"`
	Pump         *service  `json:"pump,omitempty"`
	Redis        redisInfo `json:"redis"`
	Upstream     string    `json:"upstream"` // URL of the demo upstream
	Login        string    `json:"login"`
	PasswordFile string    `json:"passwordFile,omitempty"` // holds the one-time password until it was changed
	Curl         string    `json:"curl"`
	Data         string    `json:"data"`
}

type service struct {
	URL   string `json:"url"`
	Admin string `json:"admin,omitempty"` // URL of health and metrics where that is another port
	PID   int    `json:"pid"`
	Log   string `json:"log"`
}

type redisInfo struct {
	Address string `json:"address"`
	Kind    string `json:"kind"`
	PID     int    `json:"pid,omitempty"`
}

// up starts the parts in the order in which they need each other.
func (p *platform) up(ctx context.Context) (err error) {
	p.exits = make(chan *child, 16)
	p.ready.Data = p.o.data
	p.say("Redis")
	if p.redis, err = p.startRedis(ctx); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	p.ready.Redis = redisInfo{p.redis.address, p.redis.kind, p.redis.pid}
	p.done(p.redis.kind + " at " + p.redis.address)

	p.say("Store")
	if err := p.initialise(ctx); err != nil {
		return err
	}
	p.done(p.store())

	p.say("Dashboard")
	if p.ready.Dashboard, err = p.service(ctx, "dashboard", "dashboard", p.o.dashboardPort, 0, p.dashboardEnv()); err != nil {
		return err
	}
	p.done(p.ready.Dashboard.URL)

	for i := range p.o.gateways {
		name := fmt.Sprintf("gateway-%d", i+1)
		p.say(name)
		env, err := p.nodeEnv("gateway", name)
		if err != nil {
			return err
		}
		data, admin := p.o.gatewayPorts(i)
		s, err := p.service(ctx, "gateway", name, data, admin, append(env, "SLUICE_GATEWAY_NAME="+name))
		if err != nil {
			return err
		}
		p.ready.Gateways = append(p.ready.Gateways, s)
		p.done(s.URL + "  admin " + s.Admin)
	}
	if p.o.hasPump() {
		p.say("Pump")
		env, err := p.nodeEnv("pump", "pump")
		if err != nil {
			return err
		}
		s, err := p.service(ctx, "pump", "pump", p.o.pumpPort, 0, append(env, p.sinks()...))
		if err != nil {
			return err
		}
		p.ready.Pump = &s
		p.done(s.URL)
	}
	p.say("Demo")
	if err := p.demo(ctx); err != nil {
		return fmt.Errorf("demo API: %w", err)
	}
	p.done(p.ready.Upstream)
	return p.writeReady()
}

// initialise makes keys and the first admin, which changes nothing at a second start.
func (p *platform) initialise(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, filepath.Join(p.o.bin, "sluice-dashboard"), "init", "--json")
	cmd.Env = append(p.baseEnv(), p.dashboardEnv()...)
	if p.o.adminPassword != "" {
		cmd.Env = append(cmd.Env, "SLUICE_ADMIN_PASSWORD="+p.o.adminPassword)
	}
	var problem strings.Builder
	cmd.Stderr = &problem
	text, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("sluice-dashboard init: %w\n%s", err, strings.TrimSpace(problem.String()))
	}
	var said struct {
		Login        string `json:"login"`
		PasswordFile string `json:"passwordFile"`
	}
	if err := json.Unmarshal(text, &said); err != nil {
		return fmt.Errorf("sluice-dashboard init said %q: %w", text, err)
	}
	p.ready.Login, p.ready.PasswordFile = said.Login, said.PasswordFile
	return nil
}

// service starts one of our binaries and waits until it says that it is ready.
// admin is the port of health where that is not the service's own; negative: none.
func (p *platform) service(ctx context.Context, kind, name string, port, admin int, env []string) (service, error) {
	var err error
	if port == 0 {
		if port, err = freePort(); err != nil {
			return service{}, err
		}
	}
	prefix := "SLUICE_" + strings.ToUpper(kind) + "_"
	s := service{URL: "http://" + listenAddress(port)}
	health := s.URL
	env = append(env, prefix+"LISTEN_ADDRESS="+listenAddress(port), prefix+"LOG_FORMAT=text")
	if kind == "gateway" {
		if admin == 0 {
			if admin, err = freePort(); err != nil {
				return service{}, err
			}
		}
		s.Admin = "http://" + listenAddress(admin)
		health = s.Admin
		env = append(env, prefix+"ADMIN_ADDRESS="+listenAddress(admin), prefix+"SHUTDOWN_TIMEOUT=3s")
	}
	c, err := p.spawn(name, filepath.Join(p.o.bin, "sluice-"+kind), nil, append(env, p.redis.env(kind)...), nil)
	if err != nil {
		return s, err
	}
	s.PID, s.Log = c.cmd.Process.Pid, c.logFile
	return s, p.await(ctx, c, func() error { return answers(ctx, health+"/ready") })
}

// await asks until the question is answered, the child has ended or time is over.
func (p *platform) await(ctx context.Context, c *child, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-c.done:
			return fmt.Errorf("%s ended at its start; the end of its log (%s):\n%s", c.name, c.logFile, c.tail())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready after %s (%w); the end of its log (%s):\n%s", c.name, startTimeout, err, c.logFile, c.tail())
		}
	}
}

func answers(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return nil
}

// nodeEnv gives a node its folder and its share of the platform's keys.
func (p *platform) nodeEnv(kind, name string) ([]string, error) {
	keys, err := trust.LoadDashboard(filepath.Join(p.o.data, "dashboard", "keys"))
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(p.o.data, name)
	if err := keys.SaveNode(filepath.Join(dir, "keys")); err != nil {
		return nil, err
	}
	return append(p.baseEnv(), "SLUICE_"+strings.ToUpper(kind)+"_DATA="+dir), nil
}

func (p *platform) dashboardEnv() []string {
	env := append(p.baseEnv(), "SLUICE_DASHBOARD_DATA="+filepath.Join(p.o.data, "dashboard"), "SLUICE_DASHBOARD_RECORDS_DIR="+p.records())
	env = append(env, p.redis.env("dashboard")...)
	if p.o.mongodb != "" {
		env = append(env, "SLUICE_DASHBOARD_STORE_DRIVER=mongodb", "SLUICE_DASHBOARD_MONGODB_URL="+p.o.mongodb)
	}
	return env
}

// records is where the pump keeps raw records without MongoDB.
func (p *platform) records() string { return filepath.Join(p.o.data, "records") }

// sinks lets the pump keep the records that the dashboard shows, unless the caller
// set others.
func (p *platform) sinks() []string {
	const name = "SLUICE_PUMP_SINKS"
	if os.Getenv(name) != "" {
		return nil
	}
	if p.o.mongodb != "" {
		return []string{name + "=" + fmt.Sprintf("[{name: records, type: mongodb, required: true, mongodb: {url: %q}}]", p.o.mongodb)}
	}
	return []string{name + "=" + fmt.Sprintf("[{name: records, type: sqlite, required: true, sqlite: {dir: %q}}]", p.records())}
}

// baseEnv is what every child gets: the settings of the services that the caller
// made, and what programs expect.
func (p *platform) baseEnv() []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	for _, v := range os.Environ() {
		for _, s := range []string{"SLUICE_DASHBOARD_", "SLUICE_GATEWAY_", "SLUICE_PUMP_"} {
			if strings.HasPrefix(v, s) {
				env = append(env, v)
			}
		}
	}
	return env
}

func (p *platform) store() string {
	if p.o.mongodb != "" {
		return "MongoDB"
	}
	return "SQLite in " + p.o.data
}

func (p *platform) say(part string)  { fmt.Fprintf(p.out, "  %-10s ", part) }
func (p *platform) done(what string) { fmt.Fprintln(p.out, what) }

// writeReady writes the ready file whole, for programs that wait for it.
func (p *platform) writeReady() error {
	if p.o.readyFile == "" {
		return nil
	}
	text, err := json.MarshalIndent(p.ready, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(p.o.readyFile+".new", append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("--ready-file: %w", err)
	}
	return os.Rename(p.o.readyFile+".new", p.o.readyFile)
}

// greet says what a person does next.
func (p *platform) greet() {
	fmt.Fprintf(p.out, "\nSluice runs.\n\n  Console    %s\n  Sign in    %s\n", p.ready.Dashboard.URL, p.ready.Login)
	switch {
	case p.ready.PasswordFile != "": // also where --admin-password came after the first start, which changes nothing
		if text, err := os.ReadFile(p.ready.PasswordFile); err == nil {
			fmt.Fprintf(p.out, "  Password   %s   (one-time: it is changed at the first sign-in)\n", strings.TrimSpace(string(text)))
		}
	case p.o.adminPassword != "":
		fmt.Fprintln(p.out, "  Password   the one that was set at the first start; --admin-password changes nothing later")
	default:
		fmt.Fprintln(p.out, "  Password   the one that you chose at the first sign-in")
	}
	fmt.Fprintf(p.out, "  Try        %s\n  Logs       %s\n\nCtrl-C stops everything; what you make stays in %s.\n", p.ready.Curl, filepath.Join(p.o.data, "logs"), p.o.data)
}
