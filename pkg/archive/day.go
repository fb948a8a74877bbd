package archive

import (
	"fmt"
	"time"
	"unicode/utf8"
)

// Day is a day of UTC, the unit in which records are kept and dropped.
type Day struct{ start time.Time }

const dayForm = "20060102"

// DayOf is the day of a time.
func DayOf(t time.Time) Day {
	y, m, d := t.UTC().Date()
	return Day{time.Date(y, m, d, 0, 0, 0, 0, time.UTC)}
}

// ParseDay reads what String writes; ok is false for anything else.
func ParseDay(s string) (d Day, ok bool) {
	t, err := time.Parse(dayForm, s)
	return Day{t}, err == nil && len(s) == len(dayForm)
}

// String is the day as YYYYMMDD, as it stands in names of files and collections.
func (d Day) String() string { return d.start.Format(dayForm) }

// Start is its first moment.
func (d Day) Start() time.Time { return d.start }

// End is the first moment behind it.
func (d Day) End() time.Time { return d.start.AddDate(0, 0, 1) }

// Over tells whether the day's records are no longer kept: the whole day ended
// before now-retention. A retention of 0 or less keeps everything.
func (d Day) Over(now time.Time, retention time.Duration) bool {
	return retention > 0 && !d.End().After(now.Add(-retention))
}

// ahead is how far in the future a record may lie. Clocks are wrong by minutes; what
// is wrong by days would make days that retention does not reach.
const ahead = 24 * time.Hour

// Refuse says why a record can never be stored; empty when it can.
func Refuse(id string, at, now time.Time, retention time.Duration) (reason string) {
	switch {
	case id == "":
		return "it has no id"
	case !utf8.ValidString(id):
		return "its id is no text"
	case at.UnixMicro() <= 0:
		return "it has no time"
	case at.After(now.Add(ahead)):
		return fmt.Sprintf("its time, %s, is more than a day ahead of this clock: set the gateway's", at.UTC().Format(time.RFC3339))
	case DayOf(at).Over(now, retention):
		return fmt.Sprintf("its day, %s, is past the retention", DayOf(at).start.Format(time.DateOnly))
	}
	return ""
}
