package secretstest

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// An answer is a response on its way out.
type answer struct {
	status int
	code   string // of an error
	body   []byte
	id     string
	broken brokenness

	trickle time.Duration // between two bytes of the body
}

// A brokenness says how much of an answer arrives.
type brokenness int

const (
	whole brokenness = iota
	truncated
	dropped
)

func (a *answer) setHeader(h http.Header) {
	h["Content-Type"] = contentType
	h["X-Amzn-Requestid"] = []string{a.id}
	h["Content-Length"] = []string{strconv.Itoa(len(a.body))}
}

var contentType = []string{"application/x-amz-json-1.1"}

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

// An appender writes its own JSON, for speed.
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

// marshal encodes to JSON without HTML escaping.
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
