// Package rotate implements rotation functions for AWS Secrets Manager. A
// rotation function changes a password, or any other credential, both in the
// system that checks it and in the secret that holds it.
//
// A rotation makes a new version of a secret in four steps. Secrets Manager
// requests each step with an [Event], perhaps more than once:
//
//   - createSecret makes the new value and stores it as AWSPENDING;
//   - setSecret makes the database or other system accept it;
//   - testSecret tries it;
//   - finishSecret moves the label AWSCURRENT to it.
//
// A [Handler] executes the steps. A [Rotator] does the part that depends on the
// kind of secret. [Postgres], [MySQL], [SQLServer], [Oracle] and [Redshift]
// return rotators for database users, and [Redis] returns one for users of
// Redis and Valkey. [APIKey] is a rotator made of callbacks. lambda.Start of
// github.com/aws/aws-lambda-go accepts the method Handle:
//
//	rotator := rotate.Postgres(rotate.Driver("pgx", nil), nil)
//	lambda.Start(rotate.Handler{API: client, Rotator: rotator}.Handle)
//
// [Run] performs a whole rotation in any Go program, without AWS Lambda.
//
// # What was tested, and how
//
//   - PostgreSQL 15: a real server. Every call of a rotation was interrupted,
//     killed or disconnected, single user and alternating users.
//   - MariaDB 10.11: the same, and two passwords per user.
//   - Redis 7.0: a real server, a cluster, TLS; two passwords per user.
//   - MySQL 5.7 and 8: scripted connections, also for RETAIN CURRENT PASSWORD; not
//     tested on a server.
//   - SQL Server, Oracle, Redshift: scripted connections. The connection strings
//     were parsed by the drivers go-mssqldb, go-ora and pgx.
//   - Valkey: not tested. It has Redis's commands for users.
//   - MongoDB, DocumentDB: not tested; see the example of APIKey that runs updateUser.
//   - Aurora, RDS Proxy: not tested; from their documentation.
//   - ElastiCache, MemoryDB: not supported. Their own API changes users, see [Redis].
//
// # Steps delivered twice, or not at all
//
// A Handler keeps no state between events. Each step may be repeated, after a
// failure or a success, even when the rotation is long over. A step does not
// repeat work that is already done. If a step is delivered twice at the same
// time, one of the two may fail, because the other has changed the password in
// the meantime. If a step failed or was interrupted, deliver it again, or all
// steps in order: the secret then has an AWSCURRENT version that logs in.
//
// # Database secrets
//
// The rotators for databases read and write secrets in the format that AWS
// documents ("JSON structure of AWS Secrets Manager secrets"): a JSON object
// with engine, host, port, username, password, dbname, masterarn and ssl. They
// replace only the text of the password and, with alternating users, of the
// username. Everything else stays unchanged, byte for byte: unknown fields, the
// format of numbers, the order, the white space.
//
// A secret without an engine, such as one that RDS manages, is assumed to have
// the rotator's engine. A secret with another engine is refused. createSecret
// first reads all secrets that the rotation needs, checks that they name a
// host, and makes the driver's connector. Only then does it store the new
// version.
//
// With a single user, the user changes its own password. Between setSecret and
// finishSecret only the AWSPENDING version logs in, unless
// [SQLOptions].TwoPasswords is set and the server can hold two passwords.
//
// With alternating users ([SQLOptions].Alternating) there are two users with
// the same rights, and AWSCURRENT uses one of them. A master user, whose secret
// masterarn names, changes the password of the other. So the version that was
// AWSCURRENT logs in until the next rotation.
//
// # Logins
//
// A step logs in with AWSPENDING, then AWSCURRENT, then AWSPREVIOUS, and tries
// each distinct password once. If all are refused, it tries AWSPENDING a second
// time, since an earlier delivery of the step may have taken effect in the
// meantime. It tries no other refused password again. Only a refused login
// leads to the next one (see [IsRejected]); a network failure, a failed TLS
// handshake or a blocked account ends the step.
//
// A step connects only if user, host, port and engine of the AWSPENDING version
// equal those of AWSCURRENT. It uses the address, the user and the TLS setting
// of AWSCURRENT with all three passwords.
//
// A step uses TLS and verifies the certificate and the host name, unless the
// secret has "ssl": false. The reason: a rotation sends the new password, for
// MySQL in plain text, it logs in as a master user, and it has no other
// configuration of TLS. (Package sqlcred interprets the field in the same way,
// but leaves TLS to the driver if the field is absent.) No failure makes a step
// continue without TLS.
//
// # What appears in the server's log
//
// For PostgreSQL this package computes a SCRAM-SHA-256 verifier, so no
// statement contains the password. For MariaDB it computes the hash of
// mysql_native_password, the only MariaDB method whose hash the standard
// library can compute. It refuses accounts that use another method (ed25519,
// parsec, unix_socket). MySQL accepts a new password from the account itself
// only in plain text. It masks the password before it writes a statement to its
// general, slow or binary log, unless it runs with --log-raw. TLS protects the
// password in transit.
//
// # Passwords that clients encode differently
//
// The rotators set only printable ASCII. A password from elsewhere may contain
// characters that PostgreSQL normalizes (SASLprep) before it hashes them, and
// not every driver does the same. With a soft hyphen or a ligature, neither pgx
// nor lib/pq logs in. With a no-break space or U+212B (angstrom sign), pgx logs
// in and lib/pq does not. A rotation then needs AWSPREVIOUS, or a password that
// was set by hand.
//
// # Accounts whose password has expired
//
// MySQL and MariaDB let such an account log in to set its password, and answer
// every other statement with error 1820. A single user can still be rotated,
// also with two passwords. With alternating users, set the password of the
// current user by hand, because its rights cannot be read. If the server is
// configured to refuse such logins (error 1862), this package cannot help.
//
// # Printing
//
// [Value] and [Login] print without their secret content, with every fmt verb,
// in log/slog and in encoding/json. Errors name the step, the secret and the
// version id. They include the driver's error text; if that contains a
// password, in any of the usual escapes, "error withheld: it contains the
// password" replaces it.
package rotate
