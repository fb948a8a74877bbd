package main

import (
	"fmt"
	"slices"
	"strings"
)

// row is one comparison: everybody in it gets the same requests and forwards them to the same origin.
type row struct {
	name, about string
	connections int
	size        int  // bytes of each response
	upload      int  // bytes of each request's body; 0 is a GET
	apis        int  // APIs that the gateway has
	key         bool // the gateway asks for a key
	records     bool // the gateway records every call, into Redis
	tls, h2     bool // of the clients; the origin is plain HTTP/1.1 always
	with        []string
}

// sizes of the bodies.
const (
	kib   = 1 << 10
	small = 16 * kib
	large = 1 << 20
)

// Names of the contestants. The reference is what the others are divided by.
const (
	sluice    = "sluice"
	reference = "nginx"
	haproxy   = "haproxy"
	stdlib    = "net/http"
)

// rows are all rows in the order of the report.
func rows() []row {
	all, pair := []string{sluice, reference, haproxy, stdlib}, []string{sluice, reference}
	var out []row
	for _, n := range []int{8, 64, 512} {
		out = append(out, row{name: fmt.Sprintf("keyless-%d", n), about: "one API without a key: request id, forwarded headers and metrics; no records", connections: n, size: kib, apis: 1, with: all})
	}
	out = append(out,
		row{name: "key", about: "the gateway checks a key, the others nothing", connections: 64, size: kib, apis: 1, key: true, with: pair},
		row{name: "analytics", about: "the gateway checks a key and records every call into Redis, the others nothing", connections: 64, size: kib, apis: 1, key: true, records: true, with: pair},
	)
	for _, n := range []int{1, 100, 1000, 10_000} {
		out = append(out, row{name: fmt.Sprintf("apis-%d", n), about: fmt.Sprintf("the gateway has %d APIs; requests go to at most %d of them, spread evenly, in turn", n, asked), connections: 64, size: kib, apis: n, with: pair})
	}
	return append(out,
		row{name: "body-16k", about: "responses of 16 KiB", connections: 64, size: small, apis: 1, with: pair},
		row{name: "body-1m", about: "responses of 1 MiB", connections: 64, size: large, apis: 1, with: pair},
		row{name: "upload-16k", about: "requests with a body of 16 KiB", connections: 64, size: kib, upload: small, apis: 1, with: pair},
		row{name: "upload-1m", about: "requests with a body of 1 MiB", connections: 64, size: kib, upload: large, apis: 1, with: pair},
		row{name: "tls", about: "clients speak HTTP/1.1 over TLS", connections: 64, size: kib, apis: 1, tls: true, with: all},
		row{name: "h2", about: "clients speak HTTP/2 over TLS, 10 streams at once on each connection", connections: 64, size: kib, apis: 1, tls: true, h2: true, with: []string{sluice, reference, haproxy, stdlib}},
	)
}

// choose picks rows by comma-separated names; a name picks the rows that begin with it too, and "all"
// picks everything.
func choose(names string) ([]row, error) {
	all := rows()
	wanted := map[string]bool{}
	for name := range strings.SplitSeq(names, ",") {
		name = strings.TrimSpace(name)
		found := false
		for _, r := range all {
			if name == "all" || r.name == name || strings.HasPrefix(r.name, name+"-") {
				wanted[r.name], found = true, true
			}
		}
		if !found {
			known := make([]string, len(all))
			for i, r := range all {
				known[i] = r.name
			}
			return nil, fmt.Errorf("-rows: there is no row %q; there are all, %s", name, strings.Join(known, ", "))
		}
	}
	return slices.DeleteFunc(all, func(r row) bool { return !wanted[r.name] }), nil
}

// asked is how many APIs of a row are asked at most: each API has connections of its own to the origin, and
// how many APIs there are is not to be told by how many connections there are.
const asked = 100

// path is the request target of one of the row's APIs.
func (r row) path(api int) string { return fmt.Sprintf("/api-%d/hello?page=2", api) }

// scheme of the clients.
func (r row) scheme() string {
	if r.tls {
		return "https"
	}
	return "http"
}
