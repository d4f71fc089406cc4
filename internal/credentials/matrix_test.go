package credentials_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/sso"
	ssotypes "github.com/aws/aws-sdk-go-v2/service/sso/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// A row is one way in which a client cannot show who it is.
type row struct {
	name     string                                   // as docs/credentials.md has it
	provider func(*testing.T) aws.CredentialsProvider // of the client's credentials from then on; nil: they stay
	service  func(*secretstest.Server)                // what else goes wrong
	drops    bool                                     // the secret leaves the cache
	says     []string                                 // what the error tells
	is       func(error) bool                         // the SDK's type, by errors.As; nil: it has none
}

// as reports whether an error is a T of the SDK.
func as[T error](err error) bool {
	var target T
	return errors.As(err, &target)
}

var rows = []row{
	{name: "AssumeRole is denied", provider: assumeRole(403, xmlError("AccessDenied", "not authorized to perform: sts:AssumeRole")),
		says: []string{"STS: AssumeRole", "AccessDenied"}},
	{name: "AssumeRole: the source's token has expired", provider: assumeRole(403, xmlError("ExpiredToken", "The security token included in the request is expired")),
		says: []string{"STS: AssumeRole", "ExpiredToken"}},
	{name: "AssumeRole: the role's region is switched off", provider: assumeRole(403, xmlError("RegionDisabledException", "STS is not activated in this region")),
		says: []string{"STS: AssumeRole", "RegionDisabledException"}, is: as[*ststypes.RegionDisabledException]},
	{name: "STS is throttled", provider: assumeRole(400, xmlError("Throttling", "Rate exceeded")),
		says: []string{"STS: AssumeRole", "Throttling"}},
	{name: "STS is out of reach", provider: assumeRole(0, ""),
		says: []string{"STS: AssumeRole", "connection refused"}, is: as[*net.OpError]},
	{name: "web identity: the token file is missing", provider: webIdentity("", 0, ""),
		says: []string{"failed to retrieve jwt", "no such file"}},
	{name: "web identity: the token has expired", provider: webIdentity("token", 400, xmlError("ExpiredTokenException", "Token expired")),
		says: []string{"STS: AssumeRoleWithWebIdentity", "ExpiredTokenException"}, is: as[*ststypes.ExpiredTokenException]},
	{name: "web identity: the trust policy refuses", provider: webIdentity("token", 403, xmlError("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")),
		says: []string{"STS: AssumeRoleWithWebIdentity", "AccessDenied"}},
	{name: "web identity: the provider is unknown", provider: webIdentity("token", 400, xmlError("InvalidIdentityToken", "No OpenIDConnect provider found")),
		says: []string{"STS: AssumeRoleWithWebIdentity", "InvalidIdentityToken"}, is: as[*ststypes.InvalidIdentityTokenException]},
	{name: "IMDS is out of reach", provider: instance(0, ""),
		says: []string{"no EC2 IMDS role found", "connection refused"}},
	{name: "IMDS does not answer in time", provider: instance(-1, ""),
		says: []string{"no EC2 IMDS role found"}},
	{name: "IMDS: the instance has no role", provider: instance(404, "not found"),
		says: []string{"no EC2 IMDS role found", "404"}},
	{name: "IMDS is switched off", provider: instanceOff, says: []string{"no EC2 IMDS role found", "disabled"}},
	{name: "ECS, or Pod Identity, refuses", provider: endpoint(403, `{"code":"AccessDeniedException","message":"Unauthorized Exception! EKS does not have permissions to assume the associated role."}`),
		says: []string{"AccessDeniedException", "failed to load credentials"}},
	{name: "ECS, or Pod Identity, knows no role", provider: endpoint(404, `{"code":"ResourceNotFoundException","message":"no such association"}`),
		says: []string{"ResourceNotFoundException", "failed to load credentials"}},
	{name: "SSO: the session has expired", provider: singleSignOn("1999-01-01T00:00:00Z", 0, ""),
		says: []string{"SSO session has expired or is invalid"}, is: as[*ssocreds.InvalidTokenError]},
	{name: "SSO: the session was ended", provider: singleSignOn("2099-01-01T00:00:00Z", 401, `{"__type":"UnauthorizedException","message":"Session token not found or invalid"}`),
		says: []string{"SSO: GetRoleCredentials", "UnauthorizedException"}, is: as[*ssotypes.UnauthorizedException]},
	{name: "SSO: the role was taken away", provider: singleSignOn("2099-01-01T00:00:00Z", 403, `{"message":"No access"}`),
		says: []string{"SSO: GetRoleCredentials", "No access"}},
	{name: "the credential process fails", provider: process,
		says: []string{"process provider error"}, is: as[*processcreds.ProviderError]},
	{name: "there are no credentials at all", provider: given(credentials.NewStaticCredentialsProvider("", "", "")),
		says: []string{"static credentials are empty"}, is: as[*credentials.StaticCredentialsEmptyError]},

	{name: "the service: the token has expired", service: answers("ExpiredTokenException", "The security token included in the request is expired"),
		says: []string{"Secrets Manager: ", "ExpiredTokenException"}},
	{name: "the service: the access key was deleted, or its region is not switched on", service: answers("UnrecognizedClientException", "The security token included in the request is invalid."),
		says: []string{"UnrecognizedClientException"}},
	{name: "the service: the signature is of another region", service: answers("InvalidSignatureException", "Credential should be scoped to a valid region."),
		says: []string{"InvalidSignatureException", "valid region"}},
	{name: "the service: the clock is off, beyond what the SDK corrects", service: skewed,
		says: []string{"InvalidSignatureException", "Signature expired"}},
	{name: "the service: the session was revoked", drops: true,
		service: answers("AccessDeniedException", "not authorized to perform: secretsmanager:GetSecretValue with an explicit deny in an identity-based policy"),
		says:    []string{"AccessDeniedException", "explicit deny", "in us-east-1"}},
	{name: "the service: the secret is in another region", drops: true,
		service: answers("ResourceNotFoundException", "Secrets Manager can't find the specified secret."),
		says:    []string{"ResourceNotFoundException", "in us-east-1"}},
}

