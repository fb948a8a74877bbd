package listen

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// Header is what a PROXY header says. A zero address means that the socket's own
// is to be used: the header was sent by the load balancer for itself (LOCAL), or
// names no TCP address (UNKNOWN, AF_UNSPEC, AF_UNIX).
type Header struct {
	Source, Destination netip.AddrPort
}

const (
	maxV1   = 107      // of a version 1 header with its CRLF
	maxV2   = 16 << 10 // of what follows the length of a version 2 header
	startV1 = "PROXY "
	startV2 = "\r\n\r\n\x00\r\nQUIT\n"
)

// ErrProxy is in the chain of all errors of headers that are not well-formed.
var ErrProxy = errors.New("no well-formed PROXY header")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrProxy, fmt.Sprintf(format, args...))
}

// ReadProxy reads a PROXY header, of version 1 or 2 as it comes (HAProxy's
// proxy-protocol.txt, section 2). It takes not a byte of what follows. Additions
// of version 2 (TLV) are skipped; a checksum among them must be right.
func ReadProxy(r io.Reader) (Header, error) {
	b := make([]byte, len(startV2), maxV1)
	if err := read(r, b); err != nil {
		return Header{}, err
	}
	switch {
	case string(b) == startV2:
		return readV2(r, b)
	case strings.HasPrefix(string(b), startV1):
		return readV1(r, b)
	}
	return Header{}, malformed("the connection begins with something else")
}

func read(r io.Reader, b []byte) error {
	_, err := io.ReadFull(r, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return malformed("the connection ends within it")
	}
	return err
}

// readV1 reads a line. Two bytes are to come at least until its CR was seen, so
// it reads two at a time.
func readV1(r io.Reader, b []byte) (Header, error) {
	if bytes.ContainsAny(b, "\r\n") {
		return Header{}, malformed("its line is too short")
	}
	for {
		n := 2
		if b[len(b)-1] == '\r' {
			n = 1
		}
		if len(b)+n > maxV1 {
			return Header{}, malformed("its line is longer than %d bytes", maxV1)
		}
		at := len(b)
		b = b[:at+n]
		if err := read(r, b[at:]); err != nil {
			return Header{}, err
		}
		// what was read may end in CR LF, or in its CR
		if i := bytes.IndexByte(b[at-1:], '\n'); i >= 0 {
			if i += at - 1; b[i-1] != '\r' || i != len(b)-1 {
				return Header{}, malformed("a line feed without its carriage return")
			}
			return parseV1(string(b[:len(b)-2]))
		}
		if i := bytes.IndexByte(b[at-1:], '\r'); i >= 0 && at-1+i != len(b)-1 {
			return Header{}, malformed("a carriage return without its line feed")
		}
	}
}

func parseV1(line string) (h Header, err error) {
	part := strings.Split(line, " ")
	if part[1] == "UNKNOWN" { // whatever follows is to be ignored
		return Header{}, nil
	}
	if part[1] != "TCP4" && part[1] != "TCP6" {
		return Header{}, malformed("its protocol is none of TCP4, TCP6 and UNKNOWN")
	}
	if len(part) != 6 {
		return Header{}, malformed("it has %d parts, not 6", len(part))
	}
	six := part[1] == "TCP6"
	if h.Source, err = address(part[2], part[4], six); err == nil {
		h.Destination, err = address(part[3], part[5], six)
	}
	if err != nil {
		return Header{}, err
	}
	return h, nil
}

func address(host, port string, six bool) (netip.AddrPort, error) {
	a, err := netip.ParseAddr(host)
	if err != nil || a.Is6() != six || a.Zone() != "" {
		return netip.AddrPort{}, malformed("%q is no address of its protocol", host)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || strconv.FormatUint(n, 10) != port {
		return netip.AddrPort{}, malformed("%q is no port", port)
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(n)), nil
}

// readV2 reads what follows the signature.
func readV2(r io.Reader, b []byte) (Header, error) {
	b = b[:16]
	if err := read(r, b[12:]); err != nil {
		return Header{}, err
	}
	n := int(binary.BigEndian.Uint16(b[14:]))
	if n > maxV2 {
		return Header{}, malformed("it is longer than %d bytes", maxV2)
	}
	whole := append(make([]byte, 0, 16+n), b...)[:16+n]
	if err := read(r, whole[16:]); err != nil {
		return Header{}, err
	}
	return parseV2(whole)
}

// The commands and families of version 2.
const (
	version2 = 0x2
	local    = 0x0
	proxy    = 0x1
	unspec   = 0x0
	inet     = 0x1
	inet6    = 0x2
	unix     = 0x3
	stream   = 0x1
)

func parseV2(b []byte) (h Header, err error) {
	command, family, transport, data := b[12]&0xf, b[13]>>4, b[13]&0xf, b[16:]
	switch {
	case b[12]>>4 != version2:
		return Header{}, malformed("its version is %d", b[12]>>4)
	case command == local:
		return Header{}, nil // its family and addresses are to be ignored
	case command != proxy:
		return Header{}, malformed("its command is %d", command)
	case family > unix || transport > 2:
		return Header{}, malformed("its family is %#02x", b[13])
	case family == unspec:
		return Header{}, nil
	case transport != stream:
		return Header{}, malformed("it speaks of no stream")
	}
	size := map[byte]int{inet: 4 + 4 + 2 + 2, inet6: 16 + 16 + 2 + 2, unix: 108 + 108}[family]
	if len(data) < size {
		return Header{}, malformed("its length is %d, and its addresses have %d", len(data), size)
	}
	if err := additions(b, data[size:]); err != nil || family == unix {
		return Header{}, err
	}
	n := (size - 4) / 2
	src, _ := netip.AddrFromSlice(data[:n])
	dst, _ := netip.AddrFromSlice(data[n : 2*n])
	h.Source = netip.AddrPortFrom(src.Unmap(), binary.BigEndian.Uint16(data[2*n:]))
	h.Destination = netip.AddrPortFrom(dst.Unmap(), binary.BigEndian.Uint16(data[2*n+2:]))
	return h, nil
}

// typeCRC is PP2_TYPE_CRC32C.
const typeCRC = 0x03

// additions walks the TLVs, which end the header b.
func additions(b, tlv []byte) error {
	for len(tlv) > 0 {
		if len(tlv) < 3 {
			return malformed("an addition is cut off")
		}
		n := int(binary.BigEndian.Uint16(tlv[1:]))
		if len(tlv) < 3+n {
			return malformed("an addition is longer than the header")
		}
		if tlv[0] == typeCRC {
			if n != 4 {
				return malformed("its checksum has %d bytes", n)
			}
			sum := tlv[3:7]
			want := binary.BigEndian.Uint32(sum)
			clear(sum)
			is := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
			binary.BigEndian.PutUint32(sum, want)
			if is != want {
				return malformed("its checksum is wrong")
			}
		}
		tlv = tlv[3+n:]
	}
	return nil
}
