package integration_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-74dc7b3e/secrets/internal/dbserver"
	"github.com/seed-74dc7b3e/secrets/internal/dbserver/dbtest"
)

const orphanEnv = "SECRETS_TEST_ORPHAN"

// TestServerOrphan is the process that TestServerDiesWithItsParent kills: it
// starts a server, says where it is, and waits for its end.
func TestServerOrphan(t *testing.T) {
	start := dbserver.Postgres
	switch os.Getenv(orphanEnv) {
	case "":
		t.Skip("run by TestServerDiesWithItsParent")
	case "mariadb":
		start = dbserver.MariaDB
	}
	s, err := start(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("\nserver %d %s\n", s.PID(), s.Dir)
	select {}
}

// A server whose program is killed ends, and the next start removes its folder.
func TestServerDiesWithItsParent(t *testing.T) {
	t.Setenv("TMPDIR", tempDir(t))
	for _, start := range []func(testing.TB, *dbserver.Options) *dbserver.Server{dbtest.Postgres, dbtest.MariaDB} {
		s := start(t, nil)
		t.Run(s.Engine, func(t *testing.T) {
			pid, dir := orphan(t, s.Engine)
			deadline := time.Now().Add(20 * time.Second)
			for err := error(nil); !errors.Is(err, syscall.ESRCH); err = syscall.Kill(-pid, 0) {
				if time.Now().After(deadline) {
					syscall.Kill(-pid, syscall.SIGKILL)
					t.Fatalf("process group %d outlives its parent", pid)
				}
				time.Sleep(10 * time.Millisecond)
			}
			// One more start: the folder is too young, and s's is in use.
			start(t, nil)
			if _, err := os.Stat(dir); err != nil {
				t.Fatalf("folder of the orphan: %v", err)
			}
			old := time.Now().Add(-time.Hour)
			for _, d := range []string{dir, s.Dir} {
				if err := os.Chtimes(d, old, old); err != nil {
					t.Fatal(err)
				}
			}
			start(t, nil)
			if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("folder of the orphan: got error %v, want %v", err, fs.ErrNotExist)
			}
			if _, err := os.Stat(s.Dir); err != nil {
				t.Errorf("folder of a running server: %v", err)
			}
		})
	}
}

// orphan starts a server in a process of its own and kills that process.
func orphan(t *testing.T, engine string) (pid int, dir string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestServerOrphan$", "-test.v")
	cmd.Env = append(os.Environ(), orphanEnv+"="+engine)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var text strings.Builder
	for lines.Scan() {
		if n, _ := fmt.Sscanf(lines.Text(), "server %d %s", &pid, &dir); n == 2 {
			break
		}
		text.WriteString(lines.Text() + "\n")
	}
	cmd.Process.Kill()
	cmd.Wait()
	if pid == 0 {
		t.Fatalf("no server was started: %s", &text)
	}
	return pid, dir
}
