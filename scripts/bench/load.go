package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// load is what a program that makes load says of one run.
type load struct {
	requests  uint64
	perSecond float64
	p50, p99  time.Duration
	wrong     uint64 // answers other than 2xx and 3xx, connections refused or broken, timeouts
}

// insecure takes any certificate: the bench makes its own.
func insecure() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true} //nolint:gosec // the certificate is self-signed by this program
}

// drive puts the row's requests on a contestant for so long.
func drive(ctx context.Context, r row, url, dir string, length time.Duration) (load, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, length+patience, fmt.Errorf("%s did not end within %s of its time", r.driver(), patience))
	defer cancel()
	l, err := driveOnce(ctx, r, url, dir, length)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return l, err
}

// patience is how long a program may take to end after its time: h2load sometimes does not end at all.
const patience = 30 * time.Second

func driveOnce(ctx context.Context, r row, url, dir string, length time.Duration) (load, error) {
	if r.h2 {
		return h2load(ctx, r, url, dir, length)
	}
	return wrk(ctx, r, url, dir, length)
}

// driver is the program that drives a row.
func (r row) driver() string {
	if r.h2 {
		return "h2load"
	}
	return "wrk"
}

// script is what wrk is told to send.
func (r row) script() string {
	if r.upload > 0 {
		return fmt.Sprintf("wrk.method = \"POST\"\nwrk.body = string.rep(\"u\", %d)\nwrk.headers[\"Content-Type\"] = \"application/octet-stream\"\n", r.upload)
	}
	if r.apis == 1 {
		return ""
	}
	n := min(r.apis, asked)
	return fmt.Sprintf(`local requests, next = {}, 0
function init(args)
  for n = 0, %[1]d - 1 do requests[n] = wrk.format("GET", "/api-" .. n * %[2]d .. "/hello?page=2") end
end
function request()
  next = (next + 1) %% %[1]d
  return requests[next]
end
`, n, r.apis/n)
}

func wrk(ctx context.Context, r row, url, dir string, length time.Duration) (load, error) {
	program, err := find("wrk")
	if err != nil {
		return load{}, err
	}
	args := []string{
		"--latency", "-t", "2", "-c", strconv.Itoa(r.connections), "-d", fmt.Sprintf("%ds", seconds(length)), "--timeout", "10s",
		"-H", "Authorization: " + secret, "-H", "User-Agent: bench", "-H", "Accept: application/json",
	}
	if text := r.script(); text != "" {
		file := filepath.Join(dir, r.name+".lua")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return load{}, err
		}
		args = append(args, "-s", file)
	}
	out, err := exec.CommandContext(ctx, program, append(args, url+r.path(0))...).CombinedOutput()
	if err != nil {
		return load{}, fmt.Errorf("wrk: %w\n%s", err, out)
	}
	return parseWrk(string(out))
}

// seconds is a length in whole seconds, as wrk and h2load want it; one at least.
func seconds(d time.Duration) int { return max(1, int((d+time.Second/2)/time.Second)) }

var (
	wrkRequests = regexp.MustCompile(`(?m)^\s*(\d+) requests in `)
	wrkRate     = regexp.MustCompile(`(?m)^Requests/sec:\s+([\d.]+)`)
	wrkQuantile = regexp.MustCompile(`(?m)^\s+(\d+)%\s+([\d.]+[a-z]+)\s*$`)
	wrkStatus   = regexp.MustCompile(`(?m)^\s*Non-2xx or 3xx responses: (\d+)`)
	wrkSocket   = regexp.MustCompile(`(?m)^\s*Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)`)
)

