// Package prometheus is the sink that Prometheus scrapes: counters and histograms of
// calls by API, method and status, bounded in number, on a listener of its own.
package prometheus

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sluice-gateway/sluice/pkg/httpd"
	"github.com/sluice-gateway/sluice/pump/sink"
)

var _ sink.Worker = (*Sink)(nil)

// The limits of serving scrapes. Prometheus gives up after 10 s by default.
const (
	scrapeTimeout    = 9 * time.Second
	writeTimeout     = 30 * time.Second
	shutdownGrace    = 2 * time.Second
	maxScrapesAtOnce = 4
)

// lockedFor is how many records are counted under one lock.
const lockedFor = 256

// Sink counts records in memory and answers scrapes. It is safe for concurrent use.
type Sink struct {
	now    func() time.Time
	server *httpd.Server
	labels labels

	closing context.Context // ends with Close
	close   context.CancelFunc
	working sync.Mutex // held while Work runs

	mu    sync.Mutex // held shortly: counting some records, or copying for a scrape
	calls *table
	// refusals are the calls that the gateway answered with an error of its own.
	refusals *table
	counted  window

	scrape sync.Mutex // taken before mu; guards what scrapes reuse
	copies []copied
}

// Open takes the port; scrapes are answered while Work runs.
func Open(ctx context.Context, c Config, env sink.Env) (sink.Sink, error) {
	s, err := open(ctx, c, env, time.Now)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func open(ctx context.Context, c Config, env sink.Env, now func() time.Time) (*Sink, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	secure, err := c.TLS.load()
	if err != nil {
		return nil, err
	}
	log := env.Log
	if log == nil {
		log = slog.Default()
	}
	s := newSink(c, now)
	s.server, err = httpd.Listen(ctx, httpd.ServerOptions{
		Name: "sink " + env.Name, Address: c.Listen.Address, Handler: c.Auth.guard(s.handler(c.Path)),
		TLS: secure, Log: log, WriteTimeout: writeTimeout,
	})
	if err != nil {
		return nil, fmt.Errorf("prometheus.listen.address: %w", err)
	}
	s.closing, s.close = context.WithCancel(context.WithoutCancel(ctx))
	log.Info("listening", "sink", env.Name, "address", s.server.Addr().String(), "path", c.Path)
	return s, nil
}

// newSink is a Sink without its listener; c has its defaults.
func newSink(c Config, now func() time.Time) *Sink {
	return &Sink{
		now:      now,
		labels:   newLabels(c.Labels),
		calls:    newTable(c.MaxSeries, c.IdleExpiry, c.Buckets),
		refusals: newTable(c.MaxSeries, c.IdleExpiry, Buckets{}),
	}
}

func (s *Sink) handler(path string) http.Handler {
	metrics := promhttp.HandlerFor(s, promhttp.HandlerOpts{
		EnableOpenMetrics:   true,
		MaxRequestsInFlight: maxScrapesAtOnce,
		Timeout:             scrapeTimeout,
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != path:
			http.NotFound(w, r)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD are answered here", http.StatusMethodNotAllowed)
		default:
			metrics.ServeHTTP(w, r)
		}
	})
}

// Addr is the address in use, with the real port.
func (s *Sink) Addr() net.Addr { return s.server.Addr() }

// URL is http(s)://host:port of Addr.
func (s *Sink) URL() string { return s.server.URL() }

// Write counts the records of a batch, those with record.CountOnly like all others,
// and none twice that comes again within some thousand batches. It fails only when
// ctx has ended, having counted nothing.
func (s *Sink) Write(ctx context.Context, b sink.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for rest := b.Records; len(rest) > 0; {
		n := min(len(rest), lockedFor)
		s.count(rest[:n])
		rest = rest[n:]
	}
	return nil
}

// Work answers scrapes until ctx ends or Close is called.
func (s *Sink) Work(ctx context.Context) error {
	s.working.Lock()
	defer s.working.Unlock()
	if s.closing.Err() != nil {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.closing, cancel)()
	return s.server.Run(ctx, shutdownGrace)
}

// Close ends Work, which gives running scrapes two seconds, and the listener.
func (s *Sink) Close() error {
	s.close()
	s.working.Lock()
	defer s.working.Unlock()
	return s.server.Close()
}
