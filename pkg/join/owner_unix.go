//go:build unix

package join

import (
	"os"
	"path/filepath"
	"syscall"

	"github.com/sluice-gateway/sluice/pkg/trust"
)

// giveTo makes the owner of the data folder the owner of the key files, where root
// wrote them: the service runs as a user of its own and has to read them.
func giveTo(data, keys string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(data)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	files, err := trust.Present(keys)
	if err != nil {
		return err
	}
	// A folder elsewhere may hold more than keys, so it keeps its owner.
	if in, err := filepath.Rel(data, keys); err == nil && filepath.IsLocal(in) {
		files = append(files, ".")
	}
	for _, name := range files {
		if err := os.Lchown(filepath.Join(keys, name), int(owner.Uid), int(owner.Gid)); err != nil {
			return err
		}
	}
	return nil
}
