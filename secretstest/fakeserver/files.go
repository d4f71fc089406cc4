package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

// errNotSecrets is the error for an invalid file of secrets. The error of
// encoding/json could quote a secret.
var errNotSecrets = errors.New("not a JSON object of names and values")

// readSecrets reads the file of -secrets. An empty name is no file.
func readSecrets(file string) (secretstest.Secrets, error) {
	if file == "" {
		return nil, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var values map[string]json.RawMessage
	if json.Unmarshal(b, &values) != nil {
		return nil, fmt.Errorf("%s: %w", file, errNotSecrets)
	}
	secrets := make(secretstest.Secrets, len(values))
	for name, raw := range values {
		var text string
		if json.Unmarshal(raw, &text) != nil {
			text = string(raw)
		}
		if text == "null" || text == "" {
			return nil, fmt.Errorf("%s: %q has no value", file, name)
		}
		secrets[name] = text
	}
	return secrets, nil
}

// preload creates secrets as a client would, so that a name that AWS refuses is
// an error.
func preload(srv *secretstest.Server, secrets secretstest.Secrets) error {
	client := srv.Client()
	for name, value := range secrets {
		_, err := client.CreateSecret(context.Background(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: &value})
		if err != nil {
			return fmt.Errorf("preload %q: %w", name, err)
		}
	}
	return nil
}

// A fault is an entry of a fault script.
type fault struct {
	Op          string   `json:"op"`
	Secret      string   `json:"secret"`
	Stage       string   `json:"stage"`
	Region      string   `json:"region"`
	Identity    string   `json:"identity"`
	Skip        int      `json:"skip"`
	Times       times    `json:"times"`
	Probability float64  `json:"probability"`
	Code        string   `json:"code"`
	Message     string   `json:"message"`
	Status      int      `json:"status"`
	Latency     duration `json:"latency"`
	Trickle     duration `json:"trickle"`
	Late        bool     `json:"late"`
	Drop        bool     `json:"drop"`
	Truncate    bool     `json:"truncate"`
	Garbage     bool     `json:"garbage"`
	Empty       bool     `json:"empty"`
	Lag         duration `json:"lag"`
	Stale       bool     `json:"stale"`
	NoStages    bool     `json:"noStages"`
}

// times is a number or "always".
type times int

func (t *times) UnmarshalJSON(b []byte) error {
	if string(b) == `"always"` {
		*t = secretstest.Always
		return nil
	}
	var n int
	if err := json.Unmarshal(b, &n); err != nil || n < 1 {
		return errors.New(`times is neither a positive number nor "always"`)
	}
	*t = times(n)
	return nil
}

// A duration is written as Go writes it, "200ms" for instance.
type duration time.Duration

func (d *duration) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return errors.New("a duration is a string such as \"200ms\"")
	}
	v, err := time.ParseDuration(text)
	if err != nil {
		return err
	}
	if v < 0 {
		return fmt.Errorf("duration %v is negative", v)
	}
	*d = duration(v)
	return nil
}

// readFaults reads the file of -faults. An empty name is no file.
func readFaults(file string) ([]secretstest.Fault, error) {
	if file == "" {
		return nil, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var script []fault
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&script); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var faults []secretstest.Fault
	for i, f := range script {
		if f.Probability < 0 || f.Probability > 1 {
			return nil, fmt.Errorf("%s: entry %d: probability is not between 0 and 1", file, i+1)
		}
		faults = append(faults, f.fault())
	}
	return faults, nil
}

func (f *fault) fault() secretstest.Fault {
	return secretstest.Fault{
		Op: f.Op, Secret: f.Secret, Stage: f.Stage, Region: f.Region, Identity: f.Identity,
		Skip: f.Skip, Times: int(f.Times), Probability: f.Probability,
		Code: f.Code, Message: f.Message, Status: f.Status, Latency: time.Duration(f.Latency), Trickle: time.Duration(f.Trickle), Late: f.Late,
		Drop: f.Drop, Truncate: f.Truncate, Garbage: f.Garbage, Empty: f.Empty,
		Lag: time.Duration(f.Lag), Stale: f.Stale, NoStages: f.NoStages,
	}
}
