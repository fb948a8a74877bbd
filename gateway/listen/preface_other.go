//go:build !unix

package listen

import "net"

// begins waits for the first bytes of nc and tells which protocol they are of.
func begins(nc net.Conn) (net.Conn, opening, error) { return beginsOpaque(nc) }
