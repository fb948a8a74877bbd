package machine

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestWhatProgramsAndTheKernelTellIsRead(t *testing.T) {
	for text, want := range map[string]string{
		"HAProxy version 2.6.12-1+deb12u4 2026/10/17": "2.6.12-1+deb12u4", "nginx version: nginx/1.22.1": "1.22.1",
		"Redis server v=7.0.15 sha=00000000:0": "v=7.0.15", "wrk: not found": "",
	} {
		if got := version(text); !strings.HasSuffix(want, got) || (got == "") != (want == "") {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if gibibytes("2097152 kB") != "2.0 GiB" || gibibytes("unknown") != "unknown" {
		t.Error("a size is misread")
	}
	if field("a\t: b c\n", "a") != "b c" || field("a: b", "c") != "unknown" {
		t.Error("a field is misread")
	}
}

func TestAMachineIsToldWithoutItsGatewayToo(t *testing.T) {
	m := Look(t.Context(), filepath.Join(t.TempDir(), "none"))
	if text := m.String(); m.Cores < 1 || m.When.IsZero() || !strings.Contains(text, "of an unknown build") || !strings.Contains(text, "net/http of go1") {
		t.Errorf("%+v: %s", m, text)
	}
}
