//go:build race

package wire

// RaceDetector makes socket calls go through package syscall, which tells the
// race detector that what one side wrote the other has read.
const RaceDetector = true
