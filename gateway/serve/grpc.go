package serve

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/message"
)

// grpcType is the media type of gRPC calls, which may be followed by "+proto" and
// the like.
const grpcType = "application/grpc"

// grpcCall tells whether the client speaks gRPC: over HTTP/2, with its media type.
// gRPC-Web, which has bodies of its own, is another type.
func grpcCall(r *message.Request) bool {
	if r.Major != 2 {
		return false
	}
	t := r.Header.Get("Content-Type")
	if len(t) < len(grpcType) || !message.EqualFold(t[:len(grpcType)], grpcType) {
		return false
	}
	rest := t[len(grpcType):]
	return rest == "" || rest[0] == '+' || rest[0] == ';' || rest[0] == ' '
}

// grpcAnswer is a refusal as gRPC has it: no body, the status in the head
// ("Trailers-Only" of its protocol over HTTP/2). A client that gets an HTTP status
// instead knows no more than that.
func grpcAnswer(r *filter.Reject) *message.Response {
	resp := filter.Respond(http.StatusOK, grpcType, nil)
	resp.Header.Add("Grpc-Status", strconv.Itoa(grpcStatus(r.Status)))
	resp.Header.Add("Grpc-Message", grpcMessage(r.Message+" ("+string(r.Code)+")"))
	return resp
}

// grpcStatus is the code of gRPC for a refusal. It is the one that gRPC's
// documentation gives for an HTTP status, but where the gateway knows more than a
// client could: a limit is RESOURCE_EXHAUSTED, a time that is over is
// DEADLINE_EXCEEDED, and its own failure is INTERNAL.
func grpcStatus(status int) int {
	switch status {
	case http.StatusUnauthorized:
		return 16 // UNAUTHENTICATED
	case http.StatusForbidden:
		return 7 // PERMISSION_DENIED
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return 12 // UNIMPLEMENTED
	case http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong, http.StatusTooManyRequests, http.StatusRequestHeaderFieldsTooLarge:
		return 8 // RESOURCE_EXHAUSTED
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return 4 // DEADLINE_EXCEEDED
	case http.StatusBadGateway, http.StatusServiceUnavailable:
		return 14 // UNAVAILABLE
	case http.StatusBadRequest, http.StatusInternalServerError:
		return 13 // INTERNAL
	}
	return 2 // UNKNOWN
}

// grpcMessage is text as a value of Grpc-Message: what is not visible ASCII, and
// "%", is percent-encoded byte by byte.
func grpcMessage(text string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if c := text[i]; c >= ' ' && c <= '~' && c != '%' {
			b.WriteByte(c)
		} else {
			b.WriteString("%" + string(digits[c>>4]) + string(digits[c&15]))
		}
	}
	return b.String()
}
