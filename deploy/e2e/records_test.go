package e2e

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
	"github.com/sluice-gateway/sluice/pkg/archive"
	"github.com/sluice-gateway/sluice/pkg/archive/sqlite"
	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/mongodb"
	"github.com/sluice-gateway/sluice/pkg/redisdb"
	"github.com/sluice-gateway/sluice/pkg/spool"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// rawStore is where the raw records of a platform lie, for a test that reads all of it or disturbs it.
type rawStore struct {
	paths func(t *testing.T) map[string]int // stored paths, with how often
	cut   func(t *testing.T) (back func())  // makes the store stand still
}

// openAPI makes an API whose calls go to an upstream that answers at once, and waits until every
// gateway serves it.
func openAPI(t *testing.T, p *platform.Platform, name, path string) {
	t.Helper()
	up := platform.NewUpstream(name)
	t.Cleanup(up.Close)
	saved := testenv.Must(p.Client(0).Create(t.Context(), "apis", definition(name, path, up.URL, map[string]any{"open": true})))(t)
	p.Live(t, saved.Revision, 5*time.Second)
}

func sqliteStore(dir string) rawStore {
	return rawStore{
		paths: func(t *testing.T) map[string]int {
			t.Helper()
			a := testenv.Must(sqlite.Open(t.Context(), sqlite.Options{Dir: dir, ReadOnly: true}))(t)
			defer func() { _ = a.Close() }()
			found, after := map[string]int{}, archive.Cursor{}
			for {
				page := testenv.Must(a.Find(t.Context(), archive.Filter{}, after, archive.MaxPage))(t)
				if len(page.Skipped) > 0 {
					t.Fatal(page.Skipped)
				}
				for _, e := range page.Entries {
					found[e.Path]++
				}
				if after = page.Next; after == (archive.Cursor{}) {
					return found
				}
			}
		},
		// another writer that does not let go
		cut: func(t *testing.T) func() {
			t.Helper()
			var locks []*sql.Conn
			for _, file := range testenv.Must(filepath.Glob(filepath.Join(dir, "records-*.db")))(t) {
				db := testenv.Must(sql.Open("sqlite", "file:"+file))(t)
				t.Cleanup(func() { _ = db.Close() })
				c := testenv.Must(db.Conn(t.Context()))(t)
				testenv.EventuallyNoError(t, 10*time.Second, func() error {
					_, err := c.ExecContext(t.Context(), "BEGIN IMMEDIATE")
					return err
				})
				locks = append(locks, c)
			}
			return func() {
				for _, c := range locks {
					if _, err := c.ExecContext(t.Context(), "ROLLBACK"); err != nil {
						t.Error(err)
					}
					_ = c.Close()
				}
			}
		},
	}
}

// TestFaultRecordsExact counts every call of a run while gateways and pumps are killed, Redis and the
// store stand still, and a pump sleeps until others have done its work.
func TestFaultRecordsExact(t *testing.T) {
	eachStoreAlone(t, func(t *testing.T, o platform.Options) {
		o.Dir = t.TempDir()
		o.Gateways, o.Pumps = []string{"default", "default"}, 2
		store := sqliteStore(filepath.Join(o.Dir, "records"))
		var database string
		if o.MongoDB != "" {
			proxy := testenv.Must(platform.NewProxy(hostOf(t, o.MongoDB)))(t)
			t.Cleanup(proxy.Close)
			store = mongoStore(o.MongoDB, &database, proxy)
			o.RecordsURL = "mongodb://" + proxy.Addr + "/"
		}
		p := platform.For(t, o)
		database = p.Database
		platform.NeedRedisServer(t, p)
		openAPI(t, p, "Exact", "/exact/")

		const total, rate = int64(100_000), 2000
		l := startNumbered(t.Context(), p.Gateways, 16, "/exact/n/", total, rate)
		reach := func(n int64) {
			t.Helper()
			testenv.Eventually(t, 2*time.Minute, func() bool { return l.next.Load() >= n })
		}
		share := total / 10

		reach(share)
		p.Gateways[0].Kill()
		ok(t, p.Gateways[0].Launch(t.Context()))

		reach(2 * share)
		ok(t, p.Redis.Signal(syscall.SIGSTOP))
		reach(2*share + int64(2*rate))
		ok(t, p.Redis.Signal(syscall.SIGCONT))

		reach(4 * share)
		p.Pumps[0].Kill()
		reach(4*share + int64(rate))
		ok(t, p.Pumps[0].Launch(t.Context()))

		reach(5 * share)
		began := time.Now()
		back := store.cut(t)
		reach(6 * share)
		// with batches in its hands and nowhere to write them
		ok(t, p.Pumps[1].Signal(syscall.SIGSTOP))
		testenv.Eventually(t, time.Minute, func() bool { return time.Since(began) > 30*time.Second })
		back()
		t.Logf("the store stood still for %s", time.Since(began).Round(time.Second))
		l.wait()
		for _, g := range p.Gateways {
			ok(t, g.Stop(8*time.Second)) // ships what it has
		}
		settled(t, p.Pumps[0], "records", 3*time.Minute)
		before := store.paths(t)
		ok(t, p.Pumps[1].Signal(syscall.SIGCONT)) // finds that its work is done, by others
		gaps := settled(t, p.Pumps[1], "records", time.Minute)
		after := store.paths(t)
		if len(before) != len(after) {
			t.Errorf("the pump that slept changed the store: %d calls before, %d after", len(before), len(after))
		}
		l.holdAgainst(t, after, gaps)
	})
}

