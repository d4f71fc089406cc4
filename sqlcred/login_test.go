package sqlcred_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
	"github.com/seed-74dc7b3e/secrets/sqlcred"
)

func decode(t *testing.T, text string) sqlcred.Login {
	t.Helper()
	var l sqlcred.Login
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		t.Fatalf("decode %s: %v", text, err)
	}
	return l
}

func TestLoginDecode(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       sqlcred.Login // without its password
		password   string
	}{
		{
			"RDS",
			`{"engine":"postgres","host":"db.example","port":5432,"username":"app","password":"p\"w\u00e9","dbname":"shop","dbInstanceIdentifier":"x","dbClusterIdentifier":"shop-1","masterarn":"arn:aws:x"}`,
			sqlcred.Login{Engine: "postgres", Host: "db.example", Port: 5432, Username: "app", DBName: "shop", ClusterID: "shop-1", MasterARN: "arn:aws:x"},
			`p"wé`,
		},
		{"managed by RDS", `{"username":"admin","password":"x"}`, sqlcred.Login{Username: "admin"}, "x"},
		{"for Redis", `{"password":"x"}`, sqlcred.Login{}, "x"},
		{"port a string", `{"port":"3306","password":"x"}`, sqlcred.Login{Port: 3306}, "x"},
		{"port an empty string", `{"port":"","password":"x"}`, sqlcred.Login{}, "x"},
		{"nulls", `{"port":null,"host":null,"ssl":null,"password":"x"}`, sqlcred.Login{}, "x"},
		{"ssl true", `{"ssl":true,"password":"x"}`, sqlcred.Login{TLS: sqlcred.TLSVerify}, "x"},
		{"ssl false", `{"ssl":false,"password":"x"}`, sqlcred.Login{TLS: sqlcred.TLSOff}, "x"},
		{"ssl a string", `{"ssl":"True","password":"x"}`, sqlcred.Login{TLS: sqlcred.TLSVerify}, "x"},
		{"ssl a string, false", `{"ssl":"false","password":"x"}`, sqlcred.Login{TLS: sqlcred.TLSOff}, "x"},
		{"strange fields", `{"password":"x","Password":"y","host ":{"a":[1]}}`, sqlcred.Login{}, "x"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := decode(t, test.text)
			if got.Password() != test.password {
				t.Errorf("password: got %q, want %q", got.Password(), test.password)
			}
			if got, want := loginFields(got), loginFields(test.want); got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

type fields struct {
	engine, host, username, dbname, cluster, master, version string
	port                                                     int
	tls                                                      sqlcred.TLS
}

func loginFields(l sqlcred.Login) fields {
	return fields{l.Engine, l.Host, l.Username, l.DBName, l.ClusterID, l.MasterARN, l.VersionID, l.Port, l.TLS}
}

func TestLoginDecodeErrors(t *testing.T) {
	const canary = "hunter2canary"
	for _, test := range []struct{ name, text, want string }{
		{"text", `"` + canary + `"`, "not a JSON object"},
		{"list", `["` + canary + `"]`, "not a JSON object"},
		{"null", `null`, ""}, // encoding/json calls no UnmarshalJSON method, or it does nothing
		{"no password", `{"username":"` + canary + `"}`, `"password" is missing or empty`},
		{"empty password", `{"password":""}`, `"password" is missing or empty`},
		{"password a number", `{"password":12345}`, `"password" is not a string`},
		{"host a list", `{"host":["` + canary + `"],"password":"x"}`, `"host" is not a string`},
		{"port a word", `{"port":"` + canary + `","password":"x"}`, `"port" is not a port number`},
		{"port too big", `{"port":65536,"password":"x"}`, `"port" is not a port number`},
		{"port zero", `{"port":0,"password":"x"}`, `"port" is not a port number`},
		{"port negative", `{"port":-1,"password":"x"}`, `"port" is not a port number`},
		{"port a fraction", `{"port":5432.5,"password":"x"}`, `"port" is not a port number`},
		{"port an object", `{"port":{"a":"` + canary + `"},"password":"x"}`, `"port" is not a port number`},
		{"ssl a word", `{"ssl":"` + canary + `","password":"x"}`, `"ssl" is neither true nor false`},
		{"ssl a number", `{"ssl":1,"password":"x"}`, `"ssl" is neither true nor false`},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := sqlcred.Login{Host: "unchanged"}
			err := json.Unmarshal([]byte(test.text), &l)
			if test.want == "" {
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one with %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), canary) {
				t.Errorf("the error quotes the secret: %v", err)
			}
			if l.Host != "unchanged" {
				t.Errorf("the login was changed: %v", l)
			}
		})
	}
}

func FuzzLoginDecode(f *testing.F) {
	f.Add(`{"engine":"postgres","host":"h","port":"1","username":"u","password":"p","ssl":"true"}`)
	f.Add(`{"port":1e3,"ssl":[],"password":"\ud800"}`)
	f.Fuzz(func(t *testing.T, text string) {
		var l sqlcred.Login
		err := json.Unmarshal([]byte(text), &l)
		if err == nil && l.Password() == "" && text != "null" && strings.TrimSpace(text) != "null" {
			t.Errorf("decoded without a password: %q", text)
		}
		if l.Port < 0 || l.Port > 65535 {
			t.Errorf("port %d", l.Port)
		}
	})
}

func TestLoginWithPassword(t *testing.T) {
	a := decode(t, `{"username":"app","password":"one"}`)
	b := a.WithPassword("two")
	if a.Password() != "one" || b.Password() != "two" || b.Username != "app" {
		t.Errorf("got %q, %q, want one, two", a.Password(), b.Password())
	}
	if got := (sqlcred.Login{}).Password(); got != "" {
		t.Errorf("zero login: got password %q", got)
	}
}

func TestLoginString(t *testing.T) {
	for _, test := range []struct {
		login sqlcred.Login
		want  string
	}{
		{sqlcred.Login{}, ""},
		{sqlcred.Login{Username: "app"}, "app@"},
		{sqlcred.Login{Engine: "mysql", Host: "db", Username: "app"}, "mysql://app@db"},
		{sqlcred.Login{Engine: "postgres", Host: "::1", Port: 5432, Username: "app", DBName: "shop"}, "postgres://app@[::1]:5432/shop"},
	} {
		if got := test.login.WithPassword("x").String(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

func TestLoginMarshal(t *testing.T) {
	l := decode(t, `{"engine":"mysql","host":"h","port":"1","username":"u","password":"canary","dbname":"d","ssl":false}`)
	got, err := json.Marshal(l)
	want := `{"engine":"mysql","host":"h","port":1,"username":"u","dbname":"d","ssl":false}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestDecodeLogin(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"text": `{"username":"app","password":"one","port":1}`})
	client, err := secrets.New(srv.Client(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	srv.PutBinary("binary", []byte(`{"username":"app","password":"one","port":1}`))
	for _, name := range []string{"text", "binary"} {
		l, err := secrets.BindFunc(client, name, sqlcred.DecodeLogin).Get(t.Context())
		want := fields{username: "app", port: 1, version: srv.VersionID(name, secrets.Current)}
		if err != nil || l.Password() != "one" || loginFields(l) != want {
			t.Errorf("%s: got %+v, %v, want %+v", name, loginFields(l), err, want)
		}
	}
}

func TestTLSString(t *testing.T) {
	for v, want := range map[sqlcred.TLS]string{
		sqlcred.TLSDefault: "default", sqlcred.TLSOff: "off", sqlcred.TLSVerify: "verify", 9: "TLS(9)",
	} {
		if got := v.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
