package dblogin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-74dc7b3e/secrets/internal/dblogin"
)

const password = `can'ary\ "é/?#&hunter2`

// spellings are how drivers, parsers and loggers print a password.
var spellings = map[string]func(string) string{
	"raw":         func(s string) string { return s },
	"%q":          func(s string) string { return fmt.Sprintf("%q", s) },
	"%+q":         func(s string) string { return fmt.Sprintf("%+q", s) },
	"%#v":         func(s string) string { return fmt.Sprintf("%#v", struct{ p string }{s}) },
	"%x":          func(s string) string { return fmt.Sprintf("%x", s) },
	"%X":          func(s string) string { return fmt.Sprintf("%X", s) },
	"query":       url.QueryEscape,
	"path":        url.PathEscape,
	"lower query": func(s string) string { return strings.ToLower(url.QueryEscape(s)) },
	"userinfo":    func(s string) string { return (&url.URL{User: url.UserPassword("app", s), Host: "db"}).String() },
	"keyword": func(s string) string {
		return "password='" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
	},
	"SQL":   func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" },
	"MySQL": func(s string) string { return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(s) + "'" },
	"MySQL, \\'": func(s string) string {
		return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, `"`, `\"`).Replace(s) + "'"
	},
	"JSON": func(s string) string { b, _ := json.Marshal(map[string]string{"password": s}); return string(b) },
	"JSON, plain": func(s string) string {
		var b strings.Builder
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(s)
		return b.String()
	},
	"DSN in %q":       func(s string) string { return strconv.Quote("app:" + s + "@tcp(db)/") },
	"URL in %q in %q": func(s string) string { return strconv.Quote(strconv.Quote("postgres://app:" + s + "@db")) },
}

func TestScrubKnowsEverySpelling(t *testing.T) {
	for name, spell := range spellings {
		if name == "lower query" {
			continue // of letters that have no case: see below
		}
		err := dblogin.Scrub(errors.New("cannot connect: "+spell(password)), "another", password)
		if got := err.Error(); got != "error withheld: it contains the password" {
			t.Errorf("%s: got %s", name, got)
		}
	}
	lower := strings.ToLower(password)
	if got := dblogin.Scrub(errors.New(spellings["lower query"](lower)), lower).Error(); strings.Contains(got, "hunter2") {
		t.Errorf("lower case escapes: got %s", got)
	}
}

// A stateError is an error of a PostgreSQL driver.
type stateError struct{ state, text string }

func (e *stateError) Error() string    { return e.text }
func (e *stateError) SQLState() string { return e.state }

// A MySQLError looks like that of go-sql-driver.
type MySQLError struct {
	Number  uint16
	Message string
}

func (e *MySQLError) Error() string { return fmt.Sprintf("Error %d: %s", e.Number, e.Message) }

// A fieldError shows its field only where it is printed as Go source.
type fieldError struct{ DSN string }

func (fieldError) Error() string { return "cannot parse the DSN" }

// A hidingError wraps an error that it does not quote.
type hidingError struct{ err error }

func (e *hidingError) Error() string { return "cannot connect" }
func (e *hidingError) Unwrap() error { return e.err }

func TestScrubKeepsWhatIsClean(t *testing.T) {
	clean := &stateError{"28P01", "password authentication failed"}
	dirty := errors.New("near " + password)
	for _, test := range []struct {
		name string
		err  error
		want string
		keep bool // the clean error can be reached
	}{
		{"nothing to hide", fmt.Errorf("connect: %w", clean), "connect: password authentication failed", true},
		{"wrapped by one that shows it", fmt.Errorf("DSN %s: %w", password, clean), "error withheld: it contains the password", true},
		{"beside one that shows it", errors.Join(clean, dirty), "error withheld: it contains the password", true},
		{"hidden by one that does not show it", &hidingError{errors.Join(dirty, clean)}, "cannot connect", true},
		{"only what is below shows it", &hidingError{dirty}, "cannot connect", false},
		{"a field", fmt.Errorf("open: %w", fieldError{"app:" + password + "@db"}), "open: cannot parse the DSN", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := dblogin.Scrub(test.err, password)
			if got.Error() != test.want {
				t.Errorf("message: got %q, want %q", got, test.want)
			}
			if found := errors.Is(got, clean); found != test.keep {
				t.Errorf("the clean error is found: got %v, want %v", found, test.keep)
			}
			if errors.Is(got, dirty) || errors.As(got, new(fieldError)) {
				t.Errorf("the error that shows the password is found")
			}
			noneShows(t, got)
		})
	}
	if got := dblogin.Scrub(clean, password, ""); got != error(clean) {
		t.Errorf("clean: got %v, want the same error", got)
	}
	if got := dblogin.Scrub(nil, password); got != nil {
		t.Errorf("nil: got %v", got)
	}
}

