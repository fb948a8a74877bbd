package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sluice-gateway/sluice/pkg/config"
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
