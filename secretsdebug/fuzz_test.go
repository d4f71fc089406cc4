package secretsdebug

import (
	"encoding/json"
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

// FuzzPage makes pages of ids, of texts of errors and of requests that are
// anything at all.
func FuzzPage(f *testing.F) {
	for _, name := range hostile {
		f.Add(name, name, "text/html;q=0.5,application/json")
	}
	f.Fuzz(func(t *testing.T, name, text, accept string) {
		st := fit(name, time.Now())
		st.Alias, st.Stages = []string{text}, []string{text}
		st.Refused = []secrets.Event{{Kind: secrets.EventRefused, Type: text, Field: name, Version: name, From: text}}
		var log Log
		log.OnEvent(secrets.Event{Kind: secrets.EventFailed, Secret: name, ARN: st.ARN, Err: errors.New(text), Class: secrets.FailureClass(text)})
		log.OnEvent(secrets.Event{Kind: secrets.EventCall, Operation: text})
		for _, query := range []string{"", "?q=" + url.QueryEscape(text), "?secret=" + url.QueryEscape(name), "?secret=" + url.QueryEscape(text)} {
			w := ask(t, made{st}, &log, query, accept)
			if wantsJSON([]string{accept}) {
				if !json.Valid(w.Body.Bytes()) {
					t.Errorf("%s: no JSON: %s", query, w.Body)
				}
				continue
			}
			checkTags(t, w.Body.String())
			for _, r := range asked.ReplaceAllString(w.Body.String(), "") {
				if hidden(r) && r != '\n' && r != '\t' {
					t.Fatalf("%s: the page has the character %U", query, r)
				}
			}
		}
	})
}
