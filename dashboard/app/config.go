// Package app puts a dashboard together: config.go is its configuration and the
// manual of it, app.go the composition, lifecycle.go the order of start and stop,
// bootstrap.go what `init` and `token` do, backup.go `backup` and `restore`, join.go
// `node-token` and `join`, rotate.go `rotate`.
package app

import (
	"cmp"
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"time"

	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/logs"
	"github.com/sluice-gateway/sluice/pkg/mongodb"
	"github.com/sluice-gateway/sluice/pkg/redisdb"
)

// Config is everything that can be set about a dashboard.
type Config struct {
	// Data is the folder for the platform's keys, the embedded store and the first
	// admin's one-time password. It must be writable; init makes it with mode 0700.
	Data string `config:"data"`
	// PublicURL is where browsers reach the console, such as
	// https://sluice.example.com. With https the session cookie is marked Secure.
	// Default: none, which is right for plain HTTP on one's own machine.
	PublicURL string `config:"public_url"`
	// TrustedProxies are networks (CIDR) of load balancers whose X-Forwarded-For is
	// believed when failed sign-ins are counted by address. Default: nobody's.
	TrustedProxies []string `config:"trusted_proxies"`
	// Listen is where the console, the API and the probes are.
	Listen Listen `config:"listen"`
	// Redis is the one wire to the gateways and pumps.
	Redis redisdb.Config `config:"redis"`
	// Trust says where the keys of the platform lie.
	Trust Trust `config:"trust"`
	// Store is where definitions, keys and people are kept.
	Store Store `config:"store"`
	// MongoDB is used when store.driver or records.driver is mongodb.
	MongoDB MongoDB `config:"mongodb"`
	// Records says where the pumps keep records of requests.
	Records Records `config:"records"`
	// Log is what is written to the standard error.
	Log logs.Config `config:"log"`
	// Shutdown is how the dashboard stops.
	Shutdown Shutdown `config:"shutdown"`
}

// Listen is the listener.
type Listen struct {
	// Address is host:port of the console, /api/v1, /hello, /ready, /live and
	// /metrics. Default: ":3000", every address of the host.
	Address string `config:"address"`
}

// Trust is where the platform's keys lie.
type Trust struct {
	// Dir holds signing.key, signing.pub, bus.key, sealing.key and pepper.key; init
	// makes them, and join brings those of another dashboard. Default: keys in the data folder.
	Dir string `config:"dir"`
}

// The drivers of the store and of the records.
const (
	driverSQLite  = "sqlite"
	driverMongoDB = "mongodb"
	driverNone    = "none" // of the records only
)

// Store is where the dashboard's data is kept.
type Store struct {
	// Driver is sqlite, for one dashboard on one machine, or mongodb. Default: sqlite.
	Driver string `config:"driver"`
	// Path is the file of the driver sqlite. Default: config.db in the data folder.
	Path string `config:"path"`
}

// MongoDB says where MongoDB is.
type MongoDB struct {
	// URL is the connection string: mongodb://user:password@host1,host2/?replicaSet=rs0
	// or mongodb+srv://…. TLS, users and replica sets are options of it.
	URL config.Secret `config:"url"`
	// Database is the name of the database. Default: sluice.
	Database string `config:"database"`
	// ServerSelectionTimeout is how long an operation waits for a server that can
	// take it. 0: 3 s, or what the URL says (serverSelectionTimeoutMS).
	ServerSelectionTimeout time.Duration `config:"server_selection_timeout"`
	// Timeout is how long one operation may take if its caller sets no deadline. 0: 10 s.
	Timeout time.Duration `config:"timeout"`
	// PoolSize is the most connections per server. 0: 100, or what the URL says
	// (maxPoolSize).
	PoolSize int `config:"pool_size"`
}

// Records says where the pumps keep records of requests. The dashboard only reads
// there; it starts and serves on when there is nothing yet.
type Records struct {
	// Driver is the type of the pump's sink: sqlite, for a pump on this machine,
	// mongodb, or none: then /requests says so. Default: that of store.driver.
	Driver string `config:"driver"`
	// Dir is the folder of the pump's sink of type sqlite. The dashboard's user must
	// be able to read it. Default: /var/lib/sluice/pump/records.
	Dir string `config:"dir"`
	// MongoDB is used when the records are in MongoDB.
	MongoDB RecordsMongoDB `config:"mongodb"`
}

