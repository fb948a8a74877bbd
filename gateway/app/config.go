// Package app puts a gateway together: config.go is its configuration and the
// manual of it, app.go the composition, lifecycle.go the order of start and stop.
package app

import (
	"cmp"
	"fmt"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/logs"
	"github.com/sluice-gateway/sluice/pkg/record"
	"github.com/sluice-gateway/sluice/pkg/redisdb"
	"github.com/sluice-gateway/sluice/pkg/spool"
)

// Config is everything that can be set about a gateway.
type Config struct {
	// Data is the folder for the node's id and the last-known-good state. It must be
	// writable; the gateway keeps it at mode 0700.
	Data string `config:"data"`
	// Group is the gateway group that this node belongs to. An API that names groups
	// is served by those only.
	Group string `config:"group"`
	// Name is what people see of this node. Default: the name of the host.
	Name string `config:"name"`
	// TrustedProxies are networks (CIDR) of load balancers whose word on client
	// addresses, scheme and request ids is believed. Default: nobody's.
	TrustedProxies []string `config:"trusted_proxies"`
	// Listen is where clients call.
	Listen Listen `config:"listen"`
	// Listeners are more addresses where clients call. They share the limits of listen.
	Listeners []Listener `config:"listeners"`
	// Certificates are those that listeners with tls show, and those that APIs name.
	Certificates Certificates `config:"certificates"`
	// Tunnel bounds WebSocket connections and other upgrades.
	Tunnel Tunnel `config:"tunnel"`
	// Admin is where operators and probes ask.
	Admin Admin `config:"admin"`
	// Redis is the one wire to the rest of the platform.
	Redis redisdb.Config `config:"redis"`
	// Trust says where the keys of the platform lie.
	Trust Trust `config:"trust"`
	// Session is how long known keys are believed.
	Session Session `config:"session"`
	// Records is what becomes of the records of calls.
	Records Records `config:"records"`
	// Log is what is written to the standard error.
	Log logs.Config `config:"log"`
	// Shutdown is how the gateway stops.
	Shutdown Shutdown `config:"shutdown"`
}

// Admin is the listener for operators.
type Admin struct {
	// Address is host:port of /hello, /ready, /live, /metrics, /state and pprof. It
	// asks for no credentials: keep it on loopback or in a guarded network.
	// Default: "127.0.0.1:9080".
	Address string `config:"address"`
}

// Trust is where the node's keys lie.
type Trust struct {
	// Dir holds signing.pub, bus.key, sealing.key and pepper.key; the command join puts
	// them there. Default: keys in the data folder.
	Dir string `config:"dir"`
}

// Session is how long known keys are believed.
type Session struct {
	// TTL is how long a known key is used without asking Redis again. Default: 30s.
	TTL time.Duration `config:"ttl"`
	// StaleIfError is how long a known key works while Redis cannot be asked; after it
	// its callers get 503. Default: 1h.
	StaleIfError time.Duration `config:"stale_if_error"`
	// Size is the most known keys kept in memory. Default: 100000.
	Size int `config:"size"`
}

// Records is what becomes of the records of calls.
type Records struct {
	// Enabled says whether calls are recorded at all. Without records this gateway's
	// calls are in no chart, report or log of requests. Default: true.
	Enabled bool `config:"enabled"`
	// Dir is the folder where open batches lie, and records that Redis does not take.
	// One gateway at a time may use it. Default: spool in the data folder.
	Dir string `config:"dir"`
	// Shards is the number of streams in Redis, from 1 to 16. It must be the same on
	// every gateway of the installation; 8 to 16 suit a cluster. Default: 4.
	Shards int `config:"shards"`
	// Budget is how much the streams may hold in Redis, all together; beyond it records
	// go to the disk. Default: 1GiB.
	Budget config.Size `config:"budget"`
	// DiskBudget is how much may lie on disk while Redis is away or full; beyond it the
	// oldest are dropped and counted. Default: 1GiB.
	DiskBudget config.Size `config:"disk_budget"`
	// FlushEvery is the longest time that a record waits for others to travel with.
	// Default: 1s.
	FlushEvery time.Duration `config:"flush_every"`
	// ClientAddress is how much of client addresses is recorded of calls that belong to
	// no API, and of APIs that do not say: full, truncated or hashed. Default: full.
	ClientAddress string `config:"client_address"`
}

