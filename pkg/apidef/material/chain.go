package material

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/pkg/fault"
)

// Facts are what people see of a certificate beside its text.
type Facts struct {
	Subject string   `json:"subject"`
	Issuer  string   `json:"issuer"`
	Names   []string `json:"names"` // DNS names and addresses that it is for
	// NotBefore and NotAfter bound the time in which all of the chain is valid.
	NotBefore   time.Time `json:"notBefore"`
	NotAfter    time.Time `json:"notAfter"`
	Fingerprint string    `json:"fingerprint"` // SHA-256 of the DER of the first certificate, hex
	KeyKind     string    `json:"keyKind"`     // such as ECDSA P-256 or RSA 2048
	HasKey      bool      `json:"hasKey"`      // false: a bundle of CAs
	Count       int       `json:"count"`       // of certificates in the chain or bundle
}

// Chain is a chain, or bundle, that was checked.
type Chain struct {
	// PEM is it as it should be stored: certificates only, in order.
	PEM string
	// Certificates are the same, the one that the key belongs to first.
	Certificates []*x509.Certificate
}

// Inspect checks a certificate with the key that belongs to it, "" for a bundle of
// CAs. A chain whose order is wrong is mended where that can be done, with a
// warning. now is the time of expiry. With errors the chain is nil. No message
// says anything of the key.
func Inspect(chain, key string, now time.Time) (*Chain, []fault.Problem) {
	v := &findings{}
	list := v.parse(chain, key != "")
	if len(list) == 0 {
		return nil, v.problems
	}
	if key != "" {
		list = v.pair(list, key)
	} else {
		v.bundle(list)
	}
	v.strong(list)
	v.timely(list, now)
	if slices.ContainsFunc(v.problems, func(p fault.Problem) bool { return p.Severity == fault.Error }) {
		return nil, v.problems
	}
	var text bytes.Buffer
	for _, c := range list {
		// a Buffer takes everything
		_ = pem.Encode(&text, &pem.Block{Type: certificateBlock, Bytes: c.Raw})
	}
	return &Chain{PEM: text.String(), Certificates: list}, v.problems
}

const certificateBlock = "CERTIFICATE"

// parse reads PEM, each certificate once.
func (v *findings) parse(chain string, keyed bool) []*x509.Certificate {
	most := maxBundle
	if keyed {
		most = maxChain
	}
	switch {
	case len(chain) > most:
		v.length("/chain", len(chain), most, "bytes")
		return nil
	case strings.Contains(chain, "PRIVATE KEY"):
		v.add("/chain", CodeChain, nil, "the chain holds a private key, which would be stored for everybody to read; put it into key, and make a new key if this one was sent elsewhere too")
		return nil
	}
	var list []*x509.Certificate
	rest := []byte(chain)
	for n := 1; ; n++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != certificateBlock {
			v.add("/chain", CodeChain, map[string]any{"block": n}, "PEM block %d is no CERTIFICATE; leave only certificates in the chain", n)
			return nil
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			v.add("/chain", CodeChain, map[string]any{"block": n}, "PEM block %d cannot be read: %s", n, strings.TrimPrefix(err.Error(), "x509: "))
			return nil
		}
		if !slices.ContainsFunc(list, c.Equal) {
			list = append(list, c)
		}
	}
	if len(list) == 0 {
		v.add("/chain", CodeChain, nil, "no certificate in PEM was found; it begins with -----BEGIN CERTIFICATE-----")
	}
	return list
}

// pair puts the certificate of the key first, and behind each the one that vouches
// for it.
func (v *findings) pair(list []*x509.Certificate, key string) []*x509.Certificate {
	signer := v.key(key)
	if signer == nil {
		return list
	}
	type comparable interface{ Equal(crypto.PublicKey) bool }
	own := slices.IndexFunc(list, func(c *x509.Certificate) bool {
		pub, ok := c.PublicKey.(comparable)
		return ok && pub.Equal(signer.Public())
	})
	if own < 0 {
		v.add("/key", CodeMatch, nil, "the private key belongs to none of the certificates in the chain; send the key that the certificate %s was made with", list[0].Subject)
		return list
	}
	left := slices.Delete(slices.Clone(list), own, own+1)
	out := []*x509.Certificate{list[own]}
	for len(left) > 0 {
		last := out[len(out)-1]
		next := slices.IndexFunc(left, func(c *x509.Certificate) bool { return last.CheckSignatureFrom(c) == nil })
		if next < 0 {
			v.add("/chain", CodeChain, map[string]any{"subject": left[0].Subject.String()},
				"the certificate %s is in the chain, but did not sign %s, which comes before it; remove it, or add what is missing between them", left[0].Subject, last.Subject)
			return list
		}
		out = append(out, left[next])
		left = slices.Delete(left, next, next+1)
	}
	if !slices.Equal(out, list) {
		v.warn("/chain", CodeOrder, nil, "the chain was put in order: the certificate of the key first, behind each the one that signed it")
	}
	return out
}

