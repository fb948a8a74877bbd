// Package client asks a dashboard's REST API for tests: short to write, and an unexpected answer is an
// error that shows all of it.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"time"
)

// Client is one caller. It is safe for concurrent use once it is set up.
type Client struct {
	base, token, csrf string
	http              *http.Client
}

// Answer is one response.
type Answer struct {
	Status int
	Header http.Header
	Text   []byte
}

// Problem is what an error answer says (RFC 9457, with the members of our own).
type Problem struct {
	Status              int
	Title, Code, Detail string
	Problems            []struct {
		Code, Path, Message, Severity string
		Params                        map[string]any
	}
}

// Refused is the error for an answer that is no success.
type Refused struct {
	Asked string
	Answer
	Problem Problem
}

// Error shows the whole answer.
func (r *Refused) Error() string {
	return fmt.Sprintf("%s was answered %d: %s", r.Asked, r.Status, bytes.TrimSpace(r.Text))
}

// Code is the stable code of an error of this package, or "".
func Code(err error) string {
	var r *Refused
	if errors.As(err, &r) {
		return r.Problem.Code
	}
	return ""
}

// Status is the HTTP status of an error of this package, or 0.
func Status(err error) int {
	var r *Refused
	if errors.As(err, &r) {
		return r.Status
	}
	return 0
}

// New makes a client of a dashboard without credentials; base is its URL. It keeps cookies.
func New(base string) *Client {
	jar, _ := cookiejar.New(nil) // cannot fail without options
	return &Client{base: base, http: &http.Client{Jar: jar, Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
}

// WithToken makes a client that sends an API token.
func (c *Client) WithToken(token string) *Client {
	d := *c
	d.token = token
	return &d
}

// SignIn begins a session; later calls carry its cookie and its CSRF token.
func (c *Client) SignIn(ctx context.Context, login, password string) error {
	var session struct{ CSRF string }
	if err := c.Post(ctx, "/session", map[string]string{"login": login, "password": password}, &session); err != nil {
		return err
	}
	c.csrf = session.CSRF
	return nil
}

// Do asks and returns whatever is answered. path is below /api/v1; body is JSON text, a value to be
// encoded, or nil; header holds names and values in turn.
func (c *Client) Do(ctx context.Context, method, path string, body any, header ...string) (Answer, error) {
	var text []byte
	switch b := body.(type) {
	case nil:
	case []byte:
		text = b
	case string:
		text = []byte(b)
	default:
		var err error
		if text, err = json.Marshal(b); err != nil {
			return Answer{}, err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+"/api/v1"+path, bytes.NewReader(text))
	if err != nil {
		return Answer{}, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.csrf != "" {
		r.Header.Set("X-CSRF-Token", c.csrf)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	a := Answer{Status: resp.StatusCode, Header: resp.Header}
	a.Text, err = io.ReadAll(resp.Body)
	return a, err
}

// call is Do with every status but 2xx as an error, and the answer decoded into out where that is not nil.
func (c *Client) call(ctx context.Context, method, path string, body, out any, header ...string) (Answer, error) {
	a, err := c.Do(ctx, method, path, body, header...)
	if err != nil {
		return a, err
	}
	if a.Status/100 != 2 {
		r := &Refused{Asked: method + " " + path, Answer: a}
		_ = json.Unmarshal(a.Text, &r.Problem)
		return a, r
	}
	if out != nil {
		if err := json.Unmarshal(a.Text, out); err != nil {
			return a, fmt.Errorf("%s %s: %w in %s", method, path, err, a.Text)
		}
	}
	return a, nil
}

// Get reads into out.
func (c *Client) Get(ctx context.Context, path string, out any) error {
	_, err := c.call(ctx, http.MethodGet, path, nil, out)
	return err
}

// Put sends body and reads the answer into out, which may be nil.
func (c *Client) Put(ctx context.Context, path string, body, out any) error {
	_, err := c.call(ctx, http.MethodPut, path, body, out)
	return err
}

// Post sends body and reads the answer into out, which may be nil.
func (c *Client) Post(ctx context.Context, path string, body, out any) error {
	_, err := c.call(ctx, http.MethodPost, path, body, out)
	return err
}
