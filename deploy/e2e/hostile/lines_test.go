package hostile

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// scenario is what needs more than one request and one answer. It may stand for several lines.
type scenario struct {
	name  string // begins with the ids of its lines
	run   func(t *testing.T, w *world)
	alone bool // it measures a gateway, adds one, or changes what all have
}

func scenarios() []scenario {
	return []scenario{
		{"A24 early answers", earlyAnswers, false},
		{"A24 expectations", expectations, false},
		{"A28 memory of heads", memory, true},
		{"A29 slow clients", slowClients, false},
		{"A30 refused upgrades", earlyUpgrades, false},
		{"A32 A30 D02 malicious origins", maliciousOrigins, false},
		{"C42 patterns", patterns, false},
		{"C44 one form of a path", oneForm, false},
		{"D04 D05 trusted chains", trustedChains, true},
		{"D06 PROXY headers", proxyHeaders, true},
		{"D10 error pages", errorPages, false},
		{"E09 B09 E12 strange requests", strangeRequests, false},
		{"E02 E03 E04 E06 floods", flooded, true},
		{"E05 E07 E08 E10 bounds", bounds2, true},
		{"E11 drain", drained, true},
		{"E13 prior knowledge", priorKnowledge, false},
		{"F01 F02 old TLS and unknown names", oldTLS, false},
		{"F04 a new certificate", newCertificate, true},
		{"F05 an upstream that nobody vouches for", strangeUpstream, false},
	}
}

// waived are lines that do not apply, each with the reason.
func waived() map[string]string {
	return map[string]string{
		"B05": "does not apply: no API can ask for client certificates yet, so no host has a policy that another name could go round",
		"E01": "does not apply: h2spec is a suite of its own, run against TLS and h2c listeners",
		"F03": "does not apply: listeners ask for no client certificates yet",
		"F06": "does not apply: without client certificates a resumed session skips nothing; certs tests that a ticket resumes under its own server name only",
		"E14": "does not apply: there is no HTTP/3 listener",
	}
}

// lines are the ids of sections A to F. C01 to C37 are the list that C begins with, in
// its order: listed, then lengths, fields and methods.
func lines() (ids []string) {
	for _, s := range []struct {
		section  string
		from, to int
	}{{"A", 1, 32}, {"B", 1, 11}, {"C", 1, 37}, {"C", 40, 45}, {"D", 1, 10}, {"E", 1, 14}, {"F", 1, 6}} {
		for n := s.from; n <= s.to; n++ {
			ids = append(ids, fmt.Sprintf("%s%02d", s.section, n))
		}
	}
	return ids
}

// TestEveryLineIsTried fails when a line has neither a case nor a reason, or both, or when a case names
// a line that there is not.
func TestEveryLineIsTried(t *testing.T) {
	tried := map[string]int{}
	for _, c := range allCases() {
		tried[c.id]++
	}
	for _, s := range scenarios() {
		for word := range strings.FieldsSeq(s.name) {
			if len(word) != 3 || word[0] < 'A' || word[0] > 'F' {
				break
			}
			tried[word]++
		}
	}
	known := lines()
	for _, id := range known {
		switch reason := waived()[id]; {
		case tried[id] == 0 && reason == "":
			t.Errorf("%s has no case and no reason why it does not apply", id)
		case tried[id] > 0 && reason != "":
			t.Errorf("%s has %d cases, and does not apply", id, tried[id])
		case reason != "" && !strings.HasPrefix(reason, "does not apply: "):
			t.Errorf("%s: %q is no reason", id, reason)
		}
	}
	for id := range tried {
		if !slices.Contains(known, id) {
			t.Errorf("there is no line %s", id)
		}
	}
	for id := range waived() {
		if !slices.Contains(known, id) {
			t.Errorf("there is no line %s", id)
		}
	}
}
