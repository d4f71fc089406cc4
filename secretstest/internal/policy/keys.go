package policy

import (
	"slices"
	"strings"
)

// knownKeys are the condition keys, in lower case, that a request for this
// service may have. One that ends in a slash is followed by the key of a tag.
var knownKeys = []string{
	"secretsmanager:addreplicaregions", "secretsmanager:blockpublicpolicy", "secretsmanager:description",
	"secretsmanager:forcedeletewithoutrecovery", "secretsmanager:forceoverwritereplicasecret",
	"secretsmanager:kmskeyarn", "secretsmanager:kmskeyid", "secretsmanager:modifyrotationrules",
	"secretsmanager:name", "secretsmanager:recoverywindowindays", "secretsmanager:resource/allowrotationlambdaarn",
	"secretsmanager:resourcetag/", "secretsmanager:rotateimmediately", "secretsmanager:rotationlambdaarn",
	"secretsmanager:secretid", "secretsmanager:secretprimaryregion", "secretsmanager:type",
	"secretsmanager:externalsecretrotationrolearn", "secretsmanager:versionid", "secretsmanager:versionstage",

	"aws:assumedroot", "aws:calledvia", "aws:calledviafirst", "aws:calledvialast", "aws:chatbotsourcearn",
	"aws:currenttime", "aws:ec2instancesourceprivateipv4", "aws:ec2instancesourcevpc", "aws:epochtime",
	"aws:federatedprovider", "aws:multifactorauthage", "aws:multifactorauthpresent", "aws:principalaccount",
	"aws:principalarn", "aws:principalisawsservice", "aws:principalorgid", "aws:principalorgpaths",
	"aws:principalservicename", "aws:principalservicenameslist", "aws:principaltag/", "aws:principaltype",
	"aws:referer", "aws:requestedregion", "aws:requesttag/", "aws:resourceaccount", "aws:resourceorgid",
	"aws:resourceorgpaths", "aws:resourcetag/", "aws:securetransport", "aws:sourceaccount", "aws:sourcearn",
	"aws:sourceidentity", "aws:sourceip", "aws:sourceorgid", "aws:sourceorgpaths", "aws:sourceowner",
	"aws:sourcevpc", "aws:sourcevpcarn", "aws:sourcevpce", "aws:tagkeys", "aws:tokenissuetime", "aws:useragent",
	"aws:userid", "aws:username", "aws:viaawsservice", "aws:vpceaccount", "aws:vpceorgid", "aws:vpceorgpaths",
	"aws:vpcsourceip", "kms:calleraccount", "kms:viaservice",
	"sts:externalid", "sts:rolesessionname", "iam:resourcetag/",
	"lambda:sourcefunctionarn", "ec2:sourceinstancearn", "ssm:sourceinstancearn",
	"identitystore:userid", "ec2:roledelivery",
}

// known reports whether a request may have a condition key, in lower case.
func known(key string) bool {
	if i := strings.IndexByte(key, '/'); i >= 0 && i+1 < len(key) && slices.Contains(knownKeys, key[:i+1]) {
		return true
	}
	return !strings.HasSuffix(key, "/") && slices.Contains(knownKeys, key)
}

// unknownKeys returns the condition keys of the policy, as they are written,
// that no request has.
func (p *Policy) unknownKeys() []string {
	var out []string
	for _, s := range p.statements {
		for _, c := range s.conditions {
			if !known(c.key) && !slices.Contains(out, c.written) {
				out = append(out, c.written)
			}
		}
	}
	slices.Sort(out)
	return out
}
