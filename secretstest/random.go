package secretstest

import (
	"crypto/rand"
	"encoding/hex"
	mrand "math/rand/v2"
)

// requestID returns a new id in the form of a UUID.
func requestID() string { return newUUID() }

// newUUID returns a random UUID, version 4.
func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	var out [36]byte
	hex.Encode(out[:8], b[:4])
	hex.Encode(out[9:13], b[4:6])
	hex.Encode(out[14:18], b[6:8])
	hex.Encode(out[19:23], b[8:10])
	hex.Encode(out[24:], b[10:])
	out[8], out[13], out[18], out[23] = '-', '-', '-', '-'
	return string(out[:])
}

const suffixAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// randomSuffix returns six characters for the end of an ARN.
func randomSuffix() string {
	var b [6]byte
	for i := range b {
		b[i] = suffixAlphabet[mrand.IntN(len(suffixAlphabet))]
	}
	return string(b[:])
}
