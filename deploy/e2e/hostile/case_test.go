package hostile

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// attackCase is one hostile request: what is sent, what is answered, and what reaches the origin.
type attackCase struct {
	id, name string
	send     string
	statuses []int                                  // of the first answer, one of these
	arrive   []string                               // what the origin gets: "METHOD TARGET BODY"
	maybe    bool                                   // it arrives where it is answered 200, and does not where it is refused
	any      bool                                   // whatever arrives is for check to judge
	partial  bool                                   // a request may reach the origin in part, never whole
	silence  bool                                   // the connection may be closed without an answer
	closes   bool                                   // the connection must be closed behind the answer
	ends     bool                                   // the client ends its side
	check    func(got []platform.Arrived) error     // further, on what arrived
	answer   func(r *http.Response, b []byte) error // further, on the first answer
}

func (c attackCase) title() string {
	return strings.ReplaceAll(strings.TrimSpace(c.id+" "+c.name), "/", "_")
}

// refused is a case that must be refused with one of the statuses, with nothing to the origin. What is
// wrong with the framing ends the connection, too.
func refused(id, name, send string, statuses ...int) attackCase {
	return attackCase{id: id, name: name, send: send, statuses: statuses, closes: id[0] == 'A' && id <= "A20"}
}

// passed is a case that must reach the origin as said.
func passed(id, name, send string, arrive ...string) attackCase {
	return attackCase{id: id, name: name, send: send, statuses: []int{200}, arrive: arrive}
}

// TestHostile sends every case over every lane, then plays the scenarios.
func TestHostile(t *testing.T) {
	w := newWorld(t)
	t.Run("cases", func(t *testing.T) {
		for _, l := range w.lanes(t) {
			t.Run(l.name(), func(t *testing.T) {
				t.Parallel()
				for _, c := range allCases() {
					t.Run(c.title(), func(t *testing.T) { l.mount(t, c) })
				}
				l.sweep(t)
			})
		}
	})
	for _, alone := range []bool{false, true} {
		t.Run(map[bool]string{false: "beside each other", true: "alone"}[alone], func(t *testing.T) {
			for _, s := range scenarios() {
				if s.alone != alone {
					continue
				}
				t.Run(s.name, func(t *testing.T) {
					if !alone {
						t.Parallel()
					}
					s.run(t, w)
				})
			}
		})
	}
}

func allCases() []attackCase {
	return slices.Concat(framing(), lengths(), names(), chunks(), requestLines(), messages(), hosts(), bypasses(), places(), headers())
}

// mount sends one case and judges what came of it.
func (l *lane) mount(t *testing.T, c attackCase) {
	if left := l.origin.Take(); left.Bytes > 0 {
		t.Errorf("before the case, the origin got %q", left.Arrived)
	}
	var first, wantFirst string
	var sent []string
	if l.kept {
		first, wantFirst = l.probe("")
		sent = append(sent, wantFirst)
	}
	last, wantLast := l.probe("Connection: close\r\n")
	answers := l.talk(t, c, first, wantFirst, last)
	fresh, wantFresh := l.probe("Connection: close\r\n")
	if s, err := l.exchange(l.gw, "GET", fresh); err != nil || string(s.body) != wantFresh {
		t.Errorf("a probe on a new connection got %q, %v", s.body, err)
	}
	testenv.Eventually(t, 5*time.Second, l.origin.Settled)
	got := l.origin.Take()
	arrived := describe(got.Arrived)
	probed := slices.Contains(arrived, wantLast)
	l.judgeAnswers(t, c, answers, probed, wantLast)
	expected := append(sent, c.expected(l, answers, arrived, len(sent))...)
	if probed {
		expected = append(expected, wantLast)
	}
	expected = append(expected, wantFresh)
	if !slices.Equal(arrived, expected) {
		t.Errorf("the origin got %q, want %q", arrived, expected)
	}
	own := got.Arrived[min(len(sent), len(got.Arrived)):]
	own = own[:max(0, len(own)-1-btoi(probed))]
	c.judgeArrived(t, l, got, own, last)
	if wanted := len(own) + btoi(probed); len(answers) < wanted {
		t.Errorf("%d answers to %d requests", len(answers), wanted)
	}
}

func describe(arrived []platform.Arrived) (all []string) {
	for _, r := range arrived {
		all = append(all, strings.TrimSpace(r.Method+" "+r.Target+" "+string(r.Body)))
	}
	return all
}

// expected is what the case itself must bring to the origin.
func (c attackCase) expected(l *lane, answers []said, arrived []string, before int) []string {
	none := len(answers) == 0 || answers[0].resp.StatusCode != 200
	switch {
	case c.maybe && none:
		return nil
	case c.any, l.lenient:
		n := before
		for n < len(arrived) && !strings.HasPrefix(arrived[n], "GET /probe-") {
			n++
		}
		if before < n {
			return arrived[before:n]
		}
		return nil
	}
	want := slices.Clone(c.arrive)
	for i := range want {
		want[i] = l.here(want[i])
	}
	return want
}

