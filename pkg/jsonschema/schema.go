// Package jsonschema checks JSON values against the subset of JSON Schema (draft
// 2020-12) that our generated schemas use, and reports problems as the strict
// decoder does: a JSON pointer, a code, the mend and the nearest name.
package jsonschema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

// Schema is a compiled JSON Schema (draft 2020-12) of the keywords that the
// generated schemas use: type, properties, required, additionalProperties,
// items, enum, const, pattern, minimum, maximum, minLength,
// maxLength, minItems, maxItems, uniqueItems, format (of those that Parse is given), and
// $ref into #/$defs. Annotations (title, description, default, examples and
// names that start with "x-") are skipped.
type Schema struct {
	ref        string
	types      []string
	properties map[string]*Schema
	required   []string
	additional *Schema // nil: anything
	never      bool    // the schema false
	items      *Schema
	enum       []json.RawMessage
	pattern    *regexp.Regexp
	format     string
	conforms   func(string) error // of format
	min, max   *big.Rat
	minLength  int
	maxLength  int // -1: any
	minItems   int
	maxItems   int // -1: any
	unique     bool
	defs       map[string]*Schema
}

// Formats gives the check of a format by its name, or nil where it knows none.
type Formats func(name string) func(text string) error

// Parse compiles a schema. An unknown keyword or format is an error, so that no
// rule is lost silently.
func Parse(text []byte, formats Formats) (*Schema, error) {
	s, err := parseSchema(text)
	if err != nil {
		return nil, err
	}
	if err := s.resolve(s.defs, formats, 0); err != nil {
		return nil, err
	}
	return s, nil
}

