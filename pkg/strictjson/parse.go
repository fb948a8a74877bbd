// Package strictjson reads JSON (RFC 8259) as strictly as a gateway's language
// must be read: unknown and duplicate members, wrong types, invalid UTF-8 and
// trailing data are refused, each with a JSON pointer (RFC 6901) and the mend.
// Definitions, policies and the request bodies of the dashboard are read by it,
// because neither of the language packages may import the other. It also merges
// patches (RFC 7396) into a text without touching the bytes beside them.
package strictjson

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sluice-gateway/sluice/pkg/fault"
)

// The codes of the problems that this package reports.
const (
	CodeSyntax       fault.Code = "syntax"          // not JSON; params line and column
	CodeEncoding     fault.Code = "encoding"        // invalid UTF-8, a byte order mark or half a surrogate pair
	CodeTrailing     fault.Code = "trailing_data"   // something follows the document
	CodeDuplicate    fault.Code = "duplicate_field" // a member twice in one object
	CodeTooLarge     fault.Code = "too_large"       // more bytes or values than allowed
	CodeTooDeep      fault.Code = "too_deep"        // nested deeper than allowed
	CodeUnknownField fault.Code = "unknown_field"   // Fix holds the nearest known name, if one is near
	CodeNotAvailable fault.Code = "not_available"   // part of the language, but nothing reads it yet
	CodeType         fault.Code = "wrong_type"      // params expected and got
	CodeValue        fault.Code = "invalid_value"   // right type, but not a value of it
	CodeRange        fault.Code = "out_of_range"    // a number that does not fit; params min, max, got
)

// The codes of common rules that the readers of a document check after it.
const (
	CodeRequired fault.Code = "required"         // params name
	CodeEnum     fault.Code = "not_in_list"      // params allowed; Fix holds the nearest one
	CodePattern  fault.Code = "pattern_mismatch" // params pattern
	CodeLength   fault.Code = "length"           // of a text or list; params min, max, got
	CodeItems    fault.Code = "duplicate_item"   // an item twice in a list; params item
)

// Limits of a document unless Options says otherwise.
const (
	DefaultMaxSize  = 4 << 20 // bytes
	DefaultMaxDepth = 64      // nested objects and arrays
	maxNodes        = 500_000 // values of one document, so that a small text cannot take much memory
	maxProblems     = 100     // findings of one document; more help nobody
)

// Kind is the type of a JSON value.
type Kind uint8

// The kinds of JSON values.
const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Object
)

// String is the kind's name as messages spell it.
func (k Kind) String() string {
	return [...]string{"null", "a boolean", "a number", "a string", "an array", "an object"}[k]
}

// Node is one value of a document as a range of its text. Nothing is copied
// from the text but member names.
type Node struct {
	Kind       Kind
	Name       string // decoded name where the node is a member of an object
	Start, End int    // the value is text[Start:End]
	NameStart  int    // a member's name starts here, with its quote
	NameEnd    int
	Children   []Node // items of an array, members of an object in their order
}

// Member returns the member of that name, or nil.
func (n *Node) Member(name string) *Node {
	for i := range n.Children {
		if n.Kind == Object && n.Children[i].Name == name {
			return &n.Children[i]
		}
	}
	return nil
}

// Raw is the text of the value as it stands in the document.
func (n *Node) Raw(text []byte) []byte { return text[n.Start:n.End] }

// Text is the decoded string of a String node; text is the document.
func (n *Node) Text(text []byte) string {
	s, _ := unquote(text[n.Start+1 : n.End-1])
	return s
}

// Parse reads one document. The problems are nil when it is well formed;
// otherwise the node must not be used. Of the options, the limits count.
func Parse(text []byte, o Options) (*Node, []fault.Problem) {
	o = o.withDefaults()
	p := &parser{text: text, maxDepth: o.MaxDepth}
	if len(text) > o.MaxSize {
		p.add(CodeTooLarge, map[string]any{"max": o.MaxSize, "size": len(text)},
			"the document has %d bytes; at most %d are read", len(text), o.MaxSize)
		return nil, p.problems
	}
	if strings.HasPrefix(string(text[:min(3, len(text))]), "\ufeff") {
		p.add(CodeEncoding, nil, "the document starts with a byte order mark; save it as UTF-8 without one")
		return nil, p.problems
	}
	if !utf8.Valid(text) {
		p.pos = invalidAt(text)
		p.fail(CodeEncoding, "the text is not valid UTF-8 here; save it as UTF-8")
		return nil, p.problems
	}
	var root Node
	p.space()
	if !p.value(&root, 0) {
		return nil, p.problems
	}
	p.space()
	if p.pos < len(text) {
		p.fail(CodeTrailing, "something follows the end of the document; remove it")
	}
	if len(p.problems) > 0 {
		return nil, p.problems
	}
	return &root, nil
}

