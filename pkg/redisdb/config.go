// Package redisdb opens Redis as the services use it: one server, Sentinel, or
// Cluster, with or without TLS, with timeouts that keep a request from waiting
// for a dead server.
package redisdb

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/pkg/config"
)

// Config says where Redis is and how to speak to it.
type Config struct {
	// host:port of the server; with master_name the sentinels, with cluster any
	// nodes of the cluster.
	Addresses []string `config:"addresses"`
	// User of Redis' access control lists. Empty: the default user.
	Username string `config:"username"`
	// Password of the user.
	Password config.Secret `config:"password"`
	// Number of the database, 0 to 15 unless the server is set up for more.
	// Cluster has database 0 only.
	Database int `config:"database"`
	// Name of the master that the sentinels watch. Not empty: addresses are
	// sentinels.
	MasterName string `config:"master_name"`
	// User and password of the sentinels themselves, if they ask for one.
	SentinelUsername string        `config:"sentinel_username"`
	SentinelPassword config.Secret `config:"sentinel_password"`
	// Addresses are nodes of a Redis Cluster.
	Cluster bool `config:"cluster"`
	// Transport security.
	TLS TLS `config:"tls"`
	// Connections per server that commands may use at once; 0: 10 per processor.
	PoolSize int `config:"pool_size"`
	// How long opening a connection may take. 0: 1 s.
	DialTimeout time.Duration `config:"dial_timeout"`
	// How long one answer may take, and how long a command may wait for a free
	// connection. 0: 2 s. A shorter deadline of the caller wins.
	Timeout time.Duration `config:"timeout"`
}

// TLS says how the connection to Redis is protected.
type TLS struct {
	// Speak TLS (1.2 or newer).
	Enabled bool `config:"enabled"`
	// PEM file of the authorities that the server's certificate must come from.
	// Empty: those of the system.
	CAFile string `config:"ca_file"`
	// PEM files of our own certificate and its key, if the server asks for one.
	CertFile string `config:"cert_file"`
	KeyFile  string `config:"key_file"`
	// Name that the server's certificate must have. Empty: the host of the address.
	ServerName string `config:"server_name"`
	// Accept any certificate of the server. For tests: whoever answers is believed.
	InsecureSkipVerify bool `config:"insecure_skip_verify"`
}

// Default is one server on this machine.
func Default() Config { return Config{Addresses: []string{"127.0.0.1:6379"}} }

// Validate tells every contradiction and every address that cannot be one.
func (c Config) Validate() error {
	var errs []error
	if len(c.Addresses) == 0 {
		errs = append(errs, config.Invalid("addresses", "there is none", "give at least one host:port, such as 127.0.0.1:6379"))
	}
	for _, a := range c.Addresses {
		if !hostPort(a) {
			errs = append(errs, config.Invalid("addresses", fmt.Sprintf("%q is not host:port", a),
				"write it like redis.example:6379, without redis://"))
		}
	}
	if c.Cluster && c.MasterName != "" {
		errs = append(errs, config.Invalid("master_name", "it cannot be used with cluster", "a Redis Cluster has no sentinels: remove one of the two"))
	}
	if c.Cluster && c.Database != 0 {
		errs = append(errs, config.Invalid("database", fmt.Sprintf("a Redis Cluster has no database %d", c.Database), "use 0"))
	}
	if !c.Cluster && c.MasterName == "" && len(c.Addresses) > 1 {
		errs = append(errs, config.Invalid("addresses", "there are several, but neither cluster nor master_name is set",
			"set cluster: true for a Redis Cluster, master_name for Sentinel, or leave one address"))
	}
	if c.Database < 0 {
		errs = append(errs, config.Invalid("database", "it is negative", "use 0 or more"))
	}
	if c.PoolSize < 0 {
		errs = append(errs, config.Invalid("pool_size", "it is negative", "use 0 for the default, or a number of connections"))
	}
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		errs = append(errs, config.Invalid("tls.cert_file", "it needs tls.key_file, and the other way round", "set both or none"))
	}
	if !c.TLS.Enabled && c.TLS != (TLS{}) {
		errs = append(errs, config.Invalid("tls.enabled", "other tls settings are set but tls is off", "set tls.enabled: true"))
	}
	return errors.Join(errs...)
}

func hostPort(a string) bool {
	host, port, err := net.SplitHostPort(a)
	if err != nil || host == "" || strings.Contains(host, "/") {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}
