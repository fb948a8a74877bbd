// Package conformance holds the real gateway against what others say about protocols: h2spec (RFC 7540
// and 7541) against its HTTP/2 listeners, and gRPC's own interoperability cases through it. Beside them
// stand the tests of listeners as a configuration makes them: TLS, PROXY protocol, TCP, systemd's
// sockets, several at once.
package conformance
