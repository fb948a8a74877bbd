package strictjson

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// unquote decodes the inside of a string whose escapes are known letters. bad
// is where an escape is no character (a cut \u or half a surrogate pair), or -1.
// encoding/json would replace those silently, so that two names could become one.
func unquote(in []byte) (s string, bad int) {
	if bytes.IndexByte(in, '\\') < 0 {
		return string(in), -1
	}
	out := make([]byte, 0, len(in))
	for i := 0; i < len(in); i++ {
		if in[i] != '\\' {
			out = append(out, in[i])
			continue
		}
		i++
		if in[i] != 'u' {
			out = append(out, plainEscape(in[i]))
			continue
		}
		r, ok := hex4(in, i+1)
		if !ok {
			return "", i - 1
		}
		if utf16.IsSurrogate(r) {
			low, ok := rune(0), i+6 < len(in) && in[i+5] == '\\' && in[i+6] == 'u'
			if ok {
				low, ok = hex4(in, i+7)
			}
			if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
				return "", i - 1
			}
			i += 6
		}
		out = utf8.AppendRune(out, r)
		i += 4
	}
	return string(out), -1
}

func plainEscape(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

func hex4(in []byte, at int) (rune, bool) {
	if at+4 > len(in) {
		return 0, false
	}
	for _, c := range in[at : at+4] {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return 0, false
		}
	}
	v, err := strconv.ParseUint(string(in[at:at+4]), 16, 16)
	return rune(v), err == nil
}
