//go:build race

package http1

// raceDetector makes socket calls go through package syscall, which tells the
// race detector that what one side wrote the other has read.
const raceDetector = true
