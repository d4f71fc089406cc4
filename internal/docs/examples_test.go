package docs_test

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// Methods of these names do what the standard library documents, wherever they
// stand, and an example of one would show nothing else.
var plainMethods = []string{
	"String", "GoString", "Format", "LogValue", // print
	"MarshalJSON", "UnmarshalJSON", "MarshalText", "UnmarshalText", // encode
	"Error", "Unwrap", "Is", "As", // errors
	"Close", // each example that makes something closes it
}

// Symbols that no example of their own would explain. A symbol is written as
// package path from the module's root, a dot, and the name that an Example
// function would have.
var unshown = map[string]string{}

// exampleDirs returns the directories of the packages that users import.
func exampleDirs(t *testing.T) []string {
	t.Helper()
	var dirs []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if path != root && (strings.HasPrefix(d.Name(), ".") ||
			slices.Contains([]string{"internal", "testdata", "examples", "cmd", "docs"}, d.Name())) {
			return filepath.SkipDir
		}
		if p, err := build.ImportDir(path, 0); err == nil && p.Name != "main" {
			dirs = append(dirs, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

// A pkgDoc is what godoc would find in a package's directory.
type pkgDoc struct {
	symbols  []string                   // functions, and methods as Type_Method, in order
	filled   map[string]bool            // structs with exported fields that callers hand over
	examples map[string]map[string]bool // what the examples of a symbol use; "" is the package
	uses     map[string]bool            // what any example uses
}

// parsePkg reads the declarations of a package's files and its tests.
func parsePkg(files []*ast.File, tests []*ast.File) *pkgDoc {
	p := &pkgDoc{filled: map[string]bool{}, examples: map[string]map[string]bool{}, uses: map[string]bool{}}
	structs, taken := map[string]bool{}, map[string]bool{}
	for _, f := range files {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if name, ok := exportedName(d); ok {
					p.symbols = append(p.symbols, name)
					namedIn(d.Type.Params, taken)
				}
			case *ast.GenDecl:
				structsIn(d, structs)
			}
		}
	}
	for name, open := range structs {
		if open && taken[name] {
			p.filled[name] = true
		}
	}
	for _, f := range tests {
		p.addExamples(f)
	}
	slices.Sort(p.symbols)
	return p
}

// exportedName returns the name that an example of a function would have.
func exportedName(d *ast.FuncDecl) (string, bool) {
	if !d.Name.IsExported() {
		return "", false
	}
	if d.Recv == nil {
		return d.Name.Name, true
	}
	typ := baseName(d.Recv.List[0].Type)
	return typ + "_" + d.Name.Name, token.IsExported(typ)
}

// baseName returns the name in a type such as *T, []T, ...T or *T[P], or "".
func baseName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.StarExpr:
		return baseName(e.X)
	case *ast.Ellipsis:
		return baseName(e.Elt)
	case *ast.ArrayType:
		return baseName(e.Elt)
	case *ast.IndexExpr:
		return baseName(e.X)
	case *ast.IndexListExpr:
		return baseName(e.X)
	}
	return ""
}

// namedIn enters the names of the parameters' types.
func namedIn(params *ast.FieldList, into map[string]bool) {
	for _, p := range params.List {
		into[baseName(p.Type)] = true
	}
}

// structsIn enters exported structs with an exported field.
func structsIn(d *ast.GenDecl, into map[string]bool) {
	for _, s := range d.Specs {
		t, ok := s.(*ast.TypeSpec)
		if !ok || !t.Name.IsExported() {
			continue
		}
		if st, ok := t.Type.(*ast.StructType); ok {
			for _, f := range st.Fields.List {
				for _, n := range f.Names {
					into[t.Name.Name] = into[t.Name.Name] || n.IsExported()
				}
			}
		}
	}
}

// addExamples enters a test file's examples, and what their bodies name.
func (p *pkgDoc) addExamples(f *ast.File) {
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Recv != nil || len(fn.Type.Params.List) > 0 {
			continue
		}
		name, ok := strings.CutPrefix(fn.Name.Name, "Example")
		if !ok || name != "" && unicode.IsLower(rune(name[0])) {
			continue
		}
		symbol := withoutSuffix(name)
		if p.examples[symbol] == nil {
			p.examples[symbol] = map[string]bool{}
		}
		ast.Inspect(fn.Body, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				p.uses[s.Sel.Name] = true
				p.examples[symbol][s.Sel.Name] = true
			}
			return true
		})
	}
}

