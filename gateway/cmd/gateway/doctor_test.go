package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/pkg/doctor"
	"github.com/sluice-gateway/sluice/pkg/doctor/doctortest"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

func TestMain(m *testing.M) { os.Exit(doctortest.Main(m, main)) }

func TestDoctorsExitStatus(t *testing.T) {
	data := t.TempDir()
	redis := "--redis.addresses=" + testenv.RedisServer(t).Addr()
	status, out, said := doctortest.Program(t, "doctor", "--data", data, redis, "--admin.address=127.0.0.1:0", "--listen.address=127.0.0.1:0")
	if status != 1 || said != "" || !strings.Contains(out, "FAIL  keys") {
		t.Errorf("without keys: status %d\n%s%s", status, out, said)
	}
	keys, err := trust.Generate()
	if err == nil {
		err = keys.SaveNode(filepath.Join(data, "keys"))
	}
	if err != nil {
		t.Fatal(err)
	}
	status, out, said = doctortest.Program(t, "--data", data, "doctor", redis, "--admin.address=127.0.0.1:0", "--listen.address=127.0.0.1:0", "--json")
	var r doctor.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil || status != 0 || said != "" || r.Failed() || r.Service != "gateway" || len(r.Checks) < 8 {
		t.Errorf("with them: status %d, %v\n%s%s", status, err, out, said)
	}
	status, out, said = doctortest.Program(t, "doctor", "--redis.addresses", "redis://:open-sesame@a:1", "--json")
	if err := json.Unmarshal([]byte(out), &r); err != nil || status != 1 || said != "" || len(r.Checks) != 1 || strings.Contains(out, "sesame") {
		t.Errorf("settings that are not valid: status %d, %v\n%s%s", status, err, out, said)
	}
	if status, _, said = doctortest.Program(t, "--json", "--data", data); status != 1 || !strings.Contains(said, "--json") {
		t.Errorf("--json without a command: status %d, %s", status, said)
	}
	if status, _, said = doctortest.Program(t, "doctro"); status != 1 || !strings.Contains(said, "doctor") {
		t.Errorf("a command that there is not: status %d, %s", status, said)
	}
	if status, out, _ = doctortest.Program(t, "--help"); status != 0 || !strings.Contains(out, "  doctor ") {
		t.Errorf("--help: status %d, %s", status, out)
	}
}
