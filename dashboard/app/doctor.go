package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/dashboard/checkup"
	"github.com/sluice-gateway/sluice/dashboard/mongo"
	"github.com/sluice-gateway/sluice/dashboard/sqlite"
	"github.com/sluice-gateway/sluice/pkg/buildinfo"
	"github.com/sluice-gateway/sluice/pkg/doctor"
	wirefleet "github.com/sluice-gateway/sluice/pkg/fleet"
	"github.com/sluice-gateway/sluice/pkg/httpd"
	wire "github.com/sluice-gateway/sluice/pkg/publish"
	"github.com/sluice-gateway/sluice/pkg/redisdb"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// What a dashboard needs of the machine.
const (
	leastRoom   = 64 << 20
	wantedRoom  = 512 << 20
	leastFiles  = 256
	wantedFiles = 4096
)

// storeWithin is how long the store has to answer: longer than MongoDB's driver looks
// for a server, which then says why.
const storeWithin = 5 * time.Second

// Doctor are the checks of a dashboard with this configuration, whether it runs or not.
// They change nothing, and migrate no store. end closes what they use, after the last
// has come back.
func Doctor(c Config) (checks []doctor.Check, end func()) {
	keys := doctor.NewKeys(c.trustDir(), trust.LoadDashboard)
	store := doctor.Share(storeWithin, func(ctx context.Context) (checkup.Facts, error) { return examineStore(ctx, c) })
	redisdb.LogTo(slog.New(slog.DiscardHandler))
	rdb, err := redisdb.Open(c.Redis)
	server := doctor.NewRedis(c.Redis.Addresses, func(ctx context.Context) (redisdb.Facts, error) {
		if err != nil {
			return redisdb.Facts{}, err
		}
		return redisdb.Examine(ctx, rdb)
	})
	checks = []doctor.Check{
		doctor.Folder{Name: "data", Setting: "data", Path: c.Data, Others: 0o077, Least: leastRoom, Wanted: wantedRoom}.Check(),
		keys.Check(),
		{Name: "store", Run: func(ctx context.Context) doctor.Finding { return lookAtStore(ctx, c, store) }},
		{Name: "store schema", Run: func(ctx context.Context) doctor.Finding { return withStore(ctx, store, lookAtSchema) }},
		{Name: "store log", Run: func(ctx context.Context) doctor.Finding { return withStore(ctx, store, lookAtLog) }},
		{Name: "records", Run: func(ctx context.Context) doctor.Finding { return lookAtRecords(ctx, c) }},
	}
	checks = append(checks, server.Checks()...)
	checks = append(checks,
		server.Needs("published", keys.With(func(ctx context.Context, k *trust.Keys) doctor.Finding {
			return withStore(ctx, store, func(f checkup.Facts) doctor.Finding { return lookAtPublished(ctx, rdb, k, f) })
		})),
		server.Needs("fleet", keys.With(func(ctx context.Context, k *trust.Keys) doctor.Finding {
			return doctor.Fleet(ctx, buildinfo.Version(), wirefleet.NewReader(rdb, k))
		})))
	ports := doctor.Ports{Service: "dashboard", Version: buildinfo.Version(), Hello: doctor.Port{Setting: "listen.address", Address: c.Listen.Address}}
	checks = append(checks, ports.Checks()...)
	checks = append(checks, doctor.OpenFiles(leastFiles, wantedFiles))
	return checks, func() {
		if rdb != nil {
			_ = rdb.Close() // nothing was written
		}
	}
}

func examineStore(ctx context.Context, c Config) (checkup.Facts, error) {
	if c.Store.Driver == driverMongoDB {
		return mongo.Examine(ctx, c.mongo())
	}
	return sqlite.Examine(ctx, c.storePath())
}

// withStore runs a check that wants the store's facts; without them it says that.
func withStore(ctx context.Context, store *doctor.Shared[checkup.Facts], run func(checkup.Facts) doctor.Finding) doctor.Finding {
	f, err := store.Get(ctx)
	if err != nil {
		return doctor.Warning("mend store first", "It could not be looked at, because the store does not answer.")
	}
	return run(f)
}

// lookAtStore says whether the store answers. It never quotes mongodb.url.
func lookAtStore(ctx context.Context, c Config, store *doctor.Shared[checkup.Facts]) doctor.Finding {
	f, err := store.Get(ctx)
	mongodb := c.Store.Driver == driverMongoDB
	at := "the file " + c.storePath() + " (store.path)"
	if mongodb {
		at = fmt.Sprintf("MongoDB, database %s (mongodb.url)", c.mongo().Database)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return doctor.Failure("run sluice-dashboard init; or correct store.path, or restore a backup, if there was one", "The store, %s, is not there.", at)
	case err != nil && mongodb && err != context.DeadlineExceeded: // what the driver says knows more than that it took too long
		said, mend := doctor.WhyNoMongoDB(err, "mongodb.url")
		return doctor.Failure(mend, "The store, %s, cannot be read: %s.", at, said)
	case errors.Is(err, context.DeadlineExceeded):
		mend := "find out what holds the file, and whether its disk answers: fuser -v " + c.storePath()
		if mongodb {
			mend = "look at the machine of MongoDB and the network to it; a firewall may drop what is sent"
		}
		return doctor.Failure(mend, "The store, %s, does not answer within %s.", at, storeWithin)
	case err != nil:
		return doctor.Failure("see that the user of the service may read and write the file, and restore a backup if it is damaged", "The store, %s, cannot be read: %v.", at, err)
	case f.TooOld != "":
		return doctor.Failure("upgrade it", "The store, %s, is %s; %s is the oldest that works.", at, f.Server, f.TooOld)
	}
	if info, err := os.Stat(c.storePath()); !mongodb && err == nil && info.Mode().Perm()&0o077 != 0 {
		return doctor.Warning("chmod 600 "+c.storePath(), "The store, %s, has mode %04o: others than its owner have access to hashes of keys and passwords.", at, info.Mode().Perm())
	}
	return doctor.Well("The store, %s, answers: %s.", at, f.Server)
}

