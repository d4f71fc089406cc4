package pagetest

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// A browser is a Chromium without a window, spoken to over its debugging pipe.
type browser struct {
	t    *testing.T
	to   *os.File
	next int

	mu      sync.Mutex // guards what follows
	waiting map[int]chan reply
	logged  []string // what the page's console and the browser's log said
	ended   error
}

type reply struct {
	ID     int
	Result json.RawMessage
	Error  *struct{ Message string }
	Method string
	Params json.RawMessage
}

// findBrowser returns where Chromium is. Where there is none the test is left
// out, and fails in CI.
func findBrowser(t *testing.T) string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatal("no chromium (Debian: apt-get install chromium): the debug page is not rendered")
	}
	t.Skip("no chromium (Debian: apt-get install chromium): the debug page is not rendered")
	return ""
}

// startBrowser starts Chromium with a profile of its own, and ends it with the
// test.
func startBrowser(t *testing.T) *browser {
	path := findBrowser(t)
	toChild, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, fromChild, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	profile, err := os.MkdirTemp("", "pagetest")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--disable-background-networking", "--disable-extensions", "--proxy-server=direct://", "--hide-scrollbars",
		"--user-data-dir="+profile, "--remote-debugging-pipe", "about:blank")
	cmd.ExtraFiles = []*os.File{toChild, fromChild} // descriptors 3 and 4
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	toChild.Close()
	fromChild.Close()
	b := &browser{t: t, to: to, waiting: make(map[int]chan reply)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.listen(from)
	}()
	t.Cleanup(func() {
		// Asked to, it ends its helpers too; what they still write is removed after.
		fmt.Fprint(b.to, `{"id":999999,"method":"Browser.close"}`+"\x00")
		late := time.AfterFunc(10*time.Second, func() { cmd.Process.Kill() })
		cmd.Wait()
		late.Stop()
		b.to.Close()
		from.Close()
		<-done
		for range 50 {
			if os.RemoveAll(profile) == nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Errorf("%s cannot be removed", profile)
	})
	return b
}

// listen reads what the browser says until it ends. Messages end with a zero.
func (b *browser) listen(from io.Reader) {
	r := bufio.NewReaderSize(from, 1<<20)
	for {
		line, err := r.ReadBytes(0)
		if err != nil {
			b.end(err)
			return
		}
		var m reply
		if json.Unmarshal(line[:len(line)-1], &m) != nil {
			continue
		}
		b.mu.Lock()
		switch {
		case m.ID != 0 && b.waiting[m.ID] != nil:
			b.waiting[m.ID] <- m
			delete(b.waiting, m.ID)
		case m.Method == "Log.entryAdded", m.Method == "Runtime.exceptionThrown", m.Method == "Runtime.consoleAPICalled", m.Method == "Page.javascriptDialogOpening":
			b.logged = append(b.logged, m.Method+" "+string(m.Params))
		}
		b.mu.Unlock()
	}
}

func (b *browser) end(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = errors.Join(errors.New("the browser ended"), err)
	for id, ch := range b.waiting {
		ch <- reply{Error: &struct{ Message string }{b.ended.Error()}}
		delete(b.waiting, id)
	}
}

// call makes one call of the debugging protocol, of a page if session is not
// empty. It fails the test if that fails.
func (b *browser) call(session, method string, params map[string]any) json.RawMessage {
	b.t.Helper()
	raw, err := b.try(session, method, params)
	if err != nil {
		b.t.Fatal(err)
	}
	return raw
}

// try is call where the page may be about to leave.
func (b *browser) try(session, method string, params map[string]any) (json.RawMessage, error) {
	b.t.Helper()
	b.mu.Lock()
	b.next++
	id, ch := b.next, make(chan reply, 1)
	b.waiting[id] = ch
	b.mu.Unlock()
	msg := map[string]any{"id": id, "method": method, "params": params}
	if params == nil {
		msg["params"] = map[string]any{}
	}
	if session != "" {
		msg["sessionId"] = session
	}
	raw, err := json.Marshal(msg)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.to.Write(append(raw, 0)); err != nil {
		b.t.Fatal(err)
	}
	select {
	case r := <-ch:
		if r.Error != nil {
			return nil, fmt.Errorf("%s: %s", method, r.Error.Message)
		}
		return r.Result, nil
	case <-time.After(time.Minute):
		return nil, fmt.Errorf("%s: no answer in a minute", method)
	}
}

// A tab shows one page at a time.
type tab struct {
	*browser
	session string
}

func (b *browser) newTab() *tab {
	b.t.Helper()
	var target struct{ TargetID string }
	b.read(b.call("", "Target.createTarget", map[string]any{"url": "about:blank"}), &target)
	var attached struct{ SessionID string }
	b.read(b.call("", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}), &attached)
	p := &tab{b, attached.SessionID}
	for _, domain := range []string{"Page", "Log", "Runtime"} {
		p.do(domain+".enable", nil)
	}
	return p
}

func (b *browser) read(raw json.RawMessage, into any) {
	b.t.Helper()
	if err := json.Unmarshal(raw, into); err != nil {
		b.t.Fatalf("%v: %s", err, raw)
	}
}

func (p *tab) do(method string, params map[string]any) json.RawMessage {
	p.t.Helper()
	return p.call(p.session, method, params)
}

// open shows a page as wide as that, in one of the two color schemes, and waits
// until it is complete.
func (p *tab) open(url string, width int, scheme string) {
	p.t.Helper()
	p.do("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false})
	p.do("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}})
	var shown struct{ ErrorText string }
	p.read(p.do("Page.navigate", map[string]any{"url": url}), &shown)
	if shown.ErrorText != "" {
		p.t.Fatalf("%s: %s", url, shown.ErrorText)
	}
	p.await(fmt.Sprintf("location.href == %q", url))
}

// await waits until a page is complete of which an expression is true.
func (p *tab) await(expression string) {
	p.t.Helper()
	var out struct{ Result struct{ Value any } }
	for range 1200 {
		raw, err := p.try(p.session, "Runtime.evaluate", map[string]any{"expression": "document.readyState == 'complete' && (" + expression + ")", "returnByValue": true})
		if err == nil && json.Unmarshal(raw, &out) == nil && out.Result.Value == true {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	p.t.Fatalf("not after half a minute: %s, at %s", expression, eval[string](p, "location.href"))
}

// eval returns what an expression is on the page.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	var out struct {
		Result           struct{ Value T }
		ExceptionDetails json.RawMessage
	}
	p.read(p.do("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}), &out)
	if out.ExceptionDetails != nil {
		p.t.Fatalf("%s: %s", expression, out.ExceptionDetails)
	}
	return out.Result.Value
}

// keep saves a picture of the whole page, where the environment variable
// PAGETEST_PICTURES names a folder.
func (p *tab) keep(name string) {
	p.t.Helper()
	dir := os.Getenv("PAGETEST_PICTURES")
	if dir == "" {
		return
	}
	var shot struct{ Data string }
	p.read(p.do("Page.captureScreenshot", map[string]any{"format": "png"}), &shot)
	png, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(fmt.Sprintf("%s/%s.png", dir, name), png, 0o644); err != nil {
		p.t.Fatal(err)
	}
}
