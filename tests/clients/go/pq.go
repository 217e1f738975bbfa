// lib/pq. Nothing to register: values are strings.
package main

import (
	"database/sql"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/lib/pq"
)

var db *sql.DB

func asTenant(tenant string, work func(*sql.Tx) error) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err = tx.Exec("SELECT cordon.set_tenant($1)", tenant); err != nil {
		return err
	}
	if err = work(tx); err != nil {
		return err
	}
	return tx.Commit()
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func refused(err error, code string) {
	failure, ok := err.(*pq.Error)
	if !ok || string(failure.Code) != code || strings.Contains(failure.Error()+failure.Detail, "anna") {
		log.Fatalf("expected %s: %v", code, err)
	}
}

func main() {
	var err error
	db, err = sql.Open("postgres", fmt.Sprintf("host=%s user=app dbname=%s sslmode=disable", os.Getenv("PGHOST"), os.Getenv("PGDATABASE")))
	must(err)
	db.SetMaxOpenConns(1)
	find, err := db.Prepare("SELECT token FROM account WHERE email = $1")
	must(err)
	insert := func(email, token string) func(*sql.Tx) error {
		return func(tx *sql.Tx) error {
			_, err := tx.Exec("INSERT INTO account (email, token) VALUES ($1, $2)", email, token)
			return err
		}
	}
	for _, tenant := range []string{"1", "2"} {
		must(asTenant(tenant, insert("anna@example.org", "token of "+tenant)))
	}
	for i := 0; i < 10; i++ {
		for _, tenant := range []string{"1", "2"} {
			must(asTenant(tenant, func(tx *sql.Tx) error {
				var token string
				if err := tx.Stmt(find).QueryRow("anna@example.org").Scan(&token); err != nil {
					return err
				}
				if token != "token of "+tenant {
					return fmt.Errorf("tenant %s got %q", tenant, token)
				}
				return nil
			}))
		}
	}
	must(asTenant("1", func(tx *sql.Tx) error {
		var emails, tokens []string
		for i := 0; i < 500; i++ {
			emails, tokens = append(emails, fmt.Sprintf("bulk%d@example.org", i)), append(tokens, fmt.Sprintf("bulk %d", i))
		}
		_, err := tx.Exec("INSERT INTO account (email, token) SELECT * FROM unnest($1::text[], $2::text[])", pq.Array(emails), pq.Array(tokens))
		if err != nil {
			return err
		}
		var count int
		err = tx.QueryRow("SELECT count(*) FROM account WHERE email = ANY ($1::text[])", pq.Array(emails)).Scan(&count)
		if err == nil && count != 500 {
			err = fmt.Errorf("%d rows", count)
		}
		return err
	}))
	var token string
	refused(find.QueryRow("anna@example.org").Scan(&token), "42501")
	refused(asTenant("1", insert("anna@example.org", "again")), "23505")
}
