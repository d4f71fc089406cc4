package shape

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed-74dc7b3e/secrets/secretstest/internal/words"
)

// redacted stands for a value that the service does not repeat.
const redacted = "***sensitive***"

// Validate checks the decoded body of a request against the constraints of the
// service's model. It returns the message of a ValidationException with every
// violation, or "" if there is none. It ignores members that the model does not
// have, and treats null as absent. The input must have passed [CheckTypes];
// unknown operations have no constraints.
func Validate(op string, in map[string]any) (violations string) {
	s, ok := operationInputs[op]
	if !ok {
		return ""
	}
	var v violationList
	v.structure("", s, in)
	if len(v) == 0 {
		return ""
	}
	errs := "errors"
	if len(v) == 1 {
		errs = "error"
	}
	return fmt.Sprintf("%d validation %s detected: %s", len(v), errs, strings.Join(v, "; "))
}

// A violationList collects the violations of one request.
type violationList []string

func (v *violationList) add(path, value, constraint string) {
	*v = append(*v, fmt.Sprintf("Value %s at '%s' failed to satisfy constraint: %s", value, path, constraint))
}

// structure checks the members of a structure. The path is the path of the
// structure itself, empty or ending in a dot.
func (v *violationList) structure(path string, s *shape, in map[string]any) {
	for _, m := range s.members {
		value, p := in[m.name], path+lowerFirst(m.name)
		switch {
		case value != nil:
			v.value(p, m.shape, value)
		case m.required:
			v.add(p, "null", "Member must not be null")
		}
	}
}

func (v *violationList) value(path string, s *shape, value any) {
	for _, c := range s.broken(value) {
		v.add(path, "'"+printValue(s, value)+"'", c)
	}
	switch s.kind {
	case kindStructure:
		if in, ok := value.(map[string]any); ok {
			v.structure(path+".", s, in)
		}
	case kindList:
		list, _ := value.([]any)
		v.elements(path, s, list)
	}
}

// elements checks the elements of a list: structures one by one, scalars
// under the name of the list.
func (v *violationList) elements(path string, s *shape, list []any) {
	for i, e := range list {
		if s.elem.kind == kindStructure {
			if in, ok := e.(map[string]any); ok {
				v.structure(fmt.Sprintf("%s.%d.member.", path, i+1), s.elem, in)
				continue
			}
		}
		if e == nil || len(s.elem.broken(e)) > 0 {
			all := append(s.elem.constraints(), "Member must not be null")
			v.add(path, "'"+printValue(s, list)+"'",
				"Member must satisfy constraint: ["+strings.Join(all, ", ")+"]")
			return
		}
	}
}

// The texts of the constraints.
const (
	tooLong  = "Member must have length less than or equal to %d"
	tooShort = "Member must have length greater than or equal to %d"
	tooBig   = "Member must have value less than or equal to %d"
	tooSmall = "Member must have value greater than or equal to %d"
	mismatch = "Member must satisfy regular expression pattern: %s"
	notEnum  = "Member must satisfy enum value set: %s"
)

// constraints returns the texts of all constraints on a scalar.
func (s *shape) constraints() []string {
	var all []string
	if s.max > 0 {
		all = append(all, fmt.Sprintf(tooLong, s.max), fmt.Sprintf(tooShort, s.min))
	}
	if s.pattern != nil {
		all = append(all, fmt.Sprintf(mismatch, s.patternText()))
	}
	return all
}

// broken returns the texts of the constraints that a value breaks, not
// counting those of its members and elements.
func (s *shape) broken(value any) []string {
	short, long := tooShort, tooLong
	var n int
	switch s.kind {
	case kindString:
		n = s.stringLength(value.(string))
	case kindBlob:
		b, _ := DecodeBlob(value.(string))
		n = len(b)
	case kindList:
		n = len(value.([]any))
	case kindInteger:
		short, long = tooSmall, tooBig
		n = int(Integer(value.(json.Number)))
	default:
		return nil
	}
	var all []string
	bounded := s.min != 0 || s.max != 0
	if s.max > 0 && n > s.max {
		all = append(all, fmt.Sprintf(long, s.max))
	}
	if bounded && n < s.min {
		all = append(all, fmt.Sprintf(short, s.min))
	}
	if s.pattern != nil && !s.pattern.MatchString(value.(string)) {
		all = append(all, fmt.Sprintf(mismatch, s.patternText()))
	}
	if s.enum != nil && !slices.Contains(s.enum, value.(string)) {
		all = append(all, fmt.Sprintf(notEnum, s.enumText))
	}
	return all
}

