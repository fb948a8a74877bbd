package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/spf13/pflag"
)

// options are what can be set on the command line.
type options struct {
	dashboardPort, gatewayPort, pumpPort int
	gateways                             int
	data                                 string
	redis, mongodb                       string
	adminPassword                        string
	readyFile                            string
	bin                                  string // folder of the services' binaries
}

// gatewayPorts of the gateway number i: its data port and its admin port. Where
// the first one is free to choose (0), all are.
func (o options) gatewayPorts(i int) (data, admin int) {
	if o.gatewayPort == 0 {
		return 0, 0
	}
	return o.gatewayPort + 10*i, o.gatewayPort + 1000 + 10*i
}

func parse(args []string, getenv func(string) string) (options, error) {
	var o options
	f := pflag.NewFlagSet("sluice-quickstart", pflag.ContinueOnError)
	f.SortFlags = false
	f.IntVar(&o.dashboardPort, "dashboard-port", 3000, "port of the console and its API; 0 takes a free one")
	f.IntVar(&o.gatewayPort, "gateway-port", 8080, "port of the first gateway; the next ones are 10 apart, admin ports 1000 above; 0 takes free ones")
	f.IntVar(&o.pumpPort, "pump-port", 8083, "port of the pump's health and metrics; 0 takes a free one")
	f.StringVar(&o.data, "data", "data", "folder for all state")
	f.IntVar(&o.gateways, "gateways", 1, "how many gateways, 1 to 9")
	f.StringVar(&o.redis, "redis", "", "redis://user:password@host:port/db instead of an own one")
	f.StringVar(&o.mongodb, "mongodb", "", "mongodb://… instead of SQLite in the data folder")
	f.StringVar(&o.adminPassword, "admin-password", "", "password of the first admin instead of a one-time one (better: SLUICE_ADMIN_PASSWORD)")
	f.StringVar(&o.readyFile, "ready-file", "", "JSON file with all URLs and process ids, written when everything answers")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return o, err
		}
		return o, fmt.Errorf("%w; --help lists what can be set", err)
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("%q is no flag; --help lists what can be set", f.Arg(0))
	}
	if o.adminPassword == "" {
		o.adminPassword = getenv("SLUICE_ADMIN_PASSWORD")
	}
	if o.gateways < 1 || o.gateways > 9 {
		return o, fmt.Errorf("--gateways is %d; 1 to 9 can run on one machine", o.gateways)
	}
	self, err := os.Executable()
	if err != nil {
		return o, err
	}
	o.bin = filepath.Dir(self)
	if o.data, err = filepath.Abs(o.data); err != nil {
		return o, err
	}
	return o, nil
}

// prepare checks the machine before anything is started: the binaries, the folder
// and the ports. unlock lets another quickstart use the folder.
func (o options) prepare() (unlock func(), err error) {
	for _, name := range []string{"sluice-dashboard", "sluice-gateway"} {
		if _, err := os.Stat(filepath.Join(o.bin, name)); err != nil {
			return nil, fmt.Errorf("%s is not beside this program; build it with: make build", name)
		}
	}
	if err := os.MkdirAll(filepath.Join(o.data, "logs"), 0o700); err != nil {
		return nil, fmt.Errorf("the data folder cannot be made (%w); choose another one with --data", err)
	}
	lock, err := os.OpenFile(filepath.Join(o.data, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the data folder cannot be written to (%w); choose another one with --data", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("another quickstart uses %s; stop it or choose another folder with --data", o.data)
	}
	unlock = func() { _ = lock.Close() }
	if err := o.checkPorts(); err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

func (o options) checkPorts() error {
	type want struct {
		flag string
		port int
	}
	ports := []want{{"--dashboard-port", o.dashboardPort}}
	if o.hasPump() {
		ports = append(ports, want{"--pump-port", o.pumpPort})
	}
	for i := range o.gateways {
		data, admin := o.gatewayPorts(i)
		ports = append(ports, want{"--gateway-port", data}, want{"--gateway-port", admin})
	}
	for _, p := range ports {
		l, err := net.Listen("tcp", listenAddress(p.port))
		if errors.Is(err, syscall.EADDRINUSE) {
			return fmt.Errorf("port %d is in use; stop what uses it or choose another with %s", p.port, p.flag)
		}
		if err != nil {
			return fmt.Errorf("port %d cannot be used (%w); choose another with %s", p.port, err, p.flag)
		}
		_ = l.Close()
	}
	return nil
}

func (o options) hasPump() bool {
	_, err := os.Stat(filepath.Join(o.bin, "sluice-pump"))
	return err == nil
}

// listenAddress keeps a quickstart on this machine: it is for trying things out.
func listenAddress(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
