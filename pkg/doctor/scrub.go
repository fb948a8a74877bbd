package doctor

import "regexp"

// userinfo finds what stands before the host of an address (RFC 3986, 3.2.1), with the
// scheme apart. It is greedy, since people forget to encode an @ in a password.
var userinfo = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)?[^\s"'()]*:[^\s"']*@`)

// scrub takes user and password out of every address in a text: errors quote settings
// that somebody filled in wrongly.
func scrub(text string) string { return userinfo.ReplaceAllString(text, "$1***@") }
