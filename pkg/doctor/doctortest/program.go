package doctortest

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// beTheService makes a test binary the program that it tests.
const beTheService = "SLUICE_TEST_BE_THE_SERVICE"

// Main runs a package's tests, or main where Program started the test binary, and
// returns the process's exit status. It is for TestMain.
func Main(m *testing.M, main func()) int {
	if os.Getenv(beTheService) != "" {
		main()
		return 0
	}
	return m.Run()
}

// Program runs the service's program to its end, with PATH alone in its environment,
// and returns its exit status and what it wrote to both of its outputs.
func Program(t *testing.T, args ...string) (status int, out, said string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = []string{beTheService + "=1", "PATH=" + os.Getenv("PATH")}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	var failed *exec.ExitError
	switch {
	case errors.As(err, &failed):
		status = failed.ExitCode()
	case err != nil:
		t.Fatal(err)
	}
	return status, string(text), stderr.String()
}
