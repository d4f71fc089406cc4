package secretsdebug

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // of the page
	"encoding/base64"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/seed-74dc7b3e/secrets"
)

// pageSize is how many secrets a page lists. JSON lists them all.
const pageSize = 200

// Handler returns a handler that shows the state of the client. If log is nil,
// timelines contain only the events that the client itself keeps for each
// secret, and secrets that left the cache are not shown.
//
// It answers GET and HEAD and may be mounted at any path. These query
// parameters select what it shows: secret, an ARN or an id, for one secret with
// its timeline; q for secrets whose name contains a text; attention=1 for
// secrets that need attention; page for a page of a long list. With the header
// Accept: application/json the response is JSON, always with the complete list.
// Fields may be added to the JSON; existing ones do not change. For an unknown
// secret the status is 404.
//
// A request takes about as long as Client.Statuses, and the size of the page is
// bounded. The handler also works after the client's Close; it then shows an
// empty cache.
func Handler(client *secrets.Client, log *Log) http.Handler {
	client.Statuses() // panics, and says why, where client was not made by secrets.New
	return &handler{src: client, log: log}
}

type handler struct {
	src source
	log *Log
}

//go:embed style.css
var style string

//go:embed page.html
var pageText string

// headers are the headers of every response. The page may use only the style
// sheet, and its form may only lead back to it.
var headers = map[string]string{
	"Content-Security-Policy": "default-src 'none'; style-src 'sha256-" + styleHash() + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
	"X-Content-Type-Options":  "nosniff",
	"X-Frame-Options":         "DENY",
	"Referrer-Policy":         "no-referrer",
	"Cache-Control":           "no-store",
	"Vary":                    "Accept",
}

func styleHash() string {
	sum := sha256.Sum256([]byte(style))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, value := range headers {
		w.Header().Set(name, value)
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "GET or HEAD only", http.StatusMethodNotAllowed)
		return
	}
	v := h.view(r.URL.Query())
	write := writePage
	if wantsJSON(r.Header.Values("Accept")) {
		write = writeJSON
	}
	write(w, v)
}

// A view is the content of a response.
type view struct {
	Now     time.Time `json:"now"`
	Totals  totals    `json:"totals"`
	Secrets []*row    `json:"secrets"`
	Secret  *row      `json:"-"` // the one that was asked for
	General []happens `json:"events,omitempty"`

	Single      bool   `json:"-"`
	Asked       string `json:"-"`
	Query       string `json:"-"`
	Attention   bool   `json:"-"`
	Matches     int    `json:"-"`
	Page, Pages int    `json:"-"`
}

func (h *handler) view(q url.Values) *view {
	v := &view{Now: time.Now().UTC(), Query: q.Get("q"), Attention: q.Get("attention") != "", Asked: q.Get("secret"), Single: q.Has("secret"),
		Secrets: []*row{}} // a list in JSON, if an empty one
	all := rows(h.src, h.log, v.Now)
	v.Totals = totalsOf(h.src, h.log, all)
	if v.Single {
		if v.Secret = find(h.src, h.log, v.Now, v.Asked); v.Secret != nil {
			v.Secrets = append(v.Secrets, v.Secret)
		}
		return v
	}
	if h.log != nil {
		v.General = told(h.log.timeline(""))
	}
	for _, r := range all {
		if r.matches(v.Query, v.Attention) {
			v.Secrets = append(v.Secrets, r)
		}
	}
	v.Matches = len(v.Secrets)
	v.Pages = max(1, (v.Matches+pageSize-1)/pageSize)
	page, _ := strconv.Atoi(q.Get("page"))
	v.Page = min(max(page, 1), v.Pages)
	return v
}

// Rows returns the rows of the page.
func (v *view) Rows() []*row {
	from := (v.Page - 1) * pageSize
	return v.Secrets[from:min(from+pageSize, len(v.Secrets))]
}

// Link returns the URL of another page of the same list.
func (v *view) Link(page int) string {
	q := url.Values{}
	if v.Query != "" {
		q.Set("q", v.Query)
	}
	if v.Attention {
		q.Set("attention", "1")
	}
	if page > 1 {
		q.Set("page", strconv.Itoa(page))
	}
	return "?" + q.Encode()
}

func (v *view) status() int {
	if v.Single && v.Secret == nil {
		return http.StatusNotFound
	}
	return http.StatusOK
}

func writeJSON(w http.ResponseWriter, v *view) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(v.status())
	enc := json.NewEncoder(w)
	enc.SetIndent("", " ")
	enc.Encode(v)
}

// writePage writes the page only when it is complete, because a partial page
// could be taken for a complete one.
func writePage(w http.ResponseWriter, v *view) {
	var b bytes.Buffer
	if err := page.Execute(&b, v); err != nil {
		http.Error(w, "the page could not be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(v.status())
	w.Write(b.Bytes())
}

// wantsJSON reports whether JSON is preferred to HTML.
func wantsJSON(accept []string) bool {
	var asJSON, asHTML float64
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		kind, params, _ := strings.Cut(part, ";")
		q := 1.0
		if _, after, found := strings.Cut(strings.ReplaceAll(params, " ", ""), "q="); found {
			q, _ = strconv.ParseFloat(after, 64)
		}
		switch strings.ToLower(strings.TrimSpace(kind)) {
		case "application/json":
			asJSON = q
		case "text/html", "application/xhtml+xml":
			asHTML = max(asHTML, q)
		}
	}
	return asJSON > asHTML
}

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"css":     func() template.CSS { return template.CSS(style) },
	"ago":     ago,
	"stamp":   func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") },
	"day":     func(t time.Time) string { return t.UTC().Format("2006-01-02") },
	"short":   short,
	"show":    show,
	"number":  number,
	"dollars": dollars,
	"span":    span,
	"mean":    func(c callTotals) string { return span(c.Total / time.Duration(max(1, c.Calls))) },
	"add":     func(a, b int) int { return a + b },
	"of": func(v *view, r *row) any {
		return struct {
			V *view
			R *row
		}{v, r}
	},
	"at": func(v *view, name string, t time.Time) any {
		return struct {
			Now  time.Time
			Name string
			T    time.Time
		}{v.Now, name, t}
	},
}).Parse(pageText))
