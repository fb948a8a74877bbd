package doctor

import (
	"context"
	"errors"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/redisdb"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// look makes the checks of a Redis and returns their findings by name.
func look(t *testing.T, c redisdb.Config) map[string]Finding {
	t.Helper()
	rdb, err := redisdb.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	r := NewRedis(c.Addresses, func(ctx context.Context) (redisdb.Facts, error) { return redisdb.Examine(ctx, rdb) })
	found := map[string]Finding{}
	for _, c := range Examine(t.Context(), "gateway", "v1", r.Checks()).Checks {
		found[c.Name] = c.Finding
	}
	return found
}

// redisServer starts a redis-server with settings of its own.
func redisServer(t *testing.T, args ...string) (address string, process *exec.Cmd) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		testenv.Missing(t, "redis", "install redis-server")
	}
	address = free(t)
	_, port, _ := net.SplitHostPort(address)
	process = exec.CommandContext(t.Context(), path, append([]string{"--bind", "127.0.0.1", "--port", port, "--dir", t.TempDir(), "--save", "", "--loglevel", "warning"}, args...)...)
	must(t, process.Start())
	t.Cleanup(func() {
		_ = process.Process.Kill()
		_ = process.Wait()
	})
	testenv.Eventually(t, 10*time.Second, func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return address, process
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, l.Close())
	return l.Addr().String()
}

