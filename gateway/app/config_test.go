package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/pkg/config"
)

func TestSettingsOfListenersThatMakeNoSense(t *testing.T) {
	for file, want := range map[string]string{
		"listen: {address: nowhere}":                                          `listen.address (file gateway.yaml:1): "nowhere" is no host:port`,
		"listen: {engine: fast}":                                              `listen.engine (file gateway.yaml:1): is "fast"; write own or stdlib`,
		"listen: {tls: true, h2c: true}":                                      "listen.h2c (file gateway.yaml:1): is for connections without TLS, and tls is on",
		"listen: {streams: 0}":                                                "listen.streams (file gateway.yaml:1): is 0",
		"listen: {proxy_protocol: true}":                                      "trusted_proxies: is empty, and a listener with proxy_protocol takes connections from these networks only",
		"listeners: [{address: \":1\"}]":                                      "listeners[0].name",
		"listeners: [{name: Big, address: \":1\"}]":                           "use lower-case letters, digits and dashes",
		"listeners: [{name: x}]":                                              "listeners[0].address",
		"listeners: [{name: data, address: \":1\"}]":                          "data is the name of another listener",
		"listeners: [{name: x, address: \":1\"}, {name: x, address: \":2\"}]": "listeners[1].name",
		"listeners: [{name: x, address: \":1\", proxy_protocol: true}]":       "trusted_proxies: is empty",
		"listeners: [{name: x, address: \":1\", tls: true, tcp: {targets: [{address: \"a:1\"}]}}]":        "listeners[0].tcp",
		"listeners: [{name: x, address: \":1\", tcp: {allow: [10.0.0.0/8]}}]":                             "listeners[0].tcp.targets",
		"listeners: [{name: x, address: \":1\", tcp: {targets: [{address: a}]}}]":                         `listeners[0].tcp.targets[0].address`,
		"listeners: [{name: x, address: \":1\", tcp: {targets: [{address: \"a:1\"}], deny: [10.0.0.1]}}]": "10.0.0.1 is not a network",
		"listeners: [{name: x, address: \":1\", tcp: {sni: [{targets: [{address: \"a:1\"}]}]}}]":          "listeners[0].tcp.sni[0].names",
		"tunnel: {idle_timeout: -1s}": "tunnel.idle_timeout",
	} {
		if err := loaded(t, file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", file, err, want)
		}
	}
	for _, file := range []string{
		"listen: {tls: true, proxy_protocol: true}\ntrusted_proxies: [10.0.0.0/8]\nlisteners: [{name: plain, address: \":8080\", h2c: true, engine: stdlib}]",
		"listeners: [{name: x, address: \":1\", tcp: {targets: [{address: \"a:1\", weight: 3}], sni: [{names: [\"*.a\"], targets: [{address: \"b:1\"}]}], idle_timeout: 5m, max_connections: 9}}]",
		"tunnel: {idle_timeout: 0s, max_age: 0s}\ncertificates: {dir: /x, default: a}",
	} {
		if err := loaded(t, file); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func loaded(t *testing.T, file string) error {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile(filepath.Join(".", "gateway.yaml"), []byte(file+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := config.Load(Default(), config.Options{Service: "gateway", Args: []string{"--config", "gateway.yaml"}})
	return err
}
