package secretstest

import (
	"regexp"
	"strings"
)

var completeARN = regexp.MustCompile(`-[A-Za-z0-9]{6}$`)

// secretARN takes the ARN of a secret apart, which must be of the region's
// partition. The name has its suffix, if the ARN had one.
func secretARN(arn string) (account, region, name string, ok bool) {
	parts := strings.SplitN(arn, ":", 7)
	if len(parts) != 7 || parts[0] != "arn" || parts[1] != partition(parts[3]) || parts[2] != "secretsmanager" || parts[5] != "secret" {
		return "", "", "", false
	}
	return parts[4], parts[3], parts[6], true
}

// arnOf returns the ARN of a secret.
func arnOf(region, account, name, suffix string) string {
	return "arn:" + partition(region) + ":secretsmanager:" + region + ":" + account + ":secret:" + name + "-" + suffix
}

// partition returns the partition that a region is in.
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// partitionOf returns the partition of an ARN.
func partitionOf(arn string) string {
	_, rest, _ := strings.Cut(arn, ":")
	p, _, _ := strings.Cut(rest, ":")
	return p
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
