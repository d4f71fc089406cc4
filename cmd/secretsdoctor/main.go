// Command secretsdoctor says what its caller may do with secrets. It also says
// what package secrets would do with them. It asks whatever the environment
// points to: AWS, or an emulator where AWS_ENDPOINT_URL_SECRETS_MANAGER names
// one.
//
//	secretsdoctor [-ttl 5m] [-minimal] prod/db prod/api-key …
//
// For each secret it prints which of the requests of the library the caller is
// permitted, which key encrypts it, how its rotation and its replicas stand,
// when the library would notice a new version, and what that costs a day. It
// ends with the IAM policy that suffices for all of them. The exit status is 1
// if a secret cannot be read.
//
// It only reads: DescribeSecret once or twice, GetSecretValue once for each of
// the labels AWSCURRENT, AWSPENDING and AWSPREVIOUS, and BatchGetSecretValue once
// for each 20 secrets. Like any read they set the secret's LastAccessedDate. It
// never prints a value.
//
// It can tell what the caller's credentials may do now, on this host. It cannot
// tell why they may not: a policy of the caller, of the secret, of the key, of
// the organization or of the network's endpoint looks the same from here. To a
// caller who may not read a secret, AWS does not tell whether it exists.
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

// settings are what the flags say.
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
	flags.DurationVar(&s.timeout, "timeout", time.Minute, "for everything")
	flags.BoolVar(&s.minimal, "minimal", false, "print the policy that is just enough to read, without what makes that cheap")
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

// A caller is whose credentials are used.
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

// callerOf returns whose credentials cfg has. That there are none, and that no
// region is set, is said here: every request would fail of it.
func callerOf(ctx context.Context, cfg aws.Config) (caller, error) {
	if cfg.Region == "" {
		return caller{}, errors.New("no region is set: set AWS_REGION, or region in the profile")
	}
	if cfg.Credentials == nil {
		return caller{}, errors.New("no source of credentials is configured")
	}
	creds, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return caller{}, fmt.Errorf("no credentials, so nothing can be asked: %w", err)
	}
	return caller{region: cfg.Region, account: creds.AccountID, source: creds.Source}, nil
}
