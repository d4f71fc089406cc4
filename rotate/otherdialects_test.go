package rotate_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/seed-74dc7b3e/secrets/rotate"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// An OracleError stands for an error of the driver go-ora, with its number.
type OracleError struct{ ErrCode int }

func (e *OracleError) Error() string { return "ORA" }

// A serverError is one of the driver go-mssqldb.
type serverError struct{ number int32 }

func (e serverError) Error() string         { return "mssql" }
func (e serverError) SQLErrorNumber() int32 { return e.number }

// TestOwnPasswordStatements holds the exchange with the servers that there is
// no other test for.
func TestOwnPasswordStatements(t *testing.T) {
	for _, tt := range []struct {
		name     string
		rotator  func(rotate.OpenFunc, *rotate.SQLOptions) *rotate.SQL
		engine   string
		refuse   error
		answers  map[string]string
		password string
		want     []string
		err      string
	}{
		{name: "SQL Server", rotator: rotate.SQLServer, engine: "sqlserver", refuse: serverError{18456},
			answers:  map[string]string{"SELECT COUNT(*) FROM sys.database_principals": "0"},
			password: "n'w", want: []string{
				"login a]b n'w db:1433 false", "login a]b cur db:1433 false",
				"a]b: ALTER LOGIN [a]]b] WITH PASSWORD = N'n''w' OLD_PASSWORD = N'cur'",
			}},
		{name: "SQL Server, contained", rotator: rotate.SQLServer, engine: "sqlserver-ee", refuse: serverError{18456},
			answers:  map[string]string{"SELECT COUNT(*) FROM sys.database_principals": "1"},
			password: "new", want: []string{
				"login a]b new db:1433 false", "login a]b cur db:1433 false",
				"a]b: ALTER USER [a]]b] WITH PASSWORD = N'new' OLD_PASSWORD = N'cur'",
			}},
		{name: "SQL Server, must change", rotator: rotate.SQLServer, engine: "sqlserver", refuse: serverError{18488},
			password: "new", want: []string{"login a]b new db:1433 false"}, err: "mssql"},
		{name: "Oracle", rotator: rotate.Oracle, engine: "oracle", refuse: &OracleError{1017},
			answers:  map[string]string{"SELECT USER FROM DUAL": "A]B"},
			password: "n'w", want: []string{
				"login a]b n'w db:1521 false", "login a]b cur db:1521 false",
				`a]b: ALTER USER "A]B" IDENTIFIED BY "n'w" REPLACE "cur"`,
			}},
		{name: "Oracle, quote", rotator: rotate.Oracle, engine: "oracle-se2", refuse: &OracleError{1017},
			answers:  map[string]string{"SELECT USER FROM DUAL": "APP"},
			password: `n"w`, want: []string{`login a]b n"w db:1521 false`, "login a]b cur db:1521 false"}, err: "double quote"},
		{name: "Redshift", rotator: rotate.Redshift, engine: "redshift", refuse: stateError("28P01"),
			password: "New12345", want: []string{
				"login a]b New12345 db:5439 false", "login a]b cur db:5439 false", `a]b: ALTER USER "a]b" PASSWORD 'New12345'`,
			}},
		{name: "Redshift, quote", rotator: rotate.Redshift, engine: "redshift", refuse: stateError("28000"),
			password: "n'w", want: []string{"login a]b n'w db:5439 false", "login a]b cur db:5439 false"}, err: "must not have"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := with(t, `{"host":"db","username":"a]b","password":"cur"}`, "engine", tt.engine)
			srv := secretstest.New(t, secretstest.Secrets{"s": text})
			db := &fakeDB{users: map[string][]string{"a]b": {"cur"}}, refuse: tt.refuse, answers: tt.answers}
			err := step(t, srv, rotate.SetSecret, with(t, text, "password", tt.password), tt.rotator(db.open, nil))
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got %v, want %q", err, tt.err)
			}
			got := db.take()
			for i := range got {
				got[i] = strings.TrimPrefix(got[i], "outside of the transaction: ")
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got\n%q, want\n%q", got, tt.want)
			}
		})
	}
}

// TestOwnPasswordOptions has options that only other servers can do.
func TestOwnPasswordOptions(t *testing.T) {
	for _, rotator := range []func(rotate.OpenFunc, *rotate.SQLOptions) *rotate.SQL{rotate.SQLServer, rotate.Oracle, rotate.Redshift} {
		for _, o := range []rotate.SQLOptions{{Alternating: true}, {TwoPasswords: true}, {Password: rotate.Password{Length: 200}}} {
			srv := secretstest.New(t, secretstest.Secrets{"s": `{"host":"db","username":"app","password":"cur"}`})
			db := &fakeDB{}
			if err := rotate.Run(t.Context(), srv.Client(), "s", rotator(db.open, &o)); err == nil || srv.VersionID("s", "AWSPENDING") != "" {
				t.Errorf("%+v: got %v, want an error and no version", o, err)
			}
		}
	}
}

// TestOwnPasswordLength makes passwords that each server takes.
func TestOwnPasswordLength(t *testing.T) {
	for _, tt := range []struct {
		rotator *rotate.SQL
		length  int
	}{
		{rotator: rotate.Oracle((&fakeDB{}).open, nil), length: 30},
		{rotator: rotate.SQLServer((&fakeDB{}).open, nil), length: 32},
		{rotator: rotate.Redshift((&fakeDB{}).open, nil), length: 32},
	} {
		srv := secretstest.New(t, secretstest.Secrets{"s": `{"host":"db","username":"app","password":"cur"}`})
		spy := &putSpy{API: srv.Client()}
		h := rotate.Handler{API: spy, Rotator: tt.rotator}
		if err := h.Handle(t.Context(), event(srv, rotate.CreateSecret, srv.PutEmptyPending("s"))); err != nil {
			t.Fatal(err)
		}
		if p, err := rotate.Text(*spy.last.SecretString).Field("password"); err != nil || len(p) != tt.length {
			t.Errorf("got a password of %d characters, %v, want %d", len(p), err, tt.length)
		}
	}
}
