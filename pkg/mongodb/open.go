// Package mongodb opens MongoDB as the stores use it: majority writes, short
// waits for a server, and errors that say what to mend.
package mongodb

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"

	"github.com/sluice-gateway/sluice/pkg/config"
)

// Config says where MongoDB is.
type Config struct {
	// Connection string: mongodb://user:password@host1,host2/?replicaSet=rs0 or
	// mongodb+srv://…. TLS, users and replica sets are options of it.
	URL config.Secret `config:"url"`
	// Name of the database. Empty: the one in the URL's path.
	Database string `config:"database"`
	// How long an operation waits for a server that can take it. 0: 3 s, or what
	// the URL says (serverSelectionTimeoutMS).
	ServerSelectionTimeout time.Duration `config:"server_selection_timeout"`
	// How long one operation may take if its caller sets no deadline. 0: 10 s.
	Timeout time.Duration `config:"timeout"`
	// Connections per server at most. 0: 100, or what the URL says (maxPoolSize).
	PoolSize int `config:"pool_size"`
}

const (
	defaultSelection = 3 * time.Second
	defaultTimeout   = 10 * time.Second
	connectTimeout   = 3 * time.Second
)

// Validate tells what is wrong without connecting. It never quotes the URL,
// which may hold a password. (Reading a mongodb+srv:// name asks DNS; that is
// left to Open.)
func (c Config) Validate() error {
	var errs []error
	switch u := c.URL.Value(); {
	case u == "":
		errs = append(errs, config.Invalid("url", "it is empty", "set it, such as mongodb://127.0.0.1:27017"))
	case strings.HasPrefix(u, "mongodb+srv://"):
	case !strings.HasPrefix(u, "mongodb://"):
		errs = append(errs, config.Invalid("url", "it does not begin with mongodb:// or mongodb+srv://", "write mongodb://host:27017"))
	default:
		if _, err := connstring.ParseAndValidate(u); err != nil {
			errs = append(errs, config.Invalid("url", "it cannot be read: "+clean(err, u), "percent-encode special characters of user and password"))
		}
	}
	if c.name() == "" {
		errs = append(errs, config.Invalid("database", "it is empty, and the URL names none", "set it, such as sluice"))
	}
	if strings.ContainsAny(c.Database, "/\\. \"$*<>:|?\x00") {
		errs = append(errs, config.Invalid("database", fmt.Sprintf("%q cannot be a database's name", c.Database), "use letters, digits, - and _"))
	}
	if c.PoolSize < 0 {
		errs = append(errs, config.Invalid("pool_size", "it is negative", "use 0 for the default, or a number of connections"))
	}
	return errors.Join(errs...)
}

// name is the database's: the setting, or the first element of the URL's path.
func (c Config) name() string {
	if c.Database != "" {
		return c.Database
	}
	_, rest, _ := strings.Cut(c.URL.Value(), "://")
	_, path, _ := strings.Cut(rest, "/")
	path, _, _ = strings.Cut(path, "?")
	name, err := url.PathUnescape(path)
	if err != nil {
		return ""
	}
	return name
}

// Open connects and asks the server for an answer, so that a wrong address or
// password is told at once. The returned function disconnects.
//
// Writes are acknowledged by a majority and journalled, reads come from the
// primary. Retryable writes are on unless the URL has retryWrites=false; the
// driver itself sends them only to servers that know them, which a standalone
// server and mongo-java-server do not.
func Open(ctx context.Context, c Config) (*mongo.Database, func(context.Context) error, error) {
	if err := c.Validate(); err != nil {
		return nil, nil, fmt.Errorf("mongodb: %w", err)
	}
	client, err := mongo.Connect(clientOptions(c))
	if err != nil {
		return nil, nil, fmt.Errorf("mongodb: %s", clean(err, c.URL.Value()))
	}
	if _, err := Ping(ctx, client.Database(c.name())); err != nil {
		return nil, nil, errors.Join(err, client.Disconnect(context.WithoutCancel(ctx)))
	}
	return client.Database(c.name()), client.Disconnect, nil
}

func clientOptions(c Config) *options.ClientOptions {
	o := options.Client().
		SetAppName("sluice").
		SetConnectTimeout(connectTimeout).
		SetServerSelectionTimeout(defaultSelection).
		SetTimeout(defaultTimeout).
		ApplyURI(c.URL.Value()). // what the URL says wins over the defaults above
		SetWriteConcern(majority()).
		SetReadConcern(readconcern.Majority()).
		SetReadPreference(readpref.Primary())
	if c.ServerSelectionTimeout > 0 {
		o.SetServerSelectionTimeout(c.ServerSelectionTimeout)
	}
	if c.Timeout > 0 {
		o.SetTimeout(c.Timeout)
	}
	if c.PoolSize > 0 {
		o.SetMaxPoolSize(uint64(c.PoolSize))
	}
	return o
}

func majority() *writeconcern.WriteConcern {
	journal := true
	return &writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: &journal}
}

// Ping asks the primary for an answer, for Open and for health checks; ctx
// bounds it. The detail says what was found.
func Ping(ctx context.Context, db *mongo.Database) (detail string, err error) {
	start := time.Now()
	if err := db.Client().Ping(ctx, readpref.Primary()); err != nil {
		return "", fmt.Errorf("mongodb: %s: %w", diagnose(err), err)
	}
	return fmt.Sprintf("answered in %.1f ms", float64(time.Since(start).Microseconds())/1000), nil
}

// diagnose says in a sentence what to look at.
func diagnose(err error) string {
	text := err.Error()
	switch {
	case strings.Contains(text, "AuthenticationFailed"), strings.Contains(text, "auth error"):
		return "the user or password is refused; check them, and authSource, in the URL"
	case strings.Contains(text, "x509:"), strings.Contains(text, "tls:"):
		return "TLS is not agreed on; check tls and tlsCAFile in the URL"
	case strings.Contains(text, "wire version"):
		return "the server is too old for this release; use MongoDB 4.4 or newer"
	case strings.Contains(text, "no such host"):
		return "a host of the URL has no address; check its name"
	case strings.Contains(text, "ReplicaSetNoPrimary"):
		return "the replica set has no primary that can be reached; check replicaSet in the URL and the members"
	case strings.Contains(text, "connection refused"):
		return "nothing listens at the URL's address; check it, and that the server runs"
	}
	return "no server answers; check the URL's hosts and the network"
}

// clean takes the URL, and with it a password, out of a message.
func clean(err error, u string) string {
	text := strings.ReplaceAll(err.Error(), u, "the URL")
	_, rest, _ := strings.Cut(u, "://")
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		for part := range strings.SplitSeq(rest[:i], ":") {
			if part != "" {
				text = strings.ReplaceAll(text, part, "***")
			}
		}
	}
	return text
}
