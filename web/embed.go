// Package web holds the built console. It is a Go module of one file because an
// embedded folder cannot lie outside its module; dist is filled by the web build and
// holds only a placeholder in a fresh checkout.
package web

import "embed"

// Dist is the built console: index.html and assets under "dist/". Before the
// web build it holds nothing but "dist/.gitkeep".
//
//go:embed all:dist
var Dist embed.FS
