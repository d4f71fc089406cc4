package dblogin_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seed-74dc7b3e/secrets/internal/dblogin"
)

// A messageError is like an error of pgx or lib/pq: a code and a message.
type messageError struct{ Code, Message string }

func (e *messageError) Error() string    { return "FATAL: " + e.Message + " (" + e.Code + ")" }
func (e *messageError) SQLState() string { return e.Code }

// What PgBouncer 1.18 answers, read from a running one: all of it has the
// SQLSTATE that stands for a violation of the protocol.
func TestRefusedByPgBouncer(t *testing.T) {
	for message, want := range map[string]bool{
		"password authentication failed":                                    true,
		"SASL authentication failed":                                        true,
		"no such user":                                                      true,
		`password authentication failed for user "app"`:                     true, // the server behind said so
		"no such database: shop":                                            false,
		"no such user or database":                                          false,
		"query_wait_timeout":                                                false,
		"no more connections allowed (max_client_conn)":                     false,
		"server login has been failing, try again later":                    false,
		"pgbouncer cannot connect to server":                                false,
		"bouncer config error":                                              false,
		"the database system is shutting down: password authentication":     false,
		`unexpected message: password authentication failed for user "app"`: false,
		"": false,
	} {
		for _, err := range []error{&messageError{"08P01", message}, fmt.Errorf("connect: %w", &messageError{"08P01", message})} {
			if got := dblogin.Refused(err); got != want {
				t.Errorf("%v: got %v, want %v", err, got, want)
			}
		}
		passedOn := strings.HasPrefix(message, "password authentication failed for user")
		if got := dblogin.PassedOn(fmt.Errorf("connect: %w", &messageError{"08P01", message})); got != passedOn {
			t.Errorf("%q passed on by the bouncer: got %v, want %v", message, got, passedOn)
		}
		if dblogin.PassedOn(&messageError{"28P01", message}) {
			t.Errorf("%q of the server itself: passed on by a bouncer", message)
		}
		if dblogin.Refused(&messageError{"08006", message}) {
			t.Errorf("%q with another code: a refusal", message)
		}
	}
	if dblogin.Refused(&stateError{"08P01", "password authentication failed"}) {
		t.Error("an error without a message: a refusal")
	}
	var none *messageError
	if dblogin.Refused(fmt.Errorf("%w", error(&nilState{none}))) {
		t.Error("a nil error inside: a refusal")
	}
}

// A nilState has a code, and nothing that could be read.
type nilState struct{ *messageError }

func (*nilState) Error() string    { return "nothing" }
func (*nilState) SQLState() string { return "08P01" }
