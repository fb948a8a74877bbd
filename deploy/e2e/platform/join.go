package platform

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// NodeToken is the line that sluice-dashboard node-token prints; no more may come on the standard output.
func (p *Platform) NodeToken(ctx context.Context, args ...string) (string, error) {
	out, err := p.command(ctx, append([]string{"node-token"}, args...)...)
	if err != nil {
		return "", err
	}
	line, rest, ended := strings.Cut(string(out), "\n")
	if !ended || rest != "" {
		return "", fmt.Errorf("node-token printed %q: %w", out, errNotOneLine)
	}
	return line, nil
}

var errNotOneLine = errors.New("it is not one line")

// Join is a host that has nothing but a program, and settings that name its folder and its file.
type Join struct {
	p       *Platform
	service *Service
}

// NewJoin makes such a host for a gateway or a pump: it has no keys, and knows no Redis.
func (p *Platform) NewJoin(kind, name string) *Join {
	dir := filepath.Join(p.o.Dir, name)
	set := map[string]string{"DATA": filepath.Join(dir, "data"), "CONFIG": filepath.Join(dir, kind+".yaml"), "LISTEN_ADDRESS": "127.0.0.1:0", "SHUTDOWN_TIMEOUT": "3s"}
	switch kind {
	case "gateway":
		set["ADMIN_ADDRESS"] = "127.0.0.1:0"
	case "pump":
		set["SINKS"] = "[" + p.RawSink() + "]"
	case "dashboard":
		set["STORE_PATH"], set["RECORDS_DIR"] = p.StorePath(), p.RecordsDir()
	}
	env := slices.DeleteFunc(p.env(kind, set), func(v string) bool { return strings.Contains(v, "_REDIS_ADDRESSES=") })
	return &Join{p: p, service: newService(kind, name, p.o.Dir, Binary("sluice-"+kind), env)}
}

// Run runs a line that node-token printed, as a shell on that host would, and returns all that it said.
func (j *Join) Run(ctx context.Context, line string, more ...string) (string, error) {
	words := strings.Fields(line)
	cmd := exec.CommandContext(ctx, Binary(words[0]), append(words[1:], more...)...)
	cmd.Env = j.service.Env
	said, err := cmd.CombinedOutput()
	return string(said), err
}

// Keys is the folder of its keys.
func (j *Join) Keys() string {
	return filepath.Join(j.p.o.Dir, j.service.Name, "data", "keys")
}

// File is the file of its settings; CONFIG has to name one that exists before it is read.
func (j *Join) File() string {
	return filepath.Join(j.p.o.Dir, j.service.Name, j.service.kind+".yaml")
}

// Start starts the service on that host; the platform stops it.
func (j *Join) Start(ctx context.Context) (*Service, error) {
	switch j.service.kind {
	case "gateway":
		j.p.Gateways = append(j.p.Gateways, j.service)
	case "pump":
		j.p.Pumps = append(j.p.Pumps, j.service)
	default:
		j.p.Dashboards = append(j.p.Dashboards, j.service)
	}
	return j.service, j.service.Start(ctx)
}

// Rotate runs sluice-dashboard rotate signing on the first dashboard's host.
func (p *Platform) Rotate(ctx context.Context, args ...string) (string, error) {
	out, err := p.command(ctx, append([]string{"rotate", "signing"}, args...)...)
	return string(out), err
}
