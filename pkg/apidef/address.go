package apidef

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/pkg/pathtemplate"
	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

// NormalizeDomain checks one domain of a listen section and returns the form in
// which gateways compare it: lower case, no dot at the end, an IPv6 address
// without brackets in its shortest form (RFC 5952). It takes host names (RFC
// 1123, underscores too), "*." and a host name, and addresses; not ports, paths
// or names in other scripts, which are written as A-labels (RFC 5890).
func NormalizeDomain(domain string) (string, error) {
	name := strings.ToLower(strings.TrimSuffix(domain, "."))
	bare := strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	if a, err := netip.ParseAddr(bare); err == nil {
		if a.Zone() != "" || a.Is4In6() {
			return "", fmt.Errorf("%q is an address with a zone or a mapped one; write the plain address", strictjson.Brief(domain))
		}
		return a.String(), nil
	}
	if _, err := netip.ParseAddrPort(name); err == nil {
		return "", portError(domain)
	}
	host, wildcard := strings.CutPrefix(name, "*.")
	switch {
	case name == "":
		return "", errors.New("a domain is empty; remove it, which means any host")
	case name == "*":
		return "", errors.New("\"*\" is no domain; leave the domains out, which means any host")
	case strings.Contains(name, "://") || strings.ContainsAny(name, "/?#@\\"):
		return "", fmt.Errorf("%q is more than a host name; write only the name, such as api.example.com", strictjson.Brief(domain))
	case strings.Contains(name, ":"):
		return "", portError(domain)
	case strings.Contains(host, "*"):
		return "", fmt.Errorf("%q has a star in an unknown place; only the first label may be one, such as *.example.com", strictjson.Brief(domain))
	case len(name) > 253:
		return "", fmt.Errorf("%q has more than 253 characters", strictjson.Brief(domain))
	}
	for i := range len(host) {
		if host[i] >= 0x80 {
			return "", fmt.Errorf("%q has characters outside ASCII; write its xn-- form (punycode), as a browser sends it", strictjson.Brief(domain))
		}
	}
	labels := strings.Split(host, ".")
	for _, l := range labels {
		if !validLabel(l) {
			return "", fmt.Errorf("%q is not a host name; each part has 1 to 63 letters, digits, - or _, and no - at its ends", strictjson.Brief(domain))
		}
	}
	if last := labels[len(labels)-1]; !wildcard && strings.Trim(last, "0123456789") == "" {
		return "", fmt.Errorf("%q is neither a host name nor an address; an IPv4 address has four numbers up to 255", strictjson.Brief(domain))
	}
	return name, nil
}

func portError(domain string) error {
	return fmt.Errorf("%q has a port; remove it, the gateway's listeners decide on ports", strictjson.Brief(domain))
}

