package record

import (
	"bytes"
	"encoding/json"
	"slices"
)

// maxDepth bounds the recursion on a hostile body.
const maxDepth = 100

// jsonMask copies JSON from in to out and replaces masked values. It does not
// decode the whole body, because a recorded body is mostly cut somewhere.
type jsonMask struct {
	mask *Mask
	in   []byte
	at   int
	out  []byte
}

// value copies one value; false when the text is not JSON from here on, or ended.
func (j *jsonMask) value(path []string, depth int) bool {
	j.space()
	if j.at >= len(j.in) || depth > maxDepth {
		return false
	}
	switch j.in[j.at] {
	case '{':
		return j.members(path, depth, '}', true)
	case '[':
		return j.members(path, depth, ']', false)
	case '"':
		text, whole := j.text()
		j.out = append(j.out, text...)
		return whole
	}
	from := j.at
	for j.at < len(j.in) && bytes.IndexByte([]byte("+-.0123456789eEtrufalsn"), j.in[j.at]) >= 0 {
		j.at++
	}
	j.out = append(j.out, j.in[from:j.at]...)
	return j.at > from && j.at < len(j.in) || depth == 0
}

func (j *jsonMask) members(path []string, depth int, end byte, named bool) bool {
	j.copyByte()
	for first := true; ; first = false {
		j.space()
		if j.at >= len(j.in) {
			return false
		}
		if j.in[j.at] == end {
			j.copyByte()
			return true
		}
		if !first {
			if j.in[j.at] != ',' {
				return false
			}
			j.copyByte()
			j.space()
		}
		name := "*"
		if named {
			text, ok := j.name()
			if !ok {
				return false
			}
			name = text
		}
		below := append(slices.Clip(path), name)
		if j.masked(below, named) {
			j.out = append(j.out, `"`+Masked+`"`...)
			kept := len(j.out)
			ok := j.value(nil, depth+1)
			j.out = j.out[:kept]
			if !ok {
				return false
			}
			continue
		}
		if !j.value(below, depth+1) {
			return false
		}
	}
}

// name copies a member's name and the colon.
func (j *jsonMask) name() (name string, ok bool) {
	if j.at >= len(j.in) || j.in[j.at] != '"' {
		return "", false
	}
	text, whole := j.text()
	if !whole || json.Unmarshal(text, &name) != nil {
		return "", false
	}
	j.out = append(j.out, text...)
	j.space()
	if j.at >= len(j.in) || j.in[j.at] != ':' {
		return "", false
	}
	j.copyByte()
	return name, true
}

func (j *jsonMask) masked(path []string, named bool) bool {
	if named && slices.Contains(j.mask.deep, path[len(path)-1]) {
		return true
	}
	return slices.ContainsFunc(j.mask.paths, func(rule []string) bool {
		return len(rule) == len(path) && slices.EqualFunc(rule, path, func(r, p string) bool { return r == "*" || r == p })
	})
}

// text passes a string, quotes included.
func (j *jsonMask) text() (text []byte, whole bool) {
	from := j.at
	for j.at++; j.at < len(j.in); j.at++ {
		switch j.in[j.at] {
		case '\\':
			j.at++
		case '"':
			j.at++
			return j.in[from:j.at], true
		}
	}
	j.at = len(j.in)
	return j.in[from:], false
}

func (j *jsonMask) space() {
	for j.at < len(j.in) && bytes.IndexByte([]byte(" \t\r\n"), j.in[j.at]) >= 0 {
		j.copyByte()
	}
}

func (j *jsonMask) copyByte() {
	j.out = append(j.out, j.in[j.at])
	j.at++
}
