// Command quickstart demonstrates package secrets on the fake Secrets Manager.
// It shows a typed read, the cost of a cached read, and a new version that
// arrives while goroutines read without a pause. It needs no credentials and no
// network.
//
// Every printed number was measured in that run. The exit status is 1 if a check
// failed.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// DBLogin is the secret. Its fields belong together, so that a reader that got
// parts of two versions would notice.
type DBLogin struct {
	Username string `json:"username"`
	Password string `json:"password"`
	Host     string `json:"host"`
	Port     int    `json:"port"`
	Serial   string `json:"serial"`
}

func loginJSON(serial string) string {
	return fmt.Sprintf(`{"username":"app-%[1]s","password":"%[2]s","host":"db-%[1]s.internal","port":5432,"serial":"%[1]s"}`,
		serial, strings.Repeat(serial, 8))
}

// whole reports whether all fields of l are from one version.
func (l *DBLogin) whole() bool {
	return l.Serial != "" && l.Username == "app-"+l.Serial && l.Password == strings.Repeat(l.Serial, 8) &&
		l.Host == "db-"+l.Serial+".internal" && l.Port == 5432
}

const name = "prod/db"

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	srv := secretstest.NewServer(&secretstest.Options{Secrets: secretstest.Secrets{name: loginJSON("one")}})
	defer srv.Close()
	client, err := secrets.New(sdkClient(srv.URL()), &secrets.Options{
		TTL:    time.Second, // short, so that the new version is seen soon; the default is 5 minutes
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	defer client.Close()
	fmt.Fprintf(out, "a fake Secrets Manager at %s\n\n", srv.URL())
	return errors.Join(
		typedRead(ctx, out, client),
		cachedRead(ctx, out, client),
		newVersion(ctx, out, client, srv),
		showStats(out, client, srv),
	)
}

// sdkClient returns the client that a program would use against AWS, but for
// the endpoint and the made-up credentials.
func sdkClient(url string) *secretsmanager.Client {
	return secretsmanager.NewFromConfig(aws.Config{
		Region:       secretstest.DefaultRegion,
		BaseEndpoint: &url,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "made-up"}, nil
		}),
	})
}

// typedRead reads the secret for the first time.
func typedRead(ctx context.Context, out io.Writer, client *secrets.Client) error {
	start := time.Now()
	login, err := secrets.Get[DBLogin](ctx, client, name)
	took := time.Since(start)
	if err != nil {
		return err
	}
	if !login.whole() {
		return errors.New("the first read is not what was stored")
	}
	secret, err := client.Get(ctx, name)
	if err != nil {
		return err
	}
	printed := fmt.Sprintf("%v", secret)
	if strings.Contains(printed, login.Password) {
		return errors.New("printing the secret shows the password")
	}
	fmt.Fprintf(out, "typed read       user %s at %s:%d, cold, over HTTP: %v\n", login.Username, login.Host, login.Port, took.Round(time.Microsecond))
	fmt.Fprintf(out, "printed          %s\n", printed)
	return nil
}

// cachedRead measures reads from memory.
func cachedRead(ctx context.Context, out io.Writer, client *secrets.Client) error {
	ref := secrets.Bind[DBLogin](client, name)
	if _, err := ref.Get(ctx); err != nil {
		return err
	}
	const n = 2_000_000
	before := client.Stats()
	start := time.Now()
	for range n {
		if _, err := ref.Get(ctx); err != nil {
			return err
		}
	}
	took := time.Since(start)
	st := client.Stats().Sub(before)
	fmt.Fprintf(out, "cached read      %.1f ns each, the mean of %d (%d of them from memory)\n\n",
		float64(took.Nanoseconds())/n, n, st.Hits)
	if st.Hits != n {
		return fmt.Errorf("%d of %d reads were hits", st.Hits, n)
	}
	return nil
}

// A tally is what the readers saw.
type tally struct {
	reads, failed, torn, old, new atomic.Int64
}

// newVersion stores a new version while readers read, and waits until each of
// them has seen it.
func newVersion(ctx context.Context, out io.Writer, client *secrets.Client, srv *secretstest.Server) error {
	const readers = 8
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var t tally
	var running, saw sync.WaitGroup
	ref := secrets.Bind[DBLogin](client, name)
	saw.Add(readers)
	for range readers {
		running.Go(func() { t.read(ctx, ref, saw.Done) })
	}
	time.Sleep(200 * time.Millisecond)
	start := time.Now()
	srv.Put(name, loginJSON("two"))
	err := wait(ctx, &saw)
	took := time.Since(start)
	cancel()
	running.Wait()

	fmt.Fprintf(out, "new version      seen by all of %d readers %v after it was stored (the TTL is 1s)\n", readers, took.Round(time.Millisecond))
	fmt.Fprintf(out, "concurrent reads %d: %d of the old version, %d of the new\n", t.reads.Load(), t.old.Load(), t.new.Load())
	fmt.Fprintf(out, "failed reads: %d\n", t.failed.Load())
	fmt.Fprintf(out, "torn or empty reads: %d\n\n", t.torn.Load())
	switch {
	case err != nil:
		return fmt.Errorf("not every reader saw the new version: %w", err)
	case t.failed.Load() > 0 || t.torn.Load() > 0:
		return errors.New("a reader saw a value that is not a stored version")
	case t.old.Load() == 0:
		return errors.New("nothing was read before the new version came")
	}
	return nil
}

// read reads until ctx ends and calls sawNew when it first sees the new
// version.
func (t *tally) read(ctx context.Context, ref *secrets.Ref[DBLogin], sawNew func()) {
	defer func() {
		if sawNew != nil {
			sawNew()
		}
	}()
	var reads, old, renewed int64
	for ctx.Err() == nil {
		login, err := ref.Get(ctx)
		reads++
		switch {
		case err != nil && ctx.Err() == nil:
			t.failed.Add(1)
		case err != nil:
		case !login.whole():
			t.torn.Add(1)
		case login.Serial == "one":
			old++
		default:
			renewed++
			if sawNew != nil {
				sawNew()
				sawNew = nil
			}
		}
	}
	t.reads.Add(reads)
	t.old.Add(old)
	t.new.Add(renewed)
}

// wait waits for wg, or for the end of ctx.
func wait(ctx context.Context, wg *sync.WaitGroup) error {
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// showStats compares what the client counted with what the server saw.
func showStats(out io.Writer, client *secrets.Client, srv *secretstest.Server) error {
	st := client.Stats()
	fmt.Fprintf(out, "stats            %d hits, %d miss, %d new version, %d errors\n", st.Hits, st.Misses, st.NewVersions, st.Errors)
	fmt.Fprintf(out, "calls            %d: GetSecretValue %d, DescribeSecret %d; at AWS's list price $%.6f\n",
		st.Calls(), st.GetSecretValue, st.DescribeSecret, st.Cost())
	if calls := srv.Count(); uint64(calls) != st.Calls() {
		return fmt.Errorf("the client counted %d calls, the server %d", st.Calls(), calls)
	}
	return nil
}
