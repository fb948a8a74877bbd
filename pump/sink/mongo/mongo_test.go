package mongo

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/archive"
	"github.com/sluice-gateway/sluice/pkg/archive/mongo"
	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pump/sink"
	"github.com/sluice-gateway/sluice/pump/sink/sinktest"
)

// database is a database of this test's own.
func database(t *testing.T) Config {
	t.Helper()
	name := testenv.MongoDB(t).Name()
	return Config{URL: config.Secret(os.Getenv("SLUICE_TEST_MONGODB_URL")), Database: name}
}

func open(t *testing.T, c Config) sink.Sink {
	t.Helper()
	s, err := Open(t.Context(), c, sink.Env{Name: "records"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sink.Sink { return open(t, database(t)) }, sinktest.Options{Once: true, Stored: stored})
}

func stored(t *testing.T, s sink.Sink) (ids []string) {
	t.Helper()
	a, err := s.(*Sink).connected(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return find(t, a)
}

func find(t *testing.T, a *mongo.Archive) (ids []string) {
	t.Helper()
	for after := (archive.Cursor{}); ; {
		page, err := a.Find(t.Context(), archive.Filter{}, after, archive.MaxPage)
		if err != nil || len(page.Skipped) > 0 {
			t.Fatal(page.Skipped, err)
		}
		for _, e := range page.Entries {
			ids = append(ids, e.ID)
		}
		if after = page.Next; after == (archive.Cursor{}) {
			return ids
		}
	}
}

func TestLateRecordsAreRejectedAndTheOthersStored(t *testing.T) {
	s := open(t, database(t))
	defer func() { _ = s.Close() }()
	entries := sinktest.Entries(0, 0, 3)
	entries[1].At = entries[1].At.Add(-30 * 24 * time.Hour)
	var reject *sink.Reject
	if err := s.Write(t.Context(), sinktest.BatchOf(0, entries)); !errors.As(err, &reject) || len(reject.Records) != 1 || reject.Records[0].Index != 1 {
		t.Errorf("got %v", err)
	}
	if ids := stored(t, s); len(ids) != 2 {
		t.Errorf("stored %v", ids)
	}
}

// The sink opens while no server answers, each write says so, and the first one
// after the server came is stored.
func TestDatabaseComesLater(t *testing.T) {
	c := database(t)
	behind := strings.TrimSuffix(strings.TrimPrefix(c.URL.Value(), "mongodb://"), "/")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	front := l.Addr().String()
	_ = l.Close()
	c.URL, c.ServerSelectionTimeout = config.Secret("mongodb://"+front+"/?directConnection=true"), 200*time.Millisecond
	s := open(t, c)
	defer func() { _ = s.Close() }()
	batch := sinktest.BatchOf(0, sinktest.Entries(0, 0, 5))
	for range 2 {
		if err := s.Write(t.Context(), batch); err == nil || errors.As(err, new(*sink.Reject)) {
			t.Fatalf("without a server: %v", err)
		}
	}
	if l, err = net.Listen("tcp", front); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go forward(l, behind)
	testenv.EventuallyNoError(t, 10*time.Second, func() error { return s.Write(t.Context(), batch) })
	if ids := stored(t, s); len(ids) != 5 {
		t.Errorf("stored %v", ids)
	}
}

// forward pipes connections to an address until the listener closes.
func forward(l net.Listener, to string) {
	for {
		in, err := l.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", to)
		if err != nil {
			_ = in.Close()
			continue
		}
		go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
		go func() { _, _ = io.Copy(in, out); _ = in.Close() }()
	}
}

func TestWorkDropsOldDays(t *testing.T) {
	c := database(t)
	c.Retention = 36_500 * 24 * time.Hour
	s := open(t, c).(*Sink)
	defer func() { _ = s.Close() }()
	entries := sinktest.Entries(0, 0, 2)
	entries[1].At = entries[1].At.Add(-10 * 24 * time.Hour)
	if err := s.Write(t.Context(), sinktest.BatchOf(0, entries)); err != nil {
		t.Fatal(err)
	}
	c.Retention = 0
	again := open(t, c).(*Sink)
	defer func() { _ = again.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- again.Work(ctx) }()
	testenv.Eventually(t, 10*time.Second, func() bool { return len(stored(t, s)) == 1 })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestOptions(t *testing.T) {
	for name, c := range map[string]Config{
		"no url":             {},
		"another scheme":     {URL: "http://x"},
		"a bad database":     {URL: "mongodb://x", Database: "a.b"},
		"a negative time":    {URL: "mongodb://x", Retention: -1},
		"a negative timeout": {URL: "mongodb://x", Timeout: -1},
	} {
		if _, err := Open(t.Context(), c, sink.Env{}); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	s, err := Open(t.Context(), Config{URL: "mongodb://127.0.0.1:1"}, sink.Env{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("a sink that never connected: %v", err)
	}
}
