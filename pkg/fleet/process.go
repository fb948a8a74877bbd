package fleet

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// Identify tells who this process is in the fleet: the node id that is kept in
// its data folder, which is made where it is absent, and the name that people see,
// the host's where name is empty. Errors say the mend.
func Identify(data, name string) (id, shown string, err error) {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return "", "", fmt.Errorf("data %s cannot be made: %w; name a folder that the service may write to", data, err)
	}
	if shown = name; shown == "" {
		if shown, err = os.Hostname(); err != nil {
			return "", "", fmt.Errorf("the host has no name (%w); set name", err)
		}
	}
	file := filepath.Join(data, "node-id")
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		text = []byte(uuid.NewString() + "\n")
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		return "", "", fmt.Errorf("the node's id: %w; the data folder must be readable and writable", err)
	}
	u, err := uuid.Parse(strings.TrimSpace(string(text)))
	if err != nil {
		return "", "", fmt.Errorf("%s does not hold a node id; remove it to get a new one", file)
	}
	return u.String(), shown, nil
}

// ProcessLoad is the part of a node's load that the process itself shows: resident
// memory (proc(5), statm; 0 where the system does not say) and goroutines.
func ProcessLoad() Load {
	l := Load{Goroutines: int64(runtime.NumGoroutine())}
	text, err := os.ReadFile("/proc/self/statm")
	if f := strings.Fields(string(text)); err == nil && len(f) > 1 {
		if pages, err := strconv.ParseInt(f[1], 10, 64); err == nil {
			l.RSS = pages * int64(os.Getpagesize())
		}
	}
	return l
}
