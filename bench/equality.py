"""Measures encrypted types with equality beside plain text, on the server that psql reaches.

Three tables hold the same ROWS e-mail addresses in the same random order: as text, as shared_encrypted_text_eq, and as
encrypted_text_eq of one tenant.

* Looking up: transactions per second of one pgbench client with prepared statements that look for one of PRESENTED
  addresses, given as a text parameter; the best of ROUNDS in which the tables take turns, on one CPU.
* CREATE INDEX: btree over the whole table, in seconds; the best of ROUNDS.
* INSERT: INSERTED addresses into a table with a unique index that holds as many already; the best of ROUNDS.

Merges the figures into the JSON file under "equality".

usage: equality.py results.json
"""

import contextlib
import json
import os
import re
import sys
import tempfile

from policies import one_cpu, run

ROUNDS = 5
SECONDS = 2
ROWS = 1_000_000
INSERTED = 100_000
PRESENTED = 100
TYPES = {"text": "text", "shared_encrypted_text_eq": "shared_encrypted_text_eq", "encrypted_text_eq": "encrypted_text_eq"}
TARGETS = {"look-up": 1.15, "create index": 1.5, "insert": 2.0}
TITLES = {"look-up": "look-up, tps", "create index": "CREATE INDEX, ms", "insert": "INSERT, ms"}
OPTIONS = ("-c search_path=bench_equality,public -c jit=off -c max_parallel_workers_per_gather=0 "
           "-c max_parallel_maintenance_workers=0 -c maintenance_work_mem=512MB -c app.team_id=7")


def with_options(program, *arguments, script=None):
    os.environ["PGOPTIONS"] = OPTIONS
    try:
        return run(program, *arguments, script=script)
    finally:
        del os.environ["PGOPTIONS"]


def psql(script):
    return with_options("psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", script=script)


def timed(statements):
    """Milliseconds of each statement."""
    output = psql("\\timing on\n" + "\n".join(statements))
    return [float(ms) for ms in re.findall(r"^Time: ([\d.]+) ms", output, re.MULTILINE)]


def set_up():
    psql("SET client_min_messages = error; CREATE EXTENSION IF NOT EXISTS pg_cordon; "
         "DROP SCHEMA IF EXISTS bench_equality CASCADE; CREATE SCHEMA bench_equality")
    psql(f"CREATE TABLE source AS SELECT md5(i::text) || '@example.com' AS email, i AS id FROM generate_series(1, {ROWS}) i "
         "ORDER BY md5('order ' || i)")
    for at, name in enumerate(TYPES.values()):
        psql(f"CREATE TABLE t{at} AS SELECT email::{name}, id FROM source; VACUUM (FREEZE, ANALYZE) t{at}; "
             f"CREATE TABLE i{at} (email {name} UNIQUE)")
    psql("CHECKPOINT")


def create_index():
    best = {}
    for _ in range(ROUNDS):
        for at, name in enumerate(TYPES):
            [ms] = timed([f"CREATE INDEX x ON t{at} (email);"])
            psql("DROP INDEX x")
            best[name] = min(ms, best.get(name, float("inf")))
    for at in range(len(TYPES)):
        psql(f"CREATE INDEX ON t{at} (email)")
    return best


def insert():
    best = {}
    for _ in range(ROUNDS):
        for at, name in enumerate(TYPES):
            psql(f"TRUNCATE i{at}; INSERT INTO i{at} SELECT email FROM source OFFSET {INSERTED} LIMIT {INSERTED}; CHECKPOINT")
            [ms] = timed([f"INSERT INTO i{at} SELECT email FROM source LIMIT {INSERTED};"])
            best[name] = min(ms, best.get(name, float("inf")))
    return best


def look_up(directory):
    emails = psql(f"SELECT email FROM source WHERE id % {ROWS // PRESENTED} = 1 ORDER BY id").split()
    variables = [f"--define=email{at}={email}" for at, email in enumerate(emails)]
    files = {}
    for table, name in enumerate(TYPES):
        files[name] = []
        for at in range(len(emails)):
            path = os.path.join(directory, f"{table}-{at}.sql")
            with open(path, "w", encoding="utf-8") as file:
                file.write(f"SELECT id FROM t{table} WHERE email = :email{at};\n")
            files[name].append(f"--file={path}")
    best = {}
    for _ in range(ROUNDS):
        for name, paths in files.items():
            output = with_options("pgbench", "--no-vacuum", "--protocol=prepared", "--client=1", f"--time={SECONDS}",
                                  *variables, *paths)
            tps = float(re.search(r"^tps = ([\d.]+)", output, re.MULTILINE).group(1))
            best[name] = max(tps, best.get(name, 0))
    return best


def measure():
    set_up()
    print(f"  3 × {ROWS:,} rows made", file=sys.stderr)
    figures = {"create index": create_index(), "insert": insert()}
    print("  indexes and inserts done", file=sys.stderr)
    with tempfile.TemporaryDirectory() as directory, one_cpu() as is_on_one_cpu:
        figures["look-up"] = look_up(directory)
    psql("SET client_min_messages = error; DROP SCHEMA bench_equality CASCADE")
    ratios = {}
    for what, by in figures.items():
        plain = by["text"]
        # More transactions are better, less time is.
        ratios[what] = {name: round(plain / value if what == "look-up" else value / plain, 3)
                        for name, value in by.items() if name != "text"}
    return {"rows": ROWS, "one_cpu": is_on_one_cpu, "figures": {what: {name: round(v, 1) for name, v in by.items()}
            for what, by in figures.items()}, "ratios": ratios, "targets": TARGETS}


def print_table(results):
    print(f"\nequality beside plain text, {results['rows']:,} rows\n")
    print(f"{'':20}" + "".join(f"{name:>27}" for name in TYPES))
    for what, by in results["figures"].items():
        print(f"{TITLES[what]:20}" + "".join(f"{by[name]:27,.0f}" for name in TYPES))
        ratios, target = results["ratios"][what], TARGETS[what]
        verdict = "" if max(ratios.values()) <= target else "   MISSED"
        print(f"{'':47}" + "".join(f"{'× ' + format(ratio, '.3f'):>27}" for ratio in ratios.values())
              + f"   target {target}{verdict}")


def main(json_path):
    results = {}
    with contextlib.suppress(FileNotFoundError), open(json_path, encoding="utf-8") as file:
        results = json.load(file)
    results["equality"] = measure()
    with open(json_path, "w", encoding="utf-8") as file:
        json.dump(results, file, indent=2)
        file.write("\n")
    print_table(results["equality"])


if __name__ == "__main__":
    main(*sys.argv[1:])
