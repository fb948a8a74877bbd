package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// Configuration is the check of what config.Load returned: where it looked, and every
// setting that is wrong.
func Configuration(s config.Sources, err error) Check {
	return Check{Name: "configuration", Run: func(context.Context) Finding {
		where := "defaults"
		if said := s.String(); said != "" {
			where += ", " + said
		}
		if err == nil {
			return Well("The settings are valid. They are from %s.", where)
		}
		var bad *config.Error
		if !errors.As(err, &bad) || len(bad.Keys) == 0 {
			return Failure("correct it; --print-config shows where each value comes from", "The settings cannot be read (from %s): %v", where, err)
		}
		var found strings.Builder
		fmt.Fprintf(&found, "The settings are not valid (from %s), so the service does not start, and nothing else could be looked at:", where)
		mends := make([]string, 0, len(bad.Keys))
		for _, k := range bad.Keys {
			at := ""
			if k.Source != "" {
				at = " (" + k.Source + ")"
			}
			fmt.Fprintf(&found, "\n%s%s: %s", k.Key, at, k.Problem)
			mends = append(mends, k.Key+": "+k.Mend)
		}
		return Failure(strings.Join(mends, "\n"), "%s", found.String())
	}}
}

// Keys is the check of the key files in a folder: that they can be read, by their
// owner alone, and belong together. load is trust.LoadNode or trust.LoadDashboard.
func Keys(dir string, load func(dir string) (*trust.Keys, error)) Check {
	return Check{Name: "keys", Run: func(context.Context) Finding {
		k, err := load(dir)
		if err != nil {
			found, mend, ok := strings.Cut(err.Error(), "; ")
			if !ok {
				mend = "restore the folder from a backup, or copy it from where the keys are right"
			}
			return Failure(mend, "The key files in %s cannot be used: %s.", dir, found)
		}
		info, err := os.Stat(dir)
		if err == nil && info.Mode().Perm()&0o022 != 0 {
			return Failure("chmod 700 "+dir, "The folder of the keys, %s, has mode %04o: others may put keys of their own there.", dir, info.Mode().Perm())
		}
		said := "The key files in " + dir + " can be read, by their owner alone"
		if k.Signing != nil {
			said += ", and the signing key belongs to its public one"
		}
		if len(k.Trusted) > 1 {
			said += fmt.Sprintf("; %d signing keys are accepted, as during a rotation", len(k.Trusted))
		}
		return Well("%s.", said)
	}}
}
