package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/checkup"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/dashboard/sqlite"
	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/doctor"
	"github.com/sluice-gateway/sluice/pkg/doctor/doctortest"
	wire "github.com/sluice-gateway/sluice/pkg/publish"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

// examine runs the dashboard's checks and compares them with a golden file.
func examine(t *testing.T, c Config, golden string) doctor.Report {
	t.Helper()
	checks, end := Doctor(c)
	host, err := os.Hostname()
	must(t, err)
	return doctortest.Examine(t, golden, checks, end, "running dashboard "+host, "running dashboard HOST", c.Data, "DATA", filepath.Dir(c.Data), "ABOVE", c.Redis.Addresses[0], "REDIS", c.Listen.Address, "DASHBOARD")
}

// publishAs signs an empty generation and publishes it.
func publishAs(t *testing.T, s *testenv.Server, keys *trust.Keys, epoch, generation int64) {
	t.Helper()
	u, err := wire.Compose(epoch, generation, time.Now().UTC().Truncate(time.Millisecond), func(string) ([]byte, bool) { return nil, false }, wire.NewTree("default"))
	must(t, err)
	_, err = wire.NewWriter(s.Client(), keys).Publish(testenv.Context(t, 5*time.Second), u)
	must(t, err)
}

func TestDoctorBeforeInitWhileItRunsAndAfterIt(t *testing.T) {
	s := testenv.RedisServer(t)
	c := settings(t, s.Addr())
	c.Listen.Address = freeAddress(t)
	examine(t, c, "doctor/before-init.txt")
	if _, err := os.Lstat(c.Data); err == nil {
		t.Error("doctor made the data folder")
	}
	_, err := Init(t.Context(), c, Admin{Login: "admin"})
	must(t, err)
	examine(t, c, "doctor/never-started.txt")
	url, stop := running(t, c)
	testenv.Eventually(t, 10*time.Second, func() bool { return strings.Contains(get(t, url+"/hello", "").body, `"status":"pass","uptime"`) })
	testenv.Eventually(t, 10*time.Second, func() bool {
		head, err := wire.NewReader(s.Client(), &trust.Keys{}, "default").Head(t.Context())
		return err == nil && head != wire.Head{}
	})
	if r := examine(t, c, "doctor/running.txt"); r.Failed() {
		t.Error("a dashboard that is well was found ill")
	}
	must(t, stop())

	keys, err := trust.LoadDashboard(c.trustDir())
	must(t, err)
	publishAs(t, s, keys, 1, 7)
	r := examine(t, c, "doctor/store-behind.txt")
	if doctortest.Level(r, "published") != doctor.Fail {
		t.Error("a store that is behind Redis was not seen")
	}
	other, err := trust.Generate()
	must(t, err)
	publishAs(t, s, other, 9, 9)
	examine(t, c, "doctor/foreign-root.txt")
	s.Stop()
	examine(t, c, "doctor/redis-stopped.txt")
}

func TestDoctorFindsKeysThatDoNotBelongTogether(t *testing.T) {
	c := settings(t, testenv.RedisServer(t).Addr())
	c.Listen.Address = freeAddress(t)
	_, err := Init(t.Context(), c, Admin{Login: "admin"})
	must(t, err)
	other, err := trust.Generate()
	must(t, err)
	must(t, other.Node().SaveNode(c.trustDir()))
	examine(t, c, "doctor/mixed-keys.txt")
}

