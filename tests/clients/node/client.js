// node-postgres. Nothing to register: types it does not know are text to it.
const { Client } = require("pg");
const assert = require("node:assert");

async function main() {
  const client = new Client(); // PGHOST, PGUSER, PGDATABASE
  await client.connect();

  async function asTenant(tenant, query) {
    await client.query("BEGIN");
    try {
      await client.query("SELECT cordon.set_tenant($1)", [tenant]);
      const result = await client.query(query);
      await client.query("COMMIT");
      return result.rows;
    } catch (error) {
      await client.query("ROLLBACK");
      throw error;
    }
  }

  // A name makes it a prepared statement.
  const insert = (email, token) => ({ name: "insert", text: "INSERT INTO account (email, token) VALUES ($1, $2)", values: [email, token] });
  const find = (email) => ({ name: "find", text: "SELECT token FROM account WHERE email = $1", values: [email] });
  for (const tenant of ["1", "2"]) await asTenant(tenant, insert("anna@example.org", "token of " + tenant));
  for (let i = 0; i < 10; i++)
    for (const tenant of ["1", "2"])
      assert.deepStrictEqual(await asTenant(tenant, find("anna@example.org")), [{ token: "token of " + tenant }]);
  const some = { text: "SELECT email FROM account WHERE email = ANY($1::text[])", values: [["anna@example.org", "x"]] };
  assert.deepStrictEqual(await asTenant("1", some), [{ email: "anna@example.org" }]);

  const numbers = [...Array(500).keys()];
  await asTenant("1", {
    text: "INSERT INTO account (email, token) SELECT * FROM unnest($1::text[], $2::text[])",
    values: [numbers.map((i) => `bulk${i}@example.org`), numbers.map((i) => `bulk ${i}`)],
  });
  const count = await asTenant("1", { text: "SELECT count(*)::int AS n FROM account WHERE token::text LIKE 'bulk%'" });
  assert.deepStrictEqual(count, [{ n: 500 }]);

  await assert.rejects(client.query(find("anna@example.org")), (error) => error.code === "42501" && !/token of|anna/.test(error.message));
  await assert.rejects(asTenant("1", insert("anna@example.org", "again")), (error) => error.code === "23505" && !/again|anna/.test(error.message + error.detail));
  await client.end();
}

main().catch((error) => { console.error(error); process.exit(1); });
