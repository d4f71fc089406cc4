// Package secretconf fills one struct from many secrets of AWS Secrets Manager.
// It fills it anew, as one, when any of them changes.
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
// A tag is the name or ARN of a secret, and options after commas. json=path
// takes a field of the secret's JSON object, with dots for fields of fields;
// optional leaves the field zero where there is no such secret or no such JSON
// field. A string is the text of the secret, a []byte its bytes, anything else
// is read as JSON, or by its UnmarshalText method where it has one. With json= a
// field is what encoding/json makes of it. Structs without a tag are gone into.
//
// The secrets are fetched together, 20 a request, and each once however many
// fields it fills. What is wrong is returned at once: an [*Error] names every
// field that cannot be filled. A struct that is read as JSON may ask for its fields
// by the tags `secret:"required"` and `secret:"strict"`, as [secrets.Bind] has
// them, and an error's method PublicError shows its text as there. Where *T has a method Validate() error it is asked
// about the whole.
//
// A Config is never a mixture: [Config.Get] returns a pointer to a struct that
// was filled from one set of versions and never changes after. When a secret has
// a new version the next Get returns another struct. When that cannot be filled,
// because the new version does not fit or Validate refuses it, the old struct
// stays, and [Config.Err] and [Config.Watch] say why. Two secrets that are
// changed one after the other may be seen in between; Validate can refuse what
// does not go together, and the old struct stays until both have changed.
//
// What an environment variable holds is a name, not a value: a secret that is
// in one does not belong there. Names are looked up only where Options.Getenv
// allows it, once, by Bind.
//
// A T is the program's own, and prints as the program has it print; this package
// prints no values.
package secretconf
