package secretsevents

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Parse parses an EventBridge event, bare or in envelopes of SNS and SQS. For a
// well-formed message that is not about a change of a secret it returns an
// event of kind [Unrelated]: other services' events, calls that only read or
// that failed, changes of tags and policies, and SNS's requests to confirm a
// subscription. Its error is [ErrMalformed] or [ErrTooLarge].
func Parse(data []byte) (Event, error) {
	if len(data) > MaxSize {
		return Event{}, ErrTooLarge
	}
	for range maxEnvelopes + 1 {
		var m message
		if json.Unmarshal(data, &m) != nil {
			return Event{}, ErrMalformed // json's own error may quote the message
		}
		inner, wrapped := m.inside()
		if !wrapped {
			return m.event()
		}
		data = []byte(inner)
	}
	return Event{}, ErrMalformed
}

// maxEnvelopes is how many envelopes may be round an event: a message of SQS
// that holds a notification of SNS.
const maxEnvelopes = 2

// A message is an event or an envelope.
type message struct {
	// Of EventBridge.
	Source     string          `json:"source"`
	DetailType string          `json:"detail-type"`
	Account    string          `json:"account"`
	Region     string          `json:"region"`
	Time       string          `json:"time"`
	Resources  []string        `json:"resources"`
	Detail     json.RawMessage `json:"detail"`

	// Of SNS.
	Type     string `json:"Type"`
	Message  string `json:"Message"`
	TopicARN string `json:"TopicArn"`

	// Of SQS: a whole message, as its API and Lambda give it.
	MessageID string `json:"MessageId"`
	Body      string `json:"Body"`
}

// inside returns the content of an envelope.
func (m *message) inside() (string, bool) {
	switch {
	case m.Detail != nil:
		return "", false
	case m.Type == "Notification" && m.Message != "":
		return m.Message, true
	case m.MessageID != "" && m.Body != "":
		return m.Body, true
	}
	return "", false
}

func (m *message) event() (Event, error) {
	switch {
	case m.Type == "SubscriptionConfirmation" || m.Type == "UnsubscribeConfirmation" || m.Type == "Notification":
		return Event{}, nil
	case m.Source == "" || m.DetailType == "" || m.Detail == nil:
		return Event{}, ErrMalformed
	case m.Source != "aws.secretsmanager":
		return Event{}, nil
	}
	e := Event{Account: m.Account, Region: m.Region}
	e.Time, _ = time.Parse(time.RFC3339, m.Time)
	switch m.DetailType {
	case "Secret Label Updated":
		return m.native(e)
	case "AWS API Call via CloudTrail", "AWS Service Event via CloudTrail":
		return m.trail(e)
	}
	return Event{}, nil
}

// native reads the event that the service publishes by itself.
func (m *message) native(e Event) (Event, error) {
	var d struct {
		Name         string `json:"name"`
		LabelUpdated string `json:"labelUpdated"`
		VersionID    string `json:"versionId"`
	}
	if json.Unmarshal(m.Detail, &d) != nil {
		return Event{}, ErrMalformed
	}
	e.Kind, e.Name, e.Label, e.VersionID = LabelMoved, d.Name, d.LabelUpdated, d.VersionID
	if len(m.Resources) > 0 {
		e.SecretID = m.Resources[0]
	}
	return e.named()
}

// A record is a detail of CloudTrail.
type record struct {
	EventSource       string `json:"eventSource"`
	EventName         string `json:"eventName"`
	ErrorCode         string `json:"errorCode"`
	RequestParameters struct {
		SecretID        string   `json:"secretId"`
		Name            string   `json:"name"`
		VersionStage    string   `json:"versionStage"`
		VersionStages   []string `json:"versionStages"`
		MoveToVersionID string   `json:"moveToVersionId"`
	} `json:"requestParameters"`
	ResponseElements struct {
		ARN       string `json:"arn"` // older records write aRN, which is the same to encoding/json
		Name      string `json:"name"`
		VersionID string `json:"versionId"`
	} `json:"responseElements"`
	AdditionalEventData struct {
		SecretID string `json:"SecretId"`
	} `json:"additionalEventData"`
}

// operations are the names of CloudTrail that say that a secret changed.
var operations = map[string]Kind{
	"CreateSecret": ValueChanged, "PutSecretValue": ValueChanged, "UpdateSecret": ValueChanged,
	"UpdateSecretVersionStage": LabelMoved,
	"RotateSecret":             Rotation, "CancelRotateSecret": Rotation,
	"RotationStarted": Rotation, "RotationSucceeded": Rotation, "RotationFailed": Rotation, "RotationAbandoned": Rotation,
	"DeleteSecret": Deletion, "RestoreSecret": Deletion,
	"StartSecretVersionDelete": Deletion, "CancelSecretVersionDelete": Deletion, "EndSecretVersionDelete": Deletion,
}

// trail reads a record of CloudTrail. It ignores calls that only read:
// otherwise the reads of a client would cause events, which would cause further
// reads.
func (m *message) trail(e Event) (Event, error) {
	var r record
	if json.Unmarshal(m.Detail, &r) != nil {
		return Event{}, ErrMalformed
	}
	e.Kind, e.Operation = operations[r.EventName], r.EventName
	if e.Kind == Unrelated || r.ErrorCode != "" || r.EventSource != "secretsmanager.amazonaws.com" {
		return Event{}, nil
	}
	in, out := &r.RequestParameters, &r.ResponseElements
	for _, id := range []string{out.ARN, r.AdditionalEventData.SecretID, in.SecretID, in.Name} {
		if e.SecretID == "" {
			e.SecretID = id
		}
	}
	e.Name = out.Name
	switch {
	case r.EventName == "UpdateSecretVersionStage":
		e.Label, e.VersionID = in.VersionStage, in.MoveToVersionID
	case e.Kind == ValueChanged && out.VersionID != "":
		e.Label, e.VersionID = labelOf(in.VersionStages), out.VersionID
	}
	return e.named()
}

// labelOf returns the most important of the labels that were requested for a
// new version.
func labelOf(stages []string) string {
	if len(stages) == 0 || slices.Contains(stages, current) {
		return current
	}
	return stages[0]
}

const current = "AWSCURRENT"

// named returns e if it says which secret it is about.
func (e Event) named() (Event, error) {
	if e.SecretID == "" {
		e.SecretID = e.Name
	}
	if e.SecretID == "" {
		return Event{}, ErrMalformed
	}
	if e.Account == "" && strings.HasPrefix(e.SecretID, "arn:") {
		if parts := strings.SplitN(e.SecretID, ":", 6); len(parts) == 6 {
			e.Account = parts[4]
		}
	}
	return e, nil
}
