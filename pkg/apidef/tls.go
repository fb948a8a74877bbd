package apidef

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

// secure tells whether the target is called over TLS.
func (t Target) secure() bool {
	const https = "https://"
	return len(t.URL) >= len(https) && strings.EqualFold(t.URL[:len(https)], https)
}

// versions checks the HTTP version against the targets.
func (v *findings) versions(at string, u Upstream) {
	oneOf(v, at+"/http", u.HTTP, HTTPAuto, HTTP11, HTTP2, H2C)
	for _, t := range u.Targets {
		params := map[string]any{"http": string(u.HTTP), "target": strictjson.Brief(t.URL)}
		switch {
		case u.HTTP == H2C && t.secure():
			v.add(at+"/http", CodeUpstreamHTTP, params, "h2c is HTTP/2 without TLS, but the target %q is https; use \"2\" or \"auto\", or make the targets http://", strictjson.Brief(t.URL)).Fix = string(HTTP2)
			return
		case u.HTTP == HTTP2 && !t.secure():
			v.add(at+"/http", CodeUpstreamHTTP, params, "2 is HTTP/2 over TLS, but the target %q is http; use \"h2c\", or make the targets https://", strictjson.Brief(t.URL)).Fix = string(H2C)
			return
		}
	}
}

func (v *findings) tls(at string, u Upstream) {
	t := u.TLS
	if t.IsZero() {
		return
	}
	secure := len(u.Targets) == 0
	for _, target := range u.Targets {
		secure = secure || target.secure()
	}
	if !secure {
		v.add(at, CodeTLSUnused, nil, "there are TLS options, but no target is https; make the targets https:// or remove the options")
	}
	if t.InsecureSkipVerify && t.CA != "" {
		v.add(at+"/insecureSkipVerify", CodeTLSConflict, nil, "insecureSkipVerify takes any certificate, so that ca means nothing; remove one of them")
	}
	v.certificate(at+"/ca", t.CA)
	v.certificate(at+"/clientCertificate", t.ClientCertificate)
	if t.ServerName != "" {
		if _, err := NormalizeDomain(t.ServerName); err != nil || strings.HasPrefix(t.ServerName, "*") {
			v.add(at+"/serverName", CodeServerName, nil, "%q is not a host name that a certificate can be checked against; write one such as api.example.com", strictjson.Brief(t.ServerName))
		}
	}
	v.list(at+"/pins", t.Pins, CodePin, checkPin)
}

// certificate checks the name of a certificate, if there is one; whether gateways
// have it is found out by them.
func (v *findings) certificate(at, name string) {
	if name == "" {
		return
	}
	if err := checkCertificate(name); err != nil {
		v.err(at, CodeCertificate, err)
	}
}

func checkCertificate(name string) error {
	odd := strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	})
	if odd || name == "" || len(name) > maxID || name[0] == '.' {
		return fmt.Errorf("%q is not the name of a certificate; it has 1 to %d letters, digits, -, _ or dots, and does not begin with a dot", strictjson.Brief(name), maxID)
	}
	return nil
}

// checkPin takes "sha256/" and the base64 of 32 bytes, as RFC 7469 writes a hash
// of a SubjectPublicKeyInfo.
func checkPin(pin string) error {
	text, ok := strings.CutPrefix(pin, "sha256/")
	if !ok {
		return fmt.Errorf("%q does not begin with sha256/; write sha256/ and the base64 of the SHA-256 of the public key", strictjson.Brief(pin))
	}
	sum, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(sum) != 32 || strings.ContainsAny(text, "\r\n") {
		return fmt.Errorf("what follows sha256/ in %s is not the base64 of a SHA-256, which has 44 characters with = at the end", strconv.Quote(strictjson.Brief(pin)))
	}
	return nil
}
