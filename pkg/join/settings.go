package join

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/pkg/bus"
	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/redisdb"
)

// Where is the part of the settings of Redis that a token carries: no user, no
// password and no file of this host.
func Where(c redisdb.Config) bus.RedisAt {
	return bus.RedisAt{
		Addresses: c.Addresses, Database: c.Database, MasterName: c.MasterName, Cluster: c.Cluster,
		TLS: c.TLS.Enabled, ServerName: c.TLS.ServerName,
	}
}

// over is c with what a token carries.
func over(c redisdb.Config, at bus.RedisAt) redisdb.Config {
	c.Addresses, c.Database, c.MasterName, c.Cluster = at.Addresses, at.Database, at.MasterName, at.Cluster
	c.TLS.Enabled, c.TLS.ServerName = at.TLS, at.ServerName
	return c
}

// settle says in the service's file where Redis is and how the node is called,
// where its settings do not say so already.
func (o Options) settle(at redisdb.Config, name string) error {
	var missing strings.Builder
	if o.Named && name != "" && o.Name == "" {
		fmt.Fprintf(&missing, "name: %s\n", strconv.Quote(name))
	}
	if want := Where(at); !reflect.DeepEqual(want, Where(o.Redis)) {
		missing.WriteString(section(want))
	}
	if missing.Len() == 0 {
		fmt.Fprintf(o.Out, "Its settings are complete. Start sluice-%s, or start it again.\n", o.Role)
		return nil
	}
	added, err := config.Append(o.File, []byte("# Written by sluice-"+string(o.Role)+" join.\n"+missing.String()))
	switch {
	case err != nil:
		fmt.Fprintf(o.Out, "Its settings were not written: %v.\nAdd these to %s, then start sluice-%s:\n\n%s", err, o.File, o.Role, &missing)
	case !added:
		fmt.Fprintf(o.Out, "%s has settings of its own and was left as it is. Put these into it, then start sluice-%s:\n\n%s", o.File, o.Role, &missing)
	default:
		fmt.Fprintf(o.Out, "%s says where Redis is. Start sluice-%s, or start it again.\n", o.File, o.Role)
	}
	return nil
}

// section is the settings as YAML; a string in Go's quotes is one of YAML too.
func section(at bus.RedisAt) string {
	var b strings.Builder
	quoted := make([]string, len(at.Addresses))
	for i, a := range at.Addresses {
		quoted[i] = strconv.QuoteToASCII(a)
	}
	fmt.Fprintf(&b, "redis:\n  addresses: [%s]\n", strings.Join(quoted, ", "))
	if at.Database != 0 {
		fmt.Fprintf(&b, "  database: %d\n", at.Database)
	}
	if at.MasterName != "" {
		fmt.Fprintf(&b, "  master_name: %s\n", strconv.QuoteToASCII(at.MasterName))
	}
	if at.Cluster {
		b.WriteString("  cluster: true\n")
	}
	if at.TLS {
		b.WriteString("  tls:\n    enabled: true\n")
		if at.ServerName != "" {
			fmt.Fprintf(&b, "    server_name: %s\n", strconv.QuoteToASCII(at.ServerName))
		}
	}
	return b.String()
}
