package secretsevents_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-74dc7b3e/secrets/secretsevents"
	"github.com/seed-74dc7b3e/secrets/secretstest"
)

const arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-AbCdEf"

const native = `{"version":"0","id":"1","detail-type":"Secret Label Updated","source":"aws.secretsmanager","account":"123456789012",` +
	`"time":"2026-03-01T12:00:00Z","region":"eu-west-1","resources":["` + arn + `"],` +
	`"detail":{"name":"prod/db","labelUpdated":"AWSCURRENT","versionId":"v2"}}`

// trail returns an event that CloudTrail makes.
func trail(detailType, detail string) string {
	return `{"detail-type":"` + detailType + `","source":"aws.secretsmanager","account":"123456789012","region":"eu-west-1","detail":` + detail + `}`
}

// call returns the event of a call.
func call(op, rest string) string {
	return trail("AWS API Call via CloudTrail", `{"eventSource":"secretsmanager.amazonaws.com","eventName":"`+op+`"`+rest+`}`)
}

func inSNS(event string) string {
	b, _ := json.Marshal(map[string]string{"Type": "Notification", "TopicArn": "arn:aws:sns:eu-west-1:123456789012:t", "Message": event})
	return string(b)
}

func inSQS(event string) string {
	b, _ := json.Marshal(map[string]string{"MessageId": "1", "ReceiptHandle": "r", "Body": event})
	return string(b)
}