// withoutSuffix takes an example's own name, which begins in lower case, off that
// of its symbol.
func withoutSuffix(name string) string {
	i := strings.LastIndexByte(name, '_')
	if r, _ := utf8.DecodeRuneInString(name[i+1:]); i >= 0 && unicode.IsLower(r) {
		return name[:i]
	}
	return name
}

// shows reports whether a symbol has an example of its own, or is a method that
// the examples of its type, which stand beside it, call.
func (p *pkgDoc) shows(symbol string) bool {
	typ, method, _ := strings.Cut(symbol, "_")
	return p.examples[symbol] != nil || p.examples[typ][method]
}

// missing returns what a package's documentation should show and does not.
func (p *pkgDoc) missing(path string) []string {
	var all []string
	if p.examples[""] == nil {
		all = append(all, "Example: the package as a whole")
	}
	for _, s := range p.symbols {
		_, method, _ := strings.Cut(s, "_")
		if !p.shows(s) && !slices.Contains(plainMethods, method) && unshown[path+"."+s] == "" {
			all = append(all, "Example"+s)
		}
	}
	for _, typ := range slices.Sorted(maps.Keys(p.filled)) {
		if !p.uses[typ] {
			all = append(all, "an example that fills in "+typ)
		}
	}
	return all
}

// parseDir reads a package's directory.
func parseDir(t *testing.T, dir string) *pkgDoc {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var files, tests []*ast.File
	for _, path := range paths {
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(path, "_test.go") {
			tests = append(tests, f)
		} else {
			files = append(files, f)
		}
	}
	return parsePkg(files, tests)
}

// Whatever is exported is shown at work.
func TestEverythingHasAnExample(t *testing.T) {
	for _, dir := range exampleDirs(t) {
		path, err := filepath.Rel(root, dir)
		if err != nil {
			t.Fatal(err)
		}
		path = filepath.ToSlash(path)
		t.Run(path, func(t *testing.T) {
			for _, m := range parseDir(t, dir).missing(path) {
				t.Errorf("missing: %s", m)
			}
		})
	}
}

// A reason is given only for what would be missing.
func TestUnshownAreNeeded(t *testing.T) {
	for name := range unshown {
		i := strings.LastIndexByte(name, '.')
		dir := filepath.Join(root, name[:i])
		if _, err := os.Stat(dir); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		p := parseDir(t, dir)
		if !slices.Contains(p.symbols, name[i+1:]) || p.shows(name[i+1:]) {
			t.Errorf("%s is no longer there, or has an example", name)
		}
	}
}

// The rule itself, on a package in which each kind of symbol is met and missed.
func TestMissingExamples(t *testing.T) {
	parse := func(src string) []*ast.File {
		f, err := parser.ParseFile(token.NewFileSet(), "x.go", src, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		return []*ast.File{f}
	}
	src := `package p
		type Options struct{ A int }
		type Other struct{ B int }
		type Result struct{ C int }
		type Set[K, V any] struct{ m map[K]V }
		type hidden struct{}
		func New(*Options, ...Other) *Result { return nil }
		func Bare() {}
		func (s *Set[K, V]) Add(K) {}
		func (s *Set[K, V]) Drop(K) {}
		func (s *Set[K, V]) Len() int { return 0 }
		func (s *Set[K, V]) String() string { return "" }
		func (hidden) Do() {}
		func private() {}`
	tests := `package p_test
		func ExampleNew_other() { _ = p.Options{} }
		func ExampleSet_Add() {}
		func ExampleSet_drop() { s.Len(); Drop() }
		func Examples() { _ = p.Other{} }`
	got := parsePkg(parse(src), parse(tests)).missing("p")
	want := []string{"Example: the package as a whole", "ExampleBare", "ExampleSet_Drop", "an example that fills in Other"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	got = parsePkg(parse(src), parse(tests+`
		func Example_whole() { _ = []p.Other{} }
		func ExampleBare() {}
		func ExampleSet_Drop() {}`)).missing("p")
	if len(got) != 0 {
		t.Errorf("got %q, want none", got)
	}
}
