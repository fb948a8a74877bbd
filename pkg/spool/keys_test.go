package spool

import (
	"fmt"
	"strings"
	"testing"
)

// slotOf is the hash slot of a key in a Redis cluster (CRC16/XMODEM of the tag).
func slotOf(t *testing.T, key string) int {
	t.Helper()
	_, rest, ok := strings.Cut(key, "{")
	tag, _, closed := strings.Cut(rest, "}")
	if !ok || !closed {
		t.Fatalf("%s has no tag", key)
	}
	var crc uint16
	for _, c := range []byte(tag) {
		crc ^= uint16(c) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return int(crc) % 16384
}

func TestShardsLieEvenlyOverACluster(t *testing.T) {
	if got := slotOf(t, "{123456789}"); got != 0x31c3 { // the check value of CRC16/XMODEM
		t.Fatalf("%x: the test's CRC is wrong", got)
	}
	for _, k := range []int{1, 2, 4, 8, 16} {
		parts := map[int]string{}
		for shard := range k {
			slot := slotOf(t, StreamKey(shard))
			part := slot * k / 16384
			if other, taken := parts[part]; taken {
				t.Errorf("of %d shards, %s and %s lie in one part", k, other, StreamKey(shard))
			}
			parts[part] = StreamKey(shard)
			for _, key := range []string{DeadKey(shard), startsKey(shard), positionsKey(shard), LeaseKey(shard, "minutes")} {
				if slotOf(t, key) != slot {
					t.Errorf("%s is not where %s is", key, StreamKey(shard))
				}
			}
		}
	}
	if StreamKey(0) != "sluice:{a49}:rec" || DeadKey(15) != "sluice:{a19}:dead" || LeaseKey(1, "minutes") != "sluice:{a58}:lease:minutes" {
		t.Error("the names are those of data in use and must not change")
	}
}

func TestAPIsSpreadOverShards(t *testing.T) {
	const n = 4000
	for _, k := range []int{1, 3, 4, 16} {
		count := make([]int, k)
		for i := range n {
			count[ShardOf(fmt.Sprintf("api-%d", i), k)]++
		}
		for shard, c := range count {
			if c < n/k/2 || c > n/k*2 {
				t.Errorf("shard %d of %d has %d of %d APIs", shard, k, c, n)
			}
		}
	}
}
