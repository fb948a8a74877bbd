package spa

import (
	"mime"
	"path"
	"strconv"
	"strings"
)

// coding is a content coding that the build writes files in.
type coding struct{ name, suffix string }

// codings are tried in this order: the smaller one first.
func codings() [2]coding {
	return [...]coding{{"br", ".br"}, {"gzip", ".gz"}}
}

// hidden tells whether a file is there for another one's sake only.
func hidden(name string) bool {
	return strings.Contains("/"+name, "/.") || strings.HasSuffix(name, ".br") || strings.HasSuffix(name, ".gz")
}

// kind is the media type of a file by its name.
func kind(name string) string {
	if t := mime.TypeByExtension(path.Ext(name)); t != "" {
		return t
	}
	return "application/octet-stream"
}

// accepts tells whether a client takes a content coding (RFC 9110, 12.5.3). A weight
// of 0 refuses it; a coding that is named counts more than "*".
func accepts(fields []string, name string) bool {
	rest := false
	for item := range strings.SplitSeq(strings.Join(fields, ","), ",") {
		what, parameters, _ := strings.Cut(item, ";")
		what = strings.TrimSpace(what)
		takes := weight(parameters) > 0
		switch {
		case strings.EqualFold(what, name):
			return takes
		case what == "*":
			rest = takes
		}
	}
	return rest
}

// weight reads q from the parameters of an item; what cannot be read counts as 0.
func weight(parameters string) float64 {
	for p := range strings.SplitSeq(parameters, ";") {
		key, value, found := strings.Cut(strings.TrimSpace(p), "=")
		if !found || !strings.EqualFold(key, "q") {
			continue
		}
		q, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0
		}
		return q
	}
	return 1
}
