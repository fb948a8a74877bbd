package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	none := func(string) string { return "" }
	o, err := parse([]string{"--gateway-port", "9000", "--gateways", "3", "--data", "x"}, func(k string) string {
		if k == "SLUICE_ADMIN_PASSWORD" {
			return "from the environment"
		}
		return ""
	})
	if err != nil || o.adminPassword != "from the environment" || !filepath.IsAbs(o.data) {
		t.Fatalf("%+v, %v", o, err)
	}
	if data, admin := o.gatewayPorts(2); data != 9020 || admin != 10020 {
		t.Errorf("ports of the third gateway: %d %d", data, admin)
	}
	if o, err = parse([]string{"--gateway-port", "0"}, none); err != nil {
		t.Fatal(err)
	}
	if data, admin := o.gatewayPorts(1); data != 0 || admin != 0 {
		t.Errorf("free ports: %d %d", data, admin)
	}
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"--gateways", "0"}, "1 to 9"},
		{[]string{"--gateways", "10"}, "1 to 9"},
		{[]string{"--gatway-port", "1"}, "--help lists"},
		{[]string{"start"}, `"start" is no flag`},
	} {
		if _, err := parse(tc.args, none); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v: %v; want %q", tc.args, err, tc.want)
		}
	}
}

func TestNamedRedis(t *testing.T) {
	r, err := namedRedis("redis://kim:s3cret@redis.example:6380/2")
	if err != nil || r.address != "redis.example:6380" || r.username != "kim" || r.password != "s3cret" || r.database != "2" {
		t.Errorf("%+v %v", r, err)
	}
	if r, err = namedRedis("redis://redis.example"); err != nil || r.address != "redis.example:6379" || r.database != "0" {
		t.Errorf("%+v %v", r, err)
	}
	for _, bad := range []string{"", "redis.example:6379", "http://redis.example", "redis://"} {
		if _, err := namedRedis(bad); err == nil || !strings.Contains(err.Error(), "redis://") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// prepared is a quickstart that lacks nothing: binaries, a folder, free ports.
func prepared(t *testing.T) options {
	t.Helper()
	o := options{gateways: 1, data: filepath.Join(t.TempDir(), "data"), bin: t.TempDir()}
	for _, name := range []string{"sluice-dashboard", "sluice-gateway"} {
		if err := os.WriteFile(filepath.Join(o.bin, name), nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

func TestPrepareSaysWhatIsWrong(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	for name, tc := range map[string]struct {
		change func(*options)
		want   string
	}{
		"no binaries": {func(o *options) { o.bin = t.TempDir() }, "make build"},
		"no folder":   {func(o *options) { o.data = filepath.Join(os.DevNull, "data") }, "--data"},
		"a busy port": {func(o *options) { o.dashboardPort = l.Addr().(*net.TCPAddr).Port }, "--dashboard-port"},
	} {
		t.Run(name, func(t *testing.T) {
			o := prepared(t)
			tc.change(&o)
			unlock, err := o.prepare()
			if err == nil {
				unlock()
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v; want one sentence with %q", err, tc.want)
			}
		})
	}
}

func TestOneQuickstartAFolder(t *testing.T) {
	o := prepared(t)
	unlock, err := o.prepare()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.prepare(); err == nil || !strings.Contains(err.Error(), "another quickstart") {
		t.Errorf("a second one: %v", err)
	}
	unlock()
	if unlock, err = o.prepare(); err != nil {
		t.Fatalf("after the first: %v", err)
	}
	unlock()
}

func TestBuiltinRedisAnswersAndAsksForAPassword(t *testing.T) {
	p := &platform{}
	r, err := p.builtinRedis()
	if err != nil {
		t.Fatal(err)
	}
	defer p.mini()
	if err := pingRedis(r); err != nil {
		t.Error(err)
	}
	r.password = "wrong"
	if err := pingRedis(r); err == nil {
		t.Error("a wrong password is accepted")
	}
}
