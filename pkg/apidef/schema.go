package apidef

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

// The codes of rules that a schema or a definition's validation reports, beside
// those of strictjson.
const (
	CodeRequired fault.Code = "required"         // params name
	CodeEnum     fault.Code = "not_in_list"      // params allowed; Fix holds the nearest one
	CodePattern  fault.Code = "pattern_mismatch" // params pattern
	CodeLength   fault.Code = "length"           // of a text or list; params min, max, got
	CodeItems    fault.Code = "duplicate_item"   // an item twice in a list
)

// Schema is a compiled JSON Schema (draft 2020-12) of the keywords that the
// generated schemas use: type, properties, required, additionalProperties,
// items, enum, const, pattern, minimum, maximum, minLength,
// maxLength, minItems, maxItems, uniqueItems, format "duration" and "size", and
// $ref into #/$defs. Annotations (title, description, default, examples and
// names that start with "x-") are skipped.
type Schema struct {
	Ref        string
	Types      []string
	Properties map[string]*Schema
	Required   []string
	Additional *Schema // nil: anything; never: nothing
	never      bool
	Items      *Schema
	Enum       []json.RawMessage
	Pattern    *regexp.Regexp
	Format     string
	Min, Max   *big.Rat
	MinLength  int
	MaxLength  int // -1: any
	MinItems   int
	MaxItems   int // -1: any
	Unique     bool
	defs       map[string]*Schema
}

// ParseSchema compiles a schema. An unknown keyword is an error.
func ParseSchema(text []byte) (*Schema, error) {
	s, err := parseSchema(text)
	if err != nil {
		return nil, err
	}
	return s, s.resolve(s.defs, 0)
}

func parseSchema(text []byte) (*Schema, error) {
	s := &Schema{MaxLength: -1, MaxItems: -1}
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
		err = json.Unmarshal(value, &s.Ref)
	case "$defs":
		s.defs, err = schemaMap(value)
	case "properties":
		s.Properties, err = schemaMap(value)
	case "additionalProperties":
		s.Additional, err = parseSchema(value)
	case "items":
		s.Items, err = parseSchema(value)
	case "type":
		var one string
		if json.Unmarshal(value, &one) == nil {
			s.Types = []string{one}
		} else {
			err = json.Unmarshal(value, &s.Types)
		}
	case "required":
		err = json.Unmarshal(value, &s.Required)
	case "enum":
		err = json.Unmarshal(value, &s.Enum)
	case "const":
		s.Enum = []json.RawMessage{value}
	case "pattern":
		var p string
		if err = json.Unmarshal(value, &p); err == nil {
			s.Pattern, err = regexp.Compile(p)
		}
	case "format":
		err = json.Unmarshal(value, &s.Format)
	case "minimum":
		s.Min, err = rational(value)
	case "maximum":
		s.Max, err = rational(value)
	case "minLength":
		err = json.Unmarshal(value, &s.MinLength)
	case "maxLength":
		err = json.Unmarshal(value, &s.MaxLength)
	case "minItems":
		err = json.Unmarshal(value, &s.MinItems)
	case "maxItems":
		err = json.Unmarshal(value, &s.MaxItems)
	case "uniqueItems":
		err = json.Unmarshal(value, &s.Unique)
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
		return nil, fmt.Errorf("%s is not a number that can be compared", brief(string(value)))
	}
	r, ok := new(big.Rat).SetString(string(value))
	if !ok {
		return nil, fmt.Errorf("%s is not a number", brief(string(value)))
	}
	return r, nil
}

// resolve checks every $ref and gives each schema the definitions of its root.
func (s *Schema) resolve(defs map[string]*Schema, depth int) error {
	if depth > strictjson.DefaultMaxDepth {
		return errors.New("the schema is nested too deep")
	}
	if s.Ref != "" {
		if name, local := strings.CutPrefix(s.Ref, "#/$defs/"); !local || defs[name] == nil {
			return fmt.Errorf("$ref %q names nothing in $defs", s.Ref)
		}
	}
	var errs []error
	nested := slices.Collect(maps.Values(s.Properties))
	nested = slices.AppendSeq(nested, maps.Values(s.defs))
	for _, n := range append(nested, s.Additional, s.Items) {
		if n != nil {
			errs = append(errs, n.resolve(defs, depth+1))
		}
	}
	s.defs = defs
	return errors.Join(errs...)
}

// Check validates one JSON value against the schema. at is the JSON pointer of
// the value in its document; the problems' paths start with it.
func (s *Schema) Check(text []byte, at string) []fault.Problem {
	root, problems := strictjson.Parse(text, strictjson.Options{})
	if len(problems) > 0 {
		for i := range problems {
			problems[i].Path = at + problems[i].Path
		}
		return problems
	}
	c := checker{text: text}
	c.check(s, root, at, 0)
	return c.problems
}

