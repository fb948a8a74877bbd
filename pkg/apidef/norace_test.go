//go:build !race

package apidef

// raceFactor is how much longer the race detector may take.
const raceFactor = 1
