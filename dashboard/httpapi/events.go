package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/exchange"
	"github.com/sluice-gateway/sluice/dashboard/live"
)

const (
	heartbeat   = 15 * time.Second
	streamLife  = 5 * time.Minute // then the client comes again and is authenticated again
	streamWrite = 10 * time.Second
)

// events streams what happens as server-sent events (HTML Living Standard, 9.2).
func (a *api) events(c *call) error {
	if err := c.Query("topics"); err != nil {
		return err
	}
	known := []string{live.Fleet, live.Publish, live.Notice}
	topics := known
	if text := c.Param("topics"); text != "" {
		topics = strings.Split(text, ",")
		for _, t := range topics {
			if !slices.Contains(known, t) {
				return exchange.BadQuery("topics", "topics are some of "+strings.Join(known, ",")+", separated by commas")
			}
		}
	}
	stream := &stream{c.W, http.NewResponseController(c.W)}
	// The server's deadline for reading the request would end the stream.
	_ = stream.rc.SetReadDeadline(time.Time{})
	sub := a.Hub.Subscribe(topics, c.R.Header.Get("Last-Event-ID"))
	defer sub.Close()
	c.W.Header().Set("Content-Type", "text/event-stream")
	c.W.Header().Set("X-Accel-Buffering", "no")
	c.W.WriteHeader(http.StatusOK)
	ctx, cancel := context.WithTimeout(c.R.Context(), streamLife)
	defer cancel()
	if stream.write(": the stream begins\nretry: 1000\n\n") != nil {
		return nil
	}
	for {
		e, err := next(ctx, sub)
		switch {
		case err == nil:
			err = stream.write("id: " + e.ID + "\nevent: " + e.Topic + "\ndata: " + string(e.Data) + "\n\n")
		case errors.Is(err, errQuiet):
			err = stream.write(": still here\n\n")
		}
		if err != nil {
			return nil // the client went away, its time is over, or the dashboard stops
		}
	}
}

var errQuiet = errors.New("nothing happened")

// next waits for an event, for the time of a heartbeat at most.
func next(ctx context.Context, sub *live.Subscriber) (live.Event, error) {
	within, cancel := context.WithTimeoutCause(ctx, heartbeat, errQuiet)
	defer cancel()
	e, err := sub.Next(within)
	if err != nil && ctx.Err() == nil && errors.Is(context.Cause(within), errQuiet) {
		return e, errQuiet
	}
	return e, err
}

// stream writes to a client that must keep reading.
type stream struct {
	w  http.ResponseWriter
	rc *http.ResponseController
}

func (s *stream) write(text string) error {
	if err := s.rc.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil {
		return err
	}
	if _, err := fmt.Fprint(s.w, text); err != nil {
		return err
	}
	return s.rc.Flush()
}