func validLabel(l string) bool {
	if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' {
		return false
	}
	for i := range len(l) {
		if c := l[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func (v *findings) upstream(at string, u Upstream) {
	if len(u.Targets) == 0 {
		v.add(at+"/targets", CodeNoTargets, nil, "the API has no target to forward to; add one such as {\"url\": \"http://10.0.0.5:3000\"}")
	}
	if len(u.Targets) > maxList {
		v.add(at+"/targets", strictjson.CodeLength, map[string]any{"max": maxList, "got": len(u.Targets)}, "there are %d targets; at most %d are allowed", len(u.Targets), maxList)
		return
	}
	seen, taken := map[string]bool{}, 0
	for i, t := range u.Targets {
		path := at + "/targets/" + strconv.Itoa(i)
		v.target(path, t)
		if seen[t.URL] {
			v.add(path+"/url", strictjson.CodeItems, map[string]any{"item": strictjson.Brief(t.URL)}, "%q stands twice; keep one and give it a weight", strictjson.Brief(t.URL))
		}
		seen[t.URL] = true
		if t.EffectiveWeight() > 0 {
			taken++
		}
	}
	if len(u.Targets) > 0 && taken == 0 {
		v.add(at+"/targets", CodeNoTargets, nil, "every target has the weight 0, so that none takes a call; give one of them a weight of at least 1")
	}
	if u.Path != "" {
		if t, err := ParseTemplate(u.Path); err != nil {
			v.err(at+"/path", CodeUpstreamPath, err)
		} else if !t.IsLiteral() {
			v.add(at+"/path", CodeUpstreamPath, nil, "the prefix that is added to paths has no parameters; write plain text such as /v1")
		}
	}
	v.versions(at, u)
	v.tls(at+"/tls", u)
	v.timeouts(at+"/timeouts", u.Timeouts)
	v.connections(at+"/connections", u.Connections)
}

func (v *findings) target(at string, t Target) {
	if err := checkTarget(t.URL); err != nil {
		v.err(at+"/url", CodeTarget, err)
	}
	if w := t.EffectiveWeight(); w < 0 || w > maxWeight {
		v.add(at+"/weight", strictjson.CodeRange, map[string]any{"min": 0, "max": maxWeight, "got": w}, "a weight is 0 to %d, not %d", maxWeight, w)
	}
}

func checkTarget(raw string) error {
	if raw == "" {
		return errors.New("the target has no address; write one such as http://10.0.0.5:3000")
	}
	if strings.TrimSpace(raw) != raw || hasControl(raw) || len(raw) > pathtemplate.MaxLength {
		return fmt.Errorf("%q has white space, control characters or more than %d bytes", strictjson.Brief(raw), pathtemplate.MaxLength)
	}
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" {
		return fmt.Errorf("%q is not a URL; write one such as http://10.0.0.5:3000", strictjson.Brief(raw))
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("%q must start with http:// or https:// and a host", strictjson.Brief(raw))
	case u.User != nil:
		return errors.New("the address holds a user or a password; remove it, and send credentials with a header filter")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(raw, "#"):
		return fmt.Errorf("%q has a query or a fragment; remove it", strictjson.Brief(raw))
	}
	host := u.Hostname()
	if _, err := NormalizeDomain(host); err != nil || strings.HasPrefix(host, "*") {
		return fmt.Errorf("%q is not a host that can be called; write a name or an address", strictjson.Brief(host))
	}
	if port := u.Port(); strings.HasSuffix(u.Host, ":") {
		return fmt.Errorf("%q has a colon without a port", strictjson.Brief(raw))
	} else if n, err := strconv.ParseUint(port, 10, 16); port != "" && (err != nil || n == 0) {
		return fmt.Errorf("%q is not a port; use 1 to 65535", strictjson.Brief(port))
	}
	if strings.ContainsAny(u.Path, "{}") {
		return fmt.Errorf("%q has a parameter in its path; a target is one server", strictjson.Brief(raw))
	}
	if u.Path != "" {
		_, err = ParseTemplate(u.EscapedPath())
	}
	return err
}

func (v *findings) timeouts(at string, t Timeouts) {
	within := func(name string, d Duration, least, most time.Duration) {
		if d != 0 && (time.Duration(d) < least || time.Duration(d) > most) {
			v.add(at+"/"+name, strictjson.CodeRange, map[string]any{"min": least.String(), "max": most.String(), "got": time.Duration(d).String()},
				"%s must be %s to %s, not %s", name, least, most, time.Duration(d))
		}
	}
	within("connect", t.Connect, time.Millisecond, 5*time.Minute)
	within("firstByte", t.FirstByte, time.Millisecond, time.Hour)
	within("idle", t.Idle, time.Millisecond, 24*time.Hour)
	within("total", t.Total, time.Millisecond, 24*time.Hour)
}

func (v *findings) connections(at string, c Connections) {
	const most = 65535
	within := func(name string, n int) {
		if n < 0 || n > most {
			v.add(at+"/"+name, strictjson.CodeRange, map[string]any{"min": 1, "max": most, "got": n}, "%s must be 1 to %d, not %d", name, most, n)
		}
	}
	within("max", c.Max)
	within("idle", c.Idle)
	within("queue", c.Queue)
	if full := c.WithDefaults(); c.Idle > 0 && c.Idle > full.Max {
		v.add(at+"/idle", strictjson.CodeRange, map[string]any{"max": full.Max, "got": c.Idle}, "idle is %d, which is more than max (%d); lower it or raise max", c.Idle, full.Max)
	}
	if d := time.Duration(c.IdleTimeout); d != 0 && (d < time.Second || d > time.Hour) {
		v.add(at+"/idleTimeout", strictjson.CodeRange, map[string]any{"min": "1s", "max": "1h0m0s", "got": d.String()}, "idleTimeout must be 1s to 1h, not %s", d)
	}
}
