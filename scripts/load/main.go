// Command load puts load on a URL and prints what came back as JSON.
//
// Open loop: with -rate requests start at fixed times whether or not earlier ones were answered, and
// latency counts from the time a request was meant to start, so that a stall of the server is felt by
// every request it would have hit. Closed loop: without -rate each connection sends its next request
// when the last one is answered.
//
//	go run ./scripts/load -url http://127.0.0.1:8080/ -rate 2000 -seconds 30 -connections 64
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/sluice-gateway/sluice/scripts/load/loadgen"
)

type headers []string

func (h *headers) String() string     { return strings.Join(*h, ", ") }
func (h *headers) Set(v string) error { *h = append(*h, v); return nil }

func main() {
	var o loadgen.Options
	var fields headers
	seconds := flag.Float64("seconds", 10, "length of the run")
	body := flag.String("body", "", "request body, or @FILE")
	expect := flag.Bool("expect-2xx", false, "end with 1 if any answer is not 2xx")
	flag.StringVar(&o.URL, "url", "", "where to")
	flag.StringVar(&o.Method, "method", "GET", "request method")
	flag.Float64Var(&o.Rate, "rate", 0, "requests per second, open loop; 0 is closed loop")
	flag.IntVar(&o.Connections, "connections", 64, "connections, the bound of what is in flight")
	flag.DurationVar(&o.Timeout, "timeout", 10*time.Second, "of one request")
	flag.BoolVar(&o.Insecure, "insecure", false, "accept any certificate")
	flag.Var(&fields, "header", "a header line; may be repeated")
	flag.Parse()
	o.Header, o.Length = fields, time.Duration(*seconds*float64(time.Second))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, *body, *expect, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o loadgen.Options, body string, expect bool, out io.Writer) error {
	if name, ok := strings.CutPrefix(body, "@"); ok {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		body = string(text)
	}
	o.Body = []byte(body)
	result, err := loadgen.Run(ctx, o)
	if err != nil {
		return err
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	if err := e.Encode(result); err != nil {
		return err
	}
	if good := result.Good(); expect && good != result.Requests {
		return fmt.Errorf("%d of %d requests did not end in 2xx", result.Requests-good, result.Requests)
	}
	return nil
}