func parseSchema(text []byte) (*Schema, error) {
	s := &Schema{maxLength: -1, maxItems: -1}
	switch string(bytes.TrimSpace(text)) {
	case "true":
		return s, nil
	case "false":
		s.never = true
		return s, nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, fmt.Errorf("a schema is an object: %w", err)
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if err := s.keyword(name, members[name]); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	return s, errors.Join(errs...)
}

func (s *Schema) keyword(name string, value json.RawMessage) (err error) {
	switch name {
	case "$schema", "$id", "$comment", "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly":
	case "$ref":
		err = json.Unmarshal(value, &s.ref)
	case "$defs":
		s.defs, err = schemaMap(value)
	case "properties":
		s.properties, err = schemaMap(value)
	case "additionalProperties":
		s.additional, err = parseSchema(value)
	case "items":
		s.items, err = parseSchema(value)
	case "type":
		var one string
		if json.Unmarshal(value, &one) == nil {
			s.types = []string{one}
		} else {
			err = json.Unmarshal(value, &s.types)
		}
	case "required":
		err = json.Unmarshal(value, &s.required)
	case "enum":
		err = json.Unmarshal(value, &s.enum)
	case "const":
		s.enum = []json.RawMessage{value}
	case "pattern":
		var p string
		if err = json.Unmarshal(value, &p); err == nil {
			s.pattern, err = regexp.Compile(p)
		}
	case "format":
		err = json.Unmarshal(value, &s.format)
	case "minimum":
		s.min, err = rational(value)
	case "maximum":
		s.max, err = rational(value)
	case "minLength":
		err = json.Unmarshal(value, &s.minLength)
	case "maxLength":
		err = json.Unmarshal(value, &s.maxLength)
	case "minItems":
		err = json.Unmarshal(value, &s.minItems)
	case "maxItems":
		err = json.Unmarshal(value, &s.maxItems)
	case "uniqueItems":
		err = json.Unmarshal(value, &s.unique)
	default:
		if !strings.HasPrefix(name, "x-") {
			err = errors.New("this keyword is not supported")
		}
	}
	return err
}

func schemaMap(text []byte) (map[string]*Schema, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, err
	}
	out := make(map[string]*Schema, len(raw))
	for name, value := range raw {
		s, err := parseSchema(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out[name] = s
	}
	return out, nil
}

// rational reads a JSON number exactly; the exponent is bounded because a large
// one would make a huge integer.
func rational(value []byte) (*big.Rat, error) {
	if f, err := strconv.ParseFloat(string(value), 64); err != nil || len(value) > 64 || f > 1e300 || f < -1e300 || f != 0 && f < 1e-300 && f > -1e-300 {
		return nil, fmt.Errorf("%s is not a number that can be compared", strictjson.Brief(string(value)))
	}
	r, ok := new(big.Rat).SetString(string(value))
	if !ok {
		return nil, fmt.Errorf("%s is not a number", strictjson.Brief(string(value)))
	}
	return r, nil
}

// resolve checks every $ref and format, and gives each schema the definitions of its root.
func (s *Schema) resolve(defs map[string]*Schema, formats Formats, depth int) error {
	if depth > strictjson.DefaultMaxDepth {
		return errors.New("the schema is nested too deep")
	}
	if s.ref != "" {
		if name, local := strings.CutPrefix(s.ref, "#/$defs/"); !local || defs[name] == nil {
			return fmt.Errorf("$ref %q names nothing in $defs", s.ref)
		}
	}
	if s.format != "" {
		if s.conforms = formats(s.format); s.conforms == nil {
			return fmt.Errorf("the format %q is not known", s.format)
		}
	}
	var errs []error
	nested := slices.Collect(maps.Values(s.properties))
	nested = slices.AppendSeq(nested, maps.Values(s.defs))
	for _, n := range append(nested, s.additional, s.items) {
		if n != nil {
			errs = append(errs, n.resolve(defs, formats, depth+1))
		}
	}
	s.defs = defs
	return errors.Join(errs...)
}

// Planned tells of a member that a schema does not know whether the language has
// it although nothing reads it yet. The pattern is a JSON pointer within the value
// that is checked, with "*" for each item of an array and each key of a map.
type Planned func(pattern string) bool

// Check validates one JSON value against the schema. at is the JSON pointer of
// the value in its document; the problems' paths start with it.
func (s *Schema) Check(text []byte, at string) []fault.Problem {
	return s.CheckPlanned(text, at, func(string) bool { return false })
}

// CheckPlanned is Check that refuses planned members with "not_available". What
// is required beside one is not asked for: the planned member may stand for it.
func (s *Schema) CheckPlanned(text []byte, at string, planned Planned) []fault.Problem {
	root, problems := strictjson.Parse(text, strictjson.Options{})
	if len(problems) > 0 {
		for i := range problems {
			problems[i].Path = at + problems[i].Path
		}
		return problems
	}
	c := checker{text: text, planned: planned}
	c.check(s, root, at, 0)
	return c.problems
}

type checker struct {
	text     []byte
	planned  Planned
	pattern  []string // of the value that is being checked, for planned
	problems []fault.Problem
}

func (c *checker) add(at string, code fault.Code, params map[string]any, format string, args ...any) *fault.Problem {
	const most = 100
	if len(c.problems) >= most {
		return new(fault.Problem) // more help nobody
	}
	c.problems = append(c.problems, fault.Problem{
		Code: code, Path: at, Params: params,
		Message: fmt.Sprintf(format, args...), Severity: fault.Error,
	})
	return &c.problems[len(c.problems)-1]
}

func (c *checker) check(s *Schema, n *strictjson.Node, at string, hops int) {
	for s.ref != "" && hops < 16 { // a chain of references may be a circle
		s = s.defs[strings.TrimPrefix(s.ref, "#/$defs/")]
		hops++
	}
	if len(s.types) > 0 && !slices.ContainsFunc(s.types, func(t string) bool { return isType(t, n, c.text) }) {
		expected := strings.Join(s.types, " or ")
		c.add(at, strictjson.CodeType, map[string]any{"expected": expected, "got": n.Kind.String()},
			"this must be of type %s, not %s", expected, n.Kind)
		return
	}
	c.enum(s, n, at)
	switch n.Kind {
	case strictjson.Object:
		c.object(s, n, at)
	case strictjson.Array:
		c.array(s, n, at)
	case strictjson.String:
		c.string(s, n, at)
	case strictjson.Number:
		c.number(s, n, at)
	}
}

func isType(t string, n *strictjson.Node, text []byte) bool {
	switch t {
	case "object":
		return n.Kind == strictjson.Object
	case "array":
		return n.Kind == strictjson.Array
	case "string":
		return n.Kind == strictjson.String
	case "boolean":
		return n.Kind == strictjson.Bool
	case "null":
		return n.Kind == strictjson.Null
	case "number":
		return n.Kind == strictjson.Number
	case "integer":
		return n.Kind == strictjson.Number && !bytes.ContainsAny(n.Raw(text), ".eE")
	}
	return false
}

func (c *checker) enum(s *Schema, n *strictjson.Node, at string) {
	if len(s.enum) == 0 {
		return
	}
	var allowed []string
	for _, e := range s.enum {
		if strictjson.Equal(e, n.Raw(c.text)) {
			return
		}
		allowed = append(allowed, strings.Trim(string(e), `"`))
	}
	p := c.add(at, strictjson.CodeEnum, map[string]any{"allowed": allowed}, "this must be one of %s", strings.Join(allowed, ", "))
	if n.Kind == strictjson.String {
		p.Fix = strictjson.Nearest(n.Text(c.text), allowed)
	}
}

func (c *checker) object(s *Schema, n *strictjson.Node, at string) {
	later := false // whether a member is planned
	for i := range n.Children {
		m := &n.Children[i]
		child := at + "/" + strictjson.Escape(m.Name)
		switch p := s.properties[m.Name]; {
		case p != nil:
			c.within(strictjson.Escape(m.Name), p, m, child)
		case s.additional == nil || strings.HasPrefix(m.Name, "x-") && s.additional.never:
		case !s.additional.never:
			c.within("*", s.additional, m, child)
		case c.planned("/" + strings.Join(append(slices.Clip(c.pattern), strictjson.Escape(m.Name)), "/")):
			later = true
			c.add(child, strictjson.CodeNotAvailable, map[string]any{"name": strictjson.Brief(m.Name)},
				"%q is not available yet; remove it, so that nobody relies on it", strictjson.Brief(m.Name))
		default:
			p := strictjson.Unknown(m.Name, slices.Sorted(maps.Keys(s.properties)))
			c.add(child, p.Code, p.Params, "%s", p.Message).Fix = p.Fix
		}
	}
	for _, name := range s.required {
		if n.Member(name) == nil && !later {
			c.add(at, strictjson.CodeRequired, map[string]any{"name": name}, "%q is required here; add it", name)
		}
	}
}

// within checks a member or an item; segment is its part of the pattern.
func (c *checker) within(segment string, s *Schema, n *strictjson.Node, at string) {
	c.pattern = append(c.pattern, segment)
	c.check(s, n, at, 0)
	c.pattern = c.pattern[:len(c.pattern)-1]
}

func (c *checker) array(s *Schema, n *strictjson.Node, at string) {
	c.length(at, "items", len(n.Children), s.minItems, s.maxItems)
	seen := map[string]bool{}
	for i := range n.Children {
		item := &n.Children[i]
		child := at + "/" + strconv.Itoa(i)
		if s.items != nil {
			c.within("*", s.items, item, child)
		}
		if raw := string(item.Raw(c.text)); s.unique && seen[raw] {
			c.add(child, strictjson.CodeItems, nil, "this item stands twice; keep one")
		} else if s.unique {
			seen[raw] = true
		}
	}
}

func (c *checker) string(s *Schema, n *strictjson.Node, at string) {
	text := n.Text(c.text)
	c.length(at, "characters", utf8.RuneCountInString(text), s.minLength, s.maxLength)
	if s.pattern != nil && !s.pattern.MatchString(text) {
		c.add(at, strictjson.CodePattern, map[string]any{"pattern": s.pattern.String()}, "this must match %s", s.pattern)
	}
	if s.conforms == nil {
		return
	}
	if err := s.conforms(text); err != nil {
		c.add(at, strictjson.CodeValue, map[string]any{"format": s.format}, "%s", err)
	}
}

func (c *checker) number(s *Schema, n *strictjson.Node, at string) {
	if s.min == nil && s.max == nil {
		return
	}
	v, err := rational(n.Raw(c.text))
	switch {
	case err != nil:
		c.add(at, strictjson.CodeRange, nil, "%s", err)
	case s.min != nil && v.Cmp(s.min) < 0:
		c.add(at, strictjson.CodeRange, map[string]any{"min": s.min.RatString()}, "this must be at least %s", s.min.RatString())
	case s.max != nil && v.Cmp(s.max) > 0:
		c.add(at, strictjson.CodeRange, map[string]any{"max": s.max.RatString()}, "this must be at most %s", s.max.RatString())
	}
}

func (c *checker) length(at, what string, got, least, most int) {
	params := map[string]any{"min": least, "max": most, "got": got}
	if most >= 0 && got > most {
		c.add(at, strictjson.CodeLength, params, "this has %d %s; at most %d are allowed", got, what, most)
	} else if got < least {
		c.add(at, strictjson.CodeLength, params, "this has %d %s; at least %d are needed", got, what, least)
	}
}