func lookAtSchema(f checkup.Facts) doctor.Finding {
	switch {
	case f.Steps > f.Known:
		return doctor.Failure("run the newer release, or restore a backup of before the upgrade", "The store has %d migrations, and this program knows %d: a newer release has worked with it.", f.Steps, f.Known)
	case f.Steps == 0:
		return doctor.Failure("run sluice-dashboard init", "The store is empty: it was never initialised.")
	case f.Steps < f.Known:
		return doctor.Warning("start this release of the dashboard; make a backup before", "The store has %d of %d migrations; the next start runs the others.", f.Steps, f.Known)
	}
	return doctor.Well("The store has all %d migrations of this release.", f.Known)
}

func lookAtLog(f checkup.Facts) doctor.Finding {
	switch {
	case f.Gap > 0:
		return doctor.Failure("restore a backup; nothing writes a log with gaps, so find out who else writes to the store",
			"The log of revisions has %d of its %d entries; the first that is missing is revision %d.", f.Count, f.Newest, f.Gap)
	case f.Applied > f.Newest:
		return doctor.Failure("restore a newer backup: sluice-dashboard restore", "The log of revisions ends at %d, but the store once had %d: it lost its newest entries.", f.Newest, f.Applied)
	case f.Applied < f.Newest:
		return doctor.Warning("start a dashboard; one that runs does it within seconds", "The log of revisions is whole up to %d, but lists show the state of %d.", f.Newest, f.Applied)
	}
	return doctor.Well("The log of revisions is whole, up to %d.", f.Newest)
}

// lookAtPublished compares the store with the roots in Redis, of the group default and
// of those that gateways are in.
func lookAtPublished(ctx context.Context, rdb redis.UniversalClient, keys *trust.Keys, f checkup.Facts) doctor.Finding {
	groups := []string{"default"}
	nodes, err := wirefleet.NewReader(rdb, keys).List(ctx)
	if err != nil {
		return doctor.Failure("see the check of redis", "The groups of gateways cannot be asked for: %v.", err)
	}
	for _, n := range nodes {
		if n.Service == "gateway" && n.State != wirefleet.Offline && !slices.Contains(groups, n.Group) {
			groups = append(groups, n.Group)
		}
	}
	for _, group := range groups {
		root, _, err := wire.NewReader(rdb, keys, group).Root(ctx)
		switch {
		case errors.Is(err, wire.ErrNone):
			return doctor.Warning("start a dashboard; one that runs publishes within seconds, for each group that a gateway or an API names",
				"Nothing is published in Redis for the group %s, and the store has revision %d.", group, f.Newest)
		case errors.Is(err, wire.ErrKey):
			return doctor.Failure("give all dashboards of this Redis one keys folder: move the wrong one away and join again, or copy it; if there is one dashboard only, its keys were made anew, so restore the old ones, or give every node the new signing.pub, after which a dashboard publishes again",
				"What is published for the group %s is signed by a key that is not trusted here: another dashboard with keys of its own writes to this Redis, or this one had others before.", group)
		case err != nil:
			return doctor.NoRoot(group, err)
		case root.Epoch > f.Epoch || root.Epoch == f.Epoch && root.Generation > f.Newest:
			return doctor.Failure("restore a newer backup of the store, or start a new epoch with sluice-dashboard restore; until then gateways serve on, and changes are refused",
				"The store is behind Redis: its newest revision is %d (epoch %d), and generation %d (epoch %d) is published for the group %s.", f.Newest, f.Epoch, root.Generation, root.Epoch, group)
		case root.Epoch < f.Epoch || root.Generation < f.Newest:
			return doctor.Warning("start a dashboard; one that runs publishes within seconds, and says on /hello what keeps it",
				"Redis is behind the store: generation %d (epoch %d) is published for the group %s, and the newest revision is %d (epoch %d).", root.Generation, root.Epoch, group, f.Newest, f.Epoch)
		}
	}
	return doctor.Well("Revision %d (epoch %d) is published, with valid signatures, for %s.", f.Newest, f.Epoch, groupsText(groups))
}

func groupsText(groups []string) string {
	if len(groups) == 1 {
		return "the group " + groups[0]
	}
	return "the groups " + strings.Join(groups, ", ")
}

// lookAtRecords says whether the records of pumps can be read. Without them only the
// log of requests is missing.
func lookAtRecords(ctx context.Context, c Config) doctor.Finding {
	r, err := openRecords(ctx, c, slog.New(slog.DiscardHandler))
	if err != nil {
		return doctor.Warning("let the user of the service read records.dir, or set records.driver to none", "The records of requests cannot be read: %v.", err)
	}
	status, said := r.check(ctx)
	_ = r.close(context.WithoutCancel(ctx)) // nothing was written
	if status != httpd.Pass {
		return doctor.Warning("see that records.driver, records.dir and mongodb.url are those of the pump's sink, and that this user may read there", "The records of requests cannot be read: %s.", said)
	}
	return doctor.Well("The records of requests can be read: %s.", said)
}
