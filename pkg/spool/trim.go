package spool

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed trim.lua
var trimScript string

// TrimOptions say what may go from a shard's stream. Zero values mean the defaults.
type TrimOptions struct {
	Budget      int64         // bytes of this shard's stream; default 1 GiB / DefaultShards
	Unprotected time.Duration // a group without a reader for so long holds nothing back; default 24 h
	Forget      time.Duration // starts that sent nothing for so long are forgotten, and their gaps; default 7 days
}

// Trimmed is what a trim did, and how the stream stands after it.
type Trimmed struct {
	Passed  int64 // entries that every group had settled
	Evicted int64 // entries that some group had not, to keep the budget
	Bytes   int64
	Entries int64
	Groups  []TrimmedGroup
}

// TrimmedGroup is one group's part of it.
type TrimmedGroup struct {
	Name      string
	Protected bool  // false: it has had no reader for too long
	Entries   int64 // evicted before the group settled them; they are in its gaps
	Records   int64
}

// evictMost bounds a script's time: each eviction reads an entry.
const evictMost = 64

// Trim removes from a shard's stream what every group has settled. Beyond the
// budget it evicts the oldest entries as far as the fastest group has settled them:
// a dead sink does not take the stream from the others. What no group has read
// stays; producers then keep to the budget by going over their disk. To be called
// about once a second per shard; several callers at once do no harm.
func Trim(ctx context.Context, rdb redis.UniversalClient, shard int, o TrimOptions) (t Trimmed, err error) {
	if err := checkShards(shard + 1); err != nil {
		return t, err
	}
	number(&o.Budget, 1<<30/DefaultShards)
	number(&o.Unprotected, 24*time.Hour)
	number(&o.Forget, 7*24*time.Hour)
	answer, err := redis.NewScript(trimScript).Run(ctx, rdb, []string{StreamKey(shard), startsKey(shard), positionsKey(shard), sizesKey(shard)},
		o.Budget*9/10, o.Unprotected.Milliseconds(), time.Now().UnixMilli(), evictMost, o.Forget.Milliseconds()).Slice()
	if err != nil || len(answer) < 4 {
		return t, fmt.Errorf("trim shard %d: %w", shard, errors.Join(err, shortAnswer(answer, 4)))
	}
	for i, into := range []*int64{&t.Passed, &t.Evicted, &t.Bytes, &t.Entries} {
		*into, _ = answer[i].(int64)
	}
	for _, a := range answer[4:] {
		g, _ := a.([]any)
		if len(g) != 4 {
			return t, fmt.Errorf("trim shard %d: %w", shard, shortAnswer(g, 4))
		}
		name, _ := g[0].(string)
		entries, _ := g[2].(int64)
		records, _ := g[3].(int64)
		t.Groups = append(t.Groups, TrimmedGroup{Name: name, Protected: g[1] == int64(1), Entries: entries, Records: records})
	}
	return t, nil
}

func shortAnswer(got []any, want int) error {
	if len(got) < want {
		return fmt.Errorf("the script answered %d values where %d were expected", len(got), want)
	}
	return nil
}
