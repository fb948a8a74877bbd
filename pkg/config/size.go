package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes. It is written with its unit: "512B", "64KiB",
// "10MB", "1.5GiB".
type Size int64

// unit is a suffix and what it stands for, in bytes.
type unit struct {
	name  string
	bytes int64
}

// units has the binary ones first, so that sizes print with them.
func units() []unit {
	return []unit{
		{"TiB", 1 << 40},
		{"GiB", 1 << 30},
		{"MiB", 1 << 20},
		{"KiB", 1 << 10},
		{"TB", 1e12},
		{"GB", 1e9},
		{"MB", 1e6},
		{"KB", 1e3},
		{"kB", 1e3},
		{"B", 1},
	}
}

// ParseSize reads a size. Only 0 may go without a unit.
func ParseSize(s string) (Size, error) {
	s = strings.TrimSpace(s)
	if s == "0" {
		return 0, nil
	}
	for _, u := range units() {
		num, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		num = strings.TrimSpace(num)
		f, err := strconv.ParseFloat(num, 64)
		if err != nil || strings.Trim(num, "0123456789.") != "" {
			break // also refuses signs, exponents, infinity and what is no number
		}
		if f*float64(u.bytes) >= 1<<63 {
			return 0, fmt.Errorf("%q is too large", s)
		}
		return Size(f * float64(u.bytes)), nil
	}
	return 0, fmt.Errorf("%q is not a size: write a number and a unit, such as 512B, 64KiB or 10MB", s)
}

// String is the size in the largest unit that needs no fraction.
func (s Size) String() string {
	if s == 0 {
		return "0"
	}
	for _, u := range units() {
		if int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}

// MarshalText is String, for JSON and YAML.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is ParseSize.
func (s *Size) UnmarshalText(b []byte) error {
	v, err := ParseSize(string(b))
	if err != nil {
		return err
	}
	*s = v
	return nil
}

// ParseDuration reads a span of time with its unit; beside those of
// time.ParseDuration there is "d", a day of 24 hours, alone: "30d". Only 0 may
// go without a unit; negative spans are refused.
func ParseDuration(s string) (time.Duration, error) {
	s = strings.TrimSpace(s)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseInt(days, 10, 64); err == nil && n >= 0 && n <= 100_000 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a duration: write a number and a unit, such as 250ms, 30s, 1h or 30d", s)
	}
	return d, nil
}

// FormatDuration prints a span as ParseDuration reads it, without the zero
// parts of time.Duration's String: "1h", not "1h0m0s".
func FormatDuration(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
