package secrets

import (
	"reflect"

	"github.com/seed-74dc7b3e/secrets/internal/jsonfield"
)

// declaredField returns the part of a decoder's path that T declares. The rest may
// be keys of maps, which are the secret's.
func declaredField[T any](path string) string {
	return jsonfield.Declared(reflect.TypeFor[T](), path)
}
