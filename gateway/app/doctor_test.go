package app

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/doctor"
	"github.com/sluice-gateway/sluice/pkg/doctor/doctortest"
	"github.com/sluice-gateway/sluice/pkg/fleet"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/testenv/certstest"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// examine runs the gateway's checks and compares them with a golden file.
func (b *bench) examine(golden string) doctor.Report {
	b.t.Helper()
	checks, end := Doctor(b.config)
	return doctortest.Examine(b.t, golden, checks, end,
		b.config.Data, "DATA", b.redis.Addr(), "REDIS", b.config.Admin.Address, "ADMIN", b.config.Listen.Address, "CLIENTS")
}

// fixedPorts gives the gateway addresses that doctor knows beforehand.
func (b *bench) fixedPorts() {
	b.t.Helper()
	for _, at := range []*string{&b.config.Admin.Address, &b.config.Listen.Address} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.t.Fatal(err)
		}
		*at = l.Addr().String()
		_ = l.Close()
	}
}

func TestDoctorBeforeTheFirstStartWhileItRunsAndAfterIt(t *testing.T) {
	b := newBench(t)
	b.fixedPorts()
	if err := os.Chmod(b.config.Data, 0o700); err != nil {
		t.Fatal(err)
	}
	b.examine("doctor/new.txt")
	b.put("a", "/a/", `{"open":true}`)
	b.publish(b.keys)
	r := b.start()
	r.until(10*time.Second, "/a/", "", 200)
	beats := fleet.NewReader(b.redis.Client(), b.keys)
	testenv.Eventually(t, 10*time.Second, func() bool {
		list, err := beats.List(t.Context())
		h, ready := r.health.Report()
		return err == nil && len(list) == 1 && list[0].State == fleet.Current && ready && h.Status == "pass"
	})
	testenv.Eventually(t, 10*time.Second, func() bool {
		_, err := os.Stat(filepath.Join(b.config.Data, "last-good", "root.json"))
		return err == nil
	})
	if report := b.examine("doctor/running.txt"); report.Failed() {
		t.Error("a gateway that is well was found ill")
	}
	r.end()
	b.redis.Stop()
	b.examine("doctor/redis-stopped.txt")
}

func TestDoctorFindsForeignKeys(t *testing.T) {
	b := newBench(t)
	b.fixedPorts()
	b.put("a", "/a/", `{"open":true}`)
	b.publish(b.keys)
	r := b.start()
	r.until(10*time.Second, "/a/", "", 200)
	testenv.Eventually(t, 10*time.Second, func() bool {
		list, err := fleet.NewReader(b.redis.Client(), b.keys).List(t.Context())
		return err == nil && len(list) == 1
	})
	r.end()
	if err := fleet.NewWriter(b.redis.Client(), b.keys).Beat(t.Context(), fleet.Beat{
		Node: "other", Name: "other", Service: "gateway", Version: "v0.1.0", Start: "s", StartedAt: time.Now(), State: fleet.Current,
	}); err != nil {
		t.Fatal(err)
	}
	other, err := trust.Generate()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.SaveNode(filepath.Join(b.config.Data, "keys")); err != nil {
		t.Fatal(err)
	}
	b.examine("doctor/foreign-keys.txt")
	if err := os.Chmod(filepath.Join(b.config.Data, "keys", "pepper.key"), 0o640); err != nil {
		t.Fatal(err)
	}
	b.examine("doctor/open-keys.txt")
}

func TestDoctorLooksAtCertificates(t *testing.T) {
	c := Default()
	c.Data = t.TempDir()
	dir := c.certsDir()
	look := func() doctor.Finding { return certificatesCheck(c, time.Now).Run(t.Context()) }
	check := func(f doctor.Finding, level doctor.Level, text string) {
		t.Helper()
		if f.Level != level || !strings.Contains(f.Found, text) || (f.Mend == "") != (level == doctor.OK) {
			t.Errorf("want %s and %q in %+v", level, text, f)
		}
	}
	check(look(), doctor.OK, "no certificates")
	c.Listen.TLS = true
	check(look(), doctor.Fail, "has no certificate that can be used: it has none at all")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	ca := certstest.NewCA(t, "ca")
	ca.Write(dir, "site", certstest.Options{NotAfter: time.Now().Add(90 * 24 * time.Hour)}, "a.example.com")
	check(look(), doctor.OK, "the first that ends is site, on ")
	ca.Write(dir, "soon", certstest.Options{NotAfter: time.Now().Add(3 * 24 * time.Hour)}, "b.example.com")
	check(look(), doctor.Warn, "soon: ends on ")
	ca.Write(dir, "over", certstest.Options{NotAfter: time.Now().Add(-time.Hour)}, "c.example.com")
	check(look(), doctor.Fail, "over: ended on ")
	c.Listen.TLS = false
	check(look(), doctor.Warn, "over: ended on ")
	c.Certificates.Default = "none"
	check(look(), doctor.Fail, "none")
}

func TestDoctorLooksAtTheStateOnDisk(t *testing.T) {
	b := newBench(t)
	b.put("a", "/a/", `{"open":true}`)
	b.publish(b.keys)
	r := b.start()
	r.until(10*time.Second, "/a/", "", 200)
	r.end()
	check := func(keys *trust.Keys, level doctor.Level, text string) {
		t.Helper()
		if f := b.config.lookAtLastGood(keys); f.Level != level || !strings.Contains(f.Found, text) {
			t.Errorf("want %s and %q in %+v", level, text, f)
		}
	}
	check(b.keys, doctor.OK, "Generation 1 (epoch 1) is whole")
	other, err := trust.Generate()
	if err != nil {
		t.Fatal(err)
	}
	half := &trust.Keys{Trusted: b.keys.Trusted, Bus: b.keys.Bus, Sealing: other.Sealing, Pepper: b.keys.Pepper}
	check(half, doctor.Warn, "cannot be opened with the sealing key")
	check(other, doctor.Warn, "cannot be relied on")
	items, err := filepath.Glob(filepath.Join(b.config.lastGoodDir(), "items", "*"))
	if err != nil || len(items) == 0 {
		t.Fatal(items, err)
	}
	if err := os.WriteFile(items[0], []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	check(b.keys, doctor.Warn, "cannot be relied on: some of what the root of group \"default\"")
	b.config.Data = t.TempDir()
	check(b.keys, doctor.OK, "There is no last-known-good state")
}
