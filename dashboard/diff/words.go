package diff

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

// The codes of differences. Params are what (people's words for the place), before
// and after (values, cut) where there are such, and those that are named here.
const (
	CodeCreated        = "diff.created"         // the object; params name
	CodeDeleted        = "diff.deleted"         // the object; params name
	CodeEnabled        = "diff.enabled"         // state
	CodeDisabled       = "diff.disabled"        // state
	CodeAdded          = "diff.added"           // a value
	CodeRemoved        = "diff.removed"         // a value
	CodeChanged        = "diff.changed"         // a value
	CodeMoved          = "diff.moved"           // an item; params from and to, places counted from 1
	CodeFilterOn       = "diff.filter_on"       // params filter
	CodeFilterOff      = "diff.filter_off"      // params filter
	CodeSecretAdded    = "diff.secret_added"    // #nosec: a code
	CodeSecretRemoved  = "diff.secret_removed"  // #nosec: a code
	CodeSecretReplaced = "diff.secret_replaced" // #nosec: a code
	CodeUnreadable     = "diff.unreadable"      // the documents differ, and one is no JSON
)

// separator stands between the steps of a way through a document.
const separator = " › "

func (w *walker) add(op Op, at place, b, a *value) {
	d := Difference{Op: op, Path: at.after, Before: b.shown(), After: a.shown()}
	if op == Removed {
		d.Path = at.before
	}
	d.say(at, b, a)
	w.out = append(w.out, d)
}

func (w *walker) moved(at place, v *value, from, to int) {
	d := Difference{Op: Moved, Path: at.after, From: at.before, Code: CodeMoved}
	what := strings.Join(at.trail, separator)
	d.Params = map[string]any{"what": what, "from": from + 1, "to": to + 1}
	d.Message = fmt.Sprintf("%s: moved from place %d to %d", what, from+1, to+1)
	w.out = append(w.out, d)
}

func (w *walker) unreadable(before, after []byte) {
	d := Difference{Op: Changed, Code: CodeUnreadable, Message: "the documents differ, but one of them cannot be read"}
	switch {
	case before == nil:
		d.Op = Added
	case after == nil:
		d.Op = Removed
	}
	w.out = append(w.out, d)
}

// say fills in the code, the params and the sentence.
func (d *Difference) say(at place, b, a *value) {
	what := strings.Join(at.trail, separator)
	d.Params = map[string]any{"what": what}
	switch {
	case len(at.trail) == 0 && (b == nil || a == nil):
		d.sayWhole(b, a)
	case b != nil && b.secret || a != nil && a.secret:
		d.saySecret(what, b, a)
	case d.sayFilter(at, what, b, a):
	case d.Op == Added:
		d.Code, d.Params["after"] = CodeAdded, brief(a)
		d.Message = fmt.Sprintf("%s: added %s", what, brief(a))
	case d.Op == Removed:
		d.Code, d.Params["before"] = CodeRemoved, brief(b)
		d.Message = fmt.Sprintf("%s: removed %s", what, brief(b))
	default:
		d.Code, d.Params["before"], d.Params["after"] = CodeChanged, brief(b), brief(a)
		d.Message = fmt.Sprintf("%s: %s → %s", what, brief(b), brief(a))
		if at.after == "/state" && a.text == "disabled" {
			d.Code, d.Message = CodeDisabled, "disabled"
		} else if at.after == "/state" && a.text == "active" {
			d.Code, d.Message = CodeEnabled, "enabled"
		}
	}
}

func (d *Difference) sayWhole(b, a *value) {
	v, verb := a, "created"
	d.Code = CodeCreated
	if a == nil {
		d.Code, v, verb = CodeDeleted, b, "deleted"
	}
	name := ""
	if m := v.member("name"); m != nil && !m.hides {
		name = strictjson.Brief(m.text)
	}
	d.Params = map[string]any{"name": name}
	d.Message = strings.TrimSpace(verb + " " + name)
}

func (d *Difference) saySecret(what string, b, a *value) {
	switch {
	case b == nil:
		d.Code, d.Message = CodeSecretAdded, what+": a secret was set"
	case a == nil:
		d.Code, d.Message = CodeSecretRemoved, what+": a secret was removed"
	default:
		d.Code, d.Message = CodeSecretReplaced, what+": a secret was replaced"
	}
}

// sayFilter speaks of a filter that came, went or was turned off; it returns false
// where the difference is no such.
func (d *Difference) sayFilter(at place, what string, b, a *value) bool {
	tokens := strictjson.Tokens(at.after)
	n := len(tokens)
	if n != 2 && n != 4 || tokens[n-2] != "filters" || n == 4 && tokens[0] != "endpoints" {
		return false
	}
	off := func(v *value) bool { return v == nil || v.kind == strictjson.String && v.text == "off" }
	name := tokens[n-1]
	switch {
	case off(b) && !off(a):
		d.Code, d.Message = CodeFilterOn, what+": turned on"
		if a.kind != strictjson.Object || len(a.items) > 0 {
			d.Message += ", " + brief(a)
		}
	case off(a) && a != nil:
		d.Code, d.Message = CodeFilterOff, what+": turned off"
	case off(a) && !off(b) && n == 2:
		d.Code, d.Message = CodeFilterOff, what+": turned off"
	default:
		return false
	}
	d.Params["filter"] = name
	if b != nil {
		d.Params["before"] = brief(b)
	}
	if a != nil {
		d.Params["after"] = brief(a)
	}
	return true
}

// shortest is how much of a value a sentence holds, in characters.
const shortest = 80

// brief is a value for a sentence: a text without quotes, everything else as JSON.
func brief(v *value) string {
	if v == nil {
		return ""
	}
	text := string(v.shown())
	if v.kind == strictjson.String && !v.hides {
		var s string
		if json.Unmarshal(v.raw, &s) == nil && s != "" {
			text = s
		}
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	if all := []rune(text); len(all) > shortest {
		text = string(all[:shortest-1]) + "…"
	}
	return text
}

// words splits a member's name: firstByte is "first byte". Other names stay.
func words(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) || r > unicode.MaxASCII {
			return strictjson.Brief(name)
		}
		if unicode.IsUpper(r) && i > 0 && unicode.IsLower(runes[i-1]) {
			b.WriteByte(' ')
			r = unicode.ToLower(r)
		}
		b.WriteRune(r)
	}
	return b.String()
}

// called names an item of a list: by what says which it is, else by its place.
func called(v *value, keys [][]string, i int) string {
	if v.kind == strictjson.String && !v.hides && v.text != "" {
		return strictjson.Brief(v.text)
	}
	for _, k := range keys {
		if id := identity(v, k); id != "" {
			return strictjson.Brief(strings.ReplaceAll(id, "\x00", " "))
		}
	}
	if v.kind == strictjson.Object && len(v.names) == 1 {
		return words(v.names[0])
	}
	return "number " + strconv.Itoa(i+1)
}
