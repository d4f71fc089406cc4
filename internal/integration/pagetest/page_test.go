package pagetest

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretsdebug"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

const password = "hunter2"

// serve serves the page of a client that has so many secrets, with which this
// and that is wrong, and returns its URL.
func serve(t *testing.T, n int) (page string, names []string) {
	t.Helper()
	have := make(secretstest.Secrets, n)
	for i := range n {
		names = append(names, fmt.Sprintf("prod/team-%02d/service-%d", i%17, i))
		have[names[i]] = password
	}
	long := "prod/" + strings.Repeat("a-name-of-a-secret-may-be-very-long/", 8) + strings.Repeat("x", 100)
	have[long] = password
	names = append(names, long)
	srv := secretstest.New(t, have)
	var log secretsdebug.Log
	client, err := secrets.New(srv.Client(func(o *secretsmanager.Options) { o.RetryMaxAttempts = 1 }), &secrets.Options{OnEvent: log.OnEvent, Size: 2 * n, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if err := client.Prefetch(t.Context(), names...); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < n; i += 40 {
		srv.PutPending(names[i], password+password) // a rotation
		client.Refresh(t.Context(), names[i])
		secrets.Get[int](t.Context(), client, names[min(i+1, n-1)]) // a version that does not decode
	}
	srv.Delete(names[n-1])
	client.Refresh(t.Context(), names[n-1])
	srv.Fail(secretstest.Outage())
	client.Refresh(t.Context(), long)
	for _, name := range hostile {
		log.OnEvent(secrets.Event{Kind: secrets.EventDropped, Time: time.Now(), Secret: name, Class: secrets.ClassDenied, Err: errors.New(name)})
	}
	web := httptest.NewServer(secretsdebug.Handler(client, &log))
	t.Cleanup(web.Close)
	return web.URL + "/", names
}

// hostile are ids that a page has to show and nothing more.
var hostile = []string{
	`<script>document.title="broken"</script>`, `"><img src=x onerror="document.title='broken'">`, `</style><style>*{display:none}</style>`,
	`javascript:document.title="broken"`, "\u202egnp.exe", "&lt;b&gt;", strings.Repeat("w", 2048),
}

// textFaults is an expression that lists texts whose contrast with what is behind
// them is below the 4.5 (3 for large type) that WCAG asks for at level AA.
const textFaults = `(() => {
	const channel = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
	const parse = s => s.match(/[\d.]+/g).map(Number);
	const light = s => { const [r, g, b] = parse(s); return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b); };
	const behind = e => { for (; e; e = e.parentElement) { const b = getComputedStyle(e).backgroundColor; if ((parse(b)[3] ?? 1) > 0) return b; } return "rgb(255,255,255)"; };
	const faults = [];
	for (const e of document.body.querySelectorAll("*")) {
		if (![...e.childNodes].some(n => n.nodeType == 3 && n.data.trim())) continue;
		const st = getComputedStyle(e), a = light(st.color), b = light(behind(e));
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (ratio < (parseFloat(st.fontSize) >= 24 ? 3 : 4.5)) faults.push(e.tagName + "." + e.className + " " + ratio.toFixed(2));
	}
	return [...new Set(faults)];
})()`

// placeFaults is an expression that lists elements that stick out of the page, and
// those whose content sticks out of them.
const placeFaults = `(() => {
	const width = document.documentElement.clientWidth, faults = [];
	if (document.documentElement.scrollWidth > width) faults.push("the page is " + document.documentElement.scrollWidth + " wide");
	for (const e of document.body.querySelectorAll("*")) {
		const r = e.getBoundingClientRect();
		if (r.width && (r.right > width + 1 || r.left < -1)) faults.push(e.tagName + "." + e.className + " from " + r.left + " to " + r.right);
		if (e.clientWidth && e.scrollWidth > e.clientWidth + 1) faults.push(e.tagName + "." + e.className + " is too narrow for " + e.innerText.slice(0, 40));
	}
	return faults.slice(0, 10);
})()`

// check checks what must hold for every page.
func (p *tab) check(what string) {
	p.t.Helper()
	if n := eval[int](p, `document.querySelectorAll("script, img, iframe, object, link, body style").length`); n != 0 {
		p.t.Errorf("%s: %d elements that are not the page's", what, n)
	}
	if eval[string](p, "document.title") == "broken" || eval[string](p, `getComputedStyle(document.querySelector("h1")).display`) == "none" {
		p.t.Errorf("%s: an id has got out of its place", what)
	}
	if got := eval[string](p, `getComputedStyle(document.querySelector("table")).borderCollapse`); got != "collapse" {
		p.t.Errorf("%s: the style sheet is not in force", what)
	}
	for name, faults := range map[string][]string{"contrast": eval[[]string](p, textFaults), "place": eval[[]string](p, placeFaults)} {
		if len(faults) > 0 {
			p.t.Errorf("%s: %s: %q", what, name, faults)
		}
	}
	if strings.Contains(eval[string](p, "document.documentElement.outerHTML"), password) {
		p.t.Errorf("%s: a value is on the page", what)
	}
}

// TestPage looks at the page in a browser.
func TestPage(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser takes seconds to start")
	}
	p := startBrowser(t).newTab()
	for _, n := range []int{3, 3000} {
		testLooks(p, n)
	}
	testForm(p)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.logged) > 0 {
		t.Errorf("the browser complains: %q", p.logged)
	}
}

