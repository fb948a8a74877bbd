package apidef

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

// Duration is a span of time written with its unit: "250ms", "30s", "1h".
type Duration time.Duration

// ParseDuration reads a span of time that is not negative: a number and a unit
// of ns, us, ms, s, m, h or d (24 hours), or several such as "1h30m".
func ParseDuration(s string) (Duration, error) {
	text := s
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err == nil && n <= uint64(math.MaxInt64/(24*time.Hour)) {
			text = strconv.FormatUint(n*24, 10) + "h"
		}
	}
	v, err := time.ParseDuration(text)
	if err != nil || v < 0 || text[0] == '+' || text[0] == '-' {
		return 0, fmt.Errorf("%q is not a duration: use a number and a unit, such as \"250ms\", \"30s\" or \"1h\"", strictjson.Brief(s))
	}
	return Duration(v), nil
}

// MarshalJSON writes the span with its unit.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// UnmarshalJSON reads a string with a unit; a bare number is refused.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s *string
	if err := json.Unmarshal(b, &s); err != nil || s == nil {
		return fmt.Errorf("a duration is a string with a unit, such as \"30s\"; got %s", strictjson.Brief(string(b)))
	}
	v, err := ParseDuration(*s)
	if err != nil {
		return err
	}
	*d = v
	return nil
}

// Size is a number of bytes written with its unit: "64KiB", "1MiB", "500B".
type Size int64

// ParseSize reads a number of bytes that is not negative: a whole number and a
// unit of B, KiB, MiB, GiB (1024) or KB, MB, GB (1000).
func ParseSize(s string) (Size, error) {
	digits := strings.TrimRight(s, "BKMGi")
	factor := int64(0)
	switch s[len(digits):] {
	case "B":
		factor = 1
	case "KiB":
		factor = 1 << 10
	case "MiB":
		factor = 1 << 20
	case "GiB":
		factor = 1 << 30
	case "KB":
		factor = 1e3
	case "MB":
		factor = 1e6
	case "GB":
		factor = 1e9
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || factor == 0 || int64(n) > math.MaxInt64/factor {
		return 0, fmt.Errorf("%q is not a size: use a whole number and a unit, such as \"64KiB\" or \"1MiB\"", strictjson.Brief(s))
	}
	return Size(int64(n) * factor), nil
}

// String writes the size with the largest unit that divides it.
func (z Size) String() string {
	for _, u := range []struct {
		factor Size
		name   string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if z != 0 && z%u.factor == 0 {
			return strconv.FormatInt(int64(z/u.factor), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(z), 10) + "B"
}

// MarshalJSON writes the size with its unit.
func (z Size) MarshalJSON() ([]byte, error) { return json.Marshal(z.String()) }

// UnmarshalJSON reads a string with a unit; a bare number is refused.
func (z *Size) UnmarshalJSON(b []byte) error {
	var s *string
	if err := json.Unmarshal(b, &s); err != nil || s == nil {
		return fmt.Errorf("a size is a string with a unit, such as \"64KiB\"; got %s", strictjson.Brief(string(b)))
	}
	v, err := ParseSize(*s)
	if err != nil {
		return err
	}
	*z = v
	return nil
}
