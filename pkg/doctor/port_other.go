//go:build !linux

package doctor

import (
	"context"
	"net"
)

// bindable tells whether an address could be taken, by taking it for a moment.
func bindable(ctx context.Context, address string) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return l.Close()
}

// holdersOf is not known here.
func holdersOf(string) []holder { return nil }
