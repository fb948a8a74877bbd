// Command mongodouble starts the MongoDB double of the tests, prints its connection string as one
// line and serves until it is interrupted:
//
//	go run ./cmd/mongodouble -data /tmp/double.db
//	SLUICE_TEST_MONGODB_URL=<that line> make test
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/sluice-gateway/sluice/deploy/e2e/mongodouble"
)

func main() {
	var o mongodouble.Options
	flag.IntVar(&o.Port, "port", 0, "port on 127.0.0.1; 0 is a free one")
	flag.StringVar(&o.Data, "data", "", "file that keeps the data; empty keeps it in memory")
	urlFile := flag.String("url-file", "", "file that the connection string is also written to, once the server listens")
	build := flag.Bool("build", false, "only build the server")
	flag.Parse()
	if err := serve(o, *urlFile, *build); err != nil {
		fmt.Fprintln(os.Stderr, "mongodouble:", err)
		os.Exit(1)
	}
}

func serve(o mongodouble.Options, urlFile string, buildOnly bool) error {
	s, err := mongodouble.Start(context.Background(), o)
	if err != nil {
		return err
	}
	defer s.Stop()
	if buildOnly {
		return nil
	}
	fmt.Println(s.URL)
	if urlFile != "" {
		if err := os.WriteFile(urlFile, []byte(s.URL+"\n"), 0o644); err != nil {
			return fmt.Errorf("writing the connection string: %w", err)
		}
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	select {
	case <-stop:
		return nil
	case <-s.Exited():
		return fmt.Errorf("the server ended by itself")
	}
}
