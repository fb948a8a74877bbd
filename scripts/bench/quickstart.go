package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// readyFile is what the quickstart writes when everything answers.
type readyFile struct {
	Gateways []struct {
		URL string `json:"url"`
		PID int    `json:"pid"`
	} `json:"gateways"`
	Upstream string `json:"upstream"`
}

// recordsSwitch is the variable that says whether the gateway records calls.
const recordsSwitch = "SLUICE_GATEWAY_RECORDS_ENABLED"

// startQuickstart starts the platform with its demo API, and returns the gateway and the address of the
// upstream behind it, which then is the origin of everyone. errMissing: it was not built.
func startQuickstart(ctx context.Context, scratch, program string, records bool) (c contestant, origin string, err error) {
	if _, err := os.Stat(program); err != nil {
		return c, "", fmt.Errorf("%s is %w: run `make build`", program, errMissing)
	}
	file := filepath.Join(scratch, "ready.json")
	var log bytes.Buffer
	cmd := exec.CommandContext(ctx, program, "--ready-file", file, "--data", filepath.Join(scratch, "data"),
		"--dashboard-port", "0", "--gateway-port", "0", "--pump-port", "0")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%v", recordsSwitch, records))
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		return c, "", err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop := func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
	}
	ready, err := awaitReady(ctx, file, ended)
	if err != nil {
		stop()
		return c, "", fmt.Errorf("the quickstart did not start: %w\n%s", err, log.String())
	}
	c = contestant{name: "sluice", url: ready.Gateways[0].URL + "/demo/hello", pids: []int{ready.Gateways[0].PID}, stop: stop}
	return c, strings.TrimPrefix(ready.Upstream, "http://"), nil
}

func awaitReady(ctx context.Context, file string, ended chan error) (*readyFile, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		if text, err := os.ReadFile(file); err == nil {
			var r readyFile
			if err := json.Unmarshal(text, &r); err != nil {
				return nil, err
			}
			if len(r.Gateways) == 0 || r.Upstream == "" {
				return nil, fmt.Errorf("%s names no gateway or no upstream", file)
			}
			return &r, nil
		}
		select {
		case err := <-ended:
			ended <- err // for whoever stops it
			return nil, errors.Join(errors.New("it ended"), err)
		case <-again.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
