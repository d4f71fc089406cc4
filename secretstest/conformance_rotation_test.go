package secretstest_test

import (
	"context"
	"strings"
	"time"

	"github.com/seed-74dc7b3e/secrets/rotate"
)

const noFunction = "arn:aws:lambda:us-east-1:123456789012:function:none"

var rotationFacts = []fact{
	{recorded, "RotateSecret without a function ever is refused", func(c *conf) {
		c.create("a", "v")
		c.fails("RotateSecret", m{"SecretId": c.name("a")}, "InvalidRequestException", "No Lambda rotation function ARN is associated with this secret.")
	}},
	{recorded, "RotateSecret without a token is refused", func(c *conf) {
		c.create("a", "v")
		c.rawFails("RotateSecret", `{"SecretId":"`+c.name("a")+`"}`, "InvalidParameterException", tokenText)
	}},
	{recorded, "RotateSecret: the token is asked for before the secret is looked up", func(c *conf) {
		c.rawFails("RotateSecret", `{"SecretId":"`+c.name("none")+`"}`, "InvalidParameterException", tokenText)
	}},
	{documented, "RotateSecret of an unknown secret", func(c *conf) {
		c.fails("RotateSecret", m{"SecretId": c.name("none"), "RotationLambdaARN": noFunction}, "ResourceNotFoundException", notFoundText)
	}},
	{recorded, "RotateSecret with a function that cannot be invoked is refused", func(c *conf) {
		c.create("a", "v")
		c.fails("RotateSecret", m{"SecretId": c.name("a"), "RotationLambdaARN": noFunction}, "AccessDeniedException",
			"Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to the principal secretsmanager.amazonaws.com.")
	}},
	{recorded, "a refused RotateSecret changes nothing", func(c *conf) {
		c.create("a", "v")
		before := c.ok("DescribeSecret", m{"SecretId": c.name("a")})
		c.fails("RotateSecret", m{"SecretId": c.name("a"), "RotationLambdaARN": noFunction, "RotationRules": m{"AutomaticallyAfterDays": 30}}, "AccessDeniedException", "")
		c.eq("description", c.ok("DescribeSecret", m{"SecretId": c.name("a")}), before)
	}},
	fakeFact(documented, "RotateSecret runs the four steps and answers the new version", func(c *conf) {
		old := c.create("a", "v")["VersionId"].(string)
		fn, steps := rotator(c.fake.Client())
		c.fake.HandleRotation(lambda, fn)
		out := c.ok("RotateSecret", m{"SecretId": c.name("a"), "RotationLambdaARN": lambda})
		c.eq("rotation", c.fake.Rotation(c.name("a")).Wait(), nil)
		c.eq("steps", *steps, fourSteps)
		c.eq("current", c.ok("GetSecretValue", m{"SecretId": c.name("a")})["VersionId"], out["VersionId"])
		c.eq("previous", c.ok("GetSecretValue", m{"SecretId": c.name("a"), "VersionStage": "AWSPREVIOUS"})["VersionId"], old)
		c.eq("labels", c.fake.Stages(c.name("a")), map[string][]string{old: {"AWSPREVIOUS"}, out["VersionId"].(string): {"AWSCURRENT"}})
	}),
	fakeFact(documented, "the token of RotateSecret is the id of the new version", func(c *conf) {
		rotating(c)
		t := token()
		c.eq("VersionId", c.ok("RotateSecret", m{"SecretId": c.name("a"), "ClientRequestToken": t})["VersionId"], t)
	}),
	fakeFact(recorded, "DescribeSecret has the rotation once there was one", func(c *conf) {
		rotating(c)
		out := c.ok("DescribeSecret", m{"SecretId": c.name("a")})
		c.eq("RotationEnabled", out["RotationEnabled"], true)
		c.eq("RotationLambdaARN", out["RotationLambdaARN"], lambda)
		c.eq("RotationRules", out["RotationRules"], m{"AutomaticallyAfterDays": 30.0})
		c.has(out, "LastRotatedDate", "NextRotationDate")
	}),
	fakeFact(documented, "NextRotationDate is the last second of the window", func(c *conf) {
		rotating(c)
		out := c.ok("DescribeSecret", m{"SecretId": c.name("a")})
		last, err := time.Parse(time.RFC3339, out["LastRotatedDate"].(string))
		if err != nil {
			c.differ("LastRotatedDate: %v", err)
		}
		last = last.UTC()
		want := time.Date(last.Year(), last.Month(), last.Day()+30, 23, 59, 59, 0, time.UTC)
		if next, err := time.Parse(time.RFC3339, out["NextRotationDate"].(string)); err != nil || !next.Equal(want) {
			c.differ("NextRotationDate: got %v, want %v", out["NextRotationDate"], want)
		}
	}),
	fakeFact(recorded, "RotateSecret without arguments uses the function and the rules there are", func(c *conf) {
		rotating(c)
		c.ok("RotateSecret", m{"SecretId": c.name("a")})
		c.eq("rotation", c.fake.Rotation(c.name("a")).Wait(), nil)
		out := c.ok("DescribeSecret", m{"SecretId": c.name("a")})
		c.eq("RotationRules", out["RotationRules"], m{"AutomaticallyAfterDays": 30.0})
		c.eq("versions", len(c.stages(c.name("a"))), 2)
	}),
	fakeFact(documented, "RotateImmediately false leaves the value", func(c *conf) {
		id := c.create("a", "v")["VersionId"]
		fn, _ := rotator(c.fake.Client())
		c.fake.HandleRotation(lambda, fn)
		c.ok("RotateSecret", m{"SecretId": c.name("a"), "RotationLambdaARN": lambda, "RotateImmediately": false, "RotationRules": m{"AutomaticallyAfterDays": 30}})
		c.fake.Rotation(c.name("a")).Wait()
		c.eq("current", c.ok("GetSecretValue", m{"SecretId": c.name("a")})["VersionId"], id)
		c.eq("RotationEnabled", c.ok("DescribeSecret", m{"SecretId": c.name("a")})["RotationEnabled"], true)
	}),
	fakeFact(documented, "a number of days and a schedule exclude each other", func(c *conf) {
		c.create("a", "v")
		c.fake.HandleRotation(lambda, func(context.Context, rotate.Event) error { return nil })
		c.fails("RotateSecret", m{"SecretId": c.name("a"), "RotationLambdaARN": lambda,
			"RotationRules": m{"AutomaticallyAfterDays": 30, "ScheduleExpression": "rate(10 days)"}},
			"InvalidParameterException", "You cannot specify both rotation frequency and schedule expression together.")
	}),
	badRule("rate(3 hours)", "", "Rate in hour should be least 4 and less than 24."),
	badRule("rate(1000 days)", "", "Rate in day should be greater than 0 and less than 1000."),
	badRule("every day", "", "Invalid schedule expression."),
	badRule("cron(30 8 * * ? *)", "", "Invalid schedule expression."),
	badRule("rate(10 days)", "25h", "Duration must be at least 1 hour, at most 24 hour."),
	badRule("rate(4 hours)", "5h", "Duration cannot be greater than Rate in hour."),
	badRule("cron(0 22 * * ? *)", "3h", "Starting hour and duration must be within a day."),
	fakeFact(documented, "the pending version exists before it has a value", func(c *conf) {
		c.create("a", "v")
		seen := make(chan *apiError, 1)
		var stages map[string][]string
		c.fake.HandleRotation(lambda, func(_ context.Context, e rotate.Event) error {
			if e.Step == rotate.CreateSecret {
				stages = c.stages(c.name("a"))
				_, err := c.call("GetSecretValue", m{"SecretId": c.name("a"), "VersionStage": "AWSPENDING"})
				seen <- err
			}
			return context.Canceled // ends the rotation
		})
		out := c.ok("RotateSecret", m{"SecretId": c.name("a"), "RotationLambdaARN": lambda})
		c.same("GetSecretValue", <-seen, "ResourceNotFoundException", valueText+"staging label: AWSPENDING")
		c.fake.Rotation(c.name("a")).Wait()
		c.eq("labels of the new version", stages[out["VersionId"].(string)], []string{"AWSPENDING"})
	}),
	fakeFact(documented, "RotateSecret during a rotation is refused", func(c *conf) {
		c.create("a", "v")
		c.fake.HandleRotation(lambda, func(_ context.Context, e rotate.Event) error { return context.Canceled })
		c.ok("RotateSecret", m{"SecretId": c.name("a"), "RotationLambdaARN": lambda})
		c.fake.Rotation(c.name("a")).Wait()
		c.fails("RotateSecret", m{"SecretId": c.name("a")}, "InvalidRequestException", "")
	}),
	fakeFact(documented, "CancelRotateSecret turns rotation off", func(c *conf) {
		rotating(c)
		c.eq("Name", c.ok("CancelRotateSecret", m{"SecretId": c.name("a")})["Name"], c.name("a"))
		out := c.ok("DescribeSecret", m{"SecretId": c.name("a")})
		c.eq("RotationEnabled", out["RotationEnabled"], false)
		c.lacks(out, "NextRotationDate")
	}),
	{documented, "CancelRotateSecret of an unknown secret", func(c *conf) {
		c.fails("CancelRotateSecret", m{"SecretId": c.name("none")}, "ResourceNotFoundException", notFoundText)
	}},
}

