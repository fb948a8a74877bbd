package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
	"unsafe"
)

// The wire types of protobuf that are read; 3 and 4 (groups) are refused.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

// ErrMalformed is what Decode and Walk return for bytes that are not in the wire
// form. It never means "from a newer version".
var ErrMalformed = errors.New("malformed record")

// Append appends the wire form. Only what is not zero is written. Times before
// 1970 and negative numbers become 0. It allocates only when b is too small.
func (r *Record) Append(b []byte) []byte {
	if us := r.At.UnixMicro(); us > 0 {
		b = appendNumber(b, 1, us)
	}
	b = appendNumber(b, 2, r.Total.Microseconds())
	b = appendNumber(b, 3, r.Upstream.Microseconds())
	b = appendNumber(b, 4, int64(r.Status))
	b = appendText(b, 5, r.Method)
	b = appendText(b, 6, r.Scheme)
	b = appendText(b, 7, r.Host)
	b = appendText(b, 8, r.Path)
	b = appendText(b, 9, r.Query)
	b = appendText(b, 10, r.Org)
	b = appendText(b, 11, r.API)
	b = appendText(b, 12, r.Version)
	b = appendText(b, 13, r.Endpoint)
	b = appendText(b, 14, r.Route)
	b = appendText(b, 15, r.Key)
	b = appendText(b, 16, r.KeyAlias)
	b = appendText(b, 17, r.OAuthClient)
	for _, p := range r.Policies {
		b = appendElement(b, 18, p)
	}
	for _, t := range r.Tags {
		b = appendElement(b, 19, t)
	}
	b = appendText(b, 20, r.Client)
	b = appendText(b, 21, r.Country)
	b = appendText(b, 22, r.UserAgent)
	b = appendText(b, 23, r.Protocol)
	b = appendText(b, 24, r.RequestID)
	b = appendText(b, 25, r.TraceID)
	b = appendNumber(b, 26, r.BytesIn)
	b = appendNumber(b, 27, r.BytesOut)
	b = appendText(b, 28, r.Target)
	b = appendNumber(b, 29, int64(r.Attempts))
	b = appendText(b, 30, r.Refusal)
	b = appendText(b, 31, r.Error)
	b = appendNumber(b, 32, r.Generation)
	b = appendNumber(b, 33, int64(r.Flags))
	if r.Sample != 0 {
		b = binary.AppendUvarint(b, 34<<3|wireFixed64)
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(r.Sample))
	}
	b = appendCapture(b, 35, r.Request)
	return appendCapture(b, 36, r.Response)
}

func appendNumber(b []byte, field uint64, n int64) []byte {
	if n <= 0 {
		return b
	}
	return binary.AppendUvarint(binary.AppendUvarint(b, field<<3|wireVarint), uint64(n))
}

func appendText(b []byte, field uint64, s string) []byte {
	if s == "" {
		return b
	}
	return appendElement(b, field, s)
}

