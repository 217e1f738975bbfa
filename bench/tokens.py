"""Measures tokens, on the server that psql reaches: hashing beside pgcrypto, looking up beside a bytea column whose hash
the client computes, the token store, and a race for its tokens that shows whether any is consumed twice or never.

* Hashing: as in bench.py, nanoseconds of one call net of a query that reads the bare column.
* Looking up: transactions per second of one pgbench client with prepared statements that look for one of TOKENS tokens,
  presented as a parameter; the best of ROUNDS in which the subjects take turns. pgbench and the server share one CPU.
* The store: pairs of issue and consume per second, each in a transaction of its own, on one connection.
* The race: eight connections, of which up to eight try each token at the same time, for RACE_SECONDS.

Merges the figures into the JSON file under "tokens".

usage: tokens.py results.json
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
TOKENS = 1_000_000
PRESENTED = 100
CALLS = 300_000
RACE_SECONDS = 60
RACE_CLIENTS = 8
RACE_TOKENS = 300_000
HASH_TARGET, LOOK_UP_TARGET, PAIRS_TARGET = 0.3, 1.1, 5000

SET_UP = f"""
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS pg_cordon;
CREATE EXTENSION IF NOT EXISTS pgcrypto;
DROP SCHEMA IF EXISTS bench_tokens CASCADE;
CREATE SCHEMA bench_tokens;
SET search_path = bench_tokens, public;
CREATE TABLE by_hash (hash token_hash NOT NULL, id int NOT NULL);
INSERT INTO by_hash SELECT cordon.hash_token('token ' || i, 'api'), i FROM generate_series(1, {TOKENS}) i;
CREATE TABLE by_bytea (hash bytea NOT NULL, id int NOT NULL);
INSERT INTO by_bytea SELECT hmac('token ' || i, 'a key of the client', 'sha256'), i FROM generate_series(1, {TOKENS}) i;
ALTER TABLE by_hash ADD PRIMARY KEY (hash);
ALTER TABLE by_bytea ADD PRIMARY KEY (hash);
VACUUM (FREEZE, ANALYZE) by_hash;
VACUUM (FREEZE, ANALYZE) by_bytea;
CHECKPOINT;
"""
HASHES = {
    "pg_cordon hash_token": "cordon.hash_token(v)",
    "pgcrypto hmac": "hmac(v, 'a key of 32 bytes, as it should.', 'sha256')",
}
LOOK_UPS = {
    "bytea, hash by the client": "SELECT id FROM by_bytea WHERE hash = :digest{0};",
    "= ANY (cordon.token_hashes($1))": "SELECT id FROM by_hash WHERE hash = ANY (cordon.token_hashes(:token{0}, 'api'));",
    "= cordon.hash_token($1)": "SELECT id FROM by_hash WHERE hash = cordon.hash_token(:token{0}, 'api');",
}
OPTIONS = "-c search_path=bench_tokens,public -c jit=off -c max_parallel_workers_per_gather=0"


def psql(script):
    return run("psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", script=f"SET search_path = bench_tokens, public;\n{script}")


def pgbench(*arguments):
    os.environ["PGOPTIONS"] = OPTIONS
    try:
        output = run("pgbench", "--no-vacuum", "--protocol=prepared", *arguments)
    finally:
        del os.environ["PGOPTIONS"]
    if not re.search(r"number of failed transactions: 0 ", output):
        sys.exit(f"transactions failed:\n{output}")
    return float(re.search(r"^tps = ([\d.]+)", output, re.MULTILINE).group(1))


def hash_ns():
    def query(expression):
        return (
            "EXPLAIN (ANALYZE, TIMING OFF, COSTS OFF) WITH v AS MATERIALIZED (SELECT repeat('x', 40) AS v) "
            f"SELECT count({expression}) FROM v, generate_series(1, {CALLS});"
        )
    best = {}
    for _ in range(ROUNDS):
        output = psql("\n".join(query(e) for e in ["v", *HASHES.values()]))
        for name, ms in zip(["", *HASHES], re.findall(r"Execution Time: ([\d.]+) ms", output), strict=True):
            best[name] = min(float(ms), best.get(name, float("inf")))
    return {name: round((best[name] - best[""]) * 1e6 / CALLS, 1) for name in HASHES}


def look_ups(directory):
    ids = [1 + at * (TOKENS // PRESENTED) for at in range(PRESENTED)]
    digests = psql(f"SELECT hash FROM by_bytea WHERE id IN ({', '.join(map(str, ids))}) ORDER BY id").split()
    variables = []
    for at, (token_id, digest) in enumerate(zip(ids, digests, strict=True)):
        variables += [f"--define=token{at}=token {token_id}", f"--define=digest{at}={digest}"]
    files = {}
    for name, query in LOOK_UPS.items():
        files[name] = []
        for at in range(PRESENTED):
            path = os.path.join(directory, f"{len(files)}-{at}.sql")
            with open(path, "w", encoding="utf-8") as file:
                file.write(query.format(at) + "\n")
            files[name].append(f"--file={path}")
    best = {}
    for _ in range(ROUNDS):
        for name, paths in files.items():
            tps = pgbench("--client=1", f"--time={SECONDS}", *variables, *paths)
            best[name] = max(tps, best.get(name, 0))
    return {name: round(tps, 1) for name, tps in best.items()}


def pairs_per_second(directory):
    path = os.path.join(directory, "pairs.sql")
    with open(path, "w", encoding="utf-8") as file:
        file.write("SELECT cordon.issue_token('reset', '42', '1 hour', 'rst') AS token \\gset\n"
                   "SELECT 1 / (cordon.consume_token('reset', :token) = '42')::int;\n")
    return round(max(pgbench("--client=1", f"--time={SECONDS}", f"--file={path}") for _ in range(ROUNDS)), 1)


def race(directory):
    """Tokens that were tried, and those that were consumed another number of times than once."""
    psql(f"CREATE TABLE pool (id int PRIMARY KEY, token text); CREATE TABLE won (id int); CREATE SEQUENCE turn MINVALUE 0; "
         f"INSERT INTO pool SELECT i, cordon.issue_token('race', i::text, '1 day') FROM generate_series(0, {RACE_TOKENS - 1}) i; "
         "ANALYZE pool")
    path = os.path.join(directory, "race.sql")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"SELECT nextval('turn') / {RACE_CLIENTS} % {RACE_TOKENS} AS id \\gset\n"
                   "INSERT INTO won SELECT s::int FROM pool, cordon.consume_token('race', token) s "
                   "WHERE id = :id AND s IS NOT NULL;\n")
    tps = pgbench(f"--client={RACE_CLIENTS}", "--jobs=2", f"--time={RACE_SECONDS}", f"--file={path}")
    tried = min(RACE_TOKENS, int(psql(f"SELECT last_value / {RACE_CLIENTS} + 1 FROM turn")))
    wrong = int(psql(f"SELECT count(*) FROM (SELECT p.id FROM pool p LEFT JOIN won w USING (id) WHERE p.id < {tried} "
                     "GROUP BY p.id HAVING count(w.id) <> 1) x"))
    return {"seconds": RACE_SECONDS, "connections": RACE_CLIENTS, "attempts_per_second": round(tps, 1),
            "tokens": tried, "not_consumed_once": wrong}


def measure():
    psql(SET_UP)
    print(f"  {TOKENS:,} tokens made", file=sys.stderr)
    hashing = hash_ns()
    with tempfile.TemporaryDirectory() as directory:
        with one_cpu() as is_on_one_cpu:
            look_up = look_ups(directory)
            print("  look-ups done", file=sys.stderr)
            pairs = pairs_per_second(directory)
        print(f"  racing for {RACE_SECONDS} s", file=sys.stderr)
        outcome = race(directory)
    psql("SET client_min_messages = error; DROP SCHEMA bench_tokens CASCADE; TRUNCATE cordon.token")
    bytea, any_hash, _ = look_up.values()
    ours, theirs = hashing.values()
    return {
        "hash_ns": hashing, "hash_ratio": round(ours / theirs, 3), "one_cpu": is_on_one_cpu,
        "look_up_tps": look_up, "look_up_ratio": round(bytea / any_hash, 3),
        "pairs_per_second": pairs, "race": outcome,
    }


def verdict(is_reached):
    return "" if is_reached else "   MISSED"


def print_table(results):
    print("\ntokens\n")
    for name, ns in results["hash_ns"].items():
        print(f"{name:40}{ns:12,.0f} ns")
    ratio = results["hash_ratio"]
    print(f"{'hash_token ÷ hmac':40}{ratio:12.2f}      target {HASH_TARGET}{verdict(ratio <= HASH_TARGET)}\n")
    for name, tps in results["look_up_tps"].items():
        print(f"{name:40}{tps:12,.0f} tps")
    ratio = results["look_up_ratio"]
    print(f"{'bytea ÷ = ANY (…)':40}{ratio:12.3f}      target {LOOK_UP_TARGET}{verdict(ratio <= LOOK_UP_TARGET)}\n")
    pairs = results["pairs_per_second"]
    print(f"{'issue and consume':40}{pairs:12,.0f} pairs/s  target {PAIRS_TARGET:,}{verdict(pairs >= PAIRS_TARGET)}")
    race_results = results["race"]
    wrong = race_results["not_consumed_once"]
    print(f"race of {race_results['connections']} connections for {race_results['seconds']} s: {race_results['tokens']:,} tokens, "
          f"{wrong} consumed never or twice{verdict(wrong == 0)}")


def main(json_path):
    results = {}
    with contextlib.suppress(FileNotFoundError), open(json_path, encoding="utf-8") as file:
        results = json.load(file)
    results["tokens"] = measure()
    with open(json_path, "w", encoding="utf-8") as file:
        json.dump(results, file, indent=2)
        file.write("\n")
    print_table(results["tokens"])


if __name__ == "__main__":
    main(*sys.argv[1:])
