package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/pkg/redisdb"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// keysWithin is how long a disk has to give the key files.
const keysWithin = 3 * time.Second

// Keys are the key files of a service, which several checks want.
type Keys struct {
	dir  string
	keys *Shared[*trust.Keys]
}

// NewKeys makes the checks of the key files in a folder. load is trust.LoadNode or
// trust.LoadDashboard.
func NewKeys(dir string, load func(dir string) (*trust.Keys, error)) *Keys {
	return &Keys{dir, Share(keysWithin, func(context.Context) (*trust.Keys, error) { return load(dir) })}
}

// Check is the check of the files: that they can be read, by their owner alone, and
// belong together.
func (k *Keys) Check() Check {
	return Check{Name: "keys", Run: func(ctx context.Context) Finding {
		keys, err := k.keys.Get(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			return Failure("find out what hangs: the disk, or the server of a network folder", "The key files in %s could not be read within %s.", k.dir, k.keys.within)
		}
		if err != nil {
			found, mend, ok := strings.Cut(err.Error(), "; ")
			if !ok {
				mend = "restore the folder from a backup, or copy it from where the keys are right"
			}
			return Failure(strings.TrimPrefix(mend, "run: "), "The key files in %s cannot be used: %s.", k.dir, found)
		}
		info, err := os.Stat(k.dir)
		if err == nil && info.Mode().Perm()&0o022 != 0 {
			return Failure("chmod 700 "+k.dir, "The folder of the keys, %s, has mode %04o: others may put keys of their own there.", k.dir, info.Mode().Perm())
		}
		said := "The key files in " + k.dir + " can be read, by their owner alone"
		if keys.Signing != nil {
			said += ", and the signing key belongs to its public one"
		}
		if len(keys.Trusted) > 1 {
			said += fmt.Sprintf("; %d signing keys are accepted, as during a rotation", len(keys.Trusted))
		}
		return Well("%s.", said)
	}}
}

// Get waits for the keys.
func (k *Keys) Get(ctx context.Context) (*trust.Keys, error) { return k.keys.Get(ctx) }

// Needs makes a check that works with the keys; without them it says that.
func (k *Keys) Needs(name string, run func(context.Context, *trust.Keys) Finding) Check {
	return Check{Name: name, Run: func(ctx context.Context) Finding { return k.with(ctx, run) }}
}

// With makes of a check that works with the keys one that Redis.Needs takes.
func (k *Keys) With(run func(context.Context, *trust.Keys) Finding) func(context.Context, redisdb.Facts) Finding {
	return func(ctx context.Context, _ redisdb.Facts) Finding { return k.with(ctx, run) }
}

func (k *Keys) with(ctx context.Context, run func(context.Context, *trust.Keys) Finding) Finding {
	keys, err := k.keys.Get(ctx)
	if err != nil {
		return Warning("mend keys first", "It could not be looked at, because the keys to verify it with cannot be used.")
	}
	return run(ctx, keys)
}
