package message

import (
	"iter"
	"net/url"
	"strings"
)

// QueryValues yields the decoded values of a query parameter in order. Only "&"
// separates parameters. A name or value with an invalid escape counts as it is
// written.
func QueryValues(query, name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for query != "" {
			var pair string
			pair, query, _ = strings.Cut(query, "&")
			n, v, _ := strings.Cut(pair, "=")
			if unescapeQuery(n) == name && !yield(unescapeQuery(v)) {
				return
			}
		}
	}
}

// DropQuery returns the query without a parameter, however its name is escaped,
// and whether it was there. The other parameters keep their order and spelling.
func DropQuery(query, name string) (string, bool) {
	kept := make([]byte, 0, len(query))
	dropped := false
	for rest, more := query, query != ""; more; {
		var pair string
		pair, rest, more = strings.Cut(rest, "&")
		if n, _, _ := strings.Cut(pair, "="); unescapeQuery(n) == name {
			dropped = true
			continue
		}
		if len(kept) > 0 {
			kept = append(kept, '&')
		}
		kept = append(kept, pair...)
	}
	if !dropped {
		return query, false
	}
	return string(kept), true
}

func unescapeQuery(s string) string {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s
	}
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}
