// Package app puts a pump together: config.go is its configuration and the manual
// of it, app.go the composition and the order of start and stop.
package app

import (
	"cmp"
	"path/filepath"
	"time"

	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/logs"
	"github.com/sluice-gateway/sluice/pkg/redisdb"
	"github.com/sluice-gateway/sluice/pkg/spool"
)

// Config is everything that can be set about a pump.
type Config struct {
	// Data is the folder for the node's id. It must be writable; the pump keeps it at
	// mode 0700.
	Data string `config:"data"`
	// Name is what people see of this node. Default: the name of the host.
	Name string `config:"name"`
	// Listen is where operators and probes ask.
	Listen Listen `config:"listen"`
	// Sinks are where records go; each gets all that its filter lets through. Default:
	// none, then nothing is drained and the streams keep what fits their budget.
	Sinks []Sink `config:"sinks"`
	// Streams are what gateways write records to, in Redis.
	Streams Streams `config:"streams"`
	// ReadyAfter is for how long a required sink may fail before /ready fails.
	ReadyAfter time.Duration `config:"ready_after"`
	// Redis is the one wire to the rest of the platform.
	Redis redisdb.Config `config:"redis"`
	// Trust says where the keys of the platform lie.
	Trust Trust `config:"trust"`
	// Log is what is written to the standard error.
	Log logs.Config `config:"log"`
	// Shutdown is how the pump stops.
	Shutdown Shutdown `config:"shutdown"`
}

// Listen is the listener for health and metrics.
type Listen struct {
	// Address is host:port of /hello, /ready, /live, /metrics and /state. Default: ":8083".
	Address string `config:"address"`
}

// Trust is where the node's keys lie.
type Trust struct {
	// Dir holds signing.pub, bus.key, sealing.key and pepper.key; the command join puts
	// them there. Default: keys in the data folder.
	Dir string `config:"dir"`
}

// Shutdown is how the pump stops.
type Shutdown struct {
	// Timeout is how long a stop may take in all: a running write to a sink gets what
	// is over after 1.5 s for the rest. Default: 5s.
	Timeout time.Duration `config:"timeout"`
}

// Default is the configuration where nothing is set.
func Default() Config {
	return Config{
		Data:       "/var/lib/sluice/pump",
		Listen:     Listen{Address: ":8083"},
		Streams:    Streams{Shards: spool.DefaultShards, Budget: 1 << 30, Unprotected: 24 * time.Hour, Forget: 7 * 24 * time.Hour},
		ReadyAfter: 5 * time.Minute,
		Redis:      redisdb.Default(),
		Log:        logs.Default(),
		Shutdown:   Shutdown{Timeout: 5 * time.Second},
	}
}

// Validate checks what one field alone cannot.
func (c Config) Validate() error {
	if c.Data == "" {
		return config.Invalid("data", "is empty", "name a folder that the pump may write to")
	}
	if c.Shutdown.Timeout < 2*time.Second {
		return config.Invalid("shutdown.timeout", "is less than a stop needs", "give it 2s or more")
	}
	return c.checkSinks()
}

func (c Config) trustDir() string { return cmp.Or(c.Trust.Dir, filepath.Join(c.Data, "keys")) }