func (l *lane) judgeAnswers(t *testing.T, c attackCase, answers []said, probed bool, wantLast string) {
	if len(answers) == 0 {
		if !c.silence {
			t.Errorf("no answer, want %v", c.statuses)
		}
		return
	}
	a := answers[0]
	meant := slices.Contains(c.statuses, a.resp.StatusCode)
	other := l.lenient && (a.resp.StatusCode == 200 || a.resp.StatusCode >= 400)
	if !meant && !other {
		t.Errorf("answered %d %.200s, want %v", a.resp.StatusCode, a.body, c.statuses)
	}
	if c.answer != nil && meant {
		if err := c.answer(a.resp, a.body); err != nil {
			t.Error(err)
		}
	}
	if c.closes && !l.lenient && (probed || !a.resp.Close) {
		t.Errorf("the connection goes on behind a %d; it says it closes: %v, the probe arrived: %v", a.resp.StatusCode, a.resp.Close, probed)
	}
	if z := answers[len(answers)-1]; probed && string(z.body) != wantLast {
		t.Errorf("the probe got %q, not its own answer; %d answers", z.body, len(answers))
	}
}

// judgeArrived looks at the bytes: whole, canonical, written by the gateway, and of this client.
func (c attackCase) judgeArrived(t *testing.T, l *lane, got platform.Catch, own []platform.Arrived, last string) {
	if len(got.Faults) > 0 {
		t.Errorf("the origin got what is not canonical: %q", got.Faults)
	}
	whole := 0
	for _, r := range got.Arrived {
		whole += len(r.Raw)
		if n := strings.Count(strings.ToLower("\r\n"+r.Head), "\r\nx-request-id:"); n != 1 {
			t.Errorf("the gateway did not write this request by itself: %q", r.Raw)
		}
		if s := r.Field("X-Forwarded-Proto"); s != l.scheme {
			t.Errorf("X-Forwarded-Proto arrived as %q, want %s", s, l.scheme)
		}
	}
	if !c.partial && !l.lenient && (len(got.Broken) > 0 || got.Bytes != whole) {
		t.Errorf("the origin got %d bytes, %d of them whole requests; broken off: %q", got.Bytes, whole, got.Broken)
	}
	if l.lenient {
		if err := taken(l.here(c.send)+last, own); err != nil {
			t.Error(err)
		}
	} else {
		for _, r := range own {
			if err := foreign(l.here(c.send), r); err != nil {
				t.Error(err)
			}
		}
	}
	if c.check != nil && len(own) > 0 {
		if err := c.check(own); err != nil {
			t.Error(err)
		}
	}
}

// foreign finds field lines at the origin that neither the client sent nor the gateway adds.
func foreign(sent string, r platform.Arrived) error {
	sent = strings.ToLower(sent)
	for line := range strings.SplitSeq(strings.TrimSuffix(r.Head, "\r\n"), "\r\n") {
		name, value, _ := strings.Cut(strings.ToLower(line), ":")
		switch name {
		case "host", "via", "forwarded", "x-real-ip", "x-request-id", "x-env", "x-v", "x-q", "x-user-id", "content-length", "transfer-encoding", "cookie", "te", "traceparent":
			continue
		}
		if strings.HasPrefix(name, "x-forwarded-") {
			continue
		}
		if !strings.Contains(sent, name+":") || !strings.Contains(sent, strings.TrimSpace(value)) {
			return fmt.Errorf("the field %q was sent by nobody", line)
		}
	}
	return nil
}

// taken compares what arrived with what net/http takes the bytes for: each request the next of those.
func taken(sent string, own []platform.Arrived) error {
	in := bufio.NewReader(strings.NewReader(sent))
	for _, r := range own {
		q, err := http.ReadRequest(in)
		if err != nil {
			return fmt.Errorf("a request arrived that nobody sent: %q", r.Raw)
		}
		body, err := io.ReadAll(q.Body)
		if err != nil || q.Method != r.Method || !bytes.Equal(body, r.Body) {
			return fmt.Errorf("%s %s with the body %q (%v) arrived as %q", q.Method, q.RequestURI, body, err, r.Raw)
		}
	}
	return nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// lacks checks that header fields did not arrive.
func lacks(fields ...string) func([]platform.Arrived) error {
	return func(got []platform.Arrived) error {
		for _, f := range fields {
			if v := got[0].Field(f); v != "" {
				return fmt.Errorf("%s arrived as %q", f, v)
			}
		}
		return nil
	}
}
