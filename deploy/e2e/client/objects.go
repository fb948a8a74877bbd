package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/sluice-gateway/sluice/pkg/notice"
)

// Saved is the answer to a write that publishes.
type Saved struct {
	Object     json.RawMessage
	Revision   int64
	PublishURL string
	Problems   []json.RawMessage // warnings
	ETag       string            `json:"-"`
}

// Object is an object as it is read.
type Object struct {
	Object json.RawMessage // the document, byte for byte
	Meta   struct {
		ID, ETag, SHA256 string
		Revision         int64
	}
}

// Publish is how far a revision has come.
type Publish struct {
	Revision  int64
	Hash      string
	Published bool
	Nodes     []struct {
		ID, Name, Group, State string
		MS                     int64
		Rejected               []notice.Rejected
	}
}

// Applied tells whether n gateways confirmed the revision and none is missing.
func (p Publish) Applied(n int) bool {
	for _, node := range p.Nodes {
		if node.State != "applied" {
			return false
		}
	}
	return p.Published && len(p.Nodes) == n
}

// Create makes an object of a kind ("apis", "policies").
func (c *Client) Create(ctx context.Context, kind string, text any) (Saved, error) {
	return c.write(ctx, http.MethodPost, "/"+kind, text, "")
}

// Replace replaces an object as a whole; etag is that of the version that was read, or "*".
func (c *Client) Replace(ctx context.Context, kind, id string, text any, etag string) (Saved, error) {
	return c.write(ctx, http.MethodPut, "/"+kind+"/"+id, text, etag)
}

// Patch changes parts of an object (RFC 7396).
func (c *Client) Patch(ctx context.Context, kind, id string, patch any, etag string) (Saved, error) {
	return c.write(ctx, http.MethodPatch, "/"+kind+"/"+id, patch, etag)
}

// Delete removes an object.
func (c *Client) Delete(ctx context.Context, kind, id, etag string) (Saved, error) {
	return c.write(ctx, http.MethodDelete, "/"+kind+"/"+id, nil, etag)
}

func (c *Client) write(ctx context.Context, method, path string, body any, etag string) (Saved, error) {
	header := []string{"If-Match", etag}
	if etag == "" {
		header = nil
	}
	if method == http.MethodPatch {
		header = append(header, "Content-Type", "application/merge-patch+json")
	}
	var s Saved
	a, err := c.call(ctx, method, path, body, &s, header...)
	s.ETag = a.Header.Get("ETag")
	return s, err
}

// Object reads an object of a kind.
func (c *Client) Object(ctx context.Context, kind, id string) (Object, error) {
	var o Object
	err := c.Get(ctx, "/"+kind+"/"+id, &o)
	return o, err
}

// Key is a key as it was made.
type Key struct {
	ID, Secret, ETag string
}

// CreateKey makes a key.
func (c *Client) CreateKey(ctx context.Context, body any) (Key, error) {
	var made struct {
		Object struct{ ID string }
		Secret string
	}
	a, err := c.call(ctx, http.MethodPost, "/keys", body, &made)
	k := Key{ID: made.Object.ID, Secret: made.Secret, ETag: a.Header.Get("ETag")}
	if err == nil && (k.ID == "" || k.Secret == "") {
		err = fmt.Errorf("the answer to a new key holds no id or no secret: %s", a.Text)
	}
	return k, err
}

// RevokeKey ends a key for good.
func (c *Client) RevokeKey(ctx context.Context, id string) error {
	_, err := c.call(ctx, http.MethodPost, "/keys/"+id+"/revoke", nil, nil)
	return err
}

// Publish asks how far a revision has come.
func (c *Client) Publish(ctx context.Context, revision int64) (Publish, error) {
	var p Publish
	err := c.Get(ctx, fmt.Sprintf("/publishes/%d", revision), &p)
	return p, err
}

// AwaitApplied waits until n gateways have confirmed a revision.
func (c *Client) AwaitApplied(ctx context.Context, revision int64, n int, within time.Duration) (Publish, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		p, err := c.Publish(ctx, revision)
		if err == nil && p.Applied(n) {
			return p, nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return p, fmt.Errorf("revision %d is not applied by %d gateways within %s: %+v, %w", revision, n, within, p, err)
		}
	}
}

// Node is one gateway or pump as the dashboard shows it.
type Node struct {
	ID, Name, Service, Group, State, Reason, Root, Source, LastError string
	Epoch, Generation, Expected                                      int64
	Rejected                                                         []notice.Rejected
	RedisOK                                                          bool
}

// Gateways lists the nodes.
func (c *Client) Gateways(ctx context.Context) ([]Node, error) {
	var page struct{ Items []Node }
	err := c.Get(ctx, "/gateways", &page)
	return page.Items, err
}

// Revision is one entry of the log.
type Revision struct {
	Revision int64
	Note     string
	Changes  []struct{ Org, Kind, ID, Before, After string }
}

// Revisions reads the whole log, newest first.
func (c *Client) Revisions(ctx context.Context) ([]Revision, error) {
	var all []Revision
	cursor := ""
	for {
		var page struct {
			Items []Revision
			Next  string
		}
		if err := c.Get(ctx, "/revisions?limit=200"+cursor, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if page.Next == "" {
			return all, nil
		}
		cursor = "&cursor=" + page.Next
	}
}
