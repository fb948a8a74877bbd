// Package material is what definitions name and what is published beside them:
// certificates, secrets and OpenAPI documents, each a JSON document of its own.
//
// Read material.go for the shapes, validate.go for their rules, chain.go for what
// a certificate must be, value.go for how private parts are held, and refs.go for
// how a definition names material.
//
// The private parts, a secret's value and a certificate's key, are plain only on
// their way into the dashboard, which seals them before the text is stored. Show
// takes them out of a text for everybody who reads it.
package material

import (
	_ "embed"
	"encoding/json"
	"slices"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

// The kinds of material.
const (
	KindCertificate = "certificate"
	KindSecret      = "secret"
	KindDocument    = "document"
)

// Certificate is a chain with its private key, or a bundle of CAs.
type Certificate struct {
	// ID is made from the name when absent; [a-z0-9-]{1,64}; never changes. Definitions
	// name the certificate by it.
	ID string `json:"id,omitempty"`
	// Name is what people call it; 1 to 200 characters.
	Name string `json:"name" schema:"required"`
	// Tags are for people.
	Tags []string `json:"tags,omitempty"`
	// Chain is the certificate in PEM (RFC 7468), those that vouch for it after it; at
	// most 256 KiB. Without a key it is a bundle of CAs, at most 2 MiB.
	Chain string `json:"chain" schema:"required"`
	// Key is the private key of the chain's first certificate in PEM, unencrypted:
	// PKCS #8, PKCS #1 or SEC 1. It is write-only: left out of a change, the one before
	// stays; null makes the object a bundle of CAs. Default: none, a bundle of CAs.
	Key *Value `json:"key,omitempty"`
}

// Secret is a named value that definitions refer to as ${secret:ID}.
type Secret struct {
	// ID is made from the name when absent; [a-z0-9-]{1,64}; never changes. It is the
	// NAME in ${secret:NAME}.
	ID string `json:"id,omitempty"`
	// Name is what people call it; 1 to 200 characters.
	Name string `json:"name" schema:"required"`
	// Description is free text for people. It is not sealed.
	Description string `json:"description,omitempty"`
	// Tags are for people.
	Tags []string `json:"tags,omitempty"`
	// Value is the secret itself, 1 byte to 64 KiB. It is write-only: left out of a
	// change, the one before stays.
	Value *Value `json:"value,omitempty"`
}

// Document is an OpenAPI document as it was imported.
type Document struct {
	// ID is made from the name when absent; [a-z0-9-]{1,64}; never changes.
	ID string `json:"id,omitempty"`
	// Name is what people call it; 1 to 200 characters.
	Name string `json:"name" schema:"required"`
	// Description is free text for people.
	Description string `json:"description,omitempty"`
	// Tags are for people.
	Tags []string `json:"tags,omitempty"`
	// OpenAPI is the document, an object whose member openapi is 3.0.x or 3.1.x.
	OpenAPI json.RawMessage `json:"openapi" schema:"required"`
}

// DecodeCertificate reads a certificate's text strictly, as apidef.Decode reads a
// definition's. The key may be plain or sealed. With problems it is nil.
func DecodeCertificate(text []byte) (*Certificate, []fault.Problem) {
	return strictjson.Decode[Certificate](text, options())
}

// DecodeStoredCertificate reads one that was accepted before: members that this
// version does not read are passed over.
func DecodeStoredCertificate(text []byte) (*Certificate, []fault.Problem) {
	return strictjson.DecodeStored[Certificate](text, options())
}

// DecodeSecret reads a secret's text strictly. The value may be plain or sealed.
// With problems it is nil.
func DecodeSecret(text []byte) (*Secret, []fault.Problem) {
	return strictjson.Decode[Secret](text, options())
}

// DecodeStoredSecret reads one that was accepted before: members that this version
// does not read are passed over.
func DecodeStoredSecret(text []byte) (*Secret, []fault.Problem) {
	return strictjson.DecodeStored[Secret](text, options())
}

// DecodeDocument reads an OpenAPI document's text strictly. With problems it is nil.
func DecodeDocument(text []byte) (*Document, []fault.Problem) {
	return strictjson.Decode[Document](text, options())
}

func options() strictjson.Options { return strictjson.Options{Extensions: true} }

//go:embed schema.json
var schemaJSON []byte

// SchemaJSON is the generated JSON Schemas (draft 2020-12) of the kinds, an object
// with a member for each.
func SchemaJSON() []byte { return slices.Clone(schemaJSON) }
