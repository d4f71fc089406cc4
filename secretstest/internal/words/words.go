// Package words holds the errors that are answered in the service's own words.
package words

// An Error is an error whose text is the service's, capitals, periods and all.
type Error string

// Error returns the text.
func (e Error) Error() string { return string(e) }