// parseWrk reads what wrk --latency prints.
func parseWrk(text string) (l load, err error) {
	number := func(r *regexp.Regexp) (sum uint64, found bool) {
		if m := r.FindStringSubmatch(text); m != nil {
			for _, s := range m[1:] {
				n, e := strconv.ParseUint(s, 10, 64)
				err, sum, found = errors.Join(err, e), sum+n, true
			}
		}
		return sum, found
	}
	var ok bool
	if l.requests, ok = number(wrkRequests); !ok {
		return l, fmt.Errorf("wrk counts no requests:\n%s", text)
	}
	rate := wrkRate.FindStringSubmatch(text)
	if rate == nil {
		return l, fmt.Errorf("wrk tells no rate:\n%s", text)
	}
	perSecond, bad := strconv.ParseFloat(rate[1], 64)
	l.perSecond, err = perSecond, errors.Join(err, bad)
	for _, m := range wrkQuantile.FindAllStringSubmatch(text, -1) {
		d, e := time.ParseDuration(m[2])
		err = errors.Join(err, e)
		switch m[1] {
		case "50":
			l.p50 = d
		case "99":
			l.p99 = d
		}
	}
	status, _ := number(wrkStatus)
	socket, _ := number(wrkSocket)
	l.wrong = status + socket
	return l, err
}

// streams are HTTP/2 streams at once on each connection.
const streams = 10

func h2load(ctx context.Context, r row, url, dir string, length time.Duration) (load, error) {
	program, err := find("h2load")
	if err != nil {
		return load{}, err
	}
	log := filepath.Join(dir, "h2load.log")
	_ = os.Remove(log)
	out, err := exec.CommandContext(ctx, program, "-t", "2", "-c", strconv.Itoa(r.connections), "-m", strconv.Itoa(streams), "-D", strconv.Itoa(seconds(length)),
		"-H", "authorization: "+secret, "--log-file", log, url+r.path(0)).CombinedOutput()
	if err != nil {
		return load{}, fmt.Errorf("h2load: %w\n%s", err, out)
	}
	l, err := parseH2load(string(out))
	if err != nil {
		return l, err
	}
	f, err := os.Open(log)
	if err != nil {
		return l, err
	}
	defer func() { _ = f.Close() }()
	l.p50, l.p99, err = parseH2loadLog(f)
	return l, err
}

var (
	h2loadRate     = regexp.MustCompile(`(?m)^finished in .*?, ([\d.]+) req/s`)
	h2loadRequests = regexp.MustCompile(`(?m)^requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout`)
	h2loadProtocol = regexp.MustCompile(`(?m)^Application protocol: (\S+)`)
)

// parseH2load reads what h2load prints.
func parseH2load(text string) (l load, err error) {
	rate, counts, protocol := h2loadRate.FindStringSubmatch(text), h2loadRequests.FindStringSubmatch(text), h2loadProtocol.FindStringSubmatch(text)
	if rate == nil || counts == nil || protocol == nil {
		return l, fmt.Errorf("h2load tells no rate, no counts or no protocol:\n%s", text)
	}
	if protocol[1] != "h2" {
		return l, fmt.Errorf("%w: it does not negotiate h2 but %s", errUnavailable, protocol[1])
	}
	if l.perSecond, err = strconv.ParseFloat(rate[1], 64); err != nil {
		return l, err
	}
	for i, s := range counts[1:] {
		n, e := strconv.ParseUint(s, 10, 64)
		if err = errors.Join(err, e); i == 0 {
			l.requests = n
		} else if i < 3 { // failed has errored in it
			l.wrong = max(l.wrong, n)
		} else {
			l.wrong += n
		}
	}
	return l, err
}

// parseH2loadLog reads start, status and duration in microseconds of each request.
func parseH2loadLog(r io.Reader) (p50, p99 time.Duration, err error) {
	var took []float64
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 3 {
			return 0, 0, fmt.Errorf("%q is not a line of h2load's log", lines.Text())
		}
		micros, err := strconv.ParseFloat(f[2], 64)
		if err != nil {
			return 0, 0, err
		}
		took = append(took, micros)
	}
	slices.Sort(took)
	at := func(q float64) time.Duration { return time.Duration(quantile(took, q) * float64(time.Microsecond)) }
	return at(0.5), at(0.99), lines.Err()
}