// noneShows prints every error of a tree.
func noneShows(t *testing.T, err error) {
	t.Helper()
	dblogin.Walk(err, func(err error) {
		for _, verb := range []string{"%v", "%+v", "%#v", "%q"} {
			if text := fmt.Sprintf(verb, err); strings.Contains(text, "hunter2") {
				t.Errorf("%T with %s: %s", err, verb, text)
			}
		}
	})
}

// The error that stands in is judged like the one that it replaces.
func TestScrubbedErrorIsJudgedAlike(t *testing.T) {
	for _, test := range []struct {
		err     error
		text    string
		refused bool
		account string
	}{
		{&stateError{"28P01", password}, "error withheld: it contains the password (SQLSTATE 28P01)", true, ""},
		{&stateError{"53300", password}, "error withheld: it contains the password (SQLSTATE 53300)", false, ""},
		{&MySQLError{1045, password}, "error withheld: it contains the password (mysql error 1045)", true, ""},
		{&MySQLError{4150, password}, "error withheld: it contains the password (mysql error 4150)", false, "is blocked after too many failed logins"},
	} {
		got := dblogin.Scrub(test.err, password)
		if got.Error() != test.text {
			t.Errorf("message: got %q, want %q", got, test.text)
		}
		if refused := dblogin.Refused(got); refused != test.refused {
			t.Errorf("%v: refused %v, want %v", got, refused, test.refused)
		}
		if state, _ := dblogin.Account(got); state.Reason != test.account {
			t.Errorf("%v: account %q, want %q", got, state.Reason, test.account)
		}
	}
}

// net/url quotes the URL, and in what it wraps a part of it.
func TestScrubParts(t *testing.T) {
	for _, secret := range []string{"hunter2/x", "hunter2#rest", "hunter2/%zz"} {
		_, err := url.Parse("postgres://app:" + secret + "@db/shop")
		if err == nil {
			t.Fatalf("%q: the URL parses", secret)
		}
		got := dblogin.Scrub(fmt.Errorf("open: %w", err), secret)
		noneShows(t, got)
	}
}

// What short passwords look like is part of half of all messages.
func TestScrubShortPasswords(t *testing.T) {
	for _, test := range []struct{ password, in, want string }{
		{"a", "password authentication failed for user \"app\"", ""},
		{"a", `cannot parse "app:a@tcp(db)/"`, `cannot parse "app:[password]@tcp(db)/"`},
		{"a", "user=app password=a host=db", "user=app password=[password] host=db"},
		{"a", "IDENTIFIED BY 'a'", "IDENTIFIED BY '[password]'"},
		{"a", "app%3Aa%40db", "app%3A[password]%40db"},
		{"a", `"app\na\tb"`, `"app\n[password]\tb"`},
		{"'", "user 'app' is not allowed", ""},
		{"'", `password='\'' host='db'`, `password=[password][password][password] host='db'`},
		{"é", "app:%C3%A9@db, caf\u00e9", "app:[password]@db, caf\u00e9"},
		{"ab1", "xab1 ab1x ab1", "xab1 ab1x [password]"},
		{"1", "Error 1045 (28000) at 10.1.2.3", "Error 1045 (28000) at 10.[password].2.3"},
	} {
		cause := errors.New(test.in)
		got := dblogin.Scrub(fmt.Errorf("%w", cause), test.password)
		want := test.want
		if want == "" {
			want = test.in
		}
		if got.Error() != want || errors.Is(got, cause) != (test.want == "") {
			t.Errorf("%q in %q: got %q, want %q", test.password, test.in, got, want)
		}
	}
	if got := dblogin.ScrubText("app:a@db", "a"); got != "app:[password]@db" {
		t.Errorf("text: got %q", got)
	}
}

