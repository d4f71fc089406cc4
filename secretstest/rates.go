package secretstest

// A rateKey identifies what a rate applies to.
type rateKey struct{ account, region, op string }

// quotas are the documented rates of operations, in calls a second for an
// account in a region.
var quotas = map[string]float64{
	"GetSecretValue": 10_000, "DescribeSecret": 40_000, "BatchGetSecretValue": 100, "ListSecrets": 100,
}

// defaultQuota is the rate of every other operation.
const defaultQuota = 50

var errThrottled = &apiError{code: "ThrottlingException", message: "Rate exceeded"}

// throttleLocked refuses a call above the rate of its operation. A call to
// another account's secret counts against the caller's.
func (s *Server) throttleLocked(c *call) error {
	if !s.opts.EnforceRates {
		return nil
	}
	quota, ok := quotas[c.op.name]
	if !ok {
		quota = defaultQuota
	}
	if s.rates.Allow(rateKey{c.caller.account, c.region, c.op.name}, quota, c.now) {
		return nil
	}
	return errThrottled
}
