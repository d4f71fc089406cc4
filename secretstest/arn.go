package secretstest

import (
	"regexp"
	"strings"
)

var completeARN = regexp.MustCompile(`-[A-Za-z0-9]{6}$`)

// secretARN takes the ARN of a secret apart. The name has its suffix, if the ARN
// had one.
func secretARN(arn string) (account, region, name string, ok bool) {
	parts := strings.SplitN(arn, ":", 7)
	if len(parts) != 7 || parts[0] != "arn" || parts[2] != "secretsmanager" || parts[5] != "secret" {
		return "", "", "", false
	}
	return parts[4], parts[3], parts[6], true
}

// checkName reports whether id has only characters that a name or an ARN may
// have.
func checkName(id string) error {
	if strings.HasPrefix(id, "arn:") {
		id = strings.ReplaceAll(id, ":", "")
	}
	if !plainName(id) {
		return errName
	}
	return nil
}

// plainName reports whether each character may stand in a name.
func plainName(name string) bool {
	for i := 0; i < len(name); i++ {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("-/_+=.@!", c) >= 0:
		default:
			return false
		}
	}
	return true
}
