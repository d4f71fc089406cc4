// Package otelsecrets exports OpenTelemetry metrics and spans of a secrets
// client. The metrics describe its cache; the spans are its calls to AWS
// Secrets Manager.
//
//	telemetry, err := otelsecrets.New(nil)
//	...
//	client, err := secrets.New(api, &secrets.Options{OnEvent: telemetry.OnEvent})
//	...
//	stop, err := telemetry.Observe(client)
//	...
//	defer stop()
//
// It is a separate module, so that programs that do not import it do not depend
// on OpenTelemetry.
//
// # Metrics
//
// The metrics are read from memory when a metric reader collects them. A
// collection makes no request and reads no secret. Only
// rpc.client.call.duration is recorded when a call ends. Its name, unit and
// attributes are those of the semantic conventions for RPC clients. There are
// no conventions for caches, so the other metrics have their own prefix.
//
//	metric                              unit       attributes
//	rpc.client.call.duration            s          rpc.system.name, rpc.method, error.type
//	secrets.cache.reads                 {read}     secrets.cache.result: hit, miss, stale, negative
//	secrets.cache.calls                 {call}     rpc.method
//	secrets.cache.call.errors           {call}     error.type
//	secrets.cache.refreshes             {refresh}
//	secrets.cache.versions              {version}  secrets.cache.outcome: adopted, refused, rejected
//	secrets.cache.removals              {secret}   secrets.cache.reason: evicted, denied
//	secrets.cache.events.dropped        {event}
//	secrets.cache.secret.count          {secret}
//	secrets.cache.secret.failing        {secret}   error.type
//	secrets.cache.secret.stale          {secret}
//	secrets.cache.secret.rotating       {secret}
//	secrets.cache.rotation.age          s
//	secrets.cache.refusals              {type}
//	secrets.cache.pins                  {handle}
//	secrets.cache.confirmation.age      s
//
// Each of the two ages is the largest over all secrets.
// secrets.cache.rotation.age is the age of the rotation that has been
// outstanding the longest (0 if none is). secrets.cache.confirmation.age is the
// time since the oldest confirmation of a secret by the service. The values of
// error.type are those of secrets.FailureClass. Metrics have no names or ARNs
// as attributes, since there may be thousands of secrets. To distinguish
// several clients, give each its own [Options.Attributes].
//
// # Spans
//
// A call to the service is a client span, for instance "Secrets
// Manager.GetSecretValue". It belongs to the trace of the read that caused it;
// a call of a background refresh has its own trace. A read that waited for a
// call is a span "secrets wait" in the reader's trace. It has a link to the
// span of the call, because one call may serve many readers. Reads from memory
// make no span.
//
//	attribute                       of
//	rpc.system.name, rpc.method     a call: "aws-api", "SecretsManager/GetSecretValue"
//	aws.secretsmanager.secret.arn   a call, a wait, where the ARN is known
//	secrets.secret.ids              a call, a wait: the ids that were asked for
//	error.type                      a call or a wait that failed: its secrets.FailureClass
//
// A span is created after the call has ended, with the start and end times of
// the call. Therefore the spans of libraries that instrument the SDK itself,
// such as otelaws, are siblings of these spans, not children.
//
// No metric or span contains a secret value. The status of a span contains the
// error text, which names the secret and, in AWS's texts, the caller.
package otelsecrets
