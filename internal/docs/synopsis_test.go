package docs_test

import (
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// longest is what a list of packages shows of one, with room for the list.
const longest = 90

// The first sentence of a package's documentation is what lists of packages, and
// search, show of it. It is short, and it is there, for all that users see.
func TestSynopses(t *testing.T) {
	synopses := map[string]string{} // by folder
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "internal" || d.Name() == ".git" || d.Name() == "testdata"):
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		dir, _ := filepath.Rel(root, filepath.Dir(path))
		synopses[dir] = synopses[dir] + new(doc.Package).Synopsis(f.Doc.Text())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for dir, synopsis := range synopses {
		if synopsis == "" || len(synopsis) > longest {
			t.Errorf("%s: the synopsis has %d characters, want 1 to %d: %s", dir, len(synopsis), longest, synopsis)
		}
	}
}
