// Package wire reads HTTP/1.1 (RFC 9112): heads and bodies, out of one pooled
// buffer per message, with the strings of a head as slices of it. It is what
// both sides of package http1 stand on, beside the coarse Clock and the few
// system calls that look at a socket. It answers what it refuses with a Refusal
// and writes nothing itself.
package wire