// TestFaultRecordsBudget has no pump at all: streams and disk keep to their budgets, what that costs
// is counted, and the pump that comes at last reports exactly those as missing.
func TestFaultRecordsBudget(t *testing.T) {
	const budget, disk = 1 << 20, 1 << 20
	dir := t.TempDir()
	p := platform.For(t, platform.Options{Dir: dir, Env: map[string]string{
		"SLUICE_GATEWAY_RECORDS_BUDGET": "1MiB", "SLUICE_GATEWAY_RECORDS_DISK_BUDGET": "1MiB",
	}})
	platform.NeedRedisServer(t, p)
	openAPI(t, p, "Budget", "/budget/")
	l := startNumbered(t.Context(), p.Gateways, 32, "/budget/"+strings.Repeat("long/", 40), 60_000, 20_000)
	l.wait()

	var dropped float64
	testenv.EventuallyNoError(t, 10*time.Second, func() error {
		dropped = metricSum(t, p.Gateways[0].Admin, "sluice_gateway_dropped_records_total")
		if got := metricSum(t, p.Gateways[0].Admin, "sluice_gateway_records_total"); got < 60_000 {
			return fmt.Errorf("%.0f records were taken", got)
		}
		if dropped == 0 {
			return fmt.Errorf("nothing was dropped although the budgets are small")
		}
		return nil
	})
	var held int64
	for shard := range 4 {
		held += streamBytes(t, p, shard)
	}
	t.Logf("%.0f records dropped; the streams hold %d bytes of a budget of %d, the disk %d of %d", dropped, held, budget, folderSize(t, filepath.Join(dir, "gateway-1", "spool")), disk)
	if held > budget*5/4 {
		t.Errorf("the streams hold %d bytes; the budget is %d", held, budget)
	}

	testenv.Must(p.AddPump(t.Context()))(t)
	ok(t, p.Gateways[0].Stop(8*time.Second)) // ships what lies on the disk
	ok(t, p.Gateways[0].Launch(t.Context()))
	var gaps int
	testenv.EventuallyNoError(t, time.Minute, func() error {
		gaps = settled(t, p.Pumps[0], "records", 3*time.Minute)
		if stored := len(sqliteStore(p.RecordsDir()).paths(t)); stored+gaps != 60_000 {
			return fmt.Errorf("%d stored and %d reported missing are not 60 000", stored, gaps)
		}
		return nil
	})
	l.holdAgainst(t, sqliteStore(p.RecordsDir()).paths(t), gaps)
}

