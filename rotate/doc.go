// Package rotate makes rotation functions of AWS Secrets Manager. Those are
// programs that change a password, or any other credential, where it is used and
// in the secret that holds it.
//
// A rotation makes a new version of a secret in four steps. Secrets Manager
// asks for each of them with an [Event], perhaps more than once:
//
//   - createSecret makes the new value and stores it as AWSPENDING;
//   - setSecret has the database, or whatever else it is for, accept it;
//   - testSecret tries it;
//   - finishSecret moves the label AWSCURRENT to it.
//
// [Handler] carries out the steps, and a [Rotator] does what differs from one
// kind of secret to another. [Postgres], [MySQL], [SQLServer], [Oracle] and
// [Redshift] are rotators for database users, [Redis] is one for users of Redis
// and Valkey, [APIKey] makes one out of callbacks. The method Handle is what
// lambda.Start of github.com/aws/aws-lambda-go accepts:
//
//	rotator := rotate.Postgres(rotate.Driver("pgx", nil), nil)
//	lambda.Start(rotate.Handler{API: client, Rotator: rotator}.Handle)
//
// [Run] does a whole rotation from any Go program, without AWS Lambda.
//
// # What has been proven, and how
//
//   - PostgreSQL 15: a real server, every call of a rotation interrupted,
//     killed or cut off, single user and alternating users.
//   - MariaDB 10.11: the same, and two passwords.
//   - Redis 7.0: a real server, a cluster, TLS, two passwords.
//   - MySQL 5.7 and 8: scripted connections; RETAIN CURRENT PASSWORD among them,
//     which no server confirmed.
//   - SQL Server, Oracle, Redshift: scripted connections; the form of the
//     connection strings by the drivers go-mssqldb, go-ora and pgx.
//   - Valkey: by reading. It has Redis's commands for users.
//   - MongoDB, DocumentDB: by reading, the example of APIKey that runs updateUser.
//   - Aurora, RDS Proxy: by reading.
//   - ElastiCache, MemoryDB: not here. Their API changes users, see [Redis].
//
// # Delivered twice, or not at all
//
// A Handler keeps nothing between two events, and each step may be repeated,
// after a failure or after a success, also when the rotation is long over.
// What a step finds done it does not do again. Where one step is carried out
// twice at the same time, one of the two may fail: the other has changed the
// password under it. Wherever a step failed or was cut short, delivering it
// again, or all the steps in order, ends with a secret whose AWSCURRENT
// version logs in.
//
// # Database secrets
//
// The rotators for databases read and write secrets in the form that AWS
// documents ("JSON structure of AWS Secrets Manager secrets"): a JSON object
// with engine, host, port, username, password, dbname, masterarn and ssl.
// Only the text of the password (and with alternating users the username) is
// replaced. All else, fields this package does not know, the form of numbers,
// the order, the white space, stays as it was, byte for byte.
//
// A secret without engine, as those that RDS manages are, is taken for one of
// the rotator's kind; with another engine it is refused. createSecret stores
// nothing before it has read all secrets that the rotation needs, found a host in
// them, and seen that the driver makes a connector.
//
// With one user, the password of that user is changed, by the user itself.
// Between setSecret and finishSecret only the AWSPENDING version logs in,
// unless [SQLOptions].TwoPasswords is set and the server can hold two.
//
// With alternating users ([SQLOptions].Alternating) there are two users with
// the same rights, one of which is at rest. The password of that one is
// changed by a master user, whose secret masterarn names, so the version that
// was AWSCURRENT logs in until the next rotation.
//
// # Logins
//
// A step logs in with AWSPENDING, then AWSCURRENT, then AWSPREVIOUS, each
// distinct password once; when all are refused, with AWSPENDING a second time,
// since an earlier delivery of the step may have taken effect in the meantime.
// Nothing else that was refused is tried again. Only a refused login leads to
// the next one (see
// [IsRejected]); a network failure, a failed TLS handshake or a blocked
// account ends the step. Nothing is dialled before user, host, port and
// engine of the AWSPENDING version were found equal to those of AWSCURRENT,
// and the address, the user and the TLS setting of AWSCURRENT are used with
// all three. TLS is used, with the certificate and the host name checked, unless
// the secret says "ssl": false: a rotation sends the new password, for MySQL in
// plain text, logs in as a master user, and has no configuration that could say
// otherwise. (Package sqlcred reads the field alike, and leaves TLS to the
// driver where it is absent.) TLS is never dropped because something failed.
//
// # What the server's log sees
//
// PostgreSQL gets a SCRAM-SHA-256 verifier computed here, so no statement
// holds the password. MariaDB gets the hash of mysql_native_password, the
// only one of its methods whose hash can be computed with the standard
// library; accounts that use another (ed25519, parsec, unix_socket) are
// refused. MySQL takes a new password from the account itself only in plain
// text; it replaces it before it writes a statement to its general, slow or
// binary log, unless it runs with --log-raw. TLS protects it on its way.
//
// # Passwords that clients spell differently
//
// The rotators set printable ASCII alone. A password from elsewhere may hold
// characters that PostgreSQL normalizes (SASLprep) before it hashes them, and
// not every driver does the same: with a soft hyphen or a ligature neither pgx
// nor lib/pq logs in, with a no-break space or U+212B (angstrom sign) pgx does
// and lib/pq does not. A rotation then needs AWSPREVIOUS, or a password that was
// set by hand.
//
// # Accounts whose password has expired
//
// MySQL and MariaDB let such an account log in to set its password, and answer
// all else with error 1820. A single user is rotated all the same, with two
// passwords too. With alternating users the current one has to be renewed by
// hand, for its rights cannot be read. Where the server is set to refuse such
// logins (error 1862) nothing can be done from here.
//
// # Printing
//
// [Value] and [Login] print without what they hold, with every fmt verb, in
// log/slog and in encoding/json. Errors name the step, the secret and the
// version id. They quote what a driver says; if that contains a password, in any
// of the usual escapes, "error withheld: it contains the password" replaces it.
package rotate
