package rotate

// What the tests need to see of the inside.
var (
	ScramVerifier = scramVerifier
	NativeHash    = nativeHash
	UserClauses   = userClauses
	AuthPlugins   = authPlugins
	RunToken      = runToken
	SplitNames    = splitNames
	QuoteLiteral  = quoteLiteral
	QuoteSetting  = quoteSetting
)

// GrantTo is grantTo for a user name and a host.
func GrantTo(grant, user, host string) (string, error) {
	return grantTo(grant, account{user, host})
}

// RevokeLost is revokeLost for a user name and a host.
func RevokeLost(have, want []string, user, host string) ([]string, error) {
	return revokeLost(have, want, account{user, host})
}
