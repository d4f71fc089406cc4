// Command read reads one secret and prints what it is. It asks AWS, or the emulator
// that AWS_ENDPOINT_URL_SECRETS_MANAGER names. It prints the version id, its labels
// and the keys of its JSON. It prints the value only with -show:
//
//	read -secret prod/db [-stage AWSPREVIOUS] [-show]
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/seed-74dc7b3e/secrets"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "read:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, usage io.Writer) error {
	flags := flag.NewFlagSet("read", flag.ContinueOnError)
	flags.SetOutput(usage)
	id := flags.String("secret", "", "the secret's `name` or ARN")
	stage := flags.String("stage", secrets.Current, "the version's staging `label`")
	show := flags.Bool("show", false, "print the value too")
	timeout := flags.Duration("timeout", 30*time.Second, "the time limit for the whole run")
	if err := flags.Parse(args); err != nil {
		return flag.ErrHelp
	}
	if *id == "" || flags.NArg() > 0 {
		flags.Usage()
		return flag.ErrHelp
	}
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	client, err := secrets.New(secretsmanager.NewFromConfig(cfg), nil)
	if err != nil {
		return err
	}
	defer client.Close()
	start := time.Now()
	s, err := client.GetVersion(ctx, *id, secrets.Stage(*stage))
	if err != nil {
		return err
	}
	describe(out, s, time.Since(start))
	if *show {
		fmt.Fprintf(out, "value    %s\n", s.Bytes())
	}
	return nil
}

// describe prints everything about a version except its value.
func describe(out io.Writer, s *secrets.Secret, took time.Duration) {
	fmt.Fprintf(out, "name     %s\n", s.Name())
	fmt.Fprintf(out, "arn      %s\n", s.ARN())
	fmt.Fprintf(out, "version  %s\n", s.VersionID())
	fmt.Fprintf(out, "labels   %s\n", strings.Join(s.Stages(), ", "))
	if t := s.CreatedDate(); !t.IsZero() {
		fmt.Fprintf(out, "created  %s\n", t.UTC().Format(time.RFC3339))
	}
	fmt.Fprintf(out, "content  %s\n", content(s))
	fmt.Fprintf(out, "took     %v\n", took.Round(time.Millisecond))
}

// content describes the value without showing it.
func content(s *secrets.Secret) string {
	b := s.Bytes()
	if s.IsBinary() {
		return fmt.Sprintf("%d bytes, binary", len(b))
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(b, &object) != nil || object == nil {
		return fmt.Sprintf("%d bytes, text", len(b))
	}
	return fmt.Sprintf("%d bytes, JSON with the keys %s", len(b), strings.Join(slices.Sorted(maps.Keys(object)), ", "))
}
