package secrets_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/seed-74dc7b3e/secrets"
)

// A badPort quotes no value, and declares that it may be shown.
type badPort struct{}

func (badPort) Error() string       { return "the port is out of range" }
func (badPort) PublicError() string { return "the port is out of range" }

type boundAddress struct {
	_    struct{} `secret:"strict"`
	Host string   `json:"host" secret:"required"`
	Port int      `json:"port" secret:"required"`
}

func (l boundAddress) Validate() error {
	if l.Port < 1024 {
		return badPort{}
	}
	return nil
}

// Tags ask for the fields of the JSON, and an error of Validate with a method
// PublicError says why a version is refused.
func ExampleDecodeError() {
	values := map[string]string{"one": `{"host":"a"}`, "two": `{"host":"a","port":80}`, "three": `{"host":"a","port":"8080"}`}
	client, err := secrets.New(apiFunc(func(_ context.Context, in *secretsmanager.GetSecretValueInput) (*secretsmanager.GetSecretValueOutput, error) {
		value, version := values[*in.SecretId], "v1"
		return &secretsmanager.GetSecretValueOutput{Name: in.SecretId, VersionId: &version, SecretString: &value}, nil
	}), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	for _, id := range []string{"one", "two", "three"} {
		_, err := secrets.Get[boundAddress](context.Background(), client, id)
		var de *secrets.DecodeError
		if errors.As(err, &de) {
			fmt.Println(de)
		}
	}
	// Output:
	// secrets: decode "one" version v1: field "port": it is required and missing (want int)
	// secrets: decode "two" version v1: its Validate method refused it: the port is out of range (want secrets_test.boundAddress)
	// secrets: decode "three" version v1: field "port": the value does not fit (want int, found a JSON string)
}
