// Package otelsecrets tells OpenTelemetry what a secrets.Client does. It has
// metrics of its cache, and spans of its calls to AWS Secrets Manager.
//
//	telemetry, err := otelsecrets.New(nil)
//	...
//	client, err := secrets.New(api, &secrets.Options{OnEvent: telemetry.OnEvent})
//	...
//	stop, err := telemetry.Observe(client)
//	...
//	defer stop()
//
// It is a module of its own: the program that does not import it does not get
// OpenTelemetry.
//
// # Metrics
//
// The metrics are read from memory when a reader collects them, without a
// request and without a read of any secret; only rpc.client.call.duration is
// recorded as calls end. Its name, unit and attributes are those of the
// semantic conventions for RPC clients. There are no conventions for caches, so
// the others have a prefix of their own.
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
// The two ages are those of the oldest: of the rotation that has been outstanding
// for longest (0 if none is), and of the confirmation of the secret that the service
// confirmed the longest time ago. The values of error.type are those of
// secrets.FailureClass. No name and no ARN is an attribute of a metric: there
// may be thousands of secrets. To tell several clients from each other, give each
// its own [Options.Attributes].
//
// # Spans
//
// A call to the service is a client span, "Secrets Manager.GetSecretValue", in the trace
// of the read that caused it, or a trace of its own where that is a refresh in the
// background. A read that waited for a call is a span "secrets wait" in the
// reader's trace, with a link to the span of the call that served it: one call may serve
// many readers. Reads from memory make no span.
//
//	attribute                       of
//	rpc.system.name, rpc.method     a call: "aws-api", "SecretsManager/GetSecretValue"
//	aws.secretsmanager.secret.arn   a call, a wait, where the ARN is known
//	secrets.secret.ids              a call, a wait: the ids that were asked for
//	error.type                      a call or a wait that failed: its secrets.FailureClass
//
// Spans are made when the call has ended, with the times of its beginning and end. What
// instruments the SDK itself, such as otelaws, therefore makes spans that are siblings
// of these, not children.
//
// No value of a secret is in a metric or a span. A span's status has the error's text,
// which names the secret, and AWS's texts the caller.
package otelsecrets