// testLooks looks at pages of few or many secrets, in light and dark, wide and on
// a telephone.
func testLooks(p *tab, n int) {
	page, names := serve(p.t, n)
	pages := map[string]string{"list": page, "secret": page + "?secret=" + url.QueryEscape(names[0]), "lost": page + "?secret=" + url.QueryEscape(names[n-1])}
	if n > 200 {
		pages = map[string]string{"list": page}
	}
	for name, at := range pages {
		behind := make(map[string]bool)
		for _, scheme := range []string{"light", "dark"} {
			for _, width := range []int{1280, 400} {
				what := fmt.Sprintf("%d-%s-%s-%d", n, name, scheme, width)
				p.open(at, width, scheme)
				p.check(what)
				p.keep(what)
			}
			behind[eval[string](p, "getComputedStyle(document.body).backgroundColor")] = true
		}
		if len(behind) != 2 {
			p.t.Errorf("%d-%s: light and dark have one background: %v", n, name, behind)
		}
	}
}

// testForm filters and turns pages as a person does.
func testForm(p *tab) {
	t := p.t
	page, _ := serve(t, 500)
	p.open(page, 1280, "light")
	rows := "document.querySelectorAll('td.name').length"
	if got := eval[int](p, rows); got != 200 {
		t.Errorf("the first page lists %d secrets, want 200", got)
	}
	follow := func(action, arrived string) {
		t.Helper()
		// The page may leave before it has answered.
		p.try(p.session, "Runtime.evaluate", map[string]any{"expression": action})
		p.await(arrived)
	}
	follow(`document.querySelector("a[rel=next]").click()`, "location.search == '?page=2'")
	if got := eval[int](p, rows); got != 200 {
		t.Errorf("the second page lists %d secrets, want 200", got)
	}
	follow(`document.querySelector("input[name=q]").value = "team-03/"; document.querySelector("button").click()`, "location.search == '?q=team-03%2F'")
	if got := eval[int](p, rows); got < 29 || got > 30 {
		t.Errorf("filtered, the page lists %d secrets, want 29 or 30", got)
	}
	follow(`document.querySelector("td.name a").click()`, "location.search.startsWith('?secret=arn')")
	if got := eval[string](p, "document.querySelector('h1 bdi').innerText"); !strings.HasPrefix(got, "prod/team-03/") {
		t.Errorf("the link leads to %q", got)
	}
}