func invalidAt(text []byte) int {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n <= 1 {
			return i
		}
		i += n
	}
	return len(text)
}

// parser walks the text once; path is where it is, for the pointers.
type parser struct {
	text     []byte
	pos      int
	maxDepth int
	nodes    int
	path     path
	problems []fault.Problem
}

func (p *parser) add(code fault.Code, params map[string]any, format string, args ...any) {
	if len(p.problems) < maxProblems {
		p.problems = append(p.problems, fault.Problem{
			Code: code, Path: p.path.pointer(),
			Message: fmt.Sprintf(format, args...), Params: params, Severity: fault.Error,
		})
	}
}

// fail reports a problem at the current byte and returns false.
func (p *parser) fail(code fault.Code, format string, args ...any) bool {
	line, column := 1, 1
	for _, r := range string(p.text[:min(p.pos, len(p.text))]) {
		if column++; r == '\n' {
			line, column = line+1, 1
		}
	}
	p.add(code, map[string]any{"line": line, "column": column},
		"line %d, column %d: %s", line, column, fmt.Sprintf(format, args...))
	return false
}

func (p *parser) space() {
	for p.pos < len(p.text) {
		switch p.text[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

func (p *parser) peek() byte {
	if p.pos < len(p.text) {
		return p.text[p.pos]
	}
	return 0
}

func (p *parser) value(n *Node, depth int) bool {
	if p.nodes++; p.nodes > maxNodes {
		return p.fail(CodeTooLarge, "the document has more than %d values", maxNodes)
	}
	n.Start = p.pos
	ok := false
	switch c := p.peek(); {
	case c == '{' || c == '[':
		if depth >= p.maxDepth {
			return p.fail(CodeTooDeep, "nested deeper than %d levels", p.maxDepth)
		}
		if n.Kind = Array; c == '{' {
			n.Kind = Object
		}
		ok = p.container(n, depth)
	case c == '"':
		n.Kind = String
		_, ok = p.string()
	case c == '-' || c >= '0' && c <= '9':
		n.Kind = Number
		ok = p.number()
	case p.word("true"), p.word("false"):
		n.Kind, ok = Bool, true
	case p.word("null"):
		n.Kind, ok = Null, true
	case p.pos >= len(p.text):
		return p.fail(CodeSyntax, "the document ends where a value is expected")
	default:
		return p.fail(CodeSyntax, "a value is expected here")
	}
	n.End = p.pos
	return ok
}

func (p *parser) word(w string) bool {
	if !strings.HasPrefix(string(p.text[p.pos:min(p.pos+len(w), len(p.text))]), w) {
		return false
	}
	p.pos += len(w)
	return true
}

// container reads an object or an array from its opening bracket.
func (p *parser) container(n *Node, depth int) bool {
	closing := p.text[p.pos] + 2 // '{' to '}', '[' to ']'
	var seen names
	p.pos++
	p.space()
	if p.peek() == closing {
		p.pos++
		return true
	}
	for i := 0; ; i++ {
		var child Node
		p.space()
		if n.Kind == Object {
			if !p.name(&child) {
				return false
			}
			p.path.push(child.Name, -1)
			if seen.add(n.Children, child.Name) {
				p.add(CodeDuplicate, map[string]any{"name": Brief(child.Name)},
					"%q stands twice in this object; keep one", Brief(child.Name))
			}
		} else {
			p.path.push("", i)
		}
		if !p.value(&child, depth+1) {
			return false
		}
		p.path.pop()
		n.Children = append(n.Children, child)
		p.space()
		switch p.peek() {
		case ',':
			p.pos++
		case closing:
			p.pos++
			return true
		default:
			return p.fail(CodeSyntax, "a comma or %q is expected here", string(rune(closing)))
		}
	}
}

// name reads a member's name, the colon and the space after it.
func (p *parser) name(n *Node) (ok bool) {
	if p.peek() != '"' {
		return p.fail(CodeSyntax, "a member name in double quotes is expected here")
	}
	n.NameStart = p.pos
	if n.Name, ok = p.string(); !ok {
		return false
	}
	n.NameEnd = p.pos
	p.space()
	if p.peek() != ':' {
		return p.fail(CodeSyntax, "a colon is expected after a member name")
	}
	p.pos++
	p.space()
	return true
}

// string reads a string from its opening quote.
func (p *parser) string() (string, bool) {
	start := p.pos + 1
	for p.pos++; p.pos < len(p.text); p.pos++ {
		switch c := p.text[p.pos]; {
		case c == '"':
			s, bad := unquote(p.text[start:p.pos])
			if bad >= 0 {
				p.pos = start + bad
				return "", p.fail(CodeEncoding, "this escape is not a character; use \\uXXXX with both halves of a pair, or the character itself")
			}
			p.pos++
			return s, true
		case c < 0x20:
			return "", p.fail(CodeSyntax, "a control character stands in a string; write it as an escape")
		case c == '\\':
			if p.pos++; strings.IndexByte(`"\/bfnrtu`, p.peek()) < 0 || p.pos >= len(p.text) {
				return "", p.fail(CodeSyntax, "an unknown escape stands in a string")
			}
		}
	}
	return "", p.fail(CodeSyntax, "a string has no end")
}

// number reads the grammar of RFC 8259, section 6.
func (p *parser) number() bool {
	digits := func() bool {
		start := p.pos
		for c := p.peek(); c >= '0' && c <= '9'; c = p.peek() {
			p.pos++
		}
		return p.pos > start
	}
	if p.peek() == '-' {
		p.pos++
	}
	if p.peek() == '0' {
		p.pos++
		if c := p.peek(); c >= '0' && c <= '9' {
			return p.fail(CodeSyntax, "a number must not start with a zero")
		}
	} else if !digits() {
		return p.fail(CodeSyntax, "a digit is expected here")
	}
	if p.peek() == '.' {
		if p.pos++; !digits() {
			return p.fail(CodeSyntax, "a digit is expected after the point")
		}
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		p.pos++
		if c := p.peek(); c == '+' || c == '-' {
			p.pos++
		}
		if !digits() {
			return p.fail(CodeSyntax, "a digit is expected in the exponent")
		}
	}
	return true
}

// names finds duplicates: by comparing while an object is small, by a set after.
type names map[string]struct{}

// add tells whether name was there before.
func (s *names) add(members []Node, name string) bool {
	const small = 16
	if len(members) < small {
		for i := range members {
			if members[i].Name == name {
				return true
			}
		}
		return false
	}
	if *s == nil {
		*s = make(names, 2*small)
		for i := range members {
			(*s)[members[i].Name] = struct{}{}
		}
	}
	_, twice := (*s)[name]
	(*s)[name] = struct{}{}
	return twice
}

// path is where a walk through a document stands.
type path []step

type step struct {
	name  string
	index int
	item  bool
}

func (p *path) push(name string, index int) {
	*p = append(*p, step{name: name, index: index, item: name == "" && index >= 0})
}

func (p *path) pop() { *p = (*p)[:len(*p)-1] }

// pointer renders RFC 6901.
func (p path) pointer() string {
	var b strings.Builder
	for _, s := range p {
		b.WriteByte('/')
		if s.item {
			b.WriteString(strconv.Itoa(s.index))
		} else {
			b.WriteString(Escape(Brief(s.name)))
		}
	}
	return b.String()
}

// Escape writes one name as a token of a JSON pointer (RFC 6901, section 3).
func Escape(name string) string {
	if !strings.ContainsAny(name, "~/") {
		return name
	}
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// Brief is s for a message: whole if short, else its start and "…", and always
// valid UTF-8, so that a hostile value fills no answer and breaks none.
func Brief(s string) string {
	const most = 80 // bytes
	if len(s) <= most {
		return strings.ToValidUTF8(s, "�")
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
