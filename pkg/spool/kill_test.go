package spool

import (
	"bufio"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/redisdb"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

const childVariable = "SLUICE_SPOOL_TEST_CHILD" // address, folder, first record

// TestChildOfKillTest is the process that TestKilledProcess kills; alone it does
// nothing. It says each record's number after Add took it.
func TestChildOfKillTest(t *testing.T) {
	parts := strings.SplitN(os.Getenv(childVariable), "|", 3)
	if len(parts) != 3 {
		return
	}
	from, err := strconv.Atoi(parts[2])
	if err != nil {
		t.Fatal(err)
	}
	rdb, err := redisdb.Open(redisdb.Config{Addresses: []string{parts[0]}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := Open(rdb, Options{Dir: parts[1], Shards: 2, Slots: 24, FlushRecords: 30, FlushEvery: 30 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = p.Run(t.Context()) }()
	for i := from; ; i++ {
		testenv.Eventually(t, 10*time.Second, p.slab.hasFree)
		if p.Add(call(i)) {
			fmt.Printf("added %d\n", i)
		}
	}
}

// killedChild runs the child until it has added so many records, and kills it. It
// returns the number of records that the child is known to have added.
func killedChild(t *testing.T, addr, dir string, from, records int) (added int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChildOfKillTest$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s|%s|%d", childVariable, addr, dir, from))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	killed := false
	for lines.Scan() {
		if !strings.HasPrefix(lines.Text(), "added ") {
			continue
		}
		// Lines in the pipe after the kill count too.
		if added++; added >= records && !killed {
			killed = true
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // "signal: killed"
	if !killed {
		t.Fatalf("the child ended by itself after %d records", added)
	}
	return added
}

// TestKilledProcess kills a real process again and again in the middle of its work.
// All that Add took arrives, once, and nothing is said to be missing.
func TestKilledProcess(t *testing.T) {
	testenv.EachRedis(t, func(t *testing.T, s *testenv.Server) {
		for _, redisAway := range []bool{false, true} {
			t.Run(fmt.Sprintf("redis away %t", redisAway), func(t *testing.T) {
				s.Flush()
				dir, rdb := t.TempDir(), s.Client()
				if redisAway {
					s.Stop()
				}
				added, rounds := 0, []int{1, 17, 400, 1300, 700}
				for _, records := range rounds {
					added += killedChild(t, s.Addr(), dir, added*10, records)
				}
				if redisAway {
					s.Start(true)
				}
				p := opened(t, rdb, Options{Dir: dir, Shards: 2})
				stop := running(t, p)
				stop(20 * time.Second)
				to := newSink(t, rdb, 2, ReaderOptions{Group: "g"})
				to.drain()
				// A child may have been killed after Add and before it could say so.
				if n := len(to.got); n < added || n > added+len(rounds) || to.distinct() != n || to.missing() != 0 {
					t.Errorf("%d records of %d added arrived, %d different, %d missing", n, added, to.distinct(), to.missing())
				}
				if p.Stats().DiskBytes != 0 {
					t.Errorf("%+v", p.Stats())
				}
			})
		}
	})
}

// TestInterruptedRecoveryRepeatsNothing takes over the same file twice, as when the
// process is killed while it does so.
func TestInterruptedRecoveryRepeatsNothing(t *testing.T) {
	s := testenv.RedisServer(t)
	dir := t.TempDir()
	added := killedChild(t, deadAddress, dir, 0, 200)
	matches := slabFiles(t, dir)
	if len(matches) != 1 {
		t.Fatal(matches)
	}
	before, err := os.ReadFile(matches[0])
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		p := opened(t, s.Client(), Options{Dir: dir, Shards: 2})
		stop := running(t, p)
		stop(10 * time.Second)
		// The numbers that the first try gave to open batches are in the file.
		after := withNumbers(t, before)
		if err := os.WriteFile(matches[0], after, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	to := newSink(t, s.Client(), 2, ReaderOptions{Group: "g"})
	to.drain()
	if n := len(to.got); n < added || n > added+1 || to.distinct() != n || to.repeats != 0 || to.missing() != 0 {
		t.Errorf("%d of %d, %d different, %d repeats, %d missing", n, added, to.distinct(), to.repeats, to.missing())
	}
}

// deadAddress is one on which nothing listens: port 1 of this host.
const deadAddress = "127.0.0.1:1"

func slabFiles(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), slabPrefix) {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	return files
}

// withNumbers is a slab's file after a recovery that was killed at its last step.
func withNumbers(t *testing.T, file []byte) []byte {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, slabPrefix+"x")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	old, err := openSlab(path)
	if err != nil {
		t.Fatal(err)
	}
	sp, err := openSpill(dir, 1<<30, func(int64) {})
	if err != nil {
		t.Fatal(err)
	}
	p := &Producer{o: Options{Dir: dir, Log: slog.New(slog.DiscardHandler)}, spill: sp}
	if err := p.recoverSlab(old); err != nil {
		t.Fatal(err)
	}
	if err := old.close(false); err != nil {
		t.Fatal(err)
	}
	sp.close()
	file, err = os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return file
}
