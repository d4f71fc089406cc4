package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
)

// public returns the handler of the public listener. It serves only the API.
func (a *app) public() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /items/{id}", a.handle(a.getItem))
	mux.Handle("GET /rates/{currency}", a.handle(a.getRate))
	return mux
}

// A statusError is an error whose text may be shown to the user.
type statusError struct {
	status int
	text   string
}

func (e *statusError) Error() string { return e.text }

// handle turns a function that returns an error into a handler, and counts its
// responses. The reason for a 500 goes only to the log, because it names hosts
// and secrets.
func (a *app) handle(f func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		status := http.StatusOK
		if err := f(w, r); err != nil {
			status = a.fail(w, r, err)
		}
		a.telemetry.requests.WithLabelValues(r.Pattern, strconv.Itoa(status)).Inc()
	}
}

// fail responds with an error and returns the status.
func (a *app) fail(w http.ResponseWriter, r *http.Request, err error) int {
	if user, ok := errors.AsType[*statusError](err); ok {
		http.Error(w, user.text, user.status)
		return user.status
	}
	if r.Context().Err() == nil { // otherwise the user is gone
		a.log.Error("a request failed", "route", r.Pattern, "error", err)
	}
	http.Error(w, "internal error", http.StatusInternalServerError)
	return http.StatusInternalServerError
}

// reply writes v as JSON. It encodes v first, so that an encoding error can
// still set the status. It ignores connection errors, because the user is gone.
func reply(w http.ResponseWriter, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(body)
	return nil
}

// number parses the id of an item, an integer of PostgreSQL.
func number(s string) (int, error) {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		return 0, &statusError{http.StatusBadRequest, "the id is not a number"}
	}
	return int(n), nil
}
