package secretstest_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// Step of no steps used to panic.
func TestStepOfNone(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "one"})
	r := srv.Rotation("s")
	if err := r.Step(); err != nil {
		t.Errorf("got %v", err)
	}
	if err := r.Redeliver(); err != nil {
		t.Errorf("Redeliver: got %v", err)
	}
	if r.VersionID() == "" {
		t.Error("Step of no steps began no rotation")
	}
}

// A Lag that is armed after changes used to see the state before the last of
// them.
func TestLagArmedLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, secretstest.Secrets{"s": "v0"})
		c := srv.Client()
		for _, v := range []string{"v1", "v2", "v3"} {
			time.Sleep(10 * time.Second)
			srv.Put("s", v)
		}
		time.Sleep(5 * time.Second)
		for lag, want := range map[time.Duration]string{time.Second: "v3", 10 * time.Second: "v2", 20 * time.Second: "v1", 30 * time.Second: "v0", time.Hour: "v0"} {
			srv.Fail(secretstest.Fault{Lag: lag})
			if got := *get(t, c, "s").SecretString; got != want {
				t.Errorf("lag of %v: got %s, want %s", lag, got, want)
			}
		}
	})
}

func TestLagSeesEveryVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, nil)
		var ids []string
		for range 40 {
			ids = append(ids, srv.Put("s", "v"))
			time.Sleep(time.Second)
		}
		srv.MoveStage("s", "blue", ids[10])
		srv.Fail(secretstest.Fault{Lag: 10*time.Second + time.Millisecond, Times: secretstest.Always})
		out, err := srv.Client().ListSecretVersionIds(t.Context(), &secretsmanager.ListSecretVersionIdsInput{SecretId: aws.String("s"), IncludeDeprecated: aws.Bool(true)})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(out.Versions); n != 30 || *out.Versions[n-1].VersionId != ids[29] || out.Versions[n-1].VersionStages[0] != "AWSCURRENT" || len(out.Versions[27].VersionStages)+len(out.Versions[10].VersionStages) != 0 {
			t.Errorf("got %d versions, want the 30 of then and their labels", n)
		}
	})
}

func TestLedgerKeepsItsLimit(t *testing.T) {
	if testing.Short() {
		t.Skip("15,000 requests, one after another")
	}
	for _, limit := range []int{1, 10, 1023, 1024, 1025, 3000} {
		srv := secretstest.NewServer(&secretstest.Options{Ledger: limit, Secrets: secretstest.Secrets{"s": "x"}, TB: t})
		c := srv.Client()
		for i := range 2500 {
			read(t, c, "s", "label"+itoa(i))
		}
		calls := srv.Calls()
		if want := min(limit, 2500); len(calls) != want || srv.Count() != want {
			t.Errorf("limit %d: got %d calls, want %d", limit, len(calls), want)
		}
		if got := calls[len(calls)-1].Stage; got != "label2499" {
			t.Errorf("limit %d: got last %s", limit, got)
		}
		if got, want := calls[0].Stage, "label"+itoa(2500-len(calls)); got != want {
			t.Errorf("limit %d: got first %s, want %s", limit, got, want)
		}
	}
}

func TestPrunedVersionIsNotFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, nil)
		first := srv.Put("s", "v")
		for range 120 {
			time.Sleep(time.Hour)
			srv.Put("s", "v")
		}
		_, err := srv.Client().GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("s"), VersionId: &first})
		wantError(t, err, "ResourceNotFoundException", "VersionId: "+first)
	})
}

func TestUpdateWithKnownToken(t *testing.T) {
	srv := secretstest.New(t, nil)
	c := &conf{sdk: srv.Client()}
	id := token()
	c.ok("CreateSecret", m{"Name": "s", "SecretString": "v", "Description": "d", "ClientRequestToken": id})
	again := m{"SecretId": "s", "SecretString": "v", "ClientRequestToken": id}
	c.eq("VersionId", c.ok("UpdateSecret", again)["VersionId"], id)
	again["Description"] = "d"
	c.eq("VersionId", c.ok("UpdateSecret", again)["VersionId"], id)
	again["Description"] = "other"
	c.fails("UpdateSecret", again, "ResourceExistsException", "You can't use ClientRequestToken "+id+" because that value is already in use for a version of secret "+srv.ARN("s")+".")
	c.eq("description", c.ok("DescribeSecret", m{"SecretId": "s"})["Description"], "d")
	for _, d := range c.differences {
		t.Error(d)
	}
}

