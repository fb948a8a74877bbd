package prometheus

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/pkg/config"
)

// Config is what can be set about a scrape endpoint.
type Config struct {
	// Listen is where Prometheus scrapes.
	Listen Listen `config:"listen"`
	// Path is where the metrics are. Default: "/metrics".
	Path string `config:"path"`
	// TLS makes the listener speak HTTPS.
	TLS TLS `config:"tls"`
	// Auth is what a scrape must present. Default: nothing.
	Auth Auth `config:"auth"`
	// Labels tell calls apart: api_id, http_request_method, http_response_status_code,
	// http_response_status_class, org_id, http_route, node, key, oauth_client. Default:
	// the first three.
	Labels []string `config:"labels"`
	// Buckets are the bounds of the classic histograms.
	Buckets Buckets `config:"buckets"`
	// MaxSeries is how many combinations of labels a metric may have; further ones are
	// counted together in a series with the label overflow="true", which is one of them.
	// Default: 2000.
	MaxSeries int `config:"max_series"`
	// IdleExpiry is after how long without a call a series is forgotten. Default: 1h.
	IdleExpiry time.Duration `config:"idle_expiry"`
}

// Listen is the listener for scrapes.
type Listen struct {
	// Address is host:port. Two sinks need two. Default: ":9464".
	Address string `config:"address"`
}

// TLS are the files of HTTPS, in PEM. They are read again when they change.
type TLS struct {
	// Cert is the file of the certificate and its chain. Default: plain HTTP.
	Cert string `config:"cert"`
	// Key is the file of the certificate's private key.
	Key string `config:"key"`
	// ClientCA is a file of authorities; clients must show a certificate by one of them.
	// Default: clients need none.
	ClientCA string `config:"client_ca"`
}

// Auth is a bearer token, or a name with a password; either opens if both are set.
type Auth struct {
	// Token is expected as "Authorization: Bearer ..." (RFC 6750).
	Token config.Secret `config:"token"`
	// Username is the name of HTTP basic authentication (RFC 7617).
	Username string `config:"username"`
	// Password belongs to the name.
	Password config.Secret `config:"password"`
}

// Buckets are ascending upper bounds, without the last one, which is infinite.
type Buckets struct {
	// Duration are those of durations, in seconds. Default: 0.005, 0.01, 0.025, 0.05,
	// 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, as OpenTelemetry advises.
	Duration []float64 `config:"duration"`
	// Size are those of bodies, in bytes. Default: 256 and each fourfold up to 16777216.
	Size []float64 `config:"size"`
}

// The limits of what can be set.
const (
	maxBounds = 64
	maxSeries = 100_000
)

// withDefaults is c with all that was not set.
func (c Config) withDefaults() Config {
	c.Listen.Address = cmp.Or(c.Listen.Address, ":9464")
	c.Path = cmp.Or(c.Path, "/metrics")
	c.MaxSeries = cmp.Or(c.MaxSeries, 2000)
	c.IdleExpiry = cmp.Or(c.IdleExpiry, time.Hour)
	if len(c.Labels) == 0 {
		c.Labels = []string{"api_id", "http_request_method", "http_response_status_code"}
	}
	if len(c.Buckets.Duration) == 0 {
		c.Buckets.Duration = []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}
	}
	if len(c.Buckets.Size) == 0 {
		for b := 256.0; b <= 16<<20; b *= 4 {
			c.Buckets.Size = append(c.Buckets.Size, b)
		}
	}
	return c
}

// Validate checks what one field alone cannot; what is not set is right.
func (c Config) Validate() error {
	c = c.withDefaults()
	known := labelNames()
	for i, name := range c.Labels {
		switch {
		case !slices.Contains(known, name):
			return config.Invalid("labels", fmt.Sprintf("%q is not a label", name), "choose from "+strings.Join(known, ", "))
		case slices.Contains(c.Labels[:i], name):
			return config.Invalid("labels", fmt.Sprintf("%q stands twice", name), "keep one")
		}
	}
	if !strings.HasPrefix(c.Path, "/") || strings.ContainsAny(c.Path, "?# ") {
		return config.Invalid("path", fmt.Sprintf("%q is not a path", c.Path), "write one that begins with /, such as /metrics")
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		return config.Invalid("tls", "only one of cert and key is set", "name both files, or none for plain HTTP")
	}
	if c.TLS.ClientCA != "" && c.TLS.Cert == "" {
		return config.Invalid("tls.client_ca", "there is no TLS without a certificate", "set tls.cert and tls.key too")
	}
	if (c.Auth.Username == "") != (c.Auth.Password == "") {
		return config.Invalid("auth", "only one of username and password is set", "set both, or none")
	}
	if strings.Contains(c.Auth.Username, ":") {
		return config.Invalid("auth.username", "it has a colon, which ends a name in basic authentication", "choose a name without one")
	}
	if c.MaxSeries < 2 || c.MaxSeries > maxSeries {
		return config.Invalid("max_series", fmt.Sprintf("%d is out of range", c.MaxSeries), fmt.Sprintf("choose 2 to %d", maxSeries))
	}
	if c.IdleExpiry < time.Minute {
		return config.Invalid("idle_expiry", fmt.Sprintf("%s is shorter than usual pauses between two scrapes", c.IdleExpiry), "choose at least 1m")
	}
	if err := validateBounds("buckets.duration", c.Buckets.Duration); err != nil {
		return err
	}
	return validateBounds("buckets.size", c.Buckets.Size)
}

func validateBounds(key string, bounds []float64) error {
	if len(bounds) > maxBounds {
		return config.Invalid(key, fmt.Sprintf("there are %d bounds", len(bounds)), fmt.Sprintf("give at most %d", maxBounds))
	}
	last := 0.0
	for _, b := range bounds {
		if !(b > last) || math.IsInf(b, 1) { // also NaN
			return config.Invalid(key, fmt.Sprintf("%v is not a number above %v", b, last), "give ascending bounds above 0; the infinite one is added")
		}
		last = b
	}
	return nil
}
