//go:build linux

package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// A count is how many copies there were at one time.
type count struct {
	when   string
	copies int
}

// measure runs a program that reads a secret with the given arguments, and those
// that tell it where from, and searches its memory each time it says so.
func measure(program string, args []string) ([]count, error) {
	value := rand.Text() + rand.Text()
	srv := secretstest.NewServer(nil)
	defer srv.Close()
	srv.Put(name, value)
	cmd := exec.Command(program, append(args, "-read", srv.URL())...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	var counts []count
	for steps := bufio.NewScanner(out); steps.Scan(); {
		n, err := search(cmd.Process.Pid, []byte(value))
		if err != nil {
			cmd.Process.Kill()
			cmd.Wait()
			return nil, err
		}
		counts = append(counts, count{steps.Text(), n})
		io.WriteString(in, "\n")
	}
	return counts, cmd.Wait()
}

// search counts a value in the writable memory of a process.
func search(pid int, value []byte) (copies int, err error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0, err
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return 0, err
	}
	defer mem.Close()
	for line := range strings.Lines(string(maps)) {
		var from, to int64
		var mode string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); err != nil || !strings.HasPrefix(mode, "rw") {
			continue
		}
		copies += searchRange(mem, from, to, value)
	}
	return copies, nil
}

// searchRange counts a value in a range of addresses. Pages that cannot be read,
// since they are reserved only, hold nothing.
func searchRange(mem io.ReaderAt, from, to int64, value []byte) (copies int) {
	const step = 1 << 20
	buf := make([]byte, step+len(value)-1)
	for at := from; at < to; at += step {
		n, _ := mem.ReadAt(buf[:min(int64(len(buf)), to-at)], at)
		copies += bytes.Count(buf[:n], value)
	}
	return copies
}
