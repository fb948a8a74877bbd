// Package certs keeps the certificates of a gateway: a folder of PEM files,
// read at the start, when it is told to, and when a file in it changed, and the
// certificates of the published configuration. What cannot be used is reported,
// and the version before it stays in use.
//
// Files: <name>.crt is a chain in PEM, the certificate itself first; <name>.key
// beside it is its private key. A .crt without a .key is a bundle of CAs.
package certs
