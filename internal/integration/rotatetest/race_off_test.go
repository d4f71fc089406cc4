//go:build !race

package rotatetest

// raceDetector says that everything takes several times as long.
const raceDetector = false
