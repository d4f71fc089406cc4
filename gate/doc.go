// Package gate limits the logins of a process that use versions of a secret.
// A rotation then costs as few logins with a wrong password as possible, and a
// server that refuses every version is asked again at a measured pace. Package
// sqlcred logs in through it. Use it for other pools of connections with a
// password, for instance of Redis, AMQP or LDAP.
//
//	g := gate.New(&gate.Options{Rotating: ref.Rotating})
//	conn, err := gate.Try(ctx, g, ref, func(ctx context.Context, o secrets.Offer[Login]) (net.Conn, error) {
//		conn, err := dialer.DialContext(ctx, "tcp", addr)
//		if err != nil {
//			return nil, err
//		}
//		if err = gate.Hold(ctx); err == nil { // now the password is sent
//			err = authenticate(conn, o.Value)
//		}
//		if err != nil {
//			conn.Close()
//			if isWrongPassword(err) {
//				err = gate.Refused(err)
//			}
//			return nil, err
//		}
//		return conn, nil
//	})
//
// # What a gate does
//
// At most Options.MaxLogins logins are under way at a time, first come, first
// served. While a rotation is known to be outstanding, only one is. If the code
// that logs in calls [Hold] before it sends the password, only one of these
// logins at a time may have sent its password without a verdict. So the server
// sees a password that has become wrong only once, regardless of how many logins
// are under way. When the server refuses a version, no other login with that
// version begins. Those under way are canceled, and their callers go on to the
// next version.
//
// With [HoldDials], Hold is called when a client dials, so almost all of the
// login follows it. To fill a pool quickly all the same, a second login may send
// its password if it has waited for 10 ms, more than MaxLogins logins want to
// begin, the server answers within 10 ms, and it has refused no version in the
// last minute.
//
// The gate detects code that does not call Hold. It then admits one login at a
// time, and one more whenever the first in the queue has waited for 10 ms or for
// the mean time of a login, whichever is longer. This makes at most two logins
// at a time, or MaxLogins if a login takes 10 ms or more, eight or more logins
// wait, and the server has refused no version in the last minute. A password
// that has become wrong is then sent once or twice, and up to MaxLogins times
// while a pool fills from a slow server.
//
// If the caller of a login leaves, the login goes on in the background for up to
// one second. The server may already have counted the password, and without the
// verdict the next login would be wrong too.
//
// # When every version is refused
//
// The cause is then likely the account rather than the password. For instance,
// the account may not log in, its host is not allowed, or the database was
// restored with another password. One login every 5 to 5.5 seconds finds out
// whether the server accepts a current or pending version again. So a repair is
// noticed within 6 seconds if there is one such version, and within 12 if there
// are two. Other versions are offered after one minute, two, four and so on, up
// to 15. Options.RetriesPerHour limits all of these logins, for servers that
// block accounts.
//
// # What it cannot do
//
// A gate limits the logins of one process. Other processes that share the
// account find out by themselves, so a rotation costs one login with a wrong
// password per process. If the server accepts two passwords at a time, or if
// users alternate, a rotation costs none.
package gate
