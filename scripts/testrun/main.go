// Command testrun runs `go test -json` with its arguments and prints what people want to know: one line
// per package, the whole output of what failed, and at the end what was skipped and why, so that a
// green run does not hide what this machine could not test.
//
//	go run ./scripts/testrun -race ./pkg/... ./gateway/...
package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
)

func main() {
	cmd := exec.Command("go", append([]string{"test", "-json"}, os.Args[1:]...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testrun:", err)
		os.Exit(2)
	}
	r := newReport(os.Stdout)
	lines := bufio.NewReaderSize(out, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			r.line(line)
		}
		if err != nil {
			break
		}
	}
	failed := cmd.Wait() != nil
	r.summary()
	if failed || r.failures > 0 {
		os.Exit(1)
	}
}
