// Package spool is the wire on which batches of records travel from gateways to
// sinks: streams in Redis, K shards of them, one entry a batch, one consumer group
// a sink. Both ends are here.
//
// A Producer never lets its caller wait. Open batches lie in memory-mapped files,
// so what a killed process had is shipped by its next start; when Redis is away or
// a stream has used its budget, batches go to disk; when the disk's budget is used
// too, the oldest are dropped. Batches of one start of a process and one shard are
// numbered, and each says how many records came before it: so a reader knows
// exactly which records are missing, however they were lost (Locate).
//
// A Reader delivers at least once. Record ids are the same at every delivery.
package spool

import (
	"fmt"
	"hash/fnv"

	"github.com/sluice-gateway/sluice/pkg/spool/frame"
)

// MaxShards bounds the shards of an installation.
const MaxShards = frame.MaxShards

// DefaultShards is enough for one Redis; a cluster wants 8 to 16.
const DefaultShards = 4

// tags are two digits per shard, chosen so that the hash slots of the first 2, 4,
// 8 and 16 shards lie evenly over a cluster, and so that more shards later leave
// the names of the first ones alone.
const tags = "49584859343622207072666409180819"

// key names one of a shard's keys. All of a shard share its hash tag, so that one
// script may touch them.
func key(shard int, what string) string {
	return "sluice:{a" + tags[2*shard:2*shard+2] + "}:" + what
}

// StreamKey is the stream of a shard: entries with the fields "f" (a frame) and
// "n" (its records).
func StreamKey(shard int) string { return key(shard, "rec") }

// DeadKey is the stream of what no sink could take; see Reader.Park.
func DeadKey(shard int) string { return key(shard, "dead") }

// LeaseKey is the lease of pkg/lease under which one process at a time does a thing
// with a shard, as aggregate its records for the sink of this name. It is in the hash
// slot of the shard's other keys.
func LeaseKey(shard int, name string) string { return key(shard, "lease:"+name) }

// startsKey is a hash: per start of a producer the last batch and the records so
// far, and the bytes that went in and out.
func startsKey(shard int) string { return key(shard, "starts") }

// positionsKey is a hash: per group and start the ranges of records that were
// acknowledged.
func positionsKey(shard int) string { return key(shard, "pos") }

// ShardOf is the shard of an API's records among k: all of one API are in one
// shard, so that its counters have one writer.
func ShardOf(api string, k int) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(api))
	// The low bits of FNV are weak for short ids.
	n := h.Sum32()
	n ^= n >> 15
	return int(n % uint32(max(k, 1)))
}

func checkShards(k int) error {
	if k < 1 || k > MaxShards {
		return fmt.Errorf("%d shards: 1 to %d are possible", k, MaxShards)
	}
	return nil
}
