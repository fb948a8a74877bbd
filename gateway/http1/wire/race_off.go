//go:build !race

package wire

// RaceDetector: see race_on.go.
const RaceDetector = false
