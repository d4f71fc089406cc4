package integration_test

// The drivers that this module's tests and programs speak to databases with,
// or have parse the connection strings of package sqlcred.
import (
	_ "entgo.io/ent/dialect/sql"
	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/jmoiron/sqlx"
	_ "github.com/lib/pq"
	_ "github.com/microsoft/go-mssqldb"
	_ "github.com/microsoft/go-mssqldb/msdsn"
	_ "github.com/redis/go-redis/v9"
	_ "github.com/sijms/go-ora/v2"
	_ "github.com/sijms/go-ora/v2/configurations"
	_ "gorm.io/driver/postgres"
	_ "gorm.io/gorm"

	_ "github.com/aws/aws-sdk-go-v2/aws"
	_ "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	_ "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	_ "github.com/aws/smithy-go"
)
