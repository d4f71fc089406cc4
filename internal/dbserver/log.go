package dbserver

import (
	"bytes"
	"io"
	"os"
	"regexp"
	"sync"
)

// lineCounter counts the lines of a growing file that match an expression,
// the first group of which is a user's name.
type lineCounter struct {
	path    string
	pattern *regexp.Regexp

	mu     sync.Mutex     // guards the fields below, and is held while the file is read
	offset int64          // how far the file has been read: always the start of a line
	n      map[string]int // matching lines before offset, by user
}

// count returns the number of matching lines with one of the users, or of all
// if there are none. A last line without its newline waits for the next call.
func (c *lineCounter) count(users []string) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.readOn()
	sum := 0
	if len(users) == 0 {
		for _, n := range c.n {
			sum += n
		}
	}
	for _, user := range users {
		sum += c.n[user]
	}
	return sum, err
}

// readOn counts the lines that the file has grown by.
func (c *lineCounter) readOn() error {
	added, err := readFrom(c.path, c.offset)
	if err != nil {
		return err
	}
	for line := range bytes.Lines(added) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		c.offset += int64(len(line))
		if m := c.pattern.FindSubmatch(line); m != nil {
			c.n[string(m[1])]++
		}
	}
	return nil
}

// readFrom returns what the file holds from offset on.
func readFrom(path string, offset int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return nil, err
	}
	return io.ReadAll(f)
}

func fileSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// tail returns the end of a program's output, for an error message.
func tail(out []byte) string {
	out = bytes.TrimSpace(out)
	if len(out) > 1000 {
		out = out[len(out)-1000:]
	}
	return string(out)
}
