package apidef

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/pkg/pathtemplate"
)

// The defaults of the language in numbers. The comments on the fields say the same.
const (
	defaultConnect     = Duration(2 * time.Second)
	defaultFirstByte   = Duration(30 * time.Second)
	defaultIdle        = Duration(60 * time.Second)
	defaultMax         = 512
	defaultIdleMax     = 128
	defaultIdleTimeout = Duration(90 * time.Second)
	defaultQueue       = 256
)

// IsActive tells whether gateways serve the API.
func (d *Definition) IsActive() bool { return d.State != Disabled }

// InGroup tells whether gateways of the group serve the API.
func (d *Definition) InGroup(group string) bool {
	return len(d.Groups) == 0 || slices.Contains(d.Groups, group)
}

// StripPath tells whether the listen path is taken off before forwarding.
func (l Listen) StripPath() bool { return l.Strip == nil || *l.Strip }

// OrDefault is m, or Prefix where m is absent.
func (m Match) OrDefault() Match { return cmp.Or(m, Prefix) }

// OrDefault is s, or SlashKeep where s is absent.
func (s TrailingSlash) OrDefault() TrailingSlash { return cmp.Or(s, SlashKeep) }

// OrDefault is e, or EncodedReject where e is absent.
func (e EncodedSlash) OrDefault() EncodedSlash { return cmp.Or(e, EncodedReject) }

// OrDefault is s, or Active where s is absent.
func (s State) OrDefault() State { return cmp.Or(s, Active) }

// OrDefault is v, or HTTPAuto where v is absent.
func (v HTTPVersion) OrDefault() HTTPVersion { return cmp.Or(v, HTTPAuto) }

// IsZero tells whether nothing is said.
func (t UpstreamTLS) IsZero() bool {
	return t.CA == "" && t.ClientCertificate == "" && t.ServerName == "" && !t.InsecureSkipVerify && len(t.Pins) == 0
}

// WithDefaults fills what is absent. Total stays 0, which is unbounded.
func (t Timeouts) WithDefaults() Timeouts {
	t.Connect = cmp.Or(t.Connect, defaultConnect)
	t.FirstByte = cmp.Or(t.FirstByte, defaultFirstByte)
	t.Idle = cmp.Or(t.Idle, defaultIdle)
	return t
}

// WithDefaults fills what is absent. Where only Max is set and below the default
// of Idle, Idle is Max.
func (c Connections) WithDefaults() Connections {
	c.Max = cmp.Or(c.Max, defaultMax)
	c.Idle = cmp.Or(c.Idle, min(defaultIdleMax, c.Max))
	c.IdleTimeout = cmp.Or(c.IdleTimeout, defaultIdleTimeout)
	c.Queue = cmp.Or(c.Queue, defaultQueue)
	return c
}

// EffectiveWeight is the target's weight, 1 where it is absent.
func (t Target) EffectiveWeight() int {
	if t.Weight == nil {
		return 1
	}
	return *t.Weight
}

// EffectiveMethods lists the methods, in order; nil is every method.
func (e Endpoint) EffectiveMethods() []string {
	if len(e.Methods) == 0 || slices.Contains(e.Methods, "*") {
		return nil
	}
	return e.Methods
}

// EffectiveID is the endpoint's id, or one made of its first method ("any" for
// every method) and its path: GET /orders/{id} is "get-orders-id", and the end
// /** is "all".
func (e Endpoint) EffectiveID() string {
	if e.ID != "" {
		return e.ID
	}
	method := "any"
	if ms := e.EffectiveMethods(); len(ms) > 0 {
		method = ms[0]
	}
	words := []string{method}
	t, err := ParseTemplate(e.Path)
	for _, s := range t.Segments {
		switch s.Kind {
		case pathtemplate.Static:
			words = append(words, s.Text)
		case pathtemplate.Rest:
			words = append(words, "all")
		default:
			words = append(words, s.Name)
		}
	}
	if err != nil || len(words) == 1 {
		words = append(words, "root")
	}
	var b strings.Builder
	for _, r := range strings.ToLower(strings.Join(words, "-")) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			b.WriteRune(r)
		} else if !strings.HasSuffix(b.String(), "-") {
			b.WriteByte('-')
		}
	}
	id := b.String()
	return strings.Trim(id[:min(len(id), maxID)], "-")
}
