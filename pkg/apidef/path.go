package apidef

import (
	"cmp"
	"fmt"

	"github.com/sluice-gateway/sluice/pkg/pathtemplate"
)

// Template is a compiled path template; see pathtemplate for what it can hold.
type Template = pathtemplate.Template

// Segment is one part of a Template.
type Segment = pathtemplate.Segment

// SegmentKind is what a Segment matches.
type SegmentKind = pathtemplate.SegmentKind

// The kinds of segments, in the order of precedence; see pathtemplate.
const (
	Static = pathtemplate.Static
	Param  = pathtemplate.Param
	Regex  = pathtemplate.Regex
	Rest   = pathtemplate.Rest
)

// Compare orders endpoint templates by precedence; see pathtemplate.Compare.
func Compare(a, b Template) int { return pathtemplate.Compare(a, b) }

// CompareListen orders listen paths by precedence: where both match at the start
// of a path, the lesser is taken. The one with more segments comes first, then
// Compare decides.
func CompareListen(a, b Template) int {
	return cmp.Or(cmp.Compare(len(b.Segments), len(a.Segments)), pathtemplate.Compare(a, b))
}

// ParseTemplate compiles the path template of an endpoint; see pathtemplate.Parse.
func ParseTemplate(path string) (Template, error) { return pathtemplate.Parse(path) }

// ParseListenPath compiles a listen path: a template without ** whose slash at
// the end means nothing, so that "/orders" and "/orders/" are one.
func ParseListenPath(path string) (Template, error) {
	t, err := ParseTemplate(path)
	if err != nil {
		return t, err
	}
	t.Slash = len(t.Segments) == 0
	if n := len(t.Segments); n > 0 && t.Segments[n-1].Kind == pathtemplate.Rest {
		return t, fmt.Errorf("a listen path matches everything below it by itself; remove the /** at its end")
	}
	return t, nil
}

// NormalizePath is the one spelling of a listen path: without a slash at the
// end, escapes as the gateway compares them. A path that is not valid is
// returned as it is.
func NormalizePath(path string) string {
	t, err := ParseListenPath(path)
	if err != nil {
		return path
	}
	return t.String()
}
