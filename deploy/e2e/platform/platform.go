// Package platform runs the real binaries for black-box tests: a Redis, a store, any number of
// dashboards and gateways, each a process that a test may kill, halt and start again, and the
// upstreams behind them.
//
// build.go builds the programs, proc.go is one process, redis.go the Redis, platform.go puts them
// together, service.go is a dashboard or gateway, fortest.go is for tests; upstream.go and origin.go
// are what stands behind a gateway.
package platform

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/deploy/e2e/client"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// readyWithin bounds the start of each part.
const readyWithin = 30 * time.Second

// Options say what to run. The zero value is one dashboard on SQLite and one gateway.
type Options struct {
	Dir        string            // for all state and logs; it must exist
	Dashboards int               // default 1; all on one store
	Gateways   []string          // the group of each; default one in "default"
	Pumps      int               // default 0: records stay in Redis
	RecordsURL string            // of the MongoDB for records, where it is not MongoDB itself
	Sinks      string            // of every pump, in YAML or JSON on one line; default RawSink
	MongoDB    string            // URL of a server; default SQLite
	Dashboard  string            // path of another dashboard binary
	Env        map[string]string // further settings of every service, such as SLUICE_GATEWAY_LOG_LEVEL
}

// Platform is what runs.
type Platform struct {
	Redis      *Redis
	Dashboards []*Service
	Gateways   []*Service
	Pumps      []*Service
	Keys       *trust.Keys // the dashboards' keys
	Login      string      // first admin
	Password   string      // its one-time password
	Token      string      // an admin's API token

	Database string // name of the database in MongoDB

	o Options
}

// Start brings everything up and returns when it is ready. What was started is stopped on an error.
func Start(ctx context.Context, o Options) (_ *Platform, err error) {
	if o.Dashboards == 0 {
		o.Dashboards = 1
	}
	if o.Gateways == nil {
		o.Gateways = []string{"default"}
	}
	if o.Dashboard == "" {
		o.Dashboard = Binary("sluice-dashboard")
	}
	p := &Platform{o: o, Database: "sluice_e2e_" + strings.ToLower(rand.Text()[:10])}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, p.Logs(20))
			_ = p.Stop()
		}
	}()
	if p.Redis, err = startRedis(ctx, o.Dir); err != nil {
		return nil, err
	}
	if err := p.initialise(ctx); err != nil {
		return nil, err
	}
	for i := range o.Dashboards {
		s := p.dashboard(i + 1)
		p.Dashboards = append(p.Dashboards, s)
		if err := s.Start(ctx); err != nil {
			return nil, err
		}
	}
	if p.Token, err = p.token(ctx); err != nil {
		return nil, err
	}
	for _, group := range o.Gateways {
		if _, err := p.AddGateway(ctx, group); err != nil {
			return nil, err
		}
	}
	for range o.Pumps {
		if _, err := p.AddPump(ctx); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// AddGateway starts one more gateway.
func (p *Platform) AddGateway(ctx context.Context, group string) (*Service, error) {
	return p.AddGatewayWith(ctx, group, nil)
}

// AddGatewayWith is AddGateway with settings that only this one has, such as
// SLUICE_GATEWAY_TRUSTED_PROXIES; they win over those of all.
func (p *Platform) AddGatewayWith(ctx context.Context, group string, set map[string]string) (*Service, error) {
	name := fmt.Sprintf("gateway-%d", len(p.Gateways)+1)
	dir := filepath.Join(p.o.Dir, name)
	if err := p.Keys.SaveNode(filepath.Join(dir, "keys")); err != nil {
		return nil, err
	}
	s := newService("gateway", name, p.o.Dir, Binary("sluice-gateway"), p.env("gateway", map[string]string{
		"DATA": dir, "GROUP": group, "NAME": name, "LISTEN_ADDRESS": "127.0.0.1:0", "ADMIN_ADDRESS": "127.0.0.1:0", "SHUTDOWN_TIMEOUT": "2s",
	}))
	for name, value := range set { // the last of two settings counts
		s.Env = append(s.Env, name+"="+value)
	}
	p.Gateways = append(p.Gateways, s)
	return s, s.Start(ctx)
}

// AddPump starts one more pump.
func (p *Platform) AddPump(ctx context.Context) (*Service, error) {
	name := fmt.Sprintf("pump-%d", len(p.Pumps)+1)
	dir := filepath.Join(p.o.Dir, name)
	if err := p.Keys.SaveNode(filepath.Join(dir, "keys")); err != nil {
		return nil, err
	}
	s := newService("pump", name, p.o.Dir, Binary("sluice-pump"), p.env("pump", map[string]string{
		"DATA": dir, "NAME": name, "LISTEN_ADDRESS": "127.0.0.1:0", "SHUTDOWN_TIMEOUT": "3s", "SINKS": cmp.Or(p.o.Sinks, "["+p.RawSink()+"]"),
	}))
	p.Pumps = append(p.Pumps, s)
	return s, s.Start(ctx)
}

// RawSink is one element of a pump's sinks: the records that the dashboards show.
func (p *Platform) RawSink() string {
	if p.o.MongoDB != "" {
		return fmt.Sprintf(`{name: records, type: mongodb, required: true, write_timeout: 5s, mongodb: {url: %q, database: %s}}`, cmp.Or(p.o.RecordsURL, p.o.MongoDB), p.Database)
	}
	return fmt.Sprintf(`{name: records, type: sqlite, required: true, write_timeout: 5s, sqlite: {dir: %q}}`, p.RecordsDir())
}

// RecordsDir is where the raw records of SQLite lie.
func (p *Platform) RecordsDir() string { return filepath.Join(p.o.Dir, "records") }

// Client asks dashboard i (from 0) as an admin.
func (p *Platform) Client(i int) *client.Client {
	return client.New(p.Dashboards[i].URL).WithToken(p.Token)
}

// Stop ends everything. It returns what did not end by itself, or not well.
func (p *Platform) Stop() error {
	var errs []error
	for _, s := range slices.Concat(p.Gateways, p.Pumps, p.Dashboards) {
		errs = append(errs, s.Stop(8*time.Second))
	}
	if p.Redis != nil {
		p.Redis.Stop()
	}
	return errors.Join(errs...)
}

// Logs is the end of each service's log.
func (p *Platform) Logs(lines int) string {
	var b strings.Builder
	for _, s := range slices.Concat(p.Dashboards, p.Gateways, p.Pumps) {
		fmt.Fprintf(&b, "--- %s\n%s\n", s.Name, s.Tail(lines))
	}
	return b.String()
}

func (p *Platform) initialise(ctx context.Context) error {
	out, err := p.command(ctx, "init", "--json")
	if err != nil {
		return err
	}
	var said struct{ Login, PasswordFile string }
	if err := json.Unmarshal(out, &said); err != nil {
		return fmt.Errorf("sluice-dashboard init said %q: %w", out, err)
	}
	password, err := os.ReadFile(said.PasswordFile)
	if err != nil {
		return err
	}
	p.Login, p.Password = said.Login, strings.TrimSpace(string(password))
	p.Keys, err = trust.LoadDashboard(p.trustDir())
	return err
}

func (p *Platform) token(ctx context.Context) (string, error) {
	out, err := p.command(ctx, "token", "e2e", "--role", "admin", "--ttl", "24h")
	return strings.TrimSpace(string(out)), err
}

// command runs the dashboard's binary with the settings of the first dashboard.
func (p *Platform) command(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, p.o.Dashboard, args...)
	cmd.Env = p.dashboard(1).Env
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil, fmt.Errorf("sluice-dashboard %s: %w: %s", strings.Join(args, " "), err, exit.Stderr)
	}
	return out, err
}

