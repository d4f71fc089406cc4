package rotate

// A Step names one of the four steps of a rotation.
type Step string

// The steps, in the order in which Secrets Manager requests them.
const (
	CreateSecret Step = "createSecret"
	SetSecret    Step = "setSecret"
	TestSecret   Step = "testSecret"
	FinishSecret Step = "finishSecret"
)

// Steps returns the four steps of a rotation in order.
func Steps() []Step { return []Step{CreateSecret, SetSecret, TestSecret, FinishSecret} }

// An Event is the request of Secrets Manager to execute one step. A step may be
// delivered more than once.
type Event struct {
	// Step is the step to carry out.
	Step Step `json:"Step"`

	// SecretID is the ARN of the secret that is being rotated.
	SecretID string `json:"SecretId"`

	// ClientRequestToken is the id of the version that the rotation makes.
	ClientRequestToken string `json:"ClientRequestToken"`

	// RotationToken proves the rotation's identity if the function assumes a role
	// of another account. The Handler passes it to PutSecretValue. It is often
	// empty.
	RotationToken string `json:"RotationToken,omitempty"`
}
