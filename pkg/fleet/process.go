package fleet

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
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
		text = []byte(newID() + "\n")
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		return "", "", fmt.Errorf("the node's id: %w; the data folder must be readable and writable", err)
	}
	if id = strings.TrimSpace(string(text)); !uuidPattern.MatchString(id) {
		return "", "", fmt.Errorf("%s does not hold a node id; remove it to get a new one", file)
	}
	return id, shown, nil
}

var uuidPattern = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// newID is a random UUID (RFC 9562, 5.4).
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
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