func TestTagsThatAreRefused(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "v"})
	c := &conf{sdk: srv.Client()}
	for _, key := range []string{"aws:x", "AWS:x", "a\x00b", "a\tb", "a\u0085b"} {
		c.fails("TagResource", m{"SecretId": "s", "Tags": []m{{"Key": key, "Value": "v"}}}, "InvalidParameterException", "")
		c.fails("CreateSecret", m{"Name": "t", "Tags": []m{{"Key": key, "Value": "v"}}}, "InvalidParameterException", "")
	}
	c.fails("TagResource", m{"SecretId": "s", "Tags": []m{{"Key": "k", "Value": "a\nb"}}}, "InvalidParameterException", "")
	c.fails("UntagResource", m{"SecretId": "s", "TagKeys": []string{"aws:x"}}, "InvalidParameterException", "")
	c.ok("TagResource", m{"SecretId": "s", "Tags": []m{{"Key": "awsome", "Value": "aws:x"}, {"Key": "größe", "Value": "5 €"}}})
	for _, d := range c.differences {
		t.Error(d)
	}
}

func TestVersionQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.NewServer(&secretstest.Options{VersionQuota: 5, TB: t})
		c := &conf{sdk: srv.Client()}
		c.ok("CreateSecret", m{"Name": "s", "SecretString": "v"})
		for range 4 {
			c.ok("PutSecretValue", m{"SecretId": "s", "SecretString": "v"})
		}
		c.fails("PutSecretValue", m{"SecretId": "s", "SecretString": "v"}, "LimitExceededException", "")
		c.fails("UpdateSecret", m{"SecretId": "s", "SecretString": "v"}, "LimitExceededException", "")
		c.ok("UpdateSecret", m{"SecretId": "s", "Description": "d"})
		time.Sleep(24 * time.Hour)
		c.ok("PutSecretValue", m{"SecretId": "s", "SecretString": "v"})
		for _, d := range c.differences {
			t.Error(d)
		}
	})
}

func TestPartitions(t *testing.T) {
	for region, partition := range map[string]string{"us-east-1": "aws", "cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov", "eusc-de-east-1": "aws"} {
		srv := secretstest.NewServer(&secretstest.Options{Region: region, Secrets: secretstest.Secrets{"s": "v"}, TB: t})
		arn := srv.ARN("s")
		if want := "arn:" + partition + ":secretsmanager:" + region + ":123456789012:secret:s-"; !strings.HasPrefix(arn, want) {
			t.Errorf("got %s, want %s…", arn, want)
		}
		get(t, srv.Client(), arn)
		other := strings.Replace(arn, "arn:"+partition+":", "arn:aws-other:", 1)
		wantError(t, read(t, srv.Client(), other, ""), "ResourceNotFoundException", "")
		wantError(t, read(t, srv.Client(), other[:len(other)-7], ""), "ResourceNotFoundException", "")
		get(t, srv.Client(), arn[:len(arn)-7])
		if got := srv.Calls()[0].Identity; got != "arn:"+partition+":iam::123456789012:root" {
			t.Errorf("%s: got caller %s", region, got)
		}
	}
	srv := secretstest.New(t, secretstest.Secrets{"s": "v"})
	c := &conf{sdk: srv.Client()}
	c.fails("ReplicateSecretToRegions", m{"SecretId": "s", "AddReplicaRegions": []m{{"Region": "cn-north-1"}}}, "InvalidParameterException", "Invalid replica region.")
	wantError(t, read(t, srv.ClientFor(user("a"), in("cn-north-1")), "s", ""), "UnrecognizedClientException", "")
	for _, d := range c.differences {
		t.Error(d)
	}
}

// post sends a request to the server as it is.
func post(t *testing.T, srv *secretstest.Server, method, path, auth string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://fake"+path, strings.NewReader(`{"SecretId":"s"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", "secretsmanager.GetSecretValue")
	if auth != "" {
		r.Header.Set("Authorization", auth)
	}
	resp, err := srv.HTTPClient().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func TestProtocol(t *testing.T) {
	srv := secretstest.New(t, secretstest.Secrets{"s": "v"})
	scope := func(s string) string {
		return "AWS4-HMAC-SHA256 Credential=AK/20260101/" + s + "/aws4_request, SignedHeaders=host, Signature=0"
	}
	tests := []struct {
		name, method, path, auth string
		status                   int
		text                     string
	}{
		{"POST /", "POST", "/", "", 200, `"SecretString":"v"`},
		{"GET", "GET", "/", "", 405, "UnknownOperationException"},
		{"PUT", "PUT", "/", "", 405, "UnknownOperationException"},
		{"another path", "POST", "/secrets", "", 404, "UnknownOperationException"},
		{"signed", "POST", "/", scope("us-east-1/secretsmanager"), 200, `"SecretString":"v"`},
		{"another region", "POST", "/", scope("eu-west-1/secretsmanager"), 400, "ResourceNotFoundException"},
		{"another service", "POST", "/", scope("us-east-1/sts"), 400, "Credential should be scoped to correct service: 'secretsmanager'."},
		{"a presigned query", "POST", "/?X-Amz-Credential=" + url.QueryEscape("AK/20260101/us-east-1/secretsmanager/aws4_request"), "", 200, `"SecretString":"v"`},
		{"a presigned query for another region", "POST", "/?X-Amz-Credential=" + url.QueryEscape("AK/20260101/eu-west-1/secretsmanager/aws4_request"), "", 400, "ResourceNotFoundException"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			resp := post(t, srv, test.method, test.path, test.auth)
			body, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != test.status || !strings.Contains(string(body), test.text) {
				t.Errorf("got %d %s, want %d and %q", resp.StatusCode, body, test.status, test.text)
			}
		})
	}
}

