// Command mutants breaks one rule after the other on purpose and reports which
// of these mutants no test catches. The list, its argument, holds a block for
// each, between empty lines:
//
//	name of the mutant
//	file: path from the module's root
//	test: arguments of go test
//	equivalent: reason, if it changes nothing that can be observed
//	- a line that is replaced
//	+ a line that replaces it
//
// The replaced lines stand in the file once, without regard to indentation.
// The work tree is not changed. Further arguments choose the mutants whose name
// contains one of them.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

type mutant struct {
	name, file, equivalent string
	test, old, new         []string
}

func main() {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("usage: mutants LIST [NAME...]"))
	}
	list, err := os.ReadFile(os.Args[1])
	fail(err)
	mutants, err := parse(string(list))
	fail(err)
	dir, err := os.MkdirTemp("", "mutants")
	fail(err)
	counts := map[string]int{}
	for _, m := range mutants {
		if !chosen(m.name, os.Args[2:]) {
			continue
		}
		began := time.Now()
		verdict := m.try(dir)
		counts[verdict]++
		fmt.Printf("%-12s %4ds  %s\n", verdict, int(time.Since(began).Seconds()), m.name)
	}
	fail(os.RemoveAll(dir))
	fmt.Println("total:", counts)
	if counts["survived"]+counts["invalid"] > 0 {
		os.Exit(1)
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func chosen(name string, by []string) bool {
	for _, b := range by {
		if strings.Contains(name, b) {
			return true
		}
	}
	return len(by) == 0
}

// parse reads the blocks of a list.
func parse(list string) (all []mutant, err error) {
	for _, block := range strings.Split(list, "\n\n") {
		var m mutant
		for _, line := range strings.Split(block, "\n") {
			m.add(line)
		}
		switch {
		case m.name == "":
		case m.file == "" || m.test == nil || m.old == nil:
			return nil, fmt.Errorf("%s: incomplete", m.name)
		default:
			all = append(all, m)
		}
	}
	return all, nil
}

func (m *mutant) add(line string) {
	key, rest, _ := strings.Cut(line, " ")
	switch {
	case line == "" || key == "#":
	case key == "file:":
		m.file = rest
	case key == "test:":
		m.test = strings.Fields(rest)
	case key == "equivalent:":
		m.equivalent = rest
	case key == "-":
		m.old = append(m.old, rest)
	case key == "+":
		m.new = append(m.new, rest)
	default:
		m.name = line
	}
}

// try runs the tests with the mutant in place of the file.
func (m *mutant) try(dir string) (verdict string) {
	source, err := os.ReadFile(m.file)
	fail(err)
	changed, err := m.change(string(source))
	if err != nil {
		fmt.Println("   ", err)
		return "invalid"
	}
	path := filepath.Join(dir, "mutant.go")
	fail(os.WriteFile(path, []byte(changed), 0o600))
	file, err := filepath.Abs(m.file)
	fail(err)
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {file: path}})
	fail(err)
	fail(os.WriteFile(path+".json", overlay, 0o600))
	args := append([]string{"test", "-count=1", "-failfast", "-timeout=5m", "-overlay=" + path + ".json"}, m.test...)
	out, err := exec.Command("go", args...).CombinedOutput()
	switch {
	case strings.Contains(string(out), "build failed]") || strings.Contains(string(out), "setup failed]"):
		fmt.Println(string(out))
		return "invalid"
	case err != nil && m.equivalent != "":
		fmt.Println("    is caught, and not equivalent")
		return "invalid"
	case err != nil:
		return "caught"
	case m.equivalent != "":
		return "equivalent"
	}
	return "survived"
}

// change replaces the old lines, which source holds once.
func (m *mutant) change(source string) (string, error) {
	lines := strings.Split(source, "\n")
	found := -1
	for i := range lines {
		if !m.starts(lines[i:]) {
			continue
		}
		if found >= 0 {
			return "", fmt.Errorf("%s: stands twice in %s: %q", m.name, m.file, m.old)
		}
		found = i
	}
	if found < 0 {
		return "", fmt.Errorf("%s: not in %s: %q", m.name, m.file, m.old)
	}
	changed := append(append([]string{}, lines[:found]...), m.new...)
	return strings.Join(append(changed, lines[found+len(m.old):]...), "\n"), nil
}

func (m *mutant) starts(lines []string) bool {
	for i, old := range m.old {
		if i >= len(lines) || strings.TrimSpace(lines[i]) != strings.TrimSpace(old) {
			return false
		}
	}
	return true
}
