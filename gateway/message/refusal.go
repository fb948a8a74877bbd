package message

import "strconv"

// The codes of requests that an engine refuses by itself, all that there are: they
// are counted one by one.
const (
	CodeMalformed    = "request.malformed"      // 400
	CodeMethod       = "request.method"         // 405
	CodeTimeout      = "request.timeout"        // 408
	CodeLineTooLong  = "request.line_too_long"  // 414
	CodeExpectation  = "request.expectation"    // 417
	CodeHeadTooLarge = "request.head_too_large" // 431
	CodeVersion      = "request.version"        // 505
)

// RefusalCodes are the codes of refused requests.
func RefusalCodes() []string {
	return []string{CodeMalformed, CodeMethod, CodeTimeout, CodeLineTooLong, CodeExpectation, CodeHeadTooLarge, CodeVersion}
}

// AllowedMethods is the Allow field (RFC 9110, 10.2.1) of an engine's 405.
const AllowedMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

// AppendRefusal writes the JSON document that an engine answers a refused request
// with. id is the request's, empty where it has none.
func AppendRefusal(b []byte, status int, code, text, id string) []byte {
	b = append(strconv.AppendInt(append(b, `{"status":`...), int64(status), 10), `,"code":`...)
	b = strconv.AppendQuote(b, code)
	b = strconv.AppendQuote(append(b, `,"message":`...), text)
	if id != "" {
		b = strconv.AppendQuote(append(b, `,"requestId":`...), id)
	}
	return append(b, "}\n"...)
}
