package guard

import "testing"

func TestOf(t *testing.T) {
	for _, c := range []struct {
		options string
		want    Need
	}{
		{"", Undecided}, {`{}`, Undecided}, {`7`, Undecided}, {`{"open":1}`, Undecided}, {`{"any":[]}`, Undecided}, {`"on"`, Undecided},
		{`"off"`, Nothing}, {`{"open":true}`, Nothing}, {`{"any":[{"key":{}}],"anonymous":true}`, Nothing},
		{`{"any":[{"key":{}}]}`, Credential}, {`{"all":[{"key":{}}],"strip":false}`, Credential},
	} {
		if got := Of([]byte(c.options)); got != c.want {
			t.Errorf("%s: %d, want %d", c.options, got, c.want)
		}
	}
}
