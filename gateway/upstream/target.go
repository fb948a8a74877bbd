package upstream

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/sluice-gateway/sluice/gateway/http1"
	"github.com/sluice-gateway/sluice/pkg/apidef"
)

// target is one server as one API calls it.
type target struct {
	url    string // as configured, for records
	host   string // of the Host field
	prefix string // of every path, without a slash at its end
	takes  bool   // calls: its weight is not 0
	link   link
	conns  conns // of the link, shared with others
}

// deps is what connections are made with.
type deps struct {
	clock *http1.Clock
	certs Certificates
}

// newTarget reads a target; its connections are not there yet.
func newTarget(org string, t apidef.Target, u apidef.Upstream) (*target, error) {
	at, err := url.Parse(t.URL)
	if err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Hostname() == "" {
		return nil, fmt.Errorf("the target %q is not a URL such as http://10.0.0.5:3000", t.URL)
	}
	l, err := linkOf(org, at, u)
	if err != nil {
		return nil, err
	}
	return &target{
		url:    t.URL,
		host:   at.Host,
		prefix: strings.TrimSuffix(at.EscapedPath(), "/") + strings.TrimSuffix(u.Path, "/"),
		takes:  t.EffectiveWeight() > 0,
		link:   l,
	}, nil
}