func TestDoctorJudgesTheStore(t *testing.T) {
	for name, x := range map[string]struct {
		f     checkup.Facts
		look  func(checkup.Facts) doctor.Finding
		level doctor.Level
		said  string
	}{
		"all migrations":     {checkup.Facts{Steps: 2, Known: 2}, lookAtSchema, doctor.OK, "all 2 migrations"},
		"an older release":   {checkup.Facts{Steps: 1, Known: 2}, lookAtSchema, doctor.Warn, "1 of 2 migrations"},
		"a newer release":    {checkup.Facts{Steps: 3, Known: 2}, lookAtSchema, doctor.Fail, "newer release"},
		"never initialised":  {checkup.Facts{Known: 2}, lookAtSchema, doctor.Fail, "never initialised"},
		"a whole log":        {checkup.Facts{Newest: 9, Count: 9, Applied: 9}, lookAtLog, doctor.OK, "whole, up to 9"},
		"a log with a gap":   {checkup.Facts{Newest: 9, Count: 8, Gap: 4, Applied: 9}, lookAtLog, doctor.Fail, "first that is missing is revision 4"},
		"a log without end":  {checkup.Facts{Newest: 9, Count: 9, Applied: 12}, lookAtLog, doctor.Fail, "ends at 9, but the store once had 12"},
		"views behind a log": {checkup.Facts{Newest: 9, Count: 9, Applied: 8}, lookAtLog, doctor.Warn, "lists show the state of 8"},
	} {
		if f := x.look(x.f); f.Level != x.level || !strings.Contains(f.Found, x.said) || (f.Mend == "") != (x.level == doctor.OK) {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

// findings runs the checks that concern the store.
func findings(t *testing.T, c Config) map[string]doctor.Finding {
	t.Helper()
	began := time.Now()
	checks, end := Doctor(c)
	defer end()
	found := map[string]doctor.Finding{}
	for _, r := range doctor.Examine(t.Context(), "dashboard", "v1", checks).Checks {
		found[r.Name] = r.Finding
		if strings.Contains(r.Found+r.Mend, "sesame") {
			t.Errorf("a password is in %+v", r)
		}
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
	return found
}

func says(t *testing.T, f doctor.Finding, level doctor.Level, text string) {
	t.Helper()
	if f.Level != level || !strings.Contains(f.Found, text) {
		t.Errorf("want %s and %q in %+v", level, text, f)
	}
}

func TestDoctorSurvivesAStoreThatHangs(t *testing.T) {
	c := settings(t, "127.0.0.1:1")
	must(t, os.MkdirAll(c.Data, 0o700))
	// an open of a pipe waits for the other end, as one in a folder whose server is gone
	must(t, syscall.Mkfifo(c.storePath(), 0o600))
	t.Cleanup(func() {
		if w, err := os.OpenFile(c.storePath(), os.O_RDWR|syscall.O_NONBLOCK, 0); err == nil {
			_ = w.Close()
		}
	})
	f := findings(t, c)
	says(t, f["store"], doctor.Fail, "does not answer within 5s")
	says(t, f["store schema"], doctor.Warn, "the store does not answer")

	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and never says a word
	must(t, err)
	defer silent.Close()
	c.Store.Driver, c.Records.Driver = driverMongoDB, driverNone
	c.MongoDB.ServerSelectionTimeout = 500 * time.Millisecond
	for address, said := range map[string]string{silent.Addr().String(): "cannot be read: no server answers", freeAddress(t): "nothing listens at the URL's address"} {
		c.MongoDB.URL = config.Secret("mongodb://kim:open-sesame@" + address + "/?authSource=admin")
		f = findings(t, c)
		says(t, f["store"], doctor.Fail, said)
		says(t, f["store log"], doctor.Warn, "the store does not answer")
	}
}

func TestDoctorSeesWhatIsWrongWithTheFile(t *testing.T) {
	c := settings(t, "127.0.0.1:1")
	_, err := Init(t.Context(), c, Admin{Login: "admin"})
	must(t, err)
	says(t, findings(t, c)["store"], doctor.OK, "SQLite")
	must(t, os.Chmod(c.storePath(), 0o644))
	says(t, findings(t, c)["store"], doctor.Warn, "mode 0644")
	must(t, os.WriteFile(c.storePath(), []byte(strings.Repeat("not a database ", 500)), 0o600))
	for _, end := range []string{"-wal", "-shm"} {
		if err := os.Remove(c.storePath() + end); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	says(t, findings(t, c)["store"], doctor.Fail, "cannot be read")
}

func TestDoctorReadsARealLog(t *testing.T) {
	s := testenv.RedisServer(t)
	c := settings(t, s.Addr())
	_, err := Init(t.Context(), c, Admin{Login: "admin"})
	must(t, err)
	st, err := openStores(t.Context(), c)
	must(t, err)
	for n := range int64(3) {
		must(t, st.log.Append(t.Context(), revision(n+1)))
	}
	must(t, st.marks.Raise(t.Context(), "applied", 3))
	must(t, st.close(t.Context()))
	keys, err := trust.LoadDashboard(c.trustDir())
	must(t, err)
	f := findings(t, c)
	says(t, f["store log"], doctor.OK, "whole, up to 3")
	says(t, f["published"], doctor.Warn, "Nothing is published in Redis for the group default, and the store has revision 3")
	publishAs(t, s, keys, 1, 2)
	says(t, findings(t, c)["published"], doctor.Warn, "Redis is behind the store: generation 2")
	publishAs(t, s, keys, 1, 3)
	says(t, findings(t, c)["published"], doctor.OK, "Revision 3 (epoch 1) is published")
	publishAs(t, s, keys, 2, 3)
	says(t, findings(t, c)["published"], doctor.Fail, "behind Redis: its newest revision is 3 (epoch 1), and generation 3 (epoch 2)")

	facts, err := sqlite.Examine(t.Context(), c.storePath())
	if err != nil || facts.Newest != 3 {
		t.Errorf("%+v, %v", facts, err)
	}
}

func TestDoctorLooksAtMongoDB(t *testing.T) {
	db := testenv.MongoDB(t)
	c := settings(t, "127.0.0.1:1")
	c.Store.Driver, c.Records.Driver = driverMongoDB, driverMongoDB
	c.MongoDB.URL, c.MongoDB.Database = config.Secret(os.Getenv("SLUICE_TEST_MONGODB_URL")), db.Name()
	says(t, findings(t, c)["store schema"], doctor.Fail, "never initialised")
	_, err := Init(t.Context(), c, Admin{Login: "admin"})
	must(t, err)
	f := findings(t, c)
	says(t, f["store"], doctor.OK, fmt.Sprintf("MongoDB, database %s (mongodb.url), answers: MongoDB ", db.Name()))
	says(t, f["store schema"], doctor.OK, "all ")
	says(t, f["store log"], doctor.OK, "whole, up to 0")
	says(t, f["records"], doctor.OK, "can be read")
}

func TestDoctorTellsRecordsThatCannotBeRead(t *testing.T) {
	c := settings(t, "127.0.0.1:1")
	says(t, lookAtRecords(t.Context(), c), doctor.OK, "nothing yet")
	must(t, os.MkdirAll(c.Data, 0o700))
	must(t, os.WriteFile(c.Records.Dir, nil, 0o600))
	says(t, lookAtRecords(context.WithoutCancel(t.Context()), c), doctor.Warn, "cannot be read")
}

func revision(n int64) publish.Revision {
	return publish.Revision{N: n, At: time.Now(), Changes: []publish.Change{{Org: "default", Kind: "api", ID: "a"}}}
}
