package redisdb

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	defaultDialTimeout = time.Second
	defaultTimeout     = 2 * time.Second
	// clusterReload is how often the map of slots is read again. With the
	// driver's default of a minute, traffic to the slots of a dead master alone
	// was seen not to recover for more than 73 s.
	clusterReload = time.Second
	// idleFor is shorter than the usual idle limits of firewalls.
	idleFor = 5 * time.Minute
)

// Open makes a client. It dials nothing, so it works while Redis is away; only
// the settings and the files that they name can be wrong.
func Open(c Config) (redis.UniversalClient, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	o, err := options(c)
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	switch {
	case c.Cluster:
		co := o.Cluster()
		co.ClusterStateReloadInterval = clusterReload
		return redis.NewClusterClient(co), nil
	case c.MasterName != "":
		return redis.NewFailoverClient(o.Failover()), nil
	default:
		return redis.NewClient(o.Simple()), nil
	}
}

func options(c Config) (*redis.UniversalOptions, error) {
	t, err := tlsConfig(c.TLS)
	if err != nil {
		return nil, err
	}
	if c.DialTimeout == 0 {
		c.DialTimeout = defaultDialTimeout
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	return &redis.UniversalOptions{
		Addrs:            c.Addresses,
		Username:         c.Username,
		Password:         c.Password.Value(),
		DB:               c.Database,
		MasterName:       c.MasterName,
		SentinelUsername: c.SentinelUsername,
		SentinelPassword: c.SentinelPassword.Value(),
		TLSConfig:        t,

		DialTimeout:  c.DialTimeout,
		ReadTimeout:  c.Timeout,
		WriteTimeout: c.Timeout,
		PoolTimeout:  c.Timeout,
		// A request's deadline has to bound what it waits for Redis.
		ContextTimeoutEnabled: true,
		// Callers retry where it makes sense; a dial that is tried five times
		// hides a dead server for seconds.
		DialerRetries: 1,
		MaxRetries:    1,

		PoolSize:        c.PoolSize,
		ConnMaxIdleTime: idleFor,

		// Neither is of use to us, and not every server knows the commands.
		DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{
			Mode: maintnotifications.ModeDisabled,
		},
	}, nil
}

func tlsConfig(c TLS) (*tls.Config, error) {
	if !c.Enabled {
		return nil, nil
	}
	t := &tls.Config{
		MinVersion: tls.VersionTLS12,
		ServerName: c.ServerName,
		// Chosen by the operator, and said to be unsafe where it is set.
		InsecureSkipVerify: c.InsecureSkipVerify,
	}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("tls.ca_file: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca_file: %s holds no PEM certificate", c.CAFile)
		}
	}
	if c.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("tls.cert_file: %w", err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}

// Ping asks the server for an answer, for a health check; ctx bounds it. The
// detail says what was found, such as "answered in 0.4 ms".
func Ping(ctx context.Context, c redis.UniversalClient) (detail string, err error) {
	start := time.Now()
	if err := c.Ping(ctx).Err(); err != nil {
		return "", fmt.Errorf("redis: %w", err)
	}
	return fmt.Sprintf("answered in %.1f ms", float64(time.Since(start).Microseconds())/1000), nil
}

// LogTo sends what the driver itself has to say (it has one logger for the whole
// process, standard error by default) to log, at level debug: callers get every
// error anyway. A composition root calls it once, before the first Open.
func LogTo(log *slog.Logger) { redis.SetLogger(driverLog{log}) }

type driverLog struct{ log *slog.Logger }

// Printf takes a line of the driver.
func (d driverLog) Printf(ctx context.Context, format string, v ...any) {
	if d.log.Enabled(ctx, slog.LevelDebug) {
		d.log.DebugContext(ctx, "redis driver", "line", fmt.Sprintf(format, v...))
	}
}
