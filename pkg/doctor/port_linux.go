package doctor

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// bindable tells whether an address could be taken. It binds without listening, with
// the option that every listener of Go has: so it meets those that listen, and does not
// stand in the way of a service that starts in this moment.
func bindable(ctx context.Context, address string) error {
	a, err := resolve(ctx, address)
	if err != nil {
		return err
	}
	family, to := sockaddr(a)
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil && len(a.IP) == 0 { // a machine without IPv6
		family, to = syscall.AF_INET, &syscall.SockaddrInet4{Port: a.Port}
		fd, err = syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	}
	if err != nil {
		return fmt.Errorf("make a socket: %w", err)
	}
	defer func() { _ = syscall.Close(fd) }()
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return fmt.Errorf("set an option of a socket: %w", err)
	}
	if family == syscall.AF_INET6 {
		only := 1
		if len(a.IP) == 0 || a.IP.IsUnspecified() {
			only = 0
		}
		if err := syscall.SetsockoptInt(fd, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, only); err != nil {
			return fmt.Errorf("set an option of a socket: %w", err)
		}
	}
	return syscall.Bind(fd, to)
}

func resolve(ctx context.Context, address string) (*net.TCPAddr, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	n, err := net.DefaultResolver.LookupPort(ctx, "tcp", port)
	if err != nil || host == "" {
		return &net.TCPAddr{Port: n}, err
	}
	ips, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	if err != nil {
		return nil, err
	}
	return &net.TCPAddr{IP: ips[0].IP, Zone: ips[0].Zone, Port: n}, nil
}

func sockaddr(a *net.TCPAddr) (family int, to syscall.Sockaddr) {
	if ip := a.IP.To4(); ip != nil {
		return syscall.AF_INET, &syscall.SockaddrInet4{Port: a.Port, Addr: [4]byte(ip)}
	}
	six := &syscall.SockaddrInet6{Port: a.Port}
	copy(six.Addr[:], a.IP.To16())
	if i, err := net.InterfaceByName(a.Zone); a.Zone != "" && err == nil {
		six.ZoneId = uint32(i.Index)
	}
	return syscall.AF_INET6, six
}

// holdersOf are the processes that listen on the address, as far as this user may see
// them (proc_pid_fd(5)), by number.
func holdersOf(address string) []holder {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil
	}
	sockets := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		for _, s := range listening(table, uint16(n)) {
			if overlaps(address, s.ip) {
				sockets["socket:["+s.inode+"]"] = true
			}
		}
	}
	if len(sockets) == 0 {
		return nil
	}
	var found []holder
	processes, _ := filepath.Glob("/proc/[0-9]*") // the pattern is right
	for _, dir := range processes {
		pid, err := strconv.Atoi(filepath.Base(dir))
		files, denied := os.ReadDir(filepath.Join(dir, "fd"))
		if err != nil || denied != nil {
			continue
		}
		for _, f := range files {
			if to, err := os.Readlink(filepath.Join(dir, "fd", f.Name())); err == nil && sockets[to] {
				name, _ := os.ReadFile(filepath.Join(dir, "comm"))
				found = append(found, holder{pid, strings.TrimSpace(string(name))})
				break
			}
		}
	}
	slices.SortFunc(found, func(a, b holder) int { return a.pid - b.pid })
	return found
}

type socket struct {
	ip    net.IP
	inode string
}

// listening reads the sockets that listen on a port from a table of proc_net(5).
func listening(table string, port uint16) (found []socket) {
	f, err := os.Open(table)
	if err != nil {
		return nil
	}
	defer f.Close()
	const listen = "0A" // TCP_LISTEN
	for lines := bufio.NewScanner(f); lines.Scan(); {
		w := strings.Fields(lines.Text())
		if len(w) < 10 || w[3] != listen {
			continue
		}
		address, at, _ := strings.Cut(w[1], ":")
		raw, err1 := hex.DecodeString(address)
		n, err2 := strconv.ParseUint(at, 16, 16)
		if err1 != nil || err2 != nil || uint16(n) != port || len(raw)%4 != 0 {
			continue
		}
		for i := 0; i < len(raw); i += 4 { // printed as words of the machine
			binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
		}
		found = append(found, socket{raw, w[9]})
	}
	return found
}

// overlaps tells whether a listener on ip stands in the way of address.
func overlaps(address string, ip net.IP) bool {
	host, _, err := net.SplitHostPort(address)
	want := net.ParseIP(host)
	return err == nil && (ip.IsUnspecified() || want == nil || want.IsUnspecified() || want.Equal(ip))
}