// answers makes the service answer every call with an error.
func answers(code, message string) func(*secretstest.Server) {
	return func(srv *secretstest.Server) {
		srv.Fail(secretstest.Fault{Times: secretstest.Always, Code: code, Message: message})
	}
}

// skewed has the server's clock differ by so much that its answers are refused,
// and hides its own time from the SDK, which would correct its clock by it.
func skewed(srv *secretstest.Server) {
	answers("InvalidSignatureException", "Signature expired: 20261124T120000Z is now earlier than 20261124T120500Z")(srv)
}

// given returns a provider as it is.
func given(p aws.CredentialsProvider) func(*testing.T) aws.CredentialsProvider {
	return func(*testing.T) aws.CredentialsProvider { return p }
}

// A stub answers every request alike: status 0 refuses the connection, -1 never
// answers.
type stub struct {
	status int
	body   string
}

func (s stub) Do(r *http.Request) (*http.Response, error) {
	switch s.status {
	case 0:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	case -1:
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return &http.Response{StatusCode: s.status, Header: http.Header{}, Request: r, Body: io.NopCloser(bytes.NewBufferString(s.body))}, nil
}

// keys are the credentials that others are got with.
var keys = credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "made-up", "")

// xmlError is an error as STS answers with.
func xmlError(code, message string) string {
	return `<ErrorResponse><Error><Type>Sender</Type><Code>` + code + `</Code><Message>` + message + `</Message></Error><RequestId>1</RequestId></ErrorResponse>`
}

func stsClient(status int, body string) *sts.Client {
	return sts.New(sts.Options{Region: secretstest.DefaultRegion, Credentials: keys, HTTPClient: stub{status, body}})
}

const roleARN = "arn:aws:iam::123456789012:role/reader"

func assumeRole(status int, body string) func(*testing.T) aws.CredentialsProvider {
	return func(*testing.T) aws.CredentialsProvider {
		return stscreds.NewAssumeRoleProvider(stsClient(status, body), roleARN)
	}
}

func webIdentity(token string, status int, body string) func(*testing.T) aws.CredentialsProvider {
	return func(t *testing.T) aws.CredentialsProvider {
		file := filepath.Join(t.TempDir(), "token")
		if token != "" {
			write(t, file, token)
		}
		return stscreds.NewWebIdentityRoleProvider(stsClient(status, body), roleARN, stscreds.IdentityTokenFile(file))
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func instance(status int, body string) func(*testing.T) aws.CredentialsProvider {
	return func(*testing.T) aws.CredentialsProvider {
		return ec2rolecreds.New(func(o *ec2rolecreds.Options) {
			o.Client = imds.New(imds.Options{HTTPClient: stub{status, body}, ClientEnableState: imds.ClientEnabled})
		})
	}
}

func instanceOff(*testing.T) aws.CredentialsProvider {
	return ec2rolecreds.New(func(o *ec2rolecreds.Options) {
		o.Client = imds.New(imds.Options{ClientEnableState: imds.ClientDisabled})
	})
}

func endpoint(status int, body string) func(*testing.T) aws.CredentialsProvider {
	return func(*testing.T) aws.CredentialsProvider {
		return endpointcreds.New("http://169.254.170.23/v1/credentials", func(o *endpointcreds.Options) { o.HTTPClient = stub{status, body} })
	}
}

// singleSignOn has a cached session. The clock in a bubble begins in 2000.
func singleSignOn(until string, status int, body string) func(*testing.T) aws.CredentialsProvider {
	return func(t *testing.T) aws.CredentialsProvider {
		file := filepath.Join(t.TempDir(), "session.json")
		write(t, file, `{"accessToken":"made-up","expiresAt":"`+until+`"}`)
		client := sso.New(sso.Options{Region: secretstest.DefaultRegion, HTTPClient: stub{status, body}})
		return ssocreds.New(client, "123456789012", "reader", "https://example.awsapps.com/start", func(o *ssocreds.Options) {
			o.CachedTokenFilepath = file
		})
	}
}

// process is a provider whose command fails, without there being one: another
// process does not belong into a bubble.
func process(*testing.T) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, &processcreds.ProviderError{Err: errors.New("error in credential_process: exit status 1")}
	})
}
