package platform

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/sluice-gateway/sluice/pkg/notice"
)

// Service is a dashboard, a gateway or a pump. Its address stays the same when it is started again.
type Service struct {
	*Proc
	URL   string // of the dashboard or the pump, or of the gateway's data port
	Admin string // of health: the own URL, or the gateway's admin port
	kind  string
}

func newService(kind, name, dir, program string, env []string) *Service {
	return &Service{Proc: NewProc(dir, name, program, nil, env), kind: kind}
}

// Start starts it and waits until it is ready.
func (s *Service) Start(ctx context.Context) error {
	if err := s.Launch(ctx); err != nil {
		return err
	}
	return until(ctx, readyWithin, func() error {
		if !s.Running() {
			return fmt.Errorf("%s: %w", s.Name, errEnded)
		}
		_, err := get(ctx, s.Admin+"/ready")
		return err
	})
}

// Launch starts it and waits until it listens, ready or not.
func (s *Service) Launch(ctx context.Context) error {
	if err := s.Proc.Start(); err != nil {
		return err
	}
	listeners := map[string]*string{"dashboard": &s.URL}
	switch s.kind {
	case "gateway":
		listeners = map[string]*string{"data": &s.URL, "admin": &s.Admin}
	case "pump":
		listeners = map[string]*string{"health": &s.URL}
	}
	for listener, url := range listeners {
		err := until(ctx, readyWithin, func() error {
			if a := s.log.address(listener); a != "" {
				*url = "http://" + a
				return nil
			}
			if !s.Running() {
				return fmt.Errorf("%s: %w", s.Name, errEnded)
			}
			return fmt.Errorf("%s does not listen", s.Name)
		})
		if err != nil {
			return err
		}
	}
	if s.kind != "gateway" {
		s.Admin = s.URL
	}
	s.keepAddress()
	return nil
}

// keepAddress makes the next start use the addresses of this one.
func (s *Service) keepAddress() {
	for i, v := range s.Env {
		switch name, _, _ := strings.Cut(v, "="); {
		case strings.HasSuffix(name, "_LISTEN_ADDRESS"):
			s.Env[i] = name + "=" + s.Addr()
		case strings.HasSuffix(name, "_ADMIN_ADDRESS"):
			s.Env[i] = name + "=" + strings.TrimPrefix(s.Admin, "http://")
		}
	}
}

// Addr is host:port of URL.
func (s *Service) Addr() string { return strings.TrimPrefix(s.URL, "http://") }

// Listener is host:port of a listener by its name in the log, or "" while it does not listen.
func (s *Service) Listener(name string) string { return s.log.address(name) }

// State is what a gateway says of its configuration.
type State struct {
	Epoch, Generation int64
	Root, Origin      string
	APIs              []struct{ ID string }
	Rejected          []notice.Rejected
	Error             string
}

// State asks a gateway for what it runs.
func (s *Service) State(ctx context.Context) (State, error) {
	var st State
	text, err := get(ctx, s.Admin+"/state")
	if err == nil {
		err = json.Unmarshal(text, &st)
	}
	return st, err
}

// Ask reads a path of the service's health listener; anything but 200 is an error.
func (s *Service) Ask(ctx context.Context, path string) ([]byte, error) {
	return get(ctx, s.Admin+path)
}
