"""asyncpg, which speaks the binary protocol and asks for the types of everything: sealed types need a codec."""

import asyncio

import asyncpg

TYPES = ["encrypted_text", "encrypted_text_eq", "shared_encrypted_text", "shared_encrypted_text_eq"]


async def main():
    connection = await asyncpg.connect()
    for name in TYPES:
        await connection.set_type_codec(name, schema="public", encoder=str, decoder=str, format="text")

    async def as_tenant(tenant, query, *parameters):
        async with connection.transaction():
            await connection.fetch("SELECT cordon.set_tenant($1)", tenant)
            return [tuple(row) for row in await connection.fetch(query, *parameters)]

    insert = "INSERT INTO account (email, token) VALUES ($1, $2)"
    find = "SELECT token FROM account WHERE email = $1"
    for tenant in "12":
        await as_tenant(tenant, insert, "anna@example.org", "token of " + tenant)
    for _ in range(10):
        for tenant in "12":
            assert await as_tenant(tenant, find, "anna@example.org") == [("token of " + tenant,)]
    found = await as_tenant("1", "SELECT email FROM account WHERE email = ANY($1::text[])", ["anna@example.org", "x"])
    assert found == [("anna@example.org",)]

    async with connection.transaction():
        await connection.fetch("SELECT cordon.set_tenant('1')")
        await connection.executemany(insert, [(f"bulk{i}@example.org", f"bulk {i}") for i in range(500)])
    assert await as_tenant("1", "SELECT count(*) FROM account WHERE token::text LIKE 'bulk%'") == [(500,)]

    try:
        await connection.fetch(find, "anna@example.org")
        raise SystemExit("no error without a tenant")
    except asyncpg.InsufficientPrivilegeError as error:
        assert "token" not in str(error) and "anna" not in str(error)
    try:
        await as_tenant("1", insert, "anna@example.org", "again")
        raise SystemExit("no error for a value that is there")
    except asyncpg.UniqueViolationError:
        pass
    await connection.close()


asyncio.run(main())
