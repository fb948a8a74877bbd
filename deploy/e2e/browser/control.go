package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
)

// stopWithin is how long a service may take to end.
const stopWithin = 8 * time.Second

// control lets steps have platforms of their own and act on the processes of those, for what no page
// can do: kill, halt and start again, and damage what a gateway reads from Redis. It is for a loopback
// listener of a test alone.
//
//	POST   /platforms              starts one and tells of it, as fresh
//	DELETE /platforms/ID           ends it
//	POST   /platforms/ID/SERVICE/  start, stop, kill, halt or resume; SERVICE is redis or the name of one
//	POST   /platforms/ID/damage?text=T    lets no text with T arrive whole at the last gateway; empty ends it
//	POST   /platforms/ID/die?step=S       lets the dashboard die at the step S of its next publication
type control struct {
	dir string // for all state; one folder for each platform
	ctx context.Context

	mu        sync.Mutex // Proc is not for concurrent use
	last      int
	platforms map[string]*own
}

// own is a platform of a step.
type own struct {
	*platform.Platform
	proxy     *platform.Proxy // before the Redis of the last gateway
	failpoint string          // the file that names the step to die at
}

// fresh is what a step is told of its platform.
type fresh struct {
	ID       string   `json:"id"`
	URL      string   `json:"url"`
	Login    string   `json:"login"`
	Password string   `json:"password"` // for once
	Token    string   `json:"token"`    // of an admin, for what others do meanwhile
	Gateways []string `json:"gateways"`
	Redis    bool     `json:"redis"` // Redis can be stopped
}

// newControl makes one whose platforms run the dashboard that can be told to die, and end with ctx.
func newControl(ctx context.Context, dir string) *control {
	return &control{dir: dir, ctx: ctx, platforms: map[string]*own{}}
}

// handler answers the steps.
func (c *control) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /platforms", c.answer(c.start))
	mux.HandleFunc("DELETE /platforms/{id}", c.answer(c.end))
	mux.HandleFunc("POST /platforms/{id}/damage", c.answer(c.damage))
	mux.HandleFunc("POST /platforms/{id}/die", c.answer(c.die))
	mux.HandleFunc("POST /platforms/{id}/{service}/{action}", c.answer(c.act))
	return mux
}

func (c *control) answer(do func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		said, err := do(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(said)
	}
}

func (c *control) start(*http.Request) (any, error) {
	c.last++
	id := strconv.Itoa(c.last)
	dir := filepath.Join(c.dir, id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	dashboard, err := platform.BuildFailpoint(c.ctx, c.dir)
	if err != nil {
		return nil, err
	}
	o := &own{failpoint: filepath.Join(dir, "failpoint")}
	o.Platform, err = platform.Start(c.ctx, platform.Options{
		Dir: dir, Dashboard: dashboard, Gateways: []string{"default", "default"}, Pumps: 1,
		Env: map[string]string{"SLUICE_FAILPOINT": o.failpoint},
	})
	if err != nil {
		return nil, err
	}
	c.platforms[id] = o
	if err := c.proxied(o); err != nil {
		return nil, err
	}
	f := fresh{ID: id, URL: o.Dashboards[0].URL, Login: o.Login, Password: o.Password, Token: o.Token, Redis: o.Redis.Real()}
	for _, g := range o.Gateways {
		f.Gateways = append(f.Gateways, g.URL)
	}
	return f, nil
}

// proxied adds the gateway that reads from Redis by way of a proxy.
func (c *control) proxied(o *own) error {
	var err error
	if o.proxy, err = platform.NewProxy(o.Redis.Addr); err != nil {
		return err
	}
	direct := o.Redis.Addr
	o.Redis.Addr = o.proxy.Addr
	_, err = o.AddGateway(c.ctx, "default")
	o.Redis.Addr = direct
	return err
}

func (c *control) of(r *http.Request) (*own, error) {
	if o := c.platforms[r.PathValue("id")]; o != nil {
		return o, nil
	}
	return nil, fmt.Errorf("there is no platform %q", r.PathValue("id"))
}

func (c *control) end(r *http.Request) (any, error) {
	o, err := c.of(r)
	if err != nil {
		return nil, err
	}
	delete(c.platforms, r.PathValue("id"))
	return nil, o.stop()
}

func (c *control) damage(r *http.Request) (any, error) {
	o, err := c.of(r)
	if err == nil {
		o.proxy.Damage(r.URL.Query().Get("text"))
	}
	return nil, err
}

func (c *control) die(r *http.Request) (any, error) {
	o, err := c.of(r)
	if err != nil {
		return nil, err
	}
	return nil, os.WriteFile(o.failpoint, []byte(r.URL.Query().Get("step")), 0o600)
}

func (c *control) act(r *http.Request) (any, error) {
	o, err := c.of(r)
	if err != nil {
		return nil, err
	}
	name, action := r.PathValue("service"), r.PathValue("action")
	if name == "redis" {
		return nil, redis(c.ctx, o.Redis, action)
	}
	for _, s := range append(append(append([]*platform.Service(nil), o.Dashboards...), o.Gateways...), o.Pumps...) {
		if s.Name == name {
			return nil, service(c.ctx, s, action)
		}
	}
	return nil, fmt.Errorf("there is no service %q", name)
}

func redis(ctx context.Context, r *platform.Redis, action string) error {
	switch {
	case !r.Real():
		return platform.ErrNoServer
	case action == "kill":
		r.Kill()
		return nil
	case action == "start":
		return r.Start(ctx)
	}
	return fmt.Errorf("redis cannot be told to %s", action)
}

func service(ctx context.Context, s *platform.Service, action string) error {
	switch action {
	case "start":
		return s.Start(ctx)
	case "stop":
		return s.Stop(stopWithin)
	case "kill":
		s.Kill()
		return nil
	case "halt":
		return s.Signal(syscall.SIGSTOP)
	case "resume":
		return s.Signal(syscall.SIGCONT)
	}
	return fmt.Errorf("%s cannot be told to %s", s.Name, action)
}

func (o *own) stop() error {
	err := o.Stop()
	if o.proxy != nil {
		o.proxy.Close()
	}
	return err
}

// close ends what steps have left.
func (c *control) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for id, o := range c.platforms {
		errs = append(errs, o.stop())
		delete(c.platforms, id)
	}
	return errors.Join(errs...)
}

// logs is the end of each log of what runs.
func (c *control) logs() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for id, o := range c.platforms {
		fmt.Fprintf(&b, "=== platform %s\n%s", id, o.Logs(20))
	}
	return b.String()
}
