// Package dblogin contains the code for database logins that
// [github.com/seed-74dc7b3e/secrets/sqlcred] and
// [github.com/seed-74dc7b3e/secrets/rotate] share: it decodes the secret's JSON,
// builds data source names, classifies the errors of logins, and removes passwords
// from them. It does no I/O and imports no driver.
package dblogin
