package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/pkg/publish"
)

// Root looks at what is published for a node's group: whether it is signed by a key
// that is trusted here, and not older than have, which the node already had (zero:
// nothing).
func Root(ctx context.Context, group string, have publish.Head, r *publish.Reader) Finding {
	root, _, err := r.Root(ctx)
	if err != nil {
		return NoRoot(group, err)
	}
	head := root.Head()
	said := fmt.Sprintf("Generation %d (epoch %d, of %s) is published for the group %s, signed by a key that is trusted here",
		head.Generation, head.Epoch, root.IssuedAt.UTC().Format(time.RFC3339), group)
	switch err := publish.Newer(have, head); {
	case errors.Is(err, publish.ErrReplayed):
		return Failure("start a dashboard, which publishes its newest revision again within seconds; if its store is old too, restore a newer backup of it",
			"%s, but it is older than generation %d (epoch %d), which this node already has on its disk: Redis was put back to an older copy. The node serves what it has.", said, have.Generation, have.Epoch)
	case errors.Is(err, publish.ErrDiverged):
		return Failure("publish a new revision, by any change; and find out whether two dashboards have stores of their own on this Redis",
			"%s, but this node has another generation of the same number on its disk. The node serves what it has.", said)
	case have == publish.Head{}:
		return Well("%s; this node has none on its disk yet.", said)
	case have != head:
		return Well("%s; this node has generation %d on its disk, and takes the newer one.", said, have.Generation)
	}
	return Well("%s, and is what this node has on its disk.", said)
}

// NoRoot is the finding for an error of publish.Reader.Root.
func NoRoot(group string, err error) Finding {
	switch {
	case errors.Is(err, publish.ErrNone):
		return Warning("start a dashboard, and see that an API names this group; if there was something before, Redis came back empty, and the dashboard fills it within seconds",
			"Nothing is published for the group %s.", group)
	case errors.Is(err, publish.ErrKey):
		return Failure("copy signing.pub from the keys folder of a dashboard to this node, or join again; if it is the same there, find out who else writes to Redis",
			"What is published for the group %s is signed by a key that is not trusted here: signing.pub of this node is not that of the dashboards.", group)
	case errors.Is(err, publish.ErrSignature):
		return Failure("find out who writes to Redis, and restart a dashboard, which publishes again", "What is published for the group %s was changed after it was signed.", group)
	}
	found, mend, ok := strings.Cut(err.Error(), "; ")
	if !ok {
		mend = "see the check of redis"
	}
	return Failure(mend, "What is published for the group %s cannot be used: %s.", group, found)
}
