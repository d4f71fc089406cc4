package secretstest

import "github.com/seed-74dc7b3e/secrets/secretstest/internal/password"

// passwordAnswer is the answer to GetRandomPassword.
type passwordAnswer struct{ RandomPassword string }

func getRandomPassword(c *call) (any, error) {
	if err := c.authorize("GetRandomPassword", nil, "*"); err != nil {
		return nil, err
	}
	p := password.Input{
		Length:             c.in.num("PasswordLength", 0),
		ExcludeCharacters:  c.in.str("ExcludeCharacters"),
		ExcludeNumbers:     c.in.flag("ExcludeNumbers", false),
		ExcludePunctuation: c.in.flag("ExcludePunctuation", false),
		ExcludeUppercase:   c.in.flag("ExcludeUppercase", false),
		ExcludeLowercase:   c.in.flag("ExcludeLowercase", false),
		IncludeSpace:       c.in.flag("IncludeSpace", false),
	}
	each := c.in.flag("RequireEachIncludedType", true)
	p.RequireEach = &each
	pw, err := password.New(p)
	if err != nil {
		return nil, invalidParameter("%s", err)
	}
	return &passwordAnswer{pw}, nil
}
