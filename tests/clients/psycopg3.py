"""psycopg 3. Nothing to register: sealed values are text to it."""

import psycopg

with psycopg.connect(autocommit=True, prepare_threshold=0) as connection:

    def as_tenant(tenant, query, *parameters):
        """Runs a query in a transaction of the tenant's; the driver prepares it on its first use."""
        with connection.transaction():
            connection.execute("SELECT cordon.set_tenant(%s)", (tenant,))
            cursor = connection.execute(query, parameters)
            return cursor.fetchall() if cursor.description else cursor.rowcount

    insert = "INSERT INTO account (email, token) VALUES (%s, %s)"
    find = "SELECT token FROM account WHERE email = %s"
    for tenant in "12":
        as_tenant(tenant, insert, "anna@example.org", "token of " + tenant)
    for _ in range(10):
        for tenant in "12":
            assert as_tenant(tenant, find, "anna@example.org") == [("token of " + tenant,)]
    assert as_tenant("1", "SELECT email FROM account WHERE email = ANY(%s)", ["anna@example.org", "x"]) == [("anna@example.org",)]
    assert as_tenant("1", "UPDATE account SET token = %s WHERE email = %s", "new", "anna@example.org") == 1

    with connection.transaction(), connection.cursor() as cursor:
        connection.execute("SELECT cordon.set_tenant('1')")
        cursor.executemany(insert, [(f"bulk{i}@example.org", f"bulk {i}") for i in range(500)])
    assert as_tenant("1", "SELECT count(*), max(token::text) FROM account WHERE token::text LIKE 'bulk%%'") == [(500, "bulk 99")]
    # PostgreSQL has no COPY FROM into tables with row security; this one is not protected.
    with connection.transaction(), connection.cursor() as cursor:
        connection.execute("SELECT cordon.set_tenant('1')")
        with cursor.copy("COPY loose (token) FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["text"])
            for i in range(500):
                copy.write_row((f"copied {i}",))
        with cursor.copy("COPY (SELECT token FROM loose) TO STDOUT") as copy:
            assert sum(row[0].startswith("copied ") for row in copy.rows()) == 500

    try:
        connection.execute(find, ("anna@example.org",))
        raise SystemExit("no error without a tenant")
    except psycopg.errors.InsufficientPrivilege as error:
        assert "token" not in str(error) and "anna" not in str(error)
    try:
        as_tenant("1", insert, "anna@example.org", "again")
        raise SystemExit("no error for a value that is there")
    except psycopg.errors.UniqueViolation as error:
        assert "again" not in str(error) and "anna" not in str(error)