func TestARedisThatIsWell(t *testing.T) {
	t.Parallel()
	address, process := redisServer(t)
	c := redisdb.Config{Addresses: []string{address}}
	f := look(t, c)
	want(t, f["redis"], OK, address, "answers in")
	want(t, f["redis version"], OK, "Redis is version ")
	want(t, f["redis memory"], OK, "has room")
	want(t, f["clock"], OK, "that of Redis (±")

	rdb := redis.NewClient(&redis.Options{Addr: address})
	defer rdb.Close()
	must(t, rdb.ConfigSet(t.Context(), "maxmemory", "100mb").Err())
	must(t, rdb.ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru").Err())
	f = look(t, c)
	want(t, f["redis memory"], Warn, "allkeys-lru", "set it to noeviction")
	want(t, f["redis"], OK)

	must(t, rdb.Do(t.Context(), "REPLICAOF", "127.0.0.1", "1").Err())
	want(t, look(t, c)["redis"], Fail, "is a replica", "sentinels")
	must(t, rdb.Do(t.Context(), "REPLICAOF", "NO", "ONE").Err())

	must(t, process.Process.Kill())
	_ = process.Wait()
	f = look(t, c)
	want(t, f["redis"], Fail, address+" (redis.addresses) refuses connections", "start Redis")
	for _, name := range []string{"redis version", "redis memory", "clock"} {
		want(t, f[name], Warn, "Redis does not answer", "mend redis first")
	}
}

func TestARedisThatHangs(t *testing.T) {
	t.Parallel()
	address, process := redisServer(t)
	must(t, process.Process.Signal(syscall.SIGSTOP))
	began := time.Now()
	f := look(t, redisdb.Config{Addresses: []string{address}})
	if took := time.Since(began); took > Limit {
		t.Errorf("took %s", took)
	}
	want(t, f["redis"], Fail, "does not answer in time", "network to it")
	want(t, f["clock"], Warn, "mend redis first")
}

func TestARedisThatRefusesThePassword(t *testing.T) {
	t.Parallel()
	const secret = "open-sesame"
	address, _ := redisServer(t, "--requirepass", secret)
	for password, level := range map[config.Secret]Level{"": Fail, "wrong-sesame": Fail, secret: OK} {
		f := look(t, redisdb.Config{Addresses: []string{address}, Password: password})
		want(t, f["redis"], level)
		if level == Fail {
			want(t, f["redis"], Fail, "refuses the user or the password", "redis.password")
		}
		for _, x := range f {
			if strings.Contains(x.Found+x.Mend, "sesame") {
				t.Errorf("a password is in %+v", x)
			}
		}
	}
	// TLS where the server has none
	f := look(t, redisdb.Config{Addresses: []string{address}, TLS: redisdb.TLS{Enabled: true}})
	want(t, f["redis"], Fail, "redis.tls")
	f = look(t, redisdb.Config{Addresses: []string{"no-such-host.invalid:6379"}})
	want(t, f["redis"], Fail, "cannot be resolved")
}

// scripted is a Redis that says what a test wants: its clock and its INFO.
func scripted(t *testing.T, ahead time.Duration, info string) redisdb.Config {
	t.Helper()
	s, err := server.NewServer("127.0.0.1:0")
	must(t, err)
	t.Cleanup(s.Close)
	answers := map[string]server.Cmd{
		"PING": func(c *server.Peer, _ string, _ []string) { c.WriteInline("PONG") },
		"TIME": func(c *server.Peer, _ string, _ []string) {
			now := time.Now().Add(ahead)
			c.WriteStrings([]string{strconv.FormatInt(now.Unix(), 10), strconv.Itoa(now.Nanosecond() / 1000)})
		},
		"INFO": func(c *server.Peer, _ string, _ []string) {
			if info == "" {
				c.WriteError("NOPERM this user has no permissions to run the 'info' command")
				return
			}
			c.WriteBulk(info)
		},
	}
	for name, f := range answers {
		must(t, s.Register(name, f))
	}
	return redisdb.Config{Addresses: []string{s.Addr().String()}}
}

func TestClocksThatDiffer(t *testing.T) {
	t.Parallel()
	for ahead, level := range map[time.Duration]Level{
		0: OK, 300 * time.Millisecond: OK, 3 * time.Second: Warn, -3 * time.Second: Warn, time.Minute: Fail, -time.Hour: Fail,
	} {
		f := look(t, scripted(t, ahead, "redis_version:7.2.4\r\n"))["clock"]
		want(t, f, level)
		way := "behind that of Redis"
		if ahead < 0 {
			way = "ahead of that of Redis"
		}
		if level != OK {
			want(t, f, level, way, "NTP")
		}
	}
}

func TestWhatARedisSaysOfItself(t *testing.T) {
	t.Parallel()
	for info, f := range map[string]Finding{
		"redis_version:5.0.7\r\n":     {Fail, "version 5.0.7; 6.2 is the oldest", "newer"},
		"redis_version:6.0.16\r\n":    {Fail, "version 6.0.16", "newer"},
		"redis_version:6.2.0\r\n":     {OK, "version 6.2.0", ""},
		"redis_version:255.255.255":   {OK, "version 255.255.255", ""},
		"redis_version:unstable\r\n":  {Warn, "cannot be judged", "6.2"},
		"":                            {Warn, "does not say its version", "INFO"},
		"role:master\r\nnothing:else": {Warn, "does not say its version", "INFO"},
	} {
		got := look(t, scripted(t, 0, info))
		want(t, got["redis version"], f.Level, f.Found, f.Mend)
		want(t, got["redis"], OK)
	}
	got := look(t, scripted(t, 0, "redis_version:7.0.0\r\nrdb_last_bgsave_status:err\r\naof_last_write_status:ok\r\n"))
	want(t, got["redis"], Warn, "could not write to its disk (rdb_last_bgsave_status:err)", "make room")
}

func TestWhyRedisCannotBeUsed(t *testing.T) {
	t.Parallel()
	for text, mend := range map[string]string{
		"NOPERM this user has no permissions":              "redis.username",
		"LOADING Redis is loading the dataset in memory":   "wait",
		"tls: failed to verify certificate: x509: unknown": "redis.tls",
		"ERR This instance has cluster support disabled":   "redis.cluster: false",
		"EOF":                                "redis.tls.enabled",
		"something that nobody has seen yet": "redis.addresses",
		"redis: tls.ca_file: open ca.pem: no such file or directory": "redis.tls",
	} {
		r := NewRedis([]string{"a:1"}, func(context.Context) (redisdb.Facts, error) { return redisdb.Facts{}, errors.New(text) })
		want(t, run(t, r.Checks()[0]), Fail, mend)
	}
}

func TestOneAnswerServesAllChecks(t *testing.T) {
	t.Parallel()
	asked := 0
	r := NewRedis([]string{"a:1"}, func(context.Context) (redisdb.Facts, error) { asked++; return redisdb.Facts{Version: "7.0.0"}, nil })
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, _ = r.facts.Get(gone) // one that has no time left spoils nothing for the others
	Examine(t.Context(), "x", "v1", r.Checks())
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}