type checker struct {
	text     []byte
	problems []fault.Problem
}

func (c *checker) add(at string, code fault.Code, params map[string]any, format string, args ...any) *fault.Problem {
	const most = 100
	if len(c.problems) >= most {
		return new(fault.Problem) // more help nobody
	}
	c.problems = append(c.problems, fault.Problem{Code: code, Path: at, Params: params,
		Message: fmt.Sprintf(format, args...), Severity: fault.Error})
	return &c.problems[len(c.problems)-1]
}

func (c *checker) check(s *Schema, n *strictjson.Node, at string, hops int) {
	for s.Ref != "" && hops < 16 { // a chain of references may be a circle
		s = s.defs[strings.TrimPrefix(s.Ref, "#/$defs/")]
		hops++
	}
	if len(s.Types) > 0 && !slices.ContainsFunc(s.Types, func(t string) bool { return isType(t, n, c.text) }) {
		expected := strings.Join(s.Types, " or ")
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
	if len(s.Enum) == 0 {
		return
	}
	var allowed []string
	for _, e := range s.Enum {
		if strictjson.Equal(e, n.Raw(c.text)) {
			return
		}
		allowed = append(allowed, strings.Trim(string(e), `"`))
	}
	p := c.add(at, CodeEnum, map[string]any{"allowed": allowed}, "this must be one of %s", strings.Join(allowed, ", "))
	if n.Kind == strictjson.String {
		p.Fix = strictjson.Nearest(n.Text(c.text), allowed)
	}
}

func (c *checker) object(s *Schema, n *strictjson.Node, at string) {
	for _, name := range s.Required {
		if n.Member(name) == nil {
			c.add(at, CodeRequired, map[string]any{"name": name}, "%q is required here; add it", name)
		}
	}
	for i := range n.Children {
		m := &n.Children[i]
		child := at + "/" + strictjson.Escape(m.Name)
		switch p := s.Properties[m.Name]; {
		case p != nil:
			c.check(p, m, child, 0)
		case s.Additional == nil || strings.HasPrefix(m.Name, "x-") && s.Additional.never:
		case !s.Additional.never:
			c.check(s.Additional, m, child, 0)
		default:
			p := strictjson.Unknown(m.Name, slices.Sorted(maps.Keys(s.Properties)))
			c.add(child, p.Code, p.Params, "%s", p.Message).Fix = p.Fix
		}
	}
}

func (c *checker) array(s *Schema, n *strictjson.Node, at string) {
	c.length(at, "items", len(n.Children), s.MinItems, s.MaxItems)
	seen := map[string]bool{}
	for i := range n.Children {
		item := &n.Children[i]
		child := at + "/" + strconv.Itoa(i)
		if s.Items != nil {
			c.check(s.Items, item, child, 0)
		}
		if raw := string(item.Raw(c.text)); s.Unique && seen[raw] {
			c.add(child, CodeItems, nil, "this item stands twice; keep one")
		} else if s.Unique {
			seen[raw] = true
		}
	}
}

func (c *checker) string(s *Schema, n *strictjson.Node, at string) {
	text := n.Text(c.text)
	c.length(at, "characters", utf8.RuneCountInString(text), s.MinLength, s.MaxLength)
	if s.Pattern != nil && !s.Pattern.MatchString(text) {
		c.add(at, CodePattern, map[string]any{"pattern": s.Pattern.String()}, "this must match %s", s.Pattern)
	}
	var err error
	switch s.Format {
	case "duration":
		_, err = ParseDuration(text)
	case "size":
		_, err = ParseSize(text)
	}
	if err != nil {
		c.add(at, strictjson.CodeValue, map[string]any{"format": s.Format}, "%s", err)
	}
}

func (c *checker) number(s *Schema, n *strictjson.Node, at string) {
	if s.Min == nil && s.Max == nil {
		return
	}
	v, err := rational(n.Raw(c.text))
	switch {
	case err != nil:
		c.add(at, strictjson.CodeRange, nil, "%s", err)
	case s.Min != nil && v.Cmp(s.Min) < 0:
		c.add(at, strictjson.CodeRange, map[string]any{"min": s.Min.RatString()}, "this must be at least %s", s.Min.RatString())
	case s.Max != nil && v.Cmp(s.Max) > 0:
		c.add(at, strictjson.CodeRange, map[string]any{"max": s.Max.RatString()}, "this must be at most %s", s.Max.RatString())
	}
}

func (c *checker) length(at, what string, got, least, most int) {
	params := map[string]any{"min": least, "max": most, "got": got}
	if most >= 0 && got > most {
		c.add(at, CodeLength, params, "this has %d %s; at most %d are allowed", got, what, most)
	} else if got < least {
		c.add(at, CodeLength, params, "this has %d %s; at least %d are needed", got, what, least)
	}
}
