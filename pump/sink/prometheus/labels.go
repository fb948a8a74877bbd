package prometheus

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	dto "github.com/prometheus/client_model/go"

	"github.com/sluice-gateway/sluice/pkg/record"
)

// What stands for values that would be too many, or for none.
const (
	other = "_OTHER"
	// noAPI is the API of requests that match none. Prometheus has no empty values.
	noAPI = "_NONE"
	// noStatus stands for numbers that are no status.
	noStatus = -1
	// maxValue is the longest value of a label, in bytes; longer ones are cut.
	maxValue = 200
)

// labelNames are the labels that can be chosen, as they are in labels.names.
func labelNames() []string {
	return []string{
		"api_id", "http_request_method", "http_response_status_code", "http_response_status_class",
		"org_id", "http_route", "node", "key", "oauth_client",
	}
}

// labels says which of them are in use.
type labels struct {
	api, method, status, class, org, route, node, key, client bool
}

func newLabels(names []string) labels {
	has := func(name string) bool { return slices.Contains(names, name) }
	return labels{
		api: has("api_id"), method: has("http_request_method"), status: has("http_response_status_code"),
		class: has("http_response_status_class"), org: has("org_id"), route: has("http_route"),
		node: has("node"), key: has("key"), client: has("oauth_client"),
	}
}

// seriesKey is what tells series apart. Labels that are not in use are empty.
type seriesKey struct {
	api, method, org, route, node, key, client string
	status                                     int    // code, or class if only that is in use
	reason                                     string // of refusals
}

// of is the series of a record. Its text is that of the record: hostile, and only
// good as long as the record is.
func (l *labels) of(e *record.Entry) seriesKey {
	var k seriesKey
	if l.api {
		if k.api = e.API; k.api == "" {
			k.api = noAPI
		}
	}
	if l.method {
		k.method = method(e.Method)
	}
	switch known := e.Status == 0 || e.Status >= 100 && e.Status <= 999; {
	case (l.status || l.class) && !known:
		k.status = noStatus
	case l.status:
		k.status = e.Status
	case l.class:
		k.status = e.Status / 100
	}
	if l.org {
		k.org = e.Org
	}
	if l.route {
		k.route = e.Route
	}
	if l.node {
		k.node = e.Node
	}
	if l.key {
		k.key = cmp.Or(e.KeyAlias, e.Key)
	}
	if l.client {
		k.client = e.OAuthClient
	}
	return k
}

// texts are the fields that hold text of the record.
func (k *seriesKey) texts() [6]*string {
	return [...]*string{&k.api, &k.org, &k.route, &k.node, &k.key, &k.client}
}

// clean is the key with text that can be a label's value.
func (k seriesKey) clean() seriesKey {
	for _, s := range k.texts() {
		*s = clean(*s)
	}
	return k
}

// keep is the key with text of its own, which does not hold a batch in memory.
func (k seriesKey) keep() seriesKey {
	for _, s := range k.texts() {
		*s = strings.Clone(*s)
	}
	return k
}

// clean is a text as a label's value: what is not UTF-8 replaced, cut where it is
// too long.
func clean(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, string(utf8.RuneError))
	}
	if len(s) <= maxValue {
		return s
	}
	end := maxValue
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// pairs are the labels of a series, sorted by name, empty ones left out.
func (l *labels) pairs(k seriesKey) []*dto.LabelPair {
	var out []*dto.LabelPair
	add := func(use bool, name, value string) {
		if use && value != "" {
			out = append(out, &dto.LabelPair{Name: &name, Value: &value})
		}
	}
	add(l.api, "api_id", k.api)
	add(l.method, "http_request_method", k.method)
	add(l.route, "http_route", k.route)
	class := k.status
	if l.status {
		add(true, "http_response_status_code", statusText(k.status, ""))
		if class != noStatus {
			class /= 100
		}
	}
	add(l.class, "http_response_status_class", statusText(class, "xx"))
	add(l.key, "key", k.key)
	add(l.node, "node", k.node)
	add(l.client, "oauth_client", k.client)
	add(l.org, "org_id", k.org)
	add(true, "reason", k.reason)
	slices.SortFunc(out, func(a, b *dto.LabelPair) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return out
}

// overflowPairs are the labels of the series for all that found no place.
func overflowPairs() []*dto.LabelPair {
	name, value := "overflow", "true"
	return []*dto.LabelPair{{Name: &name, Value: &value}}
}

// statusText is a status or, with the suffix xx, a class; "0" when the connection
// ended before an answer.
func statusText(n int, suffix string) string {
	switch n {
	case 0:
		return "0"
	case noStatus:
		return other
	}
	return strconv.Itoa(n) + suffix
}

// method is the method if it is one that everybody knows: those of RFC 9110, PATCH
// (RFC 5789) and QUERY.
func method(m string) string {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "QUERY":
		return m
	}
	return other
}

// reasonOf is the family of a refusal's code, one of few.
func reasonOf(code string, flags record.Flags) string {
	family, rest, _ := strings.Cut(code, ".")
	switch family {
	case "auth", "login", "oauth2":
		return "auth"
	case "access", "rights", "authorize":
		return "access"
	case "quota":
		return "quota"
	case "limit", "rate_limit", "ratelimit", "throttle":
		if strings.HasPrefix(rest, "quota") {
			return "quota"
		}
		return "rate_limit"
	case "ip", "country", "agent", "block", "waf", "size", "concurrency", "maintenance":
		return "protection"
	case "request", "path", "body", "header", "query", "value", "validate":
		return "request"
	case "route":
		return "route"
	case "upstream":
		return "upstream"
	case "internal":
		return "internal"
	}
	if flags.Has(record.Limited) {
		return "rate_limit"
	}
	return "other"
}