func TestParse(t *testing.T) {
	when := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	event := secretsevents.Event{Kind: secretsevents.LabelMoved, SecretID: arn, Name: "prod/db", Label: "AWSCURRENT", VersionID: "v2",
		Account: "123456789012", Region: "eu-west-1", Time: when}
	of := func(kind secretsevents.Kind, op, id, name, label, version string) secretsevents.Event {
		return secretsevents.Event{Kind: kind, SecretID: id, Name: name, Label: label, VersionID: version, Operation: op, Account: "123456789012", Region: "eu-west-1"}
	}
	tests := []struct {
		name, message string
		want          secretsevents.Event
	}{
		{"native", native, event},
		{"in SNS", inSNS(native), event},
		{"in SQS", inSQS(native), event},
		{"in SNS in SQS", inSQS(inSNS(native)), event},
		{"put", call("PutSecretValue", `,"requestParameters":{"secretId":"prod/db","clientRequestToken":"v2"},"responseElements":{"arn":"`+arn+`","versionId":"v2"}`),
			of(secretsevents.ValueChanged, "PutSecretValue", arn, "", "AWSCURRENT", "v2")},
		{"put, pending", call("PutSecretValue", `,"requestParameters":{"secretId":"prod/db","versionStages":["AWSPENDING"]},"responseElements":{"arn":"`+arn+`","versionId":"v2"}`),
			of(secretsevents.ValueChanged, "PutSecretValue", arn, "", "AWSPENDING", "v2")},
		{"put, no answer", call("PutSecretValue", `,"requestParameters":{"secretId":"prod/db"},"responseElements":null`),
			of(secretsevents.ValueChanged, "PutSecretValue", "prod/db", "", "", "")},
		{"an older record", call("UpdateSecret", `,"requestParameters":{"secretId":"x"},"responseElements":{"aRN":"`+arn+`","name":"prod/db"}`),
			of(secretsevents.ValueChanged, "UpdateSecret", arn, "prod/db", "", "")},
		{"move", call("UpdateSecretVersionStage", `,"requestParameters":{"secretId":"prod/db","versionStage":"AWSCURRENT","moveToVersionId":"v2","removeFromVersionId":"v1"},"responseElements":{"arn":"`+arn+`"}`),
			of(secretsevents.LabelMoved, "UpdateSecretVersionStage", arn, "", "AWSCURRENT", "v2")},
		{"create", call("CreateSecret", `,"requestParameters":{"name":"prod/db"},"responseElements":{"arn":"`+arn+`","versionId":"v1"}`),
			of(secretsevents.ValueChanged, "CreateSecret", arn, "", "AWSCURRENT", "v1")},
		{"delete", call("DeleteSecret", `,"requestParameters":{"secretId":"`+arn+`"}`), of(secretsevents.Deletion, "DeleteSecret", arn, "", "", "")},
		{"rotation", trail("AWS Service Event via CloudTrail", `{"eventSource":"secretsmanager.amazonaws.com","eventName":"RotationSucceeded","additionalEventData":{"SecretId":"`+arn+`"}}`),
			of(secretsevents.Rotation, "RotationSucceeded", arn, "", "", "")},
		{"a read", call("GetSecretValue", `,"requestParameters":{"secretId":"prod/db"}`), secretsevents.Event{}},
		{"a call that failed", call("PutSecretValue", `,"errorCode":"AccessDenied","requestParameters":{"secretId":"prod/db"}`), secretsevents.Event{}},
		{"another service's call", trail("AWS API Call via CloudTrail", `{"eventSource":"kms.amazonaws.com","eventName":"PutSecretValue"}`), secretsevents.Event{}},
		{"another source", strings.Replace(native, "aws.secretsmanager", "aws.s3", 1), secretsevents.Event{}},
		{"another type", strings.Replace(native, "Secret Label Updated", "Something New", 1), secretsevents.Event{}},
		{"a subscription", `{"Type":"SubscriptionConfirmation","Message":"You have chosen","SubscribeURL":"https://example.com"}`, secretsevents.Event{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got, err := secretsevents.Parse([]byte(test.message)); err != nil || got != test.want {
				t.Errorf("got %+v, %v; want %+v", got, err, test.want)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	tests := map[string]string{
		"nothing": "", "text": "hunter2", "a number": "7", "null": "null", "an empty object": "{}", "half": native[:len(native)/2],
		"no secret":        strings.Replace(strings.Replace(native, arn, "", 1), `"prod/db"`, `""`, 1),
		"a detail of text": strings.Replace(native, `"versionId":"v2"`, `"versionId":["hunter2"]`, 1),
		"text in SNS":      inSNS("hunter2"), "too deep": inSQS(inSQS(inSQS(native))),
	}
	for name, message := range tests {
		if e, err := secretsevents.Parse([]byte(message)); !errors.Is(err, secretsevents.ErrMalformed) || e != (secretsevents.Event{}) {
			t.Errorf("%s: got %+v, %v; want ErrMalformed", name, e, err)
		} else if strings.Contains(fmt.Sprintf("%+v", err), "hunter2") {
			t.Errorf("%s: the error quotes the message: %v", name, err)
		}
	}
	if _, err := secretsevents.Parse(make([]byte, secretsevents.MaxSize+1)); err != secretsevents.ErrTooLarge {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
}

// TestParseFake reads what the fake sends.
func TestParseFake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.New(t, nil)
		var got []secretsevents.Event
		srv.OnEvent(func(b []byte) {
			e, err := secretsevents.Parse(b)
			if err != nil {
				t.Error(err)
			}
			got = append(got, e)
		})
		id := srv.Put("s", "one")
		synctest.Wait()
		if len(got) != 1 || got[0].Kind != secretsevents.LabelMoved || got[0].SecretID != srv.ARN("s") || got[0].VersionID != id || got[0].Time.IsZero() {
			t.Errorf("got %+v", got)
		}
	})
}

func TestKindString(t *testing.T) {
	for k := secretsevents.Unrelated; k <= secretsevents.Deletion; k++ {
		if s := k.String(); s == "unknown" || s == "" {
			t.Errorf("kind %d is %q", k, s)
		}
	}
	if s := secretsevents.Kind(99).String(); s != "unknown" {
		t.Errorf("got %q", s)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{native, inSNS(native), inSQS(inSNS(native)), call("PutSecretValue", `,"requestParameters":{"secretId":"x"}`), "{}", `{"Type":"Notification","Message":"{}"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := secretsevents.Parse(data)
		switch {
		case err != nil && e != (secretsevents.Event{}):
			t.Errorf("an error and an event: %+v, %v", e, err)
		case err != nil && err != secretsevents.ErrMalformed && err != secretsevents.ErrTooLarge:
			t.Errorf("got %v", err)
		case err == nil && e.Kind != secretsevents.Unrelated && e.SecretID == "":
			t.Errorf("an event of no secret: %+v", e)
		}
	})
}
