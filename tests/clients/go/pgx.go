// pgx. Nothing to register: values of types that it does not know are text to it.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/jackc/pgconn"
	"github.com/jackc/pgx/v4"
	"github.com/jackc/pgx/v4/pgxpool"
)

var ctx = context.Background()

func asTenant(pool *pgxpool.Pool, tenant string, work func(pgx.Tx) error) error {
	return pool.BeginFunc(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT cordon.set_tenant($1)", tenant); err != nil {
			return err
		}
		return work(tx)
	})
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func refused(err error, code string) {
	var failure *pgconn.PgError
	if !errors.As(err, &failure) || failure.Code != code || strings.Contains(failure.Message+failure.Detail, "anna") {
		log.Fatalf("expected %s: %v", code, err)
	}
}

func main() {
	pool, err := pgxpool.Connect(ctx, fmt.Sprintf("host=%s user=app dbname=%s pool_max_conns=1", os.Getenv("PGHOST"), os.Getenv("PGDATABASE")))
	must(err)
	// Every query with parameters is a prepared statement, which the connection keeps.
	const find = "SELECT token FROM account WHERE email = $1"
	insert := func(email, token string) func(pgx.Tx) error {
		return func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "INSERT INTO account (email, token) VALUES ($1, $2)", email, token)
			return err
		}
	}
	for _, tenant := range []string{"1", "2"} {
		must(asTenant(pool, tenant, insert("anna@example.org", "token of "+tenant)))
	}
	for i := 0; i < 10; i++ {
		for _, tenant := range []string{"1", "2"} {
			must(asTenant(pool, tenant, func(tx pgx.Tx) error {
				var token string
				if err := tx.QueryRow(ctx, find, "anna@example.org").Scan(&token); err != nil {
					return err
				}
				if token != "token of "+tenant {
					return fmt.Errorf("tenant %s got %q", tenant, token)
				}
				return nil
			}))
		}
	}
	must(asTenant(pool, "1", func(tx pgx.Tx) error {
		var emails, tokens []string
		batch := &pgx.Batch{}
		for i := 0; i < 250; i++ {
			emails, tokens = append(emails, fmt.Sprintf("bulk%d@example.org", i)), append(tokens, fmt.Sprintf("bulk %d", i))
			batch.Queue("INSERT INTO account (email, token) VALUES ($1, $2)", fmt.Sprintf("batch%d@example.org", i), "batch")
		}
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "INSERT INTO account (email, token) SELECT * FROM unnest($1::text[], $2::text[])", emails, tokens)
		if err != nil {
			return err
		}
		var count int
		err = tx.QueryRow(ctx, "SELECT count(*) FROM account WHERE email = ANY ($1::text[]) OR token::text = 'batch'", emails).Scan(&count)
		if err == nil && count != 500 {
			err = fmt.Errorf("%d rows", count)
		}
		return err
	}))
	var token string
	refused(pool.QueryRow(ctx, find, "anna@example.org").Scan(&token), "42501")
	refused(asTenant(pool, "1", insert("anna@example.org", "again")), "23505")
}
