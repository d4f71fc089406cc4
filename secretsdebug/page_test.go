package secretsdebug

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

// A made source shows statuses that a test has made up.
type made []secrets.Status

func (m made) Stats() secrets.Stats               { return secrets.Stats{Hits: 1_234_567, GetSecretValue: 20} }
func (m made) Statuses() iter.Seq[secrets.Status] { return slices.Values(m) }

// ask asks a page of made statuses.
func ask(t *testing.T, src source, log *Log, query, accept string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/debug/secrets"+query, nil)
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	w := httptest.NewRecorder()
	(&handler{src: src, log: log}).ServeHTTP(w, r)
	return w
}

// fit is the status of a healthy secret.
func fit(name string, now time.Time) secrets.Status {
	return secrets.Status{
		ID: name, Name: name, ARN: "arn:aws:secretsmanager:us-east-1:123456789012:secret:" + name + "-AbCdEf",
		Version: "6f1c3f0e-9d2b-4995-8b9b-a58fd6689901", Serving: "6f1c3f0e-9d2b-4995-8b9b-a58fd6689901", Stages: []string{"AWSCURRENT"},
		Created: now.Add(-90 * time.Hour), Adopted: now.Add(-time.Hour), Fetched: now.Add(-time.Hour), Confirmed: now.Add(-2 * time.Minute),
		Expires: now.Add(3 * time.Minute), NextCheck: now.Add(2 * time.Minute),
	}
}

// hostile are ids that a page has to show and nothing more.
var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`, `javascript:alert(1)`,
	`</style><script>alert(1)</script>`, "{{.}}", "a\x00b", "\u202egnp.exe", "x\u200by", "new\nline", strings.Repeat("w", 512), "\xff\xfe", "?secret=x&q=y#z",
}

// asked matches the place where a page repeats the search text unchanged.
var asked = regexp.MustCompile(`name="q" value="[^"]*"`)

var (
	tagName   = regexp.MustCompile(`^/?([a-z0-9!]+)`)
	attribute = regexp.MustCompile(`^\s+([a-z-]+)(="[^"<>]*")?`)
)

var (
	tags = strings.Fields("!doctype html head meta title style body header h1 h2 a span bdi p main section div b form input label button table thead tbody tr th td code small ul li ol nav")
	attr = strings.Fields("html lang charset name content class aria-label method action role type value placeholder checked href title data-label rel")
)

// checkTags checks that a page has only the tags and attributes of the
// template.
func checkTags(t *testing.T, page string) {
	t.Helper()
	for _, part := range strings.Split(page, "<")[1:] {
		tag, _, closed := strings.Cut(part, ">")
		name := tagName.FindStringSubmatch(tag)
		if !closed || name == nil || !slices.Contains(tags, name[1]) {
			t.Fatalf("the page has a tag <%s>", tag)
		}
		rest := tag[len(name[0]):]
		for strings.TrimSpace(rest) != "" {
			m := attribute.FindStringSubmatch(rest)
			if m == nil || !slices.Contains(attr, m[1]) || m[1] == "href" && !strings.HasPrefix(m[2], `="?`) {
				t.Fatalf("the page has an attribute %q in <%s>", rest, tag)
			}
			rest = rest[len(m[0]):]
		}
	}
}

func TestHostileNames(t *testing.T) {
	now := time.Now()
	var src made
	var log Log
	for i, name := range hostile {
		st := fit(name, now)
		st.Alias, st.Stages, st.Version = []string{name + name}, []string{name}, name
		st.Rotation.PendingVersion = name
		st.Refused = []secrets.Event{{Kind: secrets.EventRefused, Time: now, Type: name, Field: name, Version: name, From: name}}
		src = append(src, st)
		for kind := secrets.EventAdopted; kind <= secrets.EventWait; kind++ {
			log.OnEvent(secrets.Event{Kind: kind, Time: now, Secret: name, ARN: st.ARN, Class: secrets.FailureClass(name), Err: errors.New(name),
				Operation: name, Version: name, From: name, Stage: name, Type: name, Field: name, How: name})
		}
		log.OnEvent(secrets.Event{Kind: secrets.EventDropped, Time: now, Secret: "gone " + name, Err: errors.New(name)})
		log.OnEvent(secrets.Event{Kind: secrets.EventUnavailable, Time: now, Operation: name + strconv.Itoa(i), Err: errors.New(name)})
	}
	list := ask(t, src, &log, "", "").Body.String()
	pages := []string{list}
	href := regexp.MustCompile(`href="(\?secret=[^"]*)"`)
	for _, st := range src {
		for _, query := range []string{"?secret=" + url.QueryEscape(st.ARN), "?secret=" + url.QueryEscape("gone "+st.ID)} {
			w := ask(t, src, &log, query, "")
			if w.Code != http.StatusOK {
				t.Errorf("the page of %q is %d", query, w.Code)
			}
			pages = append(pages, w.Body.String())
		}
		pages = append(pages, ask(t, src, nil, "?q="+url.QueryEscape(st.ID), "").Body.String())
		pages = append(pages, ask(t, src, nil, "?secret=missing"+url.QueryEscape(st.ID), "").Body.String())
	}
	for _, link := range href.FindAllStringSubmatch(list, -1) {
		if w := ask(t, src, &log, html.UnescapeString(link[1]), ""); w.Code != http.StatusOK {
			t.Fatalf("the link %s leads to %d", link[1], w.Code)
		}
	}
	for _, page := range pages {
		checkTags(t, page)
		for _, r := range asked.ReplaceAllString(page, "") {
			if hidden(r) && r != '\n' && r != '\t' {
				t.Fatalf("the page has the character %U", r)
			}
		}
	}
}

