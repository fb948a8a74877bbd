package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway/route"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/notice"
)

// runBody is how much of a response a run command returns.
const runBody = 64 << 10

// Prober makes guarded outbound calls.
type Prober interface {
	Do(r *http.Request) (*http.Response, error)
}

// Commands answers what dashboards ask of this gateway.
type Commands struct {
	Version  string
	Compiler *route.Compiler
	Prober   Prober
	// Self tells the base URL of a plain listener of this gateway, such as
	// "http://127.0.0.1:8080".
	Self   func() string
	Client *http.Client // for Self; it must follow no redirect and change nothing
}

// Handlers returns the answers by command.
func (c *Commands) Handlers() map[notice.Command]func(ctx context.Context, payload json.RawMessage) (any, error) {
	return map[notice.Command]func(ctx context.Context, payload json.RawMessage) (any, error){
		notice.CheckCommand: c.check,
		notice.ProbeCommand: c.probe,
		notice.RunCommand:   c.run,
	}
}

func (c *Commands) check(_ context.Context, payload json.RawMessage) (any, error) {
	var q notice.Check
	if err := json.Unmarshal(payload, &q); err != nil {
		return nil, malformed(err)
	}
	return notice.CheckReply{Version: c.Version, Rejected: c.Compiler.Check(q.Org, q.Kind, q.ID, q.Text)}, nil
}

func (c *Commands) probe(ctx context.Context, payload json.RawMessage) (any, error) {
	var q notice.Probe
	if err := json.Unmarshal(payload, &q); err != nil {
		return nil, malformed(err)
	}
	if q.TimeoutMillis > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(q.TimeoutMillis)*time.Millisecond)
		defer cancel()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, q.URL, nil)
	if err != nil {
		return nil, fault.New(fault.Invalid, "probe.invalid", "%q cannot be called: write a URL such as http://10.0.0.5:3000/health", q.URL)
	}
	began := time.Now()
	resp, err := c.Prober.Do(r)
	a := notice.ProbeReply{Millis: time.Since(began).Milliseconds()}
	if err != nil {
		a.Error = err.Error()
		return a, nil
	}
	a.Status = resp.StatusCode
	_ = resp.Body.Close()
	return a, nil
}

// run sends a request through the gateway's own listener, so that it takes the
// way of every other request.
func (c *Commands) run(ctx context.Context, payload json.RawMessage) (any, error) {
	var q notice.Run
	if err := json.Unmarshal(payload, &q); err != nil {
		return nil, malformed(err)
	}
	if !strings.HasPrefix(q.Target, "/") {
		return nil, fault.New(fault.Invalid, "run.invalid", "the target %q is not a path; begin it with a slash", q.Target)
	}
	r, err := http.NewRequestWithContext(ctx, q.Method, c.Self()+q.Target, bytes.NewReader(q.Body))
	if err != nil {
		return nil, fault.New(fault.Invalid, "run.invalid", "the request cannot be made: %v", err)
	}
	r.Host = q.Host
	r.Header.Set("User-Agent", "") // none but the caller's
	for _, h := range q.Headers {
		if strings.EqualFold(h[0], "User-Agent") {
			r.Header.Del(h[0])
		}
		r.Header.Add(h[0], h[1])
	}
	began := time.Now()
	resp, err := c.Client.Do(r)
	if err != nil {
		return notice.RunReply{Millis: time.Since(began).Milliseconds(), Error: fmt.Sprintf("the gateway did not answer: %v", err)}, nil
	}
	defer func() { _ = resp.Body.Close() }()
	a := notice.RunReply{Status: resp.StatusCode, Millis: time.Since(began).Milliseconds()}
	for _, name := range slices.Sorted(maps.Keys(resp.Header)) {
		for _, v := range resp.Header[name] {
			a.Headers = append(a.Headers, [2]string{name, v})
		}
	}
	a.Body, err = io.ReadAll(io.LimitReader(resp.Body, runBody+1))
	if len(a.Body) > runBody {
		a.Body, a.Truncated = a.Body[:runBody], true
	}
	if err != nil {
		a.Error = fmt.Sprintf("the body ended early: %v", err)
	}
	return a, nil
}

func malformed(err error) error {
	return fault.Wrap(err, fault.Invalid, "command.malformed", "the command's payload cannot be read")
}
