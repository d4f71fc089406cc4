package dblogin_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seed-74dc7b3e/secrets/internal/dblogin"
)

func TestDecode(t *testing.T) {
	full := dblogin.Login{
		Engine: "postgres", Host: "db.example", Port: 5432, Username: "app", Password: "one", DBName: "shop",
		TLS: dblogin.TLSVerify, ClusterID: "shop-1", MasterARN: "arn:aws:x",
	}
	for _, test := range []struct {
		name, text string
		keys       dblogin.Keys
		want       dblogin.Login
	}{
		{"empty", `{}`, dblogin.Keys{}, dblogin.Login{}},
		{
			"full",
			`{"engine":"postgres","host":"db.example","port":5432,"username":"app","password":"one","dbname":"shop","ssl":true,"dbClusterIdentifier":"shop-1","masterarn":"arn:aws:x","other":[1]}`,
			dblogin.Keys{}, full,
		},
		{
			"own names",
			`{"e":"postgres","h":"db.example","p":"5432","u":"app","pw":"one","d":"shop","s":"TRUE","c":"shop-1","m":"arn:aws:x","host":"not this"}`,
			dblogin.Keys{Engine: "e", Host: "h", Port: "p", Username: "u", Password: "pw", DBName: "d", SSL: "s", ClusterID: "c", MasterARN: "m"}, full,
		},
		{"nulls", `{"engine":null,"host":null,"port":null,"username":null,"password":null,"dbname":null,"ssl":null,"dbClusterIdentifier":null,"masterarn":null}`, dblogin.Keys{}, dblogin.Login{}},
		{"empty strings", `{"engine":"","host":"","port":"","ssl":"","password":""}`, dblogin.Keys{}, dblogin.Login{}},
		{"ssl false", `{"ssl":false}`, dblogin.Keys{}, dblogin.Login{TLS: dblogin.TLSOff}},
		{"ssl false as a string", `{"ssl":"False"}`, dblogin.Keys{}, dblogin.Login{TLS: dblogin.TLSOff}},
		{"the last of several", `{"host":"a","host":"b"}`, dblogin.Keys{}, dblogin.Login{Host: "b"}},
		{"escapes", `{"p\u0061ssword":"\"\u00e9\\"}`, dblogin.Keys{}, dblogin.Login{Password: `"é\`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := dblogin.Decode(test.text, test.keys)
			if err != nil || got != test.want {
				t.Errorf("got another login (%v at %s), %v", got == test.want, got.Address(), err)
			}
		})
	}
}

func TestDecodeErrors(t *testing.T) {
	const canary = "hunter2canary"
	for _, test := range []struct{ text, want string }{
		{`"` + canary + `"`, "the value is not a JSON object"},
		{`{"password":"` + canary, "the value is not a JSON object"},
		{`{"password":"` + canary + `"} x`, "the value is not a JSON object"},
		{`{"password":12345}`, `the field "password" is not a string`},
		{`{"host":["` + canary + `"]}`, `the field "host" is not a string`},
		{`{"port":"` + canary + `"}`, `the field "port" is not a port number`},
		{`{"port":{"a":"` + canary + `"}}`, `the field "port" is not a port number`},
		{`{"port":0}`, `the field "port" is not a port number`},
		{`{"port":65536}`, `the field "port" is not a port number`},
		{`{"port":5432.0}`, `the field "port" is not a port number`},
		{`{"port":-1}`, `the field "port" is not a port number`},
		{`{"ssl":"` + canary + `"}`, `the field "ssl" is neither true nor false`},
		{`{"ssl":1}`, `the field "ssl" is neither true nor false`},
	} {
		got, err := dblogin.Decode(test.text, dblogin.Keys{})
		if err == nil || err.Error() != test.want || got != (dblogin.Login{}) {
			t.Errorf("%s: got error %v, want %q", test.text, err, test.want)
		}
	}
}

func TestLoginPrintsNothing(t *testing.T) {
	l := dblogin.Login{Username: "app", Password: "hunter2"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if got := fmt.Sprintf(verb, l); strings.Contains(got, "app") || strings.Contains(got, "hunter2") {
			t.Errorf("%s: got %s", verb, got)
		}
	}
}

func TestTLSOr(t *testing.T) {
	for _, test := range []struct{ secret, caller, want dblogin.TLS }{
		{dblogin.TLSDefault, dblogin.TLSDefault, dblogin.TLSDefault},
		{dblogin.TLSDefault, dblogin.TLSVerify, dblogin.TLSVerify},
		{dblogin.TLSOff, dblogin.TLSVerify, dblogin.TLSOff},
		{dblogin.TLSVerify, dblogin.TLSOff, dblogin.TLSVerify},
	} {
		if got := test.secret.Or(test.caller); got != test.want {
			t.Errorf("%v or %v: got %v, want %v", test.secret, test.caller, got, test.want)
		}
	}
}

func TestObjectSet(t *testing.T) {
	o, err := dblogin.ParseObject(`{ "a" : 1.00, "b":"x" }`)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, value, want, err string }{
		{"b", "é<", `{ "a" : 1.00, "b":"é<" }`, ""},
		{"c", "y", `{ "a" : 1.00, "b":"x","c":"y" }`, ""},
		{"b", "x\xff", "", `the new value of the field "b" is not valid UTF-8`},
		{"b\xff", "x", "", "the field's name is not valid UTF-8"},
	} {
		got, err := o.Set(test.name, test.value)
		if got != test.want || fmt.Sprint(err) != test.err && test.err != "" || test.err == "" && err != nil {
			t.Errorf("set %q to %q: got %s, %v, want %s, %s", test.name, test.value, got, err, test.want, test.err)
		}
	}
}