// A brokenSigner signs as the SDK does, with a wrong time.
type brokenSigner struct {
	*v4.Signer
	off time.Duration
}

func (s brokenSigner) SignHTTP(ctx context.Context, creds aws.Credentials, r *http.Request, hash, service, region string, at time.Time, opts ...func(*v4.SignerOptions)) error {
	return s.Signer.SignHTTP(ctx, creds, r, hash, service, region, at.Add(s.off), opts...)
}

func TestVerifySignatures(t *testing.T) {
	srv := secretstest.NewServer(&secretstest.Options{VerifySignatures: true, Secrets: secretstest.Secrets{"s": "v"}, TB: t})
	app := secretstest.Identity{ARN: "arn:aws:iam::123456789012:user/app", AccessKey: "AKIAAPP", SecretKey: "right"}
	with := func(key, secret string) func(*secretsmanager.Options) {
		return func(o *secretsmanager.Options) {
			o.RetryMaxAttempts = 1
			o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: key, SecretAccessKey: secret, SessionToken: "session"}, nil
			})
		}
	}
	skewed := func(off time.Duration) func(*secretsmanager.Options) {
		return func(o *secretsmanager.Options) {
			o.HTTPSignerV4, o.RetryMaxAttempts = brokenSigner{v4.NewSigner(), off}, 1
		}
	}
	get(t, srv.Client(), "s")
	get(t, srv.ClientFor(app), "s")
	get(t, srv.Client(with("AKIAAPP", "right")), "s")
	wantError(t, read(t, srv.Client(with("AKIAAPP", "wrong")), "s", ""), "InvalidSignatureException", "The request signature we calculated does not match the signature you provided.")
	wantError(t, read(t, srv.Client(with("AKIANOBODY", "right")), "s", ""), "UnrecognizedClientException", "The security token included in the request is invalid.")
	wantError(t, read(t, srv.Client(skewed(-time.Hour)), "s", ""), "InvalidSignatureException", "Signature expired: ")
	wantError(t, read(t, srv.Client(skewed(time.Hour)), "s", ""), "InvalidSignatureException", "Signature not yet current: ")
	if resp := post(t, srv, "POST", "/", ""); resp.StatusCode != 400 {
		t.Errorf("unsigned: got %s", resp.Status)
	}
	over := srv.Client(func(o *secretsmanager.Options) { o.BaseEndpoint, o.HTTPClient = aws.String(srv.URL()), httpClient{} })
	get(t, over, "s")
	http.DefaultClient.CloseIdleConnections()
}

func TestBodyThatDoesNotArrive(t *testing.T) {
	srv := secretstest.NewServer(&secretstest.Options{BodyTimeout: 50 * time.Millisecond, TB: t})
	hs := httptest.NewServer(srv)
	defer hs.Close()
	conn, err := net.Dial("tcp", hs.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
	conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	if b, err := io.ReadAll(conn); err != nil && !errors.Is(err, net.ErrClosed) && strings.Contains(err.Error(), "timeout") {
		t.Errorf("got %q, %v, want the connection closed", b, err)
	}
}

// The answer must be there for a client that sends all before it reads.
func TestTooLargeIsSeen(t *testing.T) {
	hs := httptest.NewServer(secretstest.New(t, nil))
	defer hs.Close()
	conn, err := net.Dial("tcp", hs.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const size = 20 << 20
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: "+itoa(size)+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Write(make([]byte, size)); err != nil {
		t.Fatalf("sent %d bytes: %v", n, err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("the answer was not seen: %v", err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(string(body), "RequestEntityTooLargeException") {
		t.Errorf("got %d %s", resp.StatusCode, body)
	}
}