// key reads a private key in PEM.
func (v *findings) key(text string) crypto.Signer {
	if len(text) > maxKey {
		v.length("/key", len(text), maxKey, "bytes")
		return nil
	}
	var found *pem.Block
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		switch {
		case !strings.HasSuffix(block.Type, "PRIVATE KEY"): // such as EC PARAMETERS
			continue
		case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
			v.add("/key", CodeKey, nil, "the private key is encrypted with a passphrase; take that away first (openssl pkey -in FILE): it is sealed here")
			return nil
		case found != nil:
			v.add("/key", CodeKey, nil, "there are several private keys; send the one of the certificate")
			return nil
		}
		found = block
	}
	if found == nil {
		v.add("/key", CodeKey, nil, "no private key in PEM was found; it begins with -----BEGIN PRIVATE KEY-----")
		return nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(found.Bytes)
	if err != nil {
		if rsaKey, err1 := x509.ParsePKCS1PrivateKey(found.Bytes); err1 == nil {
			parsed, err = rsaKey, nil
		} else if ecKey, err2 := x509.ParseECPrivateKey(found.Bytes); err2 == nil {
			parsed, err = ecKey, nil
		}
	}
	signer, ok := parsed.(crypto.Signer)
	if err != nil || !ok {
		v.add("/key", CodeKey, nil, "the private key cannot be read; it must be RSA, ECDSA or Ed25519 as PKCS #8, PKCS #1 or SEC 1")
		return nil
	}
	return signer
}

func (v *findings) bundle(list []*x509.Certificate) {
	for _, c := range list {
		if !c.IsCA {
			v.warn("/chain", CodeNoCA, map[string]any{"subject": c.Subject.String()}, "%s is no authority, so it vouches for itself at most; a bundle wants the CAs, and a certificate for callers wants its key", c.Subject)
		}
	}
}

// strong refuses keys that can be broken.
func (v *findings) strong(list []*x509.Certificate) {
	for _, c := range list {
		weak := false
		switch k := c.PublicKey.(type) {
		case *rsa.PublicKey:
			weak = k.N.BitLen() < 2048
		case *ecdsa.PublicKey:
			weak = k.Curve.Params().BitSize < 256
		case ed25519.PublicKey:
		default:
			weak = true
		}
		if weak {
			v.add("/chain", CodeWeak, map[string]any{"subject": c.Subject.String()}, "the key of %s is %s, which is too weak or not read by clients; use ECDSA P-256 or RSA of 2048 bits at least", c.Subject, keyKind(c))
		}
	}
}

// timely warns of what has ended or has not begun.
func (v *findings) timely(list []*x509.Certificate, now time.Time) {
	for _, c := range list {
		switch {
		case !now.Before(c.NotAfter):
			v.warn("/chain", CodeExpired, map[string]any{"notAfter": c.NotAfter.UTC()}, "%s ended on %s; clients refuse it", c.Subject, c.NotAfter.UTC().Format(time.DateOnly))
		case now.Before(c.NotBefore):
			v.warn("/chain", CodeNotYet, map[string]any{"notBefore": c.NotBefore.UTC()}, "%s begins on %s; clients refuse it until then", c.Subject, c.NotBefore.UTC().Format(time.RFC3339))
		}
	}
}

// Facts are those of the chain; keyed tells a chain with its key from a bundle.
func (c *Chain) Facts(keyed bool) Facts {
	first := c.Certificates[0]
	sum := sha256.Sum256(first.Raw)
	f := Facts{
		Subject: first.Subject.String(), Issuer: first.Issuer.String(), Names: append([]string{}, first.DNSNames...),
		NotBefore: first.NotBefore.UTC(), NotAfter: first.NotAfter.UTC(), Fingerprint: hex.EncodeToString(sum[:]),
		KeyKind: keyKind(first), HasKey: keyed, Count: len(c.Certificates),
	}
	for _, ip := range first.IPAddresses {
		f.Names = append(f.Names, ip.String())
	}
	for _, other := range c.Certificates[1:] {
		if other.NotAfter.Before(f.NotAfter) {
			f.NotAfter = other.NotAfter.UTC()
		}
		if other.NotBefore.After(f.NotBefore) {
			f.NotBefore = other.NotBefore.UTC()
		}
	}
	return f
}

// Read reads a chain that was accepted before; nil where it cannot be read.
func Read(chain string) *Chain {
	v := &findings{}
	list := v.parse(chain, false)
	if len(list) == 0 {
		return nil
	}
	return &Chain{PEM: chain, Certificates: list}
}

func keyKind(c *x509.Certificate) string {
	switch k := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", k.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA " + k.Curve.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return c.PublicKeyAlgorithm.String()
}