func TestHeaders(t *testing.T) {
	now := time.Now()
	for _, accept := range []string{"", "application/json"} {
		for _, query := range []string{"", "?secret=a", "?secret=missing", "?page=7&q=a&attention=1"} {
			h := ask(t, made{fit("a", now)}, nil, query, accept).Header()
			for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Vary": "Accept", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer"} {
				if h.Get(name) != want {
					t.Errorf("%s of %q is %q, want %q", name, query, h.Get(name), want)
				}
			}
			csp := h.Get("Content-Security-Policy")
			if !strings.HasPrefix(csp, "default-src 'none'; style-src 'sha256-") || strings.Contains(csp, "unsafe") {
				t.Errorf("Content-Security-Policy of %q is %q", query, csp)
			}
		}
	}
	// The style sheet is the one whose hash the policy allows, and the only style.
	w := ask(t, made{fit("a", now)}, nil, "", "text/html")
	_, after, _ := strings.Cut(w.Body.String(), "<style>")
	css, _, found := strings.Cut(after, "</style>")
	sum := sha256.Sum256([]byte(css))
	if want := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !found || !strings.Contains(w.Header().Get("Content-Security-Policy"), want) {
		t.Errorf("the policy %q does not allow the style sheet: %s", w.Header().Get("Content-Security-Policy"), want)
	}
}

func TestMethods(t *testing.T) {
	h := &handler{src: made{}}
	for method, want := range map[string]int{"GET": 200, "HEAD": 200, "POST": 405, "PUT": 405, "DELETE": 405, "OPTIONS": 405} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, "/", nil))
		if w.Code != want {
			t.Errorf("%s = %d, want %d", method, w.Code, want)
		}
		if want == 405 && w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: Allow is %q", method, w.Header().Get("Allow"))
		}
	}
}

func TestAccept(t *testing.T) {
	for accept, want := range map[string]bool{
		"": false, "*/*": false, "application/json": true, "text/html": false, "Application/JSON; charset=utf-8": true,
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": false,
		"application/json;q=0.5, text/html":                               false, "application/json, text/html;q=0.5": true, "application/json;q=0": false, "application/json;q=x": false,
	} {
		w := ask(t, made{}, nil, "", accept)
		if got := w.Header().Get("Content-Type") == "application/json"; got != want || json.Valid(w.Body.Bytes()) != want {
			t.Errorf("Accept %q: JSON %v, want %v", accept, got, want)
		}
	}
}

func TestPages(t *testing.T) {
	now := time.Now()
	var src made
	for i := range 1000 {
		st := fit(fmt.Sprintf("team/%04d", i), now)
		if i%100 == 50 {
			st.StaleSince = now.Add(-time.Minute)
		}
		src = append(src, st)
	}
	seen := make(map[string]int)
	link := regexp.MustCompile(`href="\?secret=[^"]*"><bdi>([^<]*)<`)
	for page := 1; page <= 5; page++ {
		body := ask(t, src, nil, fmt.Sprintf("?page=%d", page), "").Body.String()
		for _, m := range link.FindAllStringSubmatch(body, -1) {
			seen[m[1]]++
			if page == 1 && len(seen) <= 10 && !strings.HasSuffix(m[1], "50") {
				t.Errorf("%s comes before those that are stale", m[1])
			}
		}
		if len(body) > 400_000 {
			t.Errorf("page %d is %d bytes long", page, len(body))
		}
		if next := strings.Contains(body, `rel="next"`); next != (page < 5) {
			t.Errorf("page %d leads on: %v", page, next)
		}
	}
	if len(seen) != 1000 {
		t.Errorf("5 pages list %d secrets, want 1000", len(seen))
	}
	for query, want := range map[string]int{"?page=99": 200, "?page=-1": 200, "?page=x": 200, "?attention=1": 10, "?q=TEAM/01": 100, "?q=12&attention=1": 0, "?q=15&attention=1": 1, "?q=nothing": 0} {
		if got := len(link.FindAllString(ask(t, src, nil, query, "").Body.String(), -1)); got != want {
			t.Errorf("%s lists %d secrets, want %d", query, got, want)
		}
	}
	var all struct {
		Secrets []struct{ Name, Severity string }
	}
	if err := json.Unmarshal(ask(t, src, nil, "", "application/json").Body.Bytes(), &all); err != nil || len(all.Secrets) != 1000 || all.Secrets[0].Severity != "warning" {
		t.Errorf("JSON lists %d secrets, the first %v, %v", len(all.Secrets), all.Secrets[:1], err)
	}
}

func TestEmpty(t *testing.T) {
	if body := ask(t, made{}, nil, "", "").Body.String(); !strings.Contains(body, "No secret is cached.") {
		t.Errorf("nothing cached:\n%s", body)
	}
	if body := ask(t, made{fit("a", time.Now())}, nil, "?q=b", "").Body.String(); !strings.Contains(body, "No secret matches.") {
		t.Errorf("nothing matches:\n%s", body)
	}
	if w := ask(t, made{}, nil, "?secret=a", "application/json"); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), `"secrets": []`) {
		t.Errorf("an unknown secret is %d:\n%s", w.Code, w.Body)
	}
	if w := ask(t, made{}, nil, "?secret=a", ""); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "This secret is not known") {
		t.Errorf("an unknown secret is %d:\n%s", w.Code, w.Body)
	}
}

func TestShow(t *testing.T) {
	for s, want := range map[string]string{
		"prod/db-ü 界": "prod/db-ü 界", "a\x00b": `a\x00b`, "\u202egnp.exe": `\u202egnp.exe`, "x\u200by": `x\u200by`, "a\nb": `a\nb`, "a\u00a0b": `a\u00a0b`, "\xff": `\ufffd`,
	} {
		if got := show(s); got != want {
			t.Errorf("show(%q) = %q, want %q", s, got, want)
		}
	}
}
