// Package hostile answers for the list of hostile inputs, sections A to F: each line of it is a case, or
// says why it does not apply. Cases are data (framing, chunks, messages, hosts, paths, headers); each is
// sent raw to the real gateway over every kind of listener, to a chain that reads bodies and to one that
// does not, on a new connection and behind a good request, with a probe behind it. A raw origin records
// every byte: what reaches it is exactly what a client sent, once. What needs more than one request and
// one answer is a scenario. lines_test.go is the table of lines.
package hostile