// A long password is recognized by its beginning, also where that is all that
// is printed.
func TestScrubLongPassword(t *testing.T) {
	secret := strings.Repeat("hunter2'\\ü", 10_000)
	got := dblogin.Scrub(errors.New("near "+secret[:200]+"..."), secret)
	noneShows(t, got)
}

func TestScrubOddErrors(t *testing.T) {
	var null *stateError
	for _, err := range []error{null, errors.Join(null, io.EOF), uncomparable{"x"}, errors.Join(uncomparable{password}, io.EOF)} {
		got := dblogin.Scrub(fmt.Errorf("%T: %w", err, err), password)
		noneShows(t, got)
	}
}

// An uncomparable error may not be compared with ==.
type uncomparable []string

func (e uncomparable) Error() string { return strings.Join(e, ", ") }

func TestWithout(t *testing.T) {
	target := errors.New("bad connection")
	other := &MySQLError{4150, "blocked"}
	for _, test := range []struct {
		err  error
		keep bool
	}{
		{fmt.Errorf("connect: %w", other), true},
		{errors.Join(target, other), true},
		{fmt.Errorf("connect: %w", fmt.Errorf("%w: %w", target, other)), true},
		{fmt.Errorf("connect: %w", target), false},
		{target, false},
		{isError{target}, false},
	} {
		got := dblogin.Without(test.err, target)
		if errors.Is(got, target) || errors.Is(got, error(other)) != test.keep || got.Error() != test.err.Error() {
			t.Errorf("%v: got %v; it is the target %v, and the other %v, want %v", test.err, got, errors.Is(got, target), errors.Is(got, error(other)), test.keep)
		}
	}
	if got := dblogin.Without(nil, target); got != nil {
		t.Errorf("nil: got %v", got)
	}
	if got := dblogin.Without(context.Canceled, target); got != context.Canceled {
		t.Errorf("another: got %v", got)
	}
}

// An isError says that it is another.
type isError struct{ target error }

func (e isError) Error() string        { return "it is" }
func (e isError) Is(target error) bool { return target == e.target }

// Whatever spelling of a spelling an error has, the password does not get out,
// and where no error shows it the tree stays as it is.
func FuzzScrub(f *testing.F) {
	f.Add("hunter2!", "near ", uint8(1), uint8(3))
	f.Add("a", "app:", uint8(0), uint8(6))
	f.Add(`'\"`, "x", uint8(12), uint8(2))
	outer := []func(string) string{spellings["raw"], spellings["%q"], spellings["%+q"], spellings["JSON"], spellings["JSON, plain"]}
	inner := []func(string) string{
		spellings["raw"], spellings["query"], spellings["path"], spellings["userinfo"], spellings["keyword"], spellings["SQL"],
		spellings["MySQL"], spellings["MySQL, \\'"], spellings["%q"], spellings["JSON"], spellings["%x"],
	}
	f.Fuzz(func(t *testing.T, secret, before string, i, o uint8) {
		if len(secret)+len(before) > 1000 {
			return // a form of each length takes its time to seek
		}
		printed := outer[int(o)%len(outer)](inner[int(i)%len(inner)](secret))
		if len(secret) < 4 || !strings.Contains(printed, secret) && int(i)%len(inner) == 0 {
			printed = " " + secret + " "
		}
		cause := errors.New(before + printed)
		got := dblogin.Scrub(fmt.Errorf("connect: %w", cause), secret)
		if secret == "" {
			if !errors.Is(got, cause) {
				t.Errorf("without a password: got %v, want %v", got, cause)
			}
			return
		}
		if len(secret) >= 4 && errors.Is(got, cause) {
			t.Errorf("password %q: got %q", secret, got)
		}
	})
}
