package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-74dc7b3e/secrets"
	"github.com/seed-74dc7b3e/secrets/pgxcred"
)

// newPool returns a pool that logs in with the version of the database secret
// that the server accepts at the moment. It does not connect yet.
//
// The connection string has the server's address; the secret has the login.
func newPool(ctx context.Context, client *secrets.Client, c *settings, log *slog.Logger) (*pgxpool.Pool, error) {
	config := c.database.Copy()
	if err := pgxcred.Configure(config, client, c.dbSecret, &pgxcred.Options{Logger: log}); err != nil {
		return nil, err
	}
	return pgxpool.NewWithConfig(ctx, config)
}

// An item is a row of the table items.
type item struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
}

// getItem answers GET /items/{id}.
func (a *app) getItem(w http.ResponseWriter, r *http.Request) error {
	id, err := number(r.PathValue("id"))
	if err != nil {
		return err
	}
	found := item{ID: id}
	err = a.db.QueryRow(r.Context(), "SELECT name FROM items WHERE id = $1", id).Scan(&found.Name)
	if errors.Is(err, pgx.ErrNoRows) {
		return &statusError{http.StatusNotFound, "no such item"}
	}
	if err != nil {
		return err
	}
	return reply(w, found)
}
