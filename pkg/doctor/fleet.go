package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/pkg/fleet"
)

// Fleet looks at the other nodes: whether their beats can be believed, are of the same
// minor version, and which are not well.
func Fleet(ctx context.Context, version string, r *fleet.Reader) Finding {
	nodes, err := r.List(ctx)
	if err != nil {
		return Failure("see the check of redis, and which commands its user may use", "The nodes cannot be listed: %v.", err)
	}
	return judgeFleet(version, nodes, r.Stats())
}

func judgeFleet(version string, nodes []fleet.Beat, s fleet.Stats) Finding {
	if s.Forged > 0 {
		return Failure("compare the bus.key of this service with that of the dashboards, by sha256sum, and copy the right one here; if they are equal, find out which node has another one, and who else writes to Redis",
			"In Redis %s of nodes cannot be believed, because the bus key here is another one than theirs, or their clocks are more than a minute off; %d can be.", plural(int(s.Forged), "beat"), len(nodes))
	}
	if s.Malformed > 0 {
		return Warning("bring all services to one release", "In Redis %s of nodes cannot be read, as of a newer release.", plural(int(s.Malformed), "beat"))
	}
	var differ, unwell []string
	offline := 0
	major, minor, ok := release(version)
	for _, n := range nodes {
		if n.State == fleet.Offline {
			offline++
			continue
		}
		if a, b, known := release(n.Version); known && ok && (a != major || b != minor) {
			differ = append(differ, fmt.Sprintf("%s %s is %s", n.Service, n.Name, n.Version))
		}
		if n.State != fleet.Current && n.State != fleet.CatchingUp && n.State != "" {
			said := fmt.Sprintf("%s %s is %s", n.Service, n.Name, n.State)
			if n.Reason != "" {
				said += " (" + n.Reason + ")"
			}
			unwell = append(unwell, said)
		}
	}
	there := fmt.Sprintf("%s of the fleet can be heard", plural(len(nodes)-offline, "node"))
	if offline > 0 {
		there += fmt.Sprintf(", %d went silent within a day", offline)
	}
	switch {
	case len(differ) > 0:
		return Warning("bring all services to one minor version, dashboards first", "%s, and not all are of the minor version of this program, %s: %s.", there, version, some(differ))
	case len(unwell) > 0:
		return Warning("run doctor there, and see its /hello", "%s, and not all are well: %s.", there, some(unwell))
	case len(nodes) == offline:
		return Well("%s.", strings.Replace(there, "0 nodes of the fleet can", "No gateway and no pump can", 1))
	}
	return Well("%s, all of one minor version and well.", there)
}

// some joins the first of a list.
func some(list []string) string {
	const most = 5
	slices.Sort(list)
	if more := len(list) - most; more > 0 {
		return strings.Join(list[:most], "; ") + fmt.Sprintf("; and %d more", more)
	}
	return strings.Join(list, "; ")
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
