"""Measures what an application that exists needs first, on the server that psql reaches.

* Across: cordon.across over TENANTS tenants of ROWS_EACH rows, as an ordinary role, and one query that a superuser runs over the
  same rows; the latency that a client sees, of pgbench with prepared statements, best of ROUNDS in which they take turns.
* A tenant column: cordon.add_tenant_column over ROWS rows while WRITERS clients of pgbench insert rows and move others, which set
  no tenant; seconds, transactions of the writers, and how many of those failed.
* A resolver: the tenant by a uuid, per second, beside the look-up by the primary key in a table without policies.

Merges the figures into the JSON file under "tenants".

usage: tenants.py results.json
"""

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile

from policies import psql, run

ROUNDS = 5
SECONDS = 2
TENANTS, ROWS_EACH = 100, 100
ROWS, PARENTS, WRITERS = 1_000_000, 10_000, 4
ACROSS_TARGET, COLUMN_TARGET = 2.0, 60

SET_UP = f"""
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS pg_cordon;
DROP SCHEMA IF EXISTS bench_tenants CASCADE;
DROP ROLE IF EXISTS bench_reader;
CREATE ROLE bench_reader LOGIN;
CREATE SCHEMA bench_tenants;
SET search_path = bench_tenants;
CREATE TABLE invoice (team_id bigint NOT NULL, id bigint NOT NULL, name text NOT NULL, total numeric, PRIMARY KEY (team_id, id));
INSERT INTO invoice SELECT t, i, 'row ' || i, i FROM generate_series(1, {TENANTS}) t, generate_series(1, {ROWS_EACH}) i;
CREATE TABLE site (team_id bigint NOT NULL, id int PRIMARY KEY, code uuid NOT NULL UNIQUE);
INSERT INTO site SELECT i % {TENANTS} + 1, i, md5(i::text)::uuid FROM generate_series(0, {PARENTS} - 1) i;
CREATE TABLE ping (id bigserial PRIMARY KEY, site_id int NOT NULL, body text);
INSERT INTO ping (site_id, body) SELECT i % {PARENTS}, 'ping ' || i FROM generate_series(1, {ROWS}) i;
ALTER TABLE ping ADD FOREIGN KEY (site_id) REFERENCES site;
CREATE TABLE plain AS SELECT code, team_id::text AS tenant FROM site;
ALTER TABLE plain ADD PRIMARY KEY (code);
SELECT count(*) FROM cordon.protect('invoice') \\g /dev/null
SELECT count(*) FROM cordon.protect('site') \\g /dev/null
SELECT cordon.resolver('site', 'code', 'tenant_of') \\g /dev/null
GRANT USAGE ON SCHEMA bench_tenants TO bench_reader;
GRANT SELECT ON invoice, plain TO bench_reader;
GRANT EXECUTE ON FUNCTION cordon.across(text[], text, text[]), tenant_of(uuid) TO bench_reader;
VACUUM (FREEZE, ANALYZE) invoice;
VACUUM (FREEZE, ANALYZE) site;
VACUUM (FREEZE, ANALYZE) ping;
VACUUM (FREEZE, ANALYZE) plain;
CHECKPOINT;
"""
NAMED = "{" + ",".join(str(tenant) for tenant in range(1, TENANTS + 1)) + "}"
ACROSS = f"""SELECT * FROM cordon.across('{NAMED}', 'SELECT id, name, total FROM bench_tenants.invoice')
    AS t(tenant text, id bigint, name text, total numeric);"""
ONE_QUERY = f"SELECT team_id::text, id, name, total FROM bench_tenants.invoice WHERE team_id = ANY ('{NAMED}');"
KEY = f"\\set i random(0, {PARENTS} - 1)\n"
RESOLVE = KEY + "SELECT bench_tenants.tenant_of(md5(:i::text)::uuid);"
LOOK_UP = KEY + "SELECT tenant FROM bench_tenants.plain WHERE code = md5(:i::text)::uuid;"
WRITE = f"""\\set site random(0, {PARENTS} - 1)
\\set id random(1, {ROWS})
INSERT INTO bench_tenants.ping (site_id, body) VALUES (:site, 'new');
UPDATE bench_tenants.ping SET site_id = :site WHERE id = :id;
"""


def pgbench(directory, name, script, user=None):
    """Transactions per second of one client."""
    path = os.path.join(directory, f"{name}.sql")
    with open(path, "w", encoding="utf-8") as file:
        file.write(script)
    output = run("pgbench", "--no-vacuum", "--protocol=prepared", "--client=1", f"--time={SECONDS}", f"--file={path}", user=user)
    return float(re.search(r"^tps = ([\d.]+)", output, re.MULTILINE).group(1))


