package errorbody

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"

	"github.com/sluice-gateway/sluice/gateway/filter"
)

// maxBody bounds the result of a template, and maxSource its text.
const (
	maxBody   = 64 << 10
	maxSource = 16 << 10
)

var errTooLong = errors.New("the body is longer than 64 KiB")

type body struct {
	template    *template.Template
	contentType string
	status      int
}

// RenderError executes the template.
func (b *body) RenderError(d filter.ErrorData) (status int, contentType string, text []byte, err error) {
	var out limited
	if err := b.template.Execute(&out, d); err != nil {
		return 0, "", nil, fmt.Errorf("rendering the body of an error: %w", err)
	}
	status = b.status
	if status == 0 {
		status = d.Status
	}
	return status, b.contentType, out.Bytes(), nil
}

// compile parses a template and tries it once, so that a wrong field is found
// when the API is saved and not in the middle of an outage.
func compile(r Rule) (*body, error) {
	if r.Body == "" {
		return nil, filter.Problem("", "errors.body", "The body is missing.")
	}
	if len(r.Body) > maxSource {
		return nil, filter.Problem("", "errors.body", "The template is longer than 16 KiB.")
	}
	t, err := template.New("body").Option("missingkey=error").Funcs(functions()).Parse(r.Body)
	if err != nil {
		return nil, filter.Problem("", "errors.template", "%s.", strings.TrimPrefix(err.Error(), "template: "))
	}
	if len(t.Templates()) > 1 || t.Tree == nil {
		return nil, filter.Problem("", "errors.template", "The template may not define others.")
	}
	if err := check(t.Root); err != nil {
		return nil, err
	}
	b := &body{template: t, contentType: contentType(r), status: r.SetStatus}
	sample := filter.ErrorData{Status: 404, Code: "route.not_found", Message: "m", RequestID: "r", API: "a", Path: "/"}
	if _, _, _, err := b.RenderError(sample); err != nil {
		return nil, filter.Problem("", "errors.template", "%v.", errors.Unwrap(err))
	}
	return b, nil
}

func contentType(r Rule) string {
	if r.ContentType != "" {
		return r.ContentType
	}
	switch text := strings.TrimLeft(r.Body, " \t\r\n"); {
	case strings.HasPrefix(text, "{{"): // an action, not an object
	case strings.HasPrefix(text, "{"), strings.HasPrefix(text, "["):
		return "application/json"
	case strings.HasPrefix(text, "<"):
		return "text/html; charset=utf-8"
	}
	return "text/plain; charset=utf-8"
}

// functions are all that a template may call beside comparisons. Each bounds its
// result, since a chain of them could double a text at every step.
func functions() template.FuncMap {
	bound := func(s string, err error) (string, error) {
		if err == nil && len(s) > maxBody {
			err = errTooLong
		}
		return s, err
	}
	return template.FuncMap{
		"json": func(v any) (string, error) {
			text, err := json.Marshal(v)
			return bound(string(text), err)
		},
		"html":     func(v any) (string, error) { return bound(html.EscapeString(fmt.Sprint(v)), nil) },
		"urlquery": func(v any) (string, error) { return bound(url.QueryEscape(fmt.Sprint(v)), nil) },
	}
}

// allowed are the identifiers that a template may use.
func allowed() []string {
	return []string{"json", "html", "urlquery", "eq", "ne", "lt", "le", "gt", "ge", "and", "or", "not"}
}

// check refuses what could run long or grow large: loops, other templates, and
// functions without a bound.
func check(n parse.Node) error {
	switch n := n.(type) {
	case nil:
		return nil
	case *parse.ListNode:
		if n == nil {
			return nil
		}
		return all(n.Nodes)
	case *parse.ActionNode:
		return check(n.Pipe)
	case *parse.IfNode:
		return all([]parse.Node{n.Pipe, n.List, n.ElseList})
	case *parse.WithNode:
		return all([]parse.Node{n.Pipe, n.List, n.ElseList})
	case *parse.PipeNode:
		if n == nil {
			return nil
		}
		for _, c := range n.Cmds {
			if err := all(c.Args); err != nil {
				return err
			}
		}
		return nil
	case *parse.ChainNode:
		return check(n.Node)
	case *parse.IdentifierNode:
		if !slices.Contains(allowed(), n.Ident) {
			return filter.Problem("", "errors.template", "The function %q is not available here; there are %s.", n.Ident, strings.Join(allowed(), ", "))
		}
		return nil
	case *parse.TextNode, *parse.FieldNode, *parse.VariableNode, *parse.DotNode, *parse.NilNode,
		*parse.BoolNode, *parse.NumberNode, *parse.StringNode, *parse.CommentNode:
		return nil
	}
	return filter.Problem("", "errors.template", "%q is not available here; a body has no loops and no other templates.", n.String())
}

func all(nodes []parse.Node) error {
	for _, n := range nodes {
		if err := check(n); err != nil {
			return err
		}
	}
	return nil
}

// limited is a buffer that refuses to grow beyond maxBody.
type limited struct{ bytes.Buffer }

// Write appends p or fails.
func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > maxBody {
		return 0, errTooLong
	}
	return l.Buffer.Write(p)
}
