package apidef

import (
	"encoding/json"
	"fmt"
	"time"
)

// Duration is a span of time written with its unit: "250ms", "30s", "1h".
type Duration time.Duration

// MarshalJSON writes the span with its unit.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// UnmarshalJSON reads a string with a unit; a bare number is refused.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("a duration is a string with a unit, such as \"30s\"; got %s", b)
	}
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a duration: use a number and a unit, such as \"250ms\", \"30s\" or \"1h\"", s)
	}
	*d = Duration(v)
	return nil
}