func (s *shape) stringLength(text string) int {
	if s.bytes {
		return len(text)
	}
	return utf8.RuneCountInString(text)
}

// patternText returns the pattern as the model has it.
func (s *shape) patternText() string {
	p := s.pattern.String()
	if inner, ok := strings.CutPrefix(p, "^(?:"); ok {
		return strings.TrimSuffix(inner, ")$")
	}
	return p
}

// printValue prints a value as the service's messages do.
func printValue(s *shape, value any) string {
	if s.sensitive {
		return redacted
	}
	switch value := value.(type) {
	case nil:
		return "null"
	case []any:
		var b strings.Builder
		for i, e := range value {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(printValue(s.elem, e))
		}
		return "[" + b.String() + "]"
	case map[string]any:
		var parts []string
		for _, m := range s.members {
			if e := value[m.name]; e != nil {
				parts = append(parts, lowerFirst(m.name)+"="+printValue(m.shape, e))
			}
		}
		return s.name + "(" + strings.Join(parts, ", ") + ")"
	}
	return fmt.Sprint(value)
}

// CheckTypes reports the first member of a request whose JSON type is not the
// one in the service's model, in the words of a SerializationException. It
// never repeats a value.
func CheckTypes(op string, in map[string]any) error {
	if s, ok := operationInputs[op]; ok {
		return s.checkType(in)
	}
	return nil
}

var (
	errStructureFound = words.Error("Start of structure or map found where not expected.")
	errListFound      = words.Error("Start of list found where not expected")
	errFieldType      = words.Error("Unexpected field type")
	errBlob           = words.Error("Invalid base64 in blob")
)

func (s *shape) checkType(value any) error {
	switch value := value.(type) {
	case nil:
		return nil
	case map[string]any:
		if s.kind != kindStructure {
			return errStructureFound
		}
		for _, m := range s.members {
			if err := m.shape.checkType(value[m.name]); err != nil {
				return err
			}
		}
		return nil
	case []any:
		if s.kind != kindList {
			return errListFound
		}
		for _, e := range value {
			if err := s.elem.checkType(e); err != nil {
				return err
			}
		}
		return nil
	}
	return s.checkScalar(value)
}

func (s *shape) checkScalar(value any) error {
	ok, token := false, ""
	switch value := value.(type) {
	case string:
		ok, token = s.kind == kindString || s.kind == kindBlob, "STRING_VALUE"
		if s.kind == kindBlob {
			if _, err := DecodeBlob(value); err != nil {
				return errBlob
			}
		}
	case json.Number:
		_, err := value.Int64()
		ok, token = s.kind == kindInteger && err == nil, "NUMBER_VALUE"
	case bool:
		ok, token = s.kind == kindBoolean, strings.ToUpper(fmt.Sprint(value))+"_VALUE"
	}
	if ok {
		return nil
	}
	switch s.kind {
	case kindString:
		return words.Error(token + " can not be converted to a String")
	case kindBlob:
		return words.Error(token + " can not be converted to a Blob")
	case kindInteger:
		return words.Error(token + " can not be converted to an Integer")
	case kindBoolean:
		return words.Error(token + " can not be converted to a Boolean")
	}
	return errFieldType
}

// DecodeBlob decodes the base64 of a blob.
func DecodeBlob(s string) ([]byte, error) { return base64.StdEncoding.DecodeString(s) }

// Integer returns a number that has passed CheckTypes.
func Integer(n json.Number) int64 {
	i, _ := n.Int64()
	return i
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
