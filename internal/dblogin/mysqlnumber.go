package dblogin

// MySQLNumber returns the number of the first error of MySQL or MariaDB in
// err's tree, or 0.
func MySQLNumber(err error) (n int) {
	Walk(err, func(err error) {
		if key, ok := number(err); ok && key.server == "mysql" && n == 0 {
			n = key.number
		}
	})
	return n
}
