package main

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"testing"
)

// The README lists the variables that the code reads, with their defaults, and the
// code's files.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := make(map[string]string)
	for _, m := range regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\| `?([^`|]*?)`? \\|").FindAllStringSubmatch(string(text), -1) {
		listed[m[1]] = m[2]
	}
	defaults := map[string]string{
		envDBSecret: "required", envDatabaseURL: "required", envAPIKeySecret: "required", envRatesURL: "required",
		envPublicAddr: defaultPublicAddr, envAdminAddr: defaultAdminAddr, envDebugAddr: defaultDebugAddr,
		envSecretsTTL: "the library's, 5 minutes", envSecretsAllowHTTP: "false", envStartTimeout: defaultStartTimeout.String(),
		envDrainDelay: defaultDrainDelay.String(), envShutdownTimeout: defaultShutdownTimeout.String(),
	}
	if !maps.Equal(listed, defaults) {
		t.Errorf("the README lists %q, want %q", listed, defaults)
	}

	// A variable that is read and not in the list above is found by its name.
	settings, err := os.ReadFile("settings.go")
	if err != nil {
		t.Fatal(err)
	}
	var read []string
	for _, m := range regexp.MustCompile(`(?m)^\tenv\w+ += "(\w+)"`).FindAllStringSubmatch(string(settings), -1) {
		read = append(read, m[1])
	}
	if want := slices.Sorted(maps.Keys(defaults)); !slices.Equal(slices.Sorted(slices.Values(read)), want) {
		t.Errorf("settings.go reads %q, want %q", read, want)
	}
	for _, m := range regexp.MustCompile(`\]\(([^):]+)\)`).FindAllStringSubmatch(string(text), -1) {
		if _, err := os.Stat(m[1]); err != nil {
			t.Errorf("the README links to %s: %v", m[1], err)
		}
	}
}