// RecordsMongoDB says where in MongoDB the records are. The server is that of
// mongodb.url.
type RecordsMongoDB struct {
	// Database is the name of the database of the pump's sink of type mongodb.
	// Default: mongodb.database.
	Database string `config:"database"`
}

// Shutdown is how the dashboard stops.
type Shutdown struct {
	// Timeout is how long stopping may take in all, requests in flight included; what
	// is left then is cut. Default: 10s.
	Timeout time.Duration `config:"timeout"`
}

// Default is the configuration where nothing is set.
func Default() Config {
	return Config{
		Data:     "/var/lib/sluice/dashboard",
		Listen:   Listen{Address: ":3000"},
		Redis:    redisdb.Default(),
		Store:    Store{Driver: driverSQLite},
		MongoDB:  MongoDB{Database: "sluice"},
		Records:  Records{Dir: "/var/lib/sluice/pump/records"},
		Log:      logs.Default(),
		Shutdown: Shutdown{Timeout: 10 * time.Second},
	}
}

// Validate checks what one field alone cannot.
func (c Config) Validate() error {
	if c.Data == "" {
		return config.Invalid("data", "is empty", "name a folder that the dashboard may write to")
	}
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.User != nil {
			return config.Invalid("public_url", "is not the address of a site", "write scheme and host, such as https://sluice.example.com")
		}
	}
	for _, p := range c.TrustedProxies {
		if _, err := netip.ParsePrefix(p); err != nil {
			return config.Invalid("trusted_proxies", fmt.Sprintf("%q is not a network", p), "write it as 10.0.0.0/8 or 192.0.2.7/32")
		}
	}
	if c.Shutdown.Timeout <= 0 {
		return config.Invalid("shutdown.timeout", "is not positive", "give a duration such as 10s")
	}
	switch c.Store.Driver {
	case driverSQLite:
	case driverMongoDB:
		if c.MongoDB.URL == "" {
			return config.Invalid("mongodb.url", "is empty although store.driver is mongodb", "set it, such as mongodb://127.0.0.1:27017")
		}
	default:
		return config.Invalid("store.driver", fmt.Sprintf("%q is not a driver", c.Store.Driver), "use sqlite or mongodb")
	}
	return c.validateRecords()
}

func (c Config) validateRecords() error {
	switch c.recordsDriver() {
	case driverNone:
	case driverSQLite:
		if c.Records.Dir == "" {
			return config.Invalid("records.dir", "is empty although the records are in SQLite", "name the folder of the pump's sink, or set records.driver to none")
		}
	case driverMongoDB:
		if c.MongoDB.URL == "" {
			return config.Invalid("mongodb.url", "is empty although records.driver is mongodb", "set it, such as mongodb://127.0.0.1:27017")
		}
		if name := c.Records.MongoDB.Database; name != "" && (mongodb.Config{URL: c.MongoDB.URL, Database: name}).Validate() != nil {
			return config.Invalid("records.mongodb.database", fmt.Sprintf("%q cannot be a database's name", name), "use letters, digits, - and _")
		}
	default:
		return config.Invalid("records.driver", fmt.Sprintf("%q is not a driver", c.Records.Driver), "use sqlite, mongodb or none")
	}
	return nil
}

// recordsDriver is where the records are: by default where the rest is.
func (c Config) recordsDriver() string { return cmp.Or(c.Records.Driver, c.Store.Driver) }

// recordsMongo is the store's server with the records' database.
func (c Config) recordsMongo() mongodb.Config {
	m := c.mongo()
	m.Database = cmp.Or(c.Records.MongoDB.Database, m.Database)
	return m
}

func (c Config) trustDir() string  { return cmp.Or(c.Trust.Dir, filepath.Join(c.Data, "keys")) }
func (c Config) storePath() string { return cmp.Or(c.Store.Path, filepath.Join(c.Data, "config.db")) }

func (c Config) mongo() mongodb.Config {
	m := c.MongoDB
	return mongodb.Config{URL: m.URL, Database: m.Database, ServerSelectionTimeout: m.ServerSelectionTimeout, Timeout: m.Timeout, PoolSize: m.PoolSize}
}

func (c Config) proxies() []netip.Prefix {
	var out []netip.Prefix
	for _, p := range c.TrustedProxies {
		out = append(out, netip.MustParsePrefix(p).Masked())
	}
	return out
}