// appendElement also writes an empty text: in a list it is an element.
func appendElement(b []byte, field uint64, s string) []byte {
	b = binary.AppendUvarint(b, field<<3|wireBytes)
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendCapture(b []byte, field uint64, c *Capture) []byte {
	if c == nil {
		return b
	}
	b = binary.AppendUvarint(b, field<<3|wireBytes)
	b = binary.AppendUvarint(b, uint64(c.size()))
	for _, f := range c.Header {
		b = binary.AppendUvarint(b, 1<<3|wireBytes)
		b = binary.AppendUvarint(b, uint64(textSize(f.Name)+textSize(f.Value)))
		b = appendText(b, 1, f.Name)
		b = appendText(b, 2, f.Value)
	}
	if len(c.Body) > 0 {
		b = binary.AppendUvarint(b, 2<<3|wireBytes)
		b = binary.AppendUvarint(b, uint64(len(c.Body)))
		b = append(b, c.Body...)
	}
	b = appendNumber(b, 3, c.Size)
	if c.Truncated {
		b = appendNumber(b, 4, 1)
	}
	return b
}

// size of the wire form; all field numbers of a capture fit one byte.
func (c *Capture) size() (n int) {
	for _, f := range c.Header {
		inner := textSize(f.Name) + textSize(f.Value)
		n += 1 + varintSize(inner) + inner
	}
	if len(c.Body) > 0 {
		n += 1 + varintSize(len(c.Body)) + len(c.Body)
	}
	if c.Size > 0 {
		n += 1 + varintSize(int(c.Size))
	}
	if c.Truncated {
		n += 2
	}
	return n
}

func textSize(s string) int {
	if s == "" {
		return 0
	}
	return 1 + varintSize(len(s)) + len(s)
}

func varintSize(n int) int {
	size := 1
	for u := uint64(n); u >= 0x80; u >>= 7 {
		size++
	}
	return size
}

// Decode reads one record into r, which it empties first but for the storage of
// its lists. Its text shares b's memory: b must not change while r is in use.
// Unknown fields are skipped. Errors wrap ErrMalformed.
func (r *Record) Decode(b []byte) error {
	*r = Record{Policies: r.Policies[:0], Tags: r.Tags[:0]}
	return Walk(b, func(field int, number uint64, text []byte) error {
		if text != nil {
			return r.setText(field, text)
		}
		r.setNumber(field, number)
		return nil
	})
}

func (r *Record) setNumber(field int, n uint64) {
	switch field {
	case 1:
		r.At = time.UnixMicro(clamp(n)).UTC()
	case 2:
		r.Total = micros(n)
	case 3:
		r.Upstream = micros(n)
	case 4:
		r.Status = int(min(n, math.MaxInt32))
	case 26:
		r.BytesIn = clamp(n)
	case 27:
		r.BytesOut = clamp(n)
	case 29:
		r.Attempts = int(min(n, math.MaxInt32))
	case 32:
		r.Generation = clamp(n)
	case 33:
		r.Flags = Flags(n)
	case 34:
		// What is not a fraction is no fraction: sums over it must stay finite.
		if f := math.Float64frombits(n); f > 0 && f <= 1 {
			r.Sample = f
		}
	}
}

func (r *Record) setText(field int, text []byte) error {
	switch field {
	case 18:
		r.Policies = append(r.Policies, shared(text))
	case 19:
		r.Tags = append(r.Tags, shared(text))
	case 35:
		r.Request = new(Capture)
		return r.Request.decode(text)
	case 36:
		r.Response = new(Capture)
		return r.Response.decode(text)
	default:
		if at := r.text(field); at != nil {
			*at = shared(text)
		}
	}
	return nil
}

// text is where a text field goes; nil for an unknown one.
func (r *Record) text(field int) *string {
	switch field {
	case 5:
		return &r.Method
	case 6:
		return &r.Scheme
	case 7:
		return &r.Host
	case 8:
		return &r.Path
	case 9:
		return &r.Query
	case 10:
		return &r.Org
	case 11:
		return &r.API
	case 12:
		return &r.Version
	case 13:
		return &r.Endpoint
	case 14:
		return &r.Route
	case 15:
		return &r.Key
	case 16:
		return &r.KeyAlias
	case 17:
		return &r.OAuthClient
	case 20:
		return &r.Client
	case 21:
		return &r.Country
	case 22:
		return &r.UserAgent
	case 23:
		return &r.Protocol
	case 24:
		return &r.RequestID
	case 25:
		return &r.TraceID
	case 28:
		return &r.Target
	case 30:
		return &r.Refusal
	case 31:
		return &r.Error
	}
	return nil
}

func (c *Capture) decode(b []byte) error {
	return Walk(b, func(field int, number uint64, text []byte) error {
		switch field {
		case 1:
			if text == nil {
				return nil
			}
			var f Field
			err := Walk(text, func(field int, _ uint64, text []byte) error {
				switch field {
				case 1:
					f.Name = shared(text)
				case 2:
					f.Value = shared(text)
				}
				return nil
			})
			c.Header = append(c.Header, f)
			return err
		case 2:
			c.Body = text
		case 3:
			c.Size = clamp(number)
		case 4:
			c.Truncated = number != 0
		}
		return nil
	})
}

// Walk calls f for every field of a protobuf message in its order: with text for
// fields with a length (never nil then), else with number. It stops at f's first
// error. Errors of its own wrap ErrMalformed; no input makes it panic or allocate.
func Walk(b []byte, f func(field int, number uint64, text []byte) error) error {
	for at := 0; at < len(b); {
		tag, n := binary.Uvarint(b[at:])
		field := tag >> 3
		if n <= 0 || field == 0 || field > 1<<29-1 {
			return fmt.Errorf("%w: tag at byte %d", ErrMalformed, at)
		}
		at += n
		var number uint64
		var text []byte
		switch tag & 7 {
		case wireVarint:
			if number, n = binary.Uvarint(b[at:]); n <= 0 {
				return fmt.Errorf("%w: number at byte %d", ErrMalformed, at)
			}
		case wireFixed64:
			if n = 8; len(b)-at < n {
				return fmt.Errorf("%w: it ends in field %d", ErrMalformed, field)
			}
			number = binary.LittleEndian.Uint64(b[at:])
		case wireFixed32:
			if n = 4; len(b)-at < n {
				return fmt.Errorf("%w: it ends in field %d", ErrMalformed, field)
			}
			number = uint64(binary.LittleEndian.Uint32(b[at:]))
		case wireBytes:
			size, m := binary.Uvarint(b[at:])
			if m <= 0 || size > uint64(len(b)-at-m) {
				return fmt.Errorf("%w: length at byte %d", ErrMalformed, at)
			}
			n = m + int(size)
			text = b[at+m : at+n : at+n]
		default:
			return fmt.Errorf("%w: wire type %d", ErrMalformed, tag&7)
		}
		if err := f(int(field), number, text); err != nil {
			return err
		}
		at += n
	}
	return nil
}

// shared is the text without a copy: decoding 500 records of 20 texts would
// otherwise make 10 000 of them.
func shared(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func clamp(n uint64) int64 { return int64(min(n, math.MaxInt64)) }

func micros(n uint64) time.Duration {
	return time.Duration(min(n, math.MaxInt64/uint64(time.Microsecond))) * time.Microsecond
}
