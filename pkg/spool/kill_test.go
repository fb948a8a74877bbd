package spool

import (
	"bufio"
	"fmt"
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
		testenv.Eventually(t, 10*time.Second, p.hasRoom)
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
// process is killed while it does so: a second name of the file keeps what the first
// try wrote into it, the numbers of batches that were open.
func TestInterruptedRecoveryRepeatsNothing(t *testing.T) {
	s := testenv.RedisServer(t)
	dir, aside := t.TempDir(), filepath.Join(t.TempDir(), "aside")
	added := killedChild(t, deadAddress, dir, 0, 200)
	files, err := filepath.Glob(filepath.Join(dir, "batches-*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	for range 2 {
		if err := os.Link(files[0], aside); err != nil {
			t.Fatal(err)
		}
		p := opened(t, s.Client(), Options{Dir: dir, Shards: 2})
		stop := running(t, p)
		stop(10 * time.Second)
		if err := os.Rename(aside, files[0]); err != nil {
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
