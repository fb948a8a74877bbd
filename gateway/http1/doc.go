// Package http1 speaks HTTP/1.1 (RFC 9112) on both sides of the gateway: Server
// reads requests of clients and writes responses, Pool sends requests to one
// target and reads responses. It knows messages only; routing and policy are the
// handler's.
//
// It is strict: what two parsers could read in two ways is refused, and what is
// forwarded is written anew from the parsed form, never copied. It is cheap: one
// goroutine per client connection, the head in one pooled buffer with the fields
// as slices of it, no timer and next to no allocation per request. Clock wakes a
// few times a second and ends what has outlived its deadline. Package wire holds
// the parser that both sides share.
package http1
