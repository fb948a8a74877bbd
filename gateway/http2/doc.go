// Package http2 speaks HTTP/2 (RFC 9113) on both sides of the gateway. Its server
// side is the standard library's server behind message.Handler and
// message.Writer; it also serves HTTP/1.1 by net/http, for listeners with
// "engine: stdlib".
//
// A connection comes by Server.ServeConn, is wrapped (server_conn.go) and given to
// an http.Server of its kind. The wrapper looks at the frames in both directions
// (server_watch.go) and ends a connection that floods, where net/http itself has no
// bound. adapter.go turns an http.Request into a message.Request, after
// server_check.go has refused what package http1 would refuse; server_writer.go
// and server_body.go are the way back and the request's body.
//
// What net/http answers by itself, before any handler sees it: a header list
// beyond its limit (431), connection-specific fields (400), both without our
// document, and everything that is a stream or connection error.
package http2
