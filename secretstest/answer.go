package secretstest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// errorBody is the body of an error.
type errorBody struct {
	Type    string `json:"__type"`
	Message string `json:"Message,omitempty"`
}

// validationBody is the body of a ValidationException, which is written in
// lower case.
type validationBody struct {
	Type    string `json:"__type"`
	Message string `json:"message"`
}

// An appender writes its own JSON, where speed matters.
type appender interface{ appendJSON([]byte) []byte }

// encode fills in the status and the body.
func (a *answer) encode(out any, err error) {
	a.status = http.StatusOK
	if err != nil {
		var e *apiError
		if !errors.As(err, &e) {
			e = &apiError{code: "InternalServiceError", message: "An error occurred on the server side.", status: http.StatusInternalServerError}
		}
		a.status, a.code = e.httpStatus(), e.code
		out = errorBody{e.code, e.message}
		if e.code == "ValidationException" || e.code == "SerializationException" {
			out = validationBody{e.code, e.message}
		}
	}
	if f, ok := out.(appender); ok {
		a.body = f.appendJSON(nil)
		return
	}
	if out == nil {
		out = struct{}{}
	}
	a.body = marshal(out)
}

// marshal encodes without escaping what HTML would need escaped.
func marshal(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("secretstest: encode answer: " + err.Error())
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}

// garble makes nonsense of a body.
func (a *answer) garble() {
	a.body = []byte("\x00\x1f<html>\xff\xfe{\"SecretString\": ")
}

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

// now returns the time as precisely as the service tells it.
func now() time.Time { return time.Now().Truncate(time.Millisecond) }

// sleep waits for d, or until ctx ends. It reports whether it waited for all
// of d.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
