package resp_test

import (
	"errors"
	"io"
	"net"
	"reflect"
	"strings"
	"testing"

	"github.com/seed-74dc7b3e/secrets/internal/resp"
)

// answering returns a Conn to a server that answers each write with text.
func answering(t testing.TB, text string) (*resp.Conn, *strings.Builder) {
	t.Helper()
	near, far := net.Pipe()
	var got strings.Builder
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer far.Close()
		buf := make([]byte, 4096)
		n, err := far.Read(buf)
		if err != nil {
			return
		}
		got.Write(buf[:n])
		io.WriteString(far, text)
	}()
	t.Cleanup(func() { near.Close(); <-done })
	return resp.New(near), &got
}

func TestDo(t *testing.T) {
	for _, test := range []struct {
		answer string
		want   any
	}{
		{"+OK\r\n", "OK"},
		{":-12\r\n", int64(-12)},
		{"$5\r\na\r\nbc\r\n", "a\r\nbc"},
		{"$-1\r\n", nil},
		{"*-1\r\n", nil},
		{"*0\r\n", []any(nil)},
		{"*3\r\n+a\r\n*1\r\n:1\r\n-ERR x\r\n", []any{"a", []any{int64(1)}, resp.Error("ERR x")}},
		{"+" + strings.Repeat("x", 9000) + "\r\n", strings.Repeat("x", 9000)},
	} {
		c, sent := answering(t, test.answer)
		got, err := c.Do("AUTH", "", "é")
		if want := "*3\r\n$4\r\nAUTH\r\n$0\r\n\r\n$2\r\né\r\n"; sent.String() != want {
			t.Errorf("sent %q, want %q", sent, want)
		}
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q: got %#v, %v, want %#v", test.answer, got, err, test.want)
		}
		if n := c.Buffered(); n != 0 {
			t.Errorf("%q: %d bytes are left", test.answer, n)
		}
	}
}

func TestDoErrors(t *testing.T) {
	c, _ := answering(t, "-WRONGPASS invalid\r\n")
	_, err := c.Do("PING")
	if e, ok := errors.AsType[resp.Error](err); !ok || e.Code() != "WRONGPASS" || e.Error() != "WRONGPASS invalid" {
		t.Errorf("got %v, want the server's error", err)
	}
	for _, bad := range []string{
		"\r\n", "OK\r\n", "+OK\n", ":x\r\n", "$x\r\n", "$-2\r\n", "$99999999999\r\n", "*x\r\n", "*-2\r\n", "*99999999\r\n",
		strings.Repeat("*1\r\n", 20), "+" + strings.Repeat("x", 70000) + "\r\n", "%1\r\n+a\r\n+b\r\n", "$3\r\nabcd\r\n",
	} {
		c, _ := answering(t, bad)
		if got, err := c.Do("PING"); !errors.Is(err, resp.ErrProtocol) {
			t.Errorf("%.20q: got %v, %v, want ErrProtocol", bad, got, err)
		}
	}
	for _, cut := range []string{"", "+O", "$3\r\nab", "*2\r\n+a\r\n"} {
		c, _ := answering(t, cut)
		if got, err := c.Do("PING"); err == nil || errors.Is(err, resp.ErrProtocol) {
			t.Errorf("%q: got %v, %v, want the connection's error", cut, got, err)
		}
	}
}

func TestFields(t *testing.T) {
	reply := []any{"flags", []any{"on", int64(1)}, "passwords", []any{"h1", "h2"}, "odd"}
	if got := resp.Strings(resp.Field(reply, "passwords")); !reflect.DeepEqual(got, []string{"h1", "h2"}) {
		t.Errorf("got %v", got)
	}
	if got := resp.Strings(resp.Field(reply, "flags")); !reflect.DeepEqual(got, []string{"on"}) {
		t.Errorf("got %v, want the strings alone", got)
	}
	if got := resp.Field(reply, "odd"); got != nil {
		t.Errorf("got %v, want nil", got)
	}
	if got := resp.Field("text", "x"); got != nil || resp.Strings(nil) != nil {
		t.Errorf("got %v of a string", got)
	}
}

func FuzzReceive(f *testing.F) {
	for _, s := range []string{"+OK\r\n", "$-1\r\n", "*2\r\n:1\r\n-ERR\r\n", "*1\r\n*1\r\n$1\r\na\r\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, _ := answering(t, text)
		reply, err := c.Do("PING")
		if err != nil && reply != nil {
			t.Errorf("got %v beside %v", reply, err)
		}
	})
}
