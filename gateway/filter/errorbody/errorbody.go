// Package errorbody lets an API give the gateway's own error answers a body of
// its liking. It has no phase: serve, which renders every error once, reads it
// from the chain.
//
// errorbody.go is the filter's options and the choice by status, template.go
// what a template may do.
package errorbody

import (
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/message"
)

// Config are the options: a list of rules, of which the first that fits the
// status is taken. Without one the answer is JSON with status, code, message and
// requestId.
type Config []Rule

// Rule is the body for some statuses.
type Rule struct {
	// Status is one status ("404") or a class ("4xx", "5xx").
	Status string `json:"status" schema:"required,pattern=^[45](xx|[0-9][0-9])$"`
	// From says whose errors are meant. Default: gateway, the only one there is.
	From string `json:"from,omitempty" schema:"enum=gateway"`
	// Body is a template (Go text/template) with .Status .Code .Message .RequestID
	// .API and .Path. It may use if, else, with, the comparisons eq ne lt le gt ge,
	// and or not, and the functions json (a quoted JSON string), html and urlquery.
	// The result is at most 64 KiB.
	Body string `json:"body" schema:"required,maxLength=16384"`
	// ContentType of the body. Default: application/json where the body begins with
	// "{" or "[", text/html where it begins with "<", else text/plain; all in UTF-8.
	ContentType string `json:"contentType,omitempty" schema:"maxLength=128"`
	// SetStatus changes the status of the answer. Default: 0, which keeps it.
	SetStatus int `json:"setStatus,omitempty" schema:"min=0,max=599"`
}

// Spec makes the filter.
func Spec() filter.Spec {
	return filter.Define("errors", build).In(filter.Record).
		About("Gives the gateway's error answers a body of your own",
			"게이트웨이가 내는 오류 응답의 본문을 직접 정합니다")
}

type rules []*rule

type rule struct {
	status string
	body   *body
}

func build(c Config) (any, error) {
	var ps filter.Problems
	var rs rules
	for i, r := range c {
		at := "/" + strconv.Itoa(i)
		if !validStatus(r.Status) {
			ps.Addf(at+"/status", "errors.status", `%q is neither an error status such as "404" nor "4xx" or "5xx".`, r.Status)
		}
		if r.From != "" && r.From != "gateway" {
			ps.Addf(at+"/from", "errors.from", `Only errors "from": "gateway" can be given a body; the upstream's are passed on as they are.`)
		}
		if r.SetStatus != 0 && (r.SetStatus < 200 || r.SetStatus > 599 || r.SetStatus == 204 || r.SetStatus == 205 || r.SetStatus == 304) {
			ps.Addf(at+"/setStatus", "errors.set_status", "The status must be 200 to 599 and allow a body, or 0 to keep it.")
		}
		if r.ContentType != "" && !validType(r.ContentType) {
			ps.Addf(at+"/contentType", "errors.content_type", `%q is not a media type such as "application/json".`, r.ContentType)
		}
		b, err := compile(r)
		ps.Add(at+"/body", err)
		rs = append(rs, &rule{r.Status, b})
	}
	if err := ps.Err(); err != nil || len(rs) == 0 {
		return nil, err
	}
	return rs, nil
}

// ReadBy is serve, the only place that renders errors.
func (rules) ReadBy() string { return "serve" }

// ErrorBody returns the first rule that fits the status.
func (rs rules) ErrorBody(status int) (filter.ErrorRenderer, bool) {
	for _, r := range rs {
		if exact := strconv.Itoa(status); r.status == exact || r.status[1:] == "xx" && exact[0] == r.status[0] && len(exact) == 3 {
			return r.body, true
		}
	}
	return nil, false
}

func validStatus(s string) bool {
	return len(s) == 3 && (s[0] == '4' || s[0] == '5') &&
		(s[1:] == "xx" || s[1] >= '0' && s[1] <= '9' && s[2] >= '0' && s[2] <= '9')
}

// validType checks the shape of a media type (RFC 9110, 8.3.1); parameters are
// free as long as they can be written.
func validType(s string) bool {
	media, _, _ := strings.Cut(s, ";")
	kind, sub, ok := strings.Cut(strings.TrimRight(media, " "), "/")
	return ok && message.ValidName(kind) && message.ValidName(sub) && message.ValidValue(s)
}

var _ filter.ErrorBodies = rules(nil)
