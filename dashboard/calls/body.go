package calls

import (
	"encoding/base64"
	"unicode/utf8"

	"github.com/sluice-gateway/sluice/pkg/record"
)

// The encodings of a body in an answer.
const (
	UTF8   = "utf-8"
	Base64 = "base64" // RFC 4648, section 4
)

// Body is a recorded body for JSON: as it is where it is text, else in base64.
// Of text that was cut within a character, the character's remains are left out.
func Body(c *record.Capture) (text, encoding string) {
	body := c.Body
	if c.Truncated {
		body = whole(body)
	}
	if textual(body) {
		return string(body), UTF8
	}
	return base64.StdEncoding.EncodeToString(c.Body), Base64
}

// whole cuts the beginning of a character off the end.
func whole(b []byte) []byte {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		tail := b[len(b)-n:]
		if utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				return b[:len(b)-n]
			}
			break
		}
	}
	return b
}

// textual tells whether bytes are text that a person can read: UTF-8 without
// control characters but those of lines and pages.
func textual(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f' || c == 0x7f {
			return false
		}
	}
	return utf8.Valid(b)
}

// Flags names the facts of a record, in the order of their bits. Bits that this
// version does not know are left out.
func Flags(f record.Flags) []string {
	names := []string{}
	for _, known := range []struct {
		flag record.Flags
		name string
	}{
		{record.CacheHit, "cacheHit"},
		{record.Limited, "limited"},
		{record.Retried, "retried"},
		{record.Shadow, "shadow"},
		{record.Upgraded, "upgraded"},
		{record.Aborted, "aborted"},
		{record.Mocked, "mocked"},
		{record.Shrunk, "shrunk"},
		{record.ClientTLS, "clientTls"},
		{record.UpstreamTo, "upstreamTimeout"},
	} {
		if f.Has(known.flag) {
			names = append(names, known.name)
		}
	}
	return names
}
