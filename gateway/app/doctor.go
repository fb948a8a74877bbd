package app

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway/certs"
	"github.com/sluice-gateway/sluice/gateway/source/lastgood"
	"github.com/sluice-gateway/sluice/pkg/buildinfo"
	"github.com/sluice-gateway/sluice/pkg/doctor"
	"github.com/sluice-gateway/sluice/pkg/fleet"
	"github.com/sluice-gateway/sluice/pkg/publish"
	"github.com/sluice-gateway/sluice/pkg/redisdb"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// What a gateway needs of the machine: room for its last-known-good state, and files
// for a connection of each client and one to an upstream.
const (
	leastRoom   = 64 << 20
	leastFiles  = 1024
	wantedFiles = 65536
)

// Doctor are the checks of a gateway with this configuration, whether it runs or not.
// They change nothing. end closes what they use, after the last has come back.
func Doctor(c Config) (checks []doctor.Check, end func()) {
	dataRoom := int64(leastRoom)
	if c.Records.Enabled && filepath.Dir(c.spoolDir()) == filepath.Clean(c.Data) {
		dataRoom += int64(c.Records.DiskBudget)
	}
	checks = []doctor.Check{
		doctor.Folder{Name: "data", Setting: "data", Path: c.Data, Others: 0o077, Least: leastRoom, Wanted: dataRoom, For: "the last-known-good state and records that Redis does not take"}.Check(),
	}
	if c.Records.Enabled && c.Records.Dir != "" {
		checks = append(checks, doctor.Folder{
			Name: "records", Setting: "records.dir", Path: c.spoolDir(), Others: 0o077, Least: leastRoom, Wanted: int64(c.Records.DiskBudget),
			For: "records that Redis does not take (records.disk_budget)",
		}.Check())
	}
	keys := doctor.NewKeys(c.trustDir(), trust.LoadNode)
	checks = append(checks, keys.Check(), certificatesCheck(c, time.Now), keys.Needs("last-known-good", func(_ context.Context, k *trust.Keys) doctor.Finding { return c.lookAtLastGood(k) }))

	redisdb.LogTo(slog.New(slog.DiscardHandler))
	rdb, err := redisdb.Open(c.Redis)
	server := doctor.NewRedis(c.Redis.Addresses, func(ctx context.Context) (redisdb.Facts, error) {
		if err != nil {
			return redisdb.Facts{}, err
		}
		return redisdb.Examine(ctx, rdb)
	})
	checks = append(checks, server.Checks()...)
	checks = append(checks,
		server.Needs("published", keys.With(func(ctx context.Context, k *trust.Keys) doctor.Finding {
			var have publish.Head
			if kept := lastgood.Look(c.lastGoodDir(), k, c.Group); kept.Root != nil {
				have = kept.Root.Head()
			}
			return doctor.Root(ctx, c.Group, have, publish.NewReader(rdb, k, c.Group))
		})),
		server.Needs("fleet", keys.With(func(ctx context.Context, k *trust.Keys) doctor.Finding {
			return doctor.Fleet(ctx, buildinfo.Version(), fleet.NewReader(rdb, k))
		})))
	ports := doctor.Ports{Service: "gateway", Version: buildinfo.Version(), Hello: doctor.Port{Setting: "admin.address", Address: c.Admin.Address}}
	for i, l := range c.listeners() {
		setting := "listen.address"
		if i > 0 {
			setting = fmt.Sprintf("listeners[%d].address", i-1)
		}
		ports.Others = append(ports.Others, doctor.Port{Setting: setting, Address: l.Address})
	}
	checks = append(checks, ports.Checks()...)
	checks = append(checks, doctor.OpenFiles(leastFiles, wantedFiles))
	return checks, func() {
		if rdb != nil {
			_ = rdb.Close() // nothing was written
		}
	}
}

// lookAtLastGood looks at what the gateway would start from without Redis.
func (c Config) lookAtLastGood(keys *trust.Keys) doctor.Finding {
	kept := lastgood.Look(c.lastGoodDir(), keys, c.Group)
	const anew = "nothing while Redis answers: the running gateway writes it anew. Without Redis it would serve less; if signing.pub or group changed on purpose that is expected"
	switch {
	case kept.Damage != nil:
		said, _, _ := strings.Cut(kept.Damage.Error(), "; ")
		return doctor.Warning(anew, "The last-known-good state in %s cannot be relied on: %s.", c.lastGoodDir(), said)
	case kept.Sessions != nil:
		return doctor.Warning("if sealing.key was not changed on purpose, copy the keys again from the keys folder of a dashboard; known callers are learnt anew",
			"The known callers in %s cannot be opened with the sealing key of this node.", c.lastGoodDir())
	case kept.Root == nil:
		return doctor.Well("There is no last-known-good state in %s yet; the first start needs Redis.", c.lastGoodDir())
	}
	return doctor.Well("Generation %d (epoch %d) is whole in %s: the gateway starts from it without Redis.", kept.Root.Generation, kept.Root.Epoch, c.lastGoodDir())
}

// certificatesCheck looks at the folder of certificates, and whether those that
// listeners show are there.
func certificatesCheck(c Config, now func() time.Time) doctor.Check {
	return doctor.Check{Name: "certificates", Run: func(context.Context) doctor.Finding {
		const renew = "put a renewed <name>.crt with its <name>.key there; a running gateway reads them within 10 s"
		s, err := certs.Open(certs.Options{Dir: c.certsDir(), Default: c.Certificates.Default, Now: now})
		if err != nil {
			return doctor.Failure("correct certificates.dir and certificates.default, or let the user of the service read the folder", "The certificates cannot be used: %v.", err)
		}
		tls := slices.ContainsFunc(c.listeners(), func(l Listener) bool { return l.TLS })
		if tls && len(s.Names()) == 0 {
			return doctor.Failure("put <name>.crt and <name>.key there", "A listener has tls, and the folder %s (certificates.dir) has no certificate that can be used: %s.",
				c.certsDir(), orNothing(s.Warnings(0)))
		}
		ended := slices.ContainsFunc(s.Expiries(), func(e certs.Expiry) bool { return !e.NotAfter.After(now()) })
		switch warnings := s.Warnings(expiresSoon); {
		case ended && tls:
			return doctor.Failure(renew, "Of the certificates in %s clients or upstreams refuse some: %s.", c.certsDir(), strings.Join(warnings, "; "))
		case len(warnings) > 0:
			return doctor.Warning(renew, "Of the certificates in %s some need attention: %s.", c.certsDir(), strings.Join(warnings, "; "))
		}
		if len(s.Expiries()) == 0 {
			return doctor.Well("There are no certificates in %s (certificates.dir), and no listener needs one.", c.certsDir())
		}
		first := slices.MinFunc(s.Expiries(), func(a, b certs.Expiry) int { return a.NotAfter.Compare(b.NotAfter) })
		return doctor.Well("%d certificates and bundles in %s can be used; the first that ends is %s, on %s.", len(s.Expiries()), c.certsDir(), first.Name, first.NotAfter.UTC().Format(time.DateOnly))
	}}
}

func orNothing(list []string) string {
	if len(list) == 0 {
		return "it has none at all"
	}
	return strings.Join(list, "; ")
}
