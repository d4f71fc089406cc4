package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

// words reads a file with every run of white space made one space.
func words(text string) string { return strings.Join(strings.Fields(text), " ") }

// goFiles returns the repository's Go code, file by file.
func goFiles(t *testing.T) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "testdata"):
			return filepath.SkipDir
		case strings.HasSuffix(path, ".go"):
			text, err := os.ReadFile(path)
			all = append(all, words(string(text)))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var (
	codeBlock = regexp.MustCompile("(?s)```go\n(.*?)```")
	link      = regexp.MustCompile(`\]\(([^)#:\s,]+)(#[^)]*)?\)`)
	command   = regexp.MustCompile(`go run (?:-C (\S+) )?(\./[\w/-]*|\.)`)
)

// markdown calls f for each page of the repository.
func markdown(t *testing.T, f func(t *testing.T, path, text string)) {
	t.Helper()
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			t.Run(filepath.Base(path), func(t *testing.T) { f(t, path, string(text)) })
		}
	}
}

// Go code in docs is an excerpt of a file that compiles, and that a test runs
// or an example shows.
func TestCodeIsFromFilesThatCompile(t *testing.T) {
	files := goFiles(t)
	markdown(t, func(t *testing.T, path, text string) {
		if filepath.Base(filepath.Dir(path)) != "docs" {
			return
		}
		for _, block := range codeBlock.FindAllStringSubmatch(text, -1) {
			found := false
			for _, f := range files {
				found = found || strings.Contains(f, words(block[1]))
			}
			if !found {
				t.Errorf("no Go file holds this code:\n%s", block[1])
			}
		}
	})
}

// What is linked to is there.
func TestLinks(t *testing.T) {
	markdown(t, func(t *testing.T, path, text string) {
		for _, l := range link.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), l[1])); err != nil {
				t.Errorf("link to %s: %v", l[1], err)
			}
		}
	})
}

// What go run is told to run is there.
func TestCommands(t *testing.T) {
	markdown(t, func(t *testing.T, path, text string) {
		for _, c := range command.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(root, c[1], c[2])); err != nil {
				t.Errorf("%s: %v", c[0], err)
			}
		}
	})
}

// Every page can be reached from README within two links.
func TestEveryPageIsLinked(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	all, err := filepath.Glob(filepath.Join(root, "docs/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range all {
		if want := "(docs/" + filepath.Base(page) + ")"; !strings.Contains(string(readme), want) {
			t.Errorf("README does not link to docs/%s", filepath.Base(page))
		}
	}
}