// TestFaultSlowSink has a sink that is slow beside one that is fast.
func TestFaultSlowSink(t *testing.T) {
	proxy := testenv.Must(platform.NewProxy(hostOf(t, mongoURL(t))))(t)
	t.Cleanup(proxy.Close)
	proxy.Delay(3 * time.Second)
	o := platform.Options{Dir: t.TempDir(), Pumps: 1}
	t.Cleanup(func() { dropSlow(t) })
	o.Sinks = fmt.Sprintf(`[{name: fast, type: sqlite, sqlite: {dir: %q}}, {name: slow, type: mongodb, mongodb: {url: "mongodb://%s/", database: sluice_e2e_slow}}]`, filepath.Join(o.Dir, "records"), proxy.Addr)
	p := platform.For(t, o)
	openAPI(t, p, "Slow", "/slow/")
	l := startNumbered(t.Context(), p.Gateways, 16, "/slow/n/", 30_000, 2000)
	worst, behind := 0.0, int64(0)
	for l.next.Load() < l.total {
		st := testenv.Must(stateOf(t.Context(), p.Pumps[0]))(t)
		for _, s := range st.Sinks {
			for _, h := range s.Shards {
				if s.Name == "fast" {
					worst = max(worst, h.LagSeconds)
				} else {
					behind = max(behind, h.LagEntries)
				}
			}
		}
	}
	l.wait()
	t.Logf("the fast sink was at most %.2f s behind, the slow one %d entries", worst, behind)
	if worst >= 2 {
		t.Errorf("the fast sink was %.2f s behind beside a slow one; less than 2 s is wanted", worst)
	}
	if behind < 3 {
		t.Errorf("the slow sink was only %d entries behind: this test tests nothing", behind)
	}
	ok(t, p.Gateways[0].Stop(8*time.Second))
	gaps := settled(t, p.Pumps[0], "fast", 10*time.Second)
	l.holdAgainst(t, sqliteStore(p.RecordsDir()).paths(t), gaps)
	proxy.Delay(0)
	settled(t, p.Pumps[0], "slow", time.Minute)
}

// ok is for steps that only prepare.
func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func hostOf(t *testing.T, mongoURL string) string {
	t.Helper()
	return testenv.Must(url.Parse(mongoURL))(t).Host
}

// streamBytes is what Redis needs for the stream of a shard.
func streamBytes(t *testing.T, p *platform.Platform, shard int) int64 {
	t.Helper()
	rdb := testenv.Must(redisdb.Open(redisdb.Config{Addresses: []string{p.Redis.Addr}}))(t)
	defer func() { _ = rdb.Close() }()
	n, err := rdb.MemoryUsage(t.Context(), spool.StreamKey(shard), 0).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		t.Fatal(err)
	}
	return n
}

func folderSize(t *testing.T, dir string) (n int64) {
	t.Helper()
	for _, e := range testenv.Must(os.ReadDir(dir))(t) {
		if info, err := e.Info(); err == nil && strings.HasPrefix(e.Name(), "spill-") {
			n += info.Size()
		}
	}
	return n
}

// metricSum adds up the series of a metric.
func metricSum(t *testing.T, admin, name string) (sum float64) {
	t.Helper()
	_, text := fetch(t, admin+"/metrics")
	for line := range strings.Lines(text) {
		if rest, found := strings.CutPrefix(line, name); found && (rest[0] == ' ' || rest[0] == '{') {
			f, err := strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndexByte(rest, ' '):]), 64)
			ok(t, err)
			sum += f
		}
	}
	return sum
}

// dropSlow frees what the slow sink took.
func dropSlow(t *testing.T) {
	ctx := context.WithoutCancel(t.Context())
	db, end, err := mongodb.Open(ctx, mongodb.Config{URL: config.Secret(mongoURL(t)), Database: "sluice_e2e_slow"})
	if err == nil {
		err = errors.Join(db.Drop(ctx), end(ctx))
	}
	if err != nil {
		t.Logf("the database of the test is left behind: %v", err)
	}
}

func mongoStore(url string, database *string, proxy *platform.Proxy) rawStore {
	return rawStore{
		paths: func(t *testing.T) map[string]int {
			t.Helper()
			db, end, err := mongodb.Open(t.Context(), mongodb.Config{URL: config.Secret(url), Database: *database})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = end(context.Background()) }()
			found := map[string]int{}
			for _, name := range testenv.Must(db.ListCollectionNames(t.Context(), bson.M{"name": bson.M{"$regex": "^records_"}}))(t) {
				all := testenv.Must(db.Collection(name).Find(t.Context(), bson.M{}, options.Find().SetProjection(bson.M{"path": 1})))(t)
				for all.Next(t.Context()) {
					path, _ := all.Current.Lookup("path").StringValueOK() // none: the engine refused what it could not read
					found[path]++
				}
				if err := all.Err(); err != nil {
					t.Fatal(err)
				}
			}
			return found
		},
		cut: func(*testing.T) func() {
			proxy.Halt()
			return proxy.Resume
		},
	}
}
