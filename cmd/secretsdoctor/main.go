// Command secretsdoctor reports what its caller may do with secrets. It also
// reports what package secrets would do with them. It asks AWS, or the emulator
// that AWS_ENDPOINT_URL_SECRETS_MANAGER names.
//
//	secretsdoctor [-ttl 5m] [-minimal] prod/db prod/api-key …
//
// For each secret it prints which of the library's requests the caller may
// make, which key encrypts the secret, the state of its rotation and its
// replicas, when the library would notice a new version, and the cost per day.
// It ends with an IAM policy that suffices for all the secrets. The exit status
// is 1 if a secret cannot be read.
//
// It only reads. For each secret it calls DescribeSecret once or twice, and
// GetSecretValue once for each of the labels AWSCURRENT, AWSPENDING and
// AWSPREVIOUS; for every 20 secrets it calls BatchGetSecretValue once. Like any
// read, these calls set the secret's LastAccessedDate. It never prints a secret
// value.
//
// It can tell what the caller's credentials allow now, on this host. It cannot
// tell why they do not allow more: denials by a policy of the caller, the
// secret, the key, the organization or the VPC endpoint look the same to a
// caller. If the caller may not read a secret, AWS does not reveal whether it
// exists.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
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
		fmt.Fprintln(os.Stderr, "secretsdoctor:", err)
		os.Exit(1)
	}
}

// settings are the values of the flags and arguments.
type settings struct {
	ttl     time.Duration
	timeout time.Duration
	minimal bool
	ids     []string
}

func parse(args []string, usage io.Writer) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("secretsdoctor", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.Usage = func() {
		fmt.Fprintln(usage, "usage: secretsdoctor [flags] secret …  (names or ARNs)")
		flags.PrintDefaults()
	}
	flags.DurationVar(&s.ttl, "ttl", secrets.DefaultTTL, "the program's Options.TTL")
	flags.DurationVar(&s.timeout, "timeout", time.Minute, "the time limit for the whole run")
	flags.BoolVar(&s.minimal, "minimal", false, "print the minimal policy for reading, without the permissions that make reads cheaper")
	if err := flags.Parse(args); err != nil {
		return s, flag.ErrHelp
	}
	if s.ids = flags.Args(); len(s.ids) == 0 || s.ttl < time.Millisecond {
		flags.Usage()
		return s, flag.ErrHelp
	}
	return s, nil
}

func run(ctx context.Context, args []string, out, usage io.Writer) error {
	s, err := parse(args, usage)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	who, err := callerOf(ctx, cfg)
	if err != nil {
		return err
	}
	api := secretsmanager.NewFromConfig(cfg)
	fmt.Fprintf(out, "region       %s\ncredentials  %s\n", cfg.Region, who)
	found, err := examine(ctx, api, s, who)
	if err != nil {
		return err
	}
	unread := 0
	for _, d := range found {
		fmt.Fprintln(out)
		d.print(out)
		if d.current.outcome != allowed {
			unread++
		}
	}
	printPolicy(out, found, s.minimal)
	if unread > 0 {
		return fmt.Errorf("%d of %d secrets cannot be read", unread, len(found))
	}
	return nil
}

// A caller is the owner of the credentials.
type caller struct {
	region  string
	account string // "" if the source of the credentials does not say
	source  string
}

func (c caller) String() string {
	if c.account == "" {
		return "from " + c.source
	}
	return "from " + c.source + ", account " + c.account
}

// callerOf returns the owner of the credentials in cfg. It fails if there are
// no credentials or no region is set, because every request would fail then.
func callerOf(ctx context.Context, cfg aws.Config) (caller, error) {
	if cfg.Region == "" {
		return caller{}, errors.New("no region is set: set AWS_REGION, or region in the profile")
	}
	if cfg.Credentials == nil {
		return caller{}, errors.New("no source of credentials is configured")
	}
	creds, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return caller{}, fmt.Errorf("no credentials, so no request can be made: %w", err)
	}
	return caller{region: cfg.Region, account: creds.AccountID, source: creds.Source}, nil
}