def in_turns(directory, subjects):
    best = {}
    for _ in range(ROUNDS):
        for name, (script, user) in subjects.items():
            best[name] = max(pgbench(directory, name, script, user), best.get(name, 0))
    return best


def tenant_column(directory):
    """Seconds, transactions of the writers meanwhile, and transactions that failed."""
    path = os.path.join(directory, "write.sql")
    with open(path, "w", encoding="utf-8") as file:
        file.write(WRITE)
    program = os.path.join(os.environ.get("CORDON_PG_BIN", ""), "pgbench")
    arguments = [program, "--no-vacuum", f"--client={WRITERS}", "--time=600", "--progress=1", f"--file={path}"]
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as writers:
        while int(psql("SELECT count(*) FROM bench_tenants.ping WHERE body = 'new'")) == 0:
            pass
        before = int(psql("SELECT count(*) FROM bench_tenants.ping WHERE body = 'new'"))
        output = psql("SET client_min_messages = warning;\n\\timing on\nCALL cordon.add_tenant_column('bench_tenants.ping', 'site_id');\n")
        written = int(psql("SELECT count(*) FROM bench_tenants.ping WHERE body = 'new'")) - before
        is_running = writers.poll() is None
        writers.terminate()
        complaints = [line for line in writers.stderr.read().splitlines() if "error" in line.lower() or "aborted" in line]
    if not is_running or complaints:
        sys.exit(f"a writer failed: {complaints}")
    wrong = int(psql("SELECT count(*) FROM bench_tenants.ping p JOIN bench_tenants.site s ON s.id = p.site_id "
                     "WHERE p.team_id IS DISTINCT FROM s.team_id"))
    if wrong:
        sys.exit(f"{wrong} rows have another tenant than their site")
    return float(re.findall(r"^Time: ([\d.]+) ms", output, re.MULTILINE)[-1]) / 1000, written


def main(json_path):
    psql(SET_UP)
    print("  rows made", file=sys.stderr)
    with tempfile.TemporaryDirectory() as directory:
        across = in_turns(directory, {"across": (ACROSS, "bench_reader"), "one query": (ONE_QUERY, None)})
        resolver = in_turns(directory, {"resolver": (RESOLVE, "bench_reader"), "look-up": (LOOK_UP, "bench_reader")})
        seconds, written = tenant_column(directory)
    psql("SET client_min_messages = error; DROP SCHEMA bench_tenants CASCADE; DROP OWNED BY bench_reader; DROP ROLE bench_reader")
    results = {}
    with contextlib.suppress(FileNotFoundError), open(json_path, encoding="utf-8") as file:
        results = json.load(file)
    ratio = across["one query"] / across["across"]
    results["tenants"] = {
        "across": {"tenants": TENANTS, "rows_each": ROWS_EACH, "ms": round(1000 / across["across"], 2),
                   "ms_of_one_query": round(1000 / across["one query"], 2), "ratio": round(ratio, 2), "target": ACROSS_TARGET},
        "tenant_column": {"rows": ROWS, "writers": WRITERS, "seconds": round(seconds, 1), "written_meanwhile": written, "target": COLUMN_TARGET},
        "resolver": {"tps": round(resolver["resolver"]), "tps_of_look_up": round(resolver["look-up"])},
    }
    with open(json_path, "w", encoding="utf-8") as file:
        json.dump(results, file, indent=2)
        file.write("\n")
    verdict = "" if ratio <= ACROSS_TARGET else "   MISSED"
    print(f"\ncordon.across, {TENANTS} tenants of {ROWS_EACH} rows: {1000 / across['across']:.2f} ms, one query of a superuser "
          f"{1000 / across['one query']:.2f} ms, × {ratio:.2f}, target × {ACROSS_TARGET}{verdict}")
    verdict = "" if seconds <= COLUMN_TARGET else "   MISSED"
    print(f"cordon.add_tenant_column, {ROWS:,} rows and {WRITERS} writers: {seconds:.1f} s, {written:,} rows written meanwhile, none failed; "
          f"target {COLUMN_TARGET} s{verdict}")
    print(f"a resolver: {resolver['resolver']:,.0f} tps, a look-up without policies {resolver['look-up']:,.0f} tps")


if __name__ == "__main__":
    main(*sys.argv[1:])
