package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// tick is the unit of /proc/PID/stat: USER_HZ is 100 on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// cpuTime is the user and system time of processes and all that descend from them.
func cpuTime(pids []int) (time.Duration, error) {
	parent, used := map[int]int{}, map[int]time.Duration{}
	names, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if parent[pid], used[pid], err = parseStat(text); err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
	}
	counted := map[int]bool{}
	for _, pid := range pids {
		if _, ok := used[pid]; !ok {
			return 0, fmt.Errorf("the process %d does not run", pid)
		}
		counted[pid] = true
	}
	for grew := true; grew; {
		grew = false
		for pid, up := range parent {
			if counted[up] && !counted[pid] {
				counted[pid], grew = true, true
			}
		}
	}
	var sum time.Duration
	for pid := range counted {
		sum += used[pid]
	}
	return sum, nil
}

// parseStat reads the parent and the CPU time; the name of the program may hold anything, so fields
// count from behind its last parenthesis.
func parseStat(text []byte) (parent int, used time.Duration, err error) {
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 13 {
		return 0, 0, fmt.Errorf("%q is not a stat line", text)
	}
	parent, err = strconv.Atoi(string(fields[1]))
	for _, f := range fields[11:13] {
		n, e := strconv.ParseInt(string(f), 10, 64)
		if e != nil {
			err = e
		}
		used += time.Duration(n) * tick
	}
	return parent, used, err
}