// rotating makes a secret that has been rotated once and will be every 30 days.
func rotating(c *conf) {
	c.create("a", "v")
	fn, _ := rotator(c.fake.Client())
	c.fake.HandleRotation(lambda, fn)
	c.ok("RotateSecret", m{"SecretId": c.name("a"), "RotationLambdaARN": lambda, "RotationRules": m{"AutomaticallyAfterDays": 30}})
	r := c.fake.Rotation(c.name("a"))
	c.eq("rotation", r.Wait(), nil)
	r.Release()
}

// badRule is a fact about a schedule that is refused.
func badRule(schedule, duration, text string) fact {
	return fakeFact(documented, strings.TrimSpace("the schedule "+schedule+" "+duration)+" is refused", func(c *conf) {
		c.create("a", "v")
		c.fake.HandleRotation(lambda, func(context.Context, rotate.Event) error { return nil })
		rules := m{"ScheduleExpression": schedule}
		if duration != "" {
			rules["Duration"] = duration
		}
		c.fails("RotateSecret", m{"SecretId": c.name("a"), "RotationLambdaARN": lambda, "RotationRules": rules}, "InvalidParameterException", text)
		c.lacks(c.ok("DescribeSecret", m{"SecretId": c.name("a")}), "RotationEnabled", "RotationRules")
	})
}
