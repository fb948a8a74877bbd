package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/pkg/redisdb"
)

// redisWithin is how long Redis has to say everything about itself. It is shorter than
// a check, so that those that need Redis can say that it does not answer.
const redisWithin = 3 * time.Second

// How far this machine's clock may be from that of Redis. Notices and commands are
// refused when they are half a minute old (bus.MaxAge), by the clocks of two machines.
const (
	offsetWarn = time.Second
	offsetFail = 10 * time.Second
)

// oldest is the first version of Redis that has all commands: 6.2.
const oldestMajor, oldestMinor = 6, 2

// Redis is what several checks want of one Redis: it is asked once for all of them.
type Redis struct {
	at    string
	facts *Shared[redisdb.Facts]
}

// NewRedis makes the checks of a Redis. at are its addresses; ask is redisdb.Examine
// with a client. A client that could not even be made is an ask that returns its error.
func NewRedis(at []string, ask func(context.Context) (redisdb.Facts, error)) *Redis {
	return &Redis{strings.Join(at, ", "), Share(redisWithin, ask)}
}

// Needs makes a check of something in Redis: while Redis does not answer it says that,
// once for all of them a warning, since Redis has a check of its own.
func (r *Redis) Needs(name string, run func(ctx context.Context, f redisdb.Facts) Finding) Check {
	return Check{Name: name, Run: func(ctx context.Context) Finding {
		f, err := r.facts.Get(ctx)
		if err != nil {
			return Warning("mend redis first", "It could not be looked at, because Redis does not answer.")
		}
		return run(ctx, f)
	}}
}

// Checks are those of Redis itself: whether it answers, its version, its memory and its
// clock.
func (r *Redis) Checks() []Check {
	return []Check{
		{Name: "redis", Run: r.reachable},
		r.Needs("redis version", version),
		r.Needs("redis memory", memory),
		r.Needs("clock", clock),
	}
}

func (r *Redis) reachable(ctx context.Context) Finding {
	f, err := r.facts.Get(ctx)
	if err != nil {
		said, mend := whyNoRedis(err)
		return Failure(mend, "Redis at %s (redis.addresses) %s.", r.at, said)
	}
	switch {
	case f.Replica:
		return Failure("name the master in redis.addresses, or set redis.master_name and name the sentinels",
			"Redis at %s (redis.addresses) answers, but it is a replica and refuses writes.", r.at)
	case f.Persistence != "":
		return Warning("make room on the disk of Redis and see its log; until it can write there it may refuse changes, and a restart loses what came since",
			"Redis at %s answers, but it could not write to its disk (%s).", r.at, f.Persistence)
	}
	return Well("Redis at %s answers in %s.", r.at, short(f.Latency))
}

// whyNoRedis says in words what an error of Redis means, and what to do. It quotes the
// error only where it has nothing better; the driver's errors hold no password.
func whyNoRedis(err error) (said, mend string) {
	const address = "or correct redis.addresses"
	text, network := err.Error(), new(net.DNSError)
	switch {
	case errors.As(err, &network):
		return "has a name that cannot be resolved", "correct redis.addresses, or mend the name service of this machine"
	case strings.Contains(text, "connection refused"):
		return "refuses connections: nothing listens there", "start Redis, " + address
	case errors.Is(err, context.DeadlineExceeded), strings.Contains(text, "i/o timeout"):
		return "does not answer in time: it hangs, is overloaded, or a firewall drops what is sent to it",
			"look at the machine of Redis and the network to it (redis-cli -h HOST -p PORT ping shows the same), and see that redis.tls.enabled is what it speaks"
	case strings.Contains(text, "NOAUTH"), strings.Contains(text, "WRONGPASS"), strings.Contains(text, "invalid password"), strings.Contains(text, "invalid username-password"):
		return "answers, but refuses the user or the password", "correct redis.username and redis.password"
	case strings.Contains(text, "NOPERM"):
		return "answers, but its user may not ask what is needed", "allow the user of redis.username the commands that the documentation lists"
	case strings.Contains(text, "LOADING"):
		return "answers, but is still loading its data", "wait until it has started"
	case strings.Contains(text, "x509"), strings.Contains(text, "tls:"), strings.Contains(text, "first record does not look like a TLS handshake"):
		return "does not agree on TLS: " + text, "correct redis.tls; enabled must be what the server speaks"
	case strings.Contains(text, "tls."):
		return "cannot be asked: " + text, "correct redis.tls"
	case strings.Contains(text, "cluster support disabled"):
		return "is no Redis Cluster", "set redis.cluster: false"
	case strings.Contains(text, "EOF"), strings.Contains(text, "connection reset"):
		return "closes the connection at once", "see its log; if it speaks TLS set redis.tls.enabled: true"
	}
	return "cannot be used: " + text, "see the log of Redis, " + address
}

func version(_ context.Context, f redisdb.Facts) Finding {
	if f.Version == "" {
		return Warning("allow the user of redis.username the command INFO, or look for yourself: redis-cli info server", "Redis does not say its version.")
	}
	major, minor, ok := release(f.Version)
	switch {
	case !ok:
		return Warning(fmt.Sprintf("see that it is %d.%d or newer", oldestMajor, oldestMinor), "Redis says that it is version %q, which cannot be judged.", f.Version)
	case major < oldestMajor || major == oldestMajor && minor < oldestMinor:
		return Failure("install a newer one", "Redis is version %s; %d.%d is the oldest that works.", f.Version, oldestMajor, oldestMinor)
	}
	return Well("Redis is version %s.", f.Version)
}

// release reads the first two numbers of "7.0.15" or "v0.1.0-dev".
func release(text string) (major, minor int, ok bool) {
	parts := strings.SplitN(strings.TrimPrefix(text, "v"), ".", 3)
	if len(parts) < 2 {
		return 0, 0, false
	}
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	return major, minor, err1 == nil && err2 == nil
}

func memory(_ context.Context, f redisdb.Facts) Finding {
	if said, mend, ok := strings.Cut(f.Memory, "; "); f.Memory != "" {
		if !ok {
			mend = "see the memory settings of Redis"
		}
		return Warning(mend, "%s.", said)
	}
	return Well("Redis keeps what it was given (no limit, or maxmemory-policy noeviction), and has room.")
}

func clock(_ context.Context, f redisdb.Facts) Finding {
	off, way := f.Offset, "behind"
	if off < 0 {
		off, way = -off, "ahead of"
	}
	said := fmt.Sprintf("This machine's clock is %s %s that of Redis (± %s)", short(off), way, short(f.Error))
	const mend = "set both clocks by NTP: timedatectl, or chronyc tracking, on this machine and on that of Redis"
	switch {
	case off-f.Error > offsetFail:
		return Failure(mend, "%s. Notices and commands of machines that differ by half a minute are refused, and tokens count as expired or not yet valid.", said)
	case off-f.Error > offsetWarn:
		return Warning(mend, "%s.", said)
	}
	return Well("%s.", said)
}

// short is a duration with as many digits as anybody reads.
func short(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	case d < 10*time.Second:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
