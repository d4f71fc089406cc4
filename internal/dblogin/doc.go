// Package dblogin is what [github.com/seed-74dc7b3e/secrets/sqlcred] and
// [github.com/seed-74dc7b3e/secrets/rotate] share of database logins: the
// secret's JSON, data source names, what an error of a login means, and how
// such an error is freed of the password. It does no I/O and imports no driver.
package dblogin
