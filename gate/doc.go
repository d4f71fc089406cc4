// Package gate bounds the logins of a process while a password rotates. It sees
// to it that a rotation costs as few logins with a wrong password as possible,
// and that a server that refuses every version is asked again at a measured
// pace. It is what package sqlcred logs in through; it is for other pools of
// connections with a password: of Redis, AMQP, LDAP.
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
// served; one while a rotation is known to be outstanding. Of those under way
// one at a time may have sent its password without a verdict, if the code that
// logs in calls [Hold] before it sends it: so the server sees a password that has
// become wrong once, however many logins are under way. When a version is
// refused, no other login with it begins, those that are under way are
// cancelled, and their callers go on to the next version.
//
// With [HoldDials] all of a login lies between the two, but for the dialing. So that
// a pool fills quickly all the same, a second login may send its password when it has
// waited for 10 ms and more wait than may be under way, where the server answers
// within 10 ms and has refused no version in the last minute.
//
// Code that does not call Hold is found out by that. Then one login is under way
// at a time, and one more each time that the first of the queue has waited 10 ms, or
// as long as a login takes in the mean: two, or as many as MaxLogins where the server
// does not answer within 10 ms, eight or more wait, and no version was refused in the
// last minute. A password that has become wrong is then sent once or twice, and up to
// MaxLogins times if a pool fills from a server that is far.
//
// A login whose caller leaves is finished in the background, for a second at
// most: the server may have counted its password already, and without the
// verdict the next login would be wrong too.
//
// # When every version is refused
//
// Then the account is the matter rather than the password: it may not log in,
// is not in the server's list of hosts, or was restored with another password.
// One login every 5 to 5.5 seconds finds out whether the server accepts a current or
// pending version again, so that a repair is found within 6 seconds where there is one
// of them, and within 12 where there are two. Other versions are offered after a
// minute, two, four and so on up to 15. Options.RetriesPerHour bounds the whole for
// servers that block accounts.
//
// # What it cannot do
//
// It bounds the logins of one process. Others that share the account find out by
// themselves: a rotation costs one login with a wrong password for each process.
// Where the server can accept two passwords at a time, or users alternate, it costs
// none.
package gate
