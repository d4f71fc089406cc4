// Package secretconf fills a struct from several AWS Secrets Manager secrets.
// When any of the secrets changes, it fills a new struct as a whole.
//
//	type Config struct {
//		DB struct {
//			Password string `secret:"prod/db,json=password"`
//			Port     int    `secret:"prod/db,json=port"`
//		}
//		APIKey  string            `secret:"prod/api-key"`
//		Flags   map[string]string `secret:"prod/flags,optional"`
//		Signing []byte            `secret:"$SIGNING_SECRET"`
//	}
//
//	conf, err := secretconf.Bind[Config](client, &secretconf.Options{Getenv: os.LookupEnv})
//	...
//	c, err := conf.Get(ctx) // *Config
//
// A tag is the name or ARN of a secret, followed by options after commas.
// json=path selects a field of the secret's JSON object, with dots for nested
// fields. optional leaves the struct field zero if the secret or the JSON field
// does not exist. A string gets the text of the secret, and a []byte its bytes.
// Any other type is decoded from JSON, or by its UnmarshalText method if it has
// one. With json=, encoding/json decodes the field. The fields of structs
// without a tag are filled too.
//
// The secrets are fetched together, 20 per request, and each only once, even if
// it fills several fields. All problems are reported together: an *[Error]
// names every field that cannot be filled. If *T has a method Validate() error,
// it is called on the filled struct.
//
// A field that is read from JSON into a struct can have the tags
// `secret:"required"` and `secret:"strict"`, as for [secrets.Bind]. An error with
// a method PublicError is shown as there.
//
// [Config.Get] returns a pointer to a struct that was filled from one set of
// versions and never changes afterward. When a secret has a new version, the
// next Get returns another struct. If that cannot be filled, because the new
// version does not fit or Validate refuses it, the old struct stays in use, and
// [Config.Err] and [Config.Watch] report why. If two secrets change one after
// the other, a Get between the changes may see only the first. Validate can
// refuse a combination that does not belong together; the old struct then stays
// in use until both have changed.
//
// An environment variable in a tag holds the name of a secret, not its value;
// do not put secret values into environment variables. Bind looks variables up
// once, and only if Options.Getenv is set.
//
// This package prints no values. T is the program's own type, and the program
// decides how it prints.
package secretconf