func (p *Platform) dashboard(n int) *Service {
	name := fmt.Sprintf("dashboard-%d", n)
	set := map[string]string{
		"DATA": filepath.Join(p.o.Dir, name), "TRUST_DIR": p.trustDir(), "LISTEN_ADDRESS": "127.0.0.1:0", "SHUTDOWN_TIMEOUT": "2s",
		"STORE_PATH": p.StorePath(), "RECORDS_DIR": p.RecordsDir(),
	}
	if p.o.MongoDB != "" {
		set["STORE_DRIVER"], set["MONGODB_URL"], set["MONGODB_DATABASE"] = "mongodb", p.o.MongoDB, p.Database
	}
	return newService("dashboard", name, p.o.Dir, p.o.Dashboard, p.env("dashboard", set))
}

// StorePath is the SQLite file of the dashboards.
func (p *Platform) StorePath() string { return filepath.Join(p.o.Dir, "config.db") }

func (p *Platform) trustDir() string { return filepath.Join(p.o.Dir, "keys") }

// env is a service's whole environment.
func (p *Platform) env(service string, set map[string]string) []string {
	prefix := "SLUICE_" + strings.ToUpper(service) + "_"
	env := []string{"PATH=" + os.Getenv("PATH"), prefix + "REDIS_ADDRESSES=" + p.Redis.Addr, prefix + "LOG_FORMAT=json"}
	for name, value := range set {
		env = append(env, prefix+name+"="+value)
	}
	for name, value := range p.o.Env {
		if !strings.HasPrefix(name, "SLUICE_") || strings.HasPrefix(name, prefix) || strings.HasPrefix(name, "SLUICE_FAILPOINT") {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// until asks again and again until the answer is nil or time is over; then it returns the last answer.
func until(parent context.Context, within time.Duration, ask func() error) error {
	ctx, cancel := context.WithTimeout(parent, within)
	defer cancel()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		err := ask()
		if err == nil || errors.Is(err, errEnded) {
			return err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			if parent.Err() != nil {
				return fmt.Errorf("%w; so far: %w", parent.Err(), err)
			}
			return fmt.Errorf("not within %s: %w", within, err)
		}
	}
}

// get reads a URL; anything but 200 is an error.
func get(ctx context.Context, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s: %.300s", url, resp.Status, text)
	}
	return text, err
}
