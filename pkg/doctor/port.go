package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/sluice-gateway/sluice/pkg/httpd"
)

// askWithin is how long a service that holds a port may take to say what it is.
const askWithin = 1500 * time.Millisecond

// Port is an address that a service listens on.
type Port struct {
	Setting string // the key of the configuration
	Address string // host:port
}

// Ports is the check that addresses can be taken, or are held by the service itself:
// the one of them that Hello names answers GET /hello, and who holds that one holds
// the others.
type Ports struct {
	Service string // as /hello says it, such as "gateway"
	Version string // of this program
	Hello   Port
	Others  []Port
}

// Checks are one per address, the one of /hello first.
func (p Ports) Checks() []Check {
	all := append([]Port{p.Hello}, p.Others...)
	checks := make([]Check, len(all))
	for i, at := range all {
		checks[i] = Check{Name: "port " + at.port(), Run: func(ctx context.Context) Finding { return p.look(ctx, at) }}
	}
	return checks
}

func (at Port) port() string {
	if _, port, err := net.SplitHostPort(at.Address); err == nil {
		return port
	}
	return at.Address
}

// String is the address with the setting that it is from.
func (at Port) String() string { return fmt.Sprintf("%s (%s)", at.Address, at.Setting) }

func (p Ports) look(ctx context.Context, at Port) Finding {
	err := bindable(ctx, at.Address)
	switch {
	case err == nil:
		return Well("The address %s is free: no %s runs here with these settings, and one that starts can take it.", at, p.Service)
	case errors.Is(err, syscall.EACCES):
		return Failure("run it as a user that may (CAP_NET_BIND_SERVICE, or a socket unit of systemd), or set "+at.Setting+" to a higher port",
			"The address %s may not be taken%s: ports below 1024 are guarded.", at, asWhom())
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return Failure(fmt.Sprintf("set %s to one of its own (ip address), or to :%s for all of them", at.Setting, at.port()), "This machine has no address %s.", at)
	case !errors.Is(err, syscall.EADDRINUSE):
		return Failure("correct "+at.Setting, "The address %s cannot be taken: %v.", at, err)
	}
	hello, holders := p.hello(ctx), holdersOf(at.Address)
	there := who(holders)
	if hello == nil {
		return Failure(fmt.Sprintf("end what holds it (ss -ltnp 'sport = :%s' shows it), or set %s to another address", at.port(), at.Setting),
			"The address %s is held by %s, and no sluice-%s answers at %s (%s).", at, there, p.Service, p.Hello.Address, p.Hello.Setting)
	}
	same := at == p.Hello
	if own := holdersOf(p.Hello.Address); !same && len(own) > 0 && len(holders) > 0 {
		same = slices.ContainsFunc(holders, func(h holder) bool { return slices.Contains(own, h) })
		if !same {
			return Failure(fmt.Sprintf("end what holds it, or set %s to another address", at.Setting),
				"The address %s is held by %s, but the running %s is %s.", at, there, p.Service, who(own))
		}
	}
	running := fmt.Sprintf("the running %s %s, version %s", p.Service, hello.Node, hello.Version)
	switch {
	case hello.Version != p.Version:
		return Warning("restart it, so that the version that is installed runs", "The address %s is held by %s, while this program is %s.", at, running, p.Version)
	case !same:
		return Well("The address %s is held, and so is that of the running %s; this user may not see whether by the same process.", at, p.Service)
	case at == p.Hello && hello.Status != httpd.Pass:
		return Warning("see http://"+p.Hello.Address+"/hello", "The address %s is held by %s, which says of itself: %s.", at, running, troubles(hello))
	}
	return Well("The address %s is held by %s.", at, running)
}

// troubles are the parts of a service that are not well.
func troubles(h *httpd.Hello) string {
	var list []string
	if h.Draining {
		list = append(list, "it is stopping")
	}
	for name, c := range h.Components {
		if c.Status != httpd.Pass {
			list = append(list, fmt.Sprintf("%s %s: %s", name, c.Status, c.Detail))
		}
	}
	return some(list)
}

// hello asks who listens there; nil: nobody that is the service.
func (p Ports) hello(ctx context.Context) *httpd.Hello {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+callable(p.Hello.Address)+"/hello", nil)
	if err != nil {
		return nil
	}
	t := &http.Transport{DisableKeepAlives: true}
	answer, err := t.RoundTrip(r)
	if err != nil {
		return nil
	}
	defer answer.Body.Close()
	var h httpd.Hello
	if json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&h) != nil || h.Service != p.Service {
		return nil
	}
	return &h
}

// callable is an address that a client on this machine reaches a listener at.
func callable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip != nil && ip.To4() == nil {
			host = "::1"
		}
	}
	return net.JoinHostPort(host, port)
}

// holder is a process that has a listening socket.
type holder struct {
	pid  int
	name string
}

// who names the processes.
func who(holders []holder) string {
	if len(holders) == 0 {
		return "a process that this user may not see"
	}
	list := make([]string, len(holders))
	for i, h := range holders {
		list[i] = fmt.Sprintf("%s (process %d)", h.name, h.pid)
	}
	return strings.Join(list, " and ")
}