// Shutdown is how the gateway stops.
type Shutdown struct {
	// Delay is how long it still takes connections after /ready fails, for the load
	// balancer to notice. Default: 0s.
	Delay time.Duration `config:"delay"`
	// Timeout is how long requests and streams in flight may take. Default: 30s.
	Timeout time.Duration `config:"timeout"`
}

// Default is the configuration where nothing is set.
func Default() Config {
	return Config{
		Data:  "/var/lib/sluice/gateway",
		Group: "default",
		Listen: Listen{
			Address: ":8080", Engine: engineOwn, RequestLine: 8 << 10, Head: 64 << 10, Fields: 100, HeaderTimeout: 10 * time.Second,
			IdleTimeout: 75 * time.Second, WriteTimeout: 30 * time.Second, BodyRate: 256, Streams: 100, HTTPSPort: 443,
		},
		Tunnel:  Tunnel{IdleTimeout: time.Hour, MaxAge: 24 * time.Hour},
		Admin:   Admin{Address: "127.0.0.1:9080"},
		Redis:   redisdb.Default(),
		Session: Session{TTL: 30 * time.Second, StaleIfError: time.Hour, Size: 100_000},
		Records: Records{
			Enabled: true, Shards: spool.DefaultShards, Budget: 1 << 30, DiskBudget: 1 << 30, FlushEvery: time.Second,
			ClientAddress: string(record.FullAddress),
		},
		Log:      logs.Default(),
		Shutdown: Shutdown{Timeout: 30 * time.Second},
	}
}

// Validate checks what one field alone cannot.
func (c Config) Validate() error {
	if c.Data == "" {
		return config.Invalid("data", "is empty", "name a folder that the gateway may write to")
	}
	if c.Group == "" {
		return config.Invalid("group", "is empty", "name a gateway group, such as default")
	}
	for _, p := range c.TrustedProxies {
		if _, err := netip.ParsePrefix(p); err != nil {
			return config.Invalid("trusted_proxies", p+" is not a network", "write it as 10.0.0.0/8 or 192.0.2.7/32")
		}
	}
	return c.validateListeners()
}

// Validate checks the section.
func (r Records) Validate() error {
	switch {
	case r.Shards < 1 || r.Shards > spool.MaxShards:
		return config.Invalid("shards", fmt.Sprintf("is %d", r.Shards), fmt.Sprintf("name a number from 1 to %d, the same on every gateway", spool.MaxShards))
	case r.Budget < minBudget:
		return config.Invalid("budget", "is "+r.Budget.String(), "give the streams 1MiB at least")
	case r.DiskBudget < minBudget:
		return config.Invalid("disk_budget", "is "+r.DiskBudget.String(), "give the folder 1MiB at least")
	case r.FlushEvery < 10*time.Millisecond || r.FlushEvery > time.Minute:
		return config.Invalid("flush_every", "is "+r.FlushEvery.String(), "name a time from 10ms to 1m")
	}
	switch record.AddressMode(r.ClientAddress) {
	case record.FullAddress, record.TruncatedAddress, record.HashedAddress:
		return nil
	}
	return config.Invalid("client_address", fmt.Sprintf("is %q", r.ClientAddress), "write full, truncated or hashed")
}

// minBudget is less than which a handful of batches fills.
const minBudget = config.Size(1 << 20)

func (c Config) spoolDir() string { return cmp.Or(c.Records.Dir, filepath.Join(c.Data, "spool")) }

func (c Config) lastGoodDir() string { return filepath.Join(c.Data, "last-good") }

func (c Config) trustDir() string { return cmp.Or(c.Trust.Dir, filepath.Join(c.Data, "keys")) }

func (c Config) proxies() []netip.Prefix { return prefixes(c.TrustedProxies) }
