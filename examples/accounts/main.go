// Command accounts reads secrets of several AWS accounts through one cache. For
// each account it assumes a role there, with the credentials of the environment:
//
//	accounts -role arn:aws:iam::111111111111:role/reader \
//	         -role arn:aws:iam::222222222222:role/reader \
//	         prod/mine \
//	         arn:aws:secretsmanager:us-east-1:111111111111:secret:prod/db-AbCdEf \
//	         arn:aws:secretsmanager:eu-west-1:222222222222:secret:prod/api-GhIjKl
//
// It reads names, and ARNs of accounts without a given role, without assuming a
// role. It prints the version of each secret, and no value.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sts"
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
		fmt.Fprintln(os.Stderr, "accounts:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, usage io.Writer) error {
	flags := flag.NewFlagSet("accounts", flag.ContinueOnError)
	flags.SetOutput(usage)
	roles := roleFlags{}
	flags.Var(roles, "role", "an `ARN` of a role to assume for the secrets of its account; may be repeated")
	timeout := flags.Duration("timeout", 30*time.Second, "the time limit for the whole run")
	if err := flags.Parse(args); err != nil {
		return flag.ErrHelp
	}
	if flags.NArg() == 0 {
		flags.Usage()
		return flag.ErrHelp
	}
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	client, err := newClient(cfg, roles)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Prefetch(ctx, flags.Args()...); err != nil {
		return err
	}
	for _, id := range flags.Args() {
		s, err := client.Get(ctx, id) // from memory
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s\tversion %s\t%s\n", s.ARN(), s.VersionID(), strings.Join(s.Stages(), ", "))
	}
	return nil
}

// newClient returns one client for the secrets of all accounts. Each role has
// its own API, which is made once. Credentials are fetched when first needed,
// and again before they expire.
func newClient(cfg aws.Config, roles roleFlags) (*secrets.Client, error) {
	apis := map[string]secrets.API{}
	for account, role := range roles {
		provider := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), role)
		assumed := cfg.Copy()
		assumed.Credentials = aws.NewCredentialsCache(provider)
		apis[account] = secretsmanager.NewFromConfig(assumed)
	}
	return secrets.New(secretsmanager.NewFromConfig(cfg), &secrets.Options{
		APIFor: func(account, _ string) secrets.API {
			if api, ok := apis[account]; ok {
				return api
			}
			return nil // the API without a role
		},
	})
}

// roleFlags are the roles to assume, by their accounts.
type roleFlags map[string]string

func (r roleFlags) String() string { return fmt.Sprintf("%d roles", len(r)) }

// Set adds a role.
func (r roleFlags) Set(arn string) error {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || parts[2] != "iam" || !strings.HasPrefix(parts[5], "role/") {
		return fmt.Errorf("%q is no ARN of a role", arn)
	}
	account := parts[4]
	if other, ok := r[account]; ok {
		return fmt.Errorf("account %s has a role already: %s", account, other)
	}
	r[account] = arn
	return nil
}
