"""Measures what row security by the tenant costs beside conditions written by hand, on the server that psql reaches.

One table under cordon.protect and one without, with the same 2 million rows of 1,000 tenants, are read by the same
queries: the protected one by a query that does not mention the tenant, the other with `WHERE team_id = …`. All as an
ordinary role, without parallel plans and JIT.

* Full scan: the execution time per row, the difference of the two; the best of ROUNDS in which they take turns.
* Primary key and first page: transactions per second of one pgbench client with prepared statements, the ratio of the
  two; the best of ROUNDS of SECONDS each in which they take turns. A transaction sets its tenant, as poolers demand,
  and runs one query. The one without policies sets it too: with set_config(), as applications do for triggers, logs
  and policies of their own, in a setting of which nobody takes notice, so that pg_cordon's work on its setting counts
  against pg_cordon.

pgbench and its backend share one CPU, or the wake-up of the other would be most of what is measured. Merges the figures
into the JSON file under "policies".

usage: policies.py results.json
"""

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile

ROUNDS = 9
SECONDS = 2
TENANTS = 1000
ROLE = "bench_reader"
SCHEMA = "bench_policies"

# Tenant t has 4 t - 2 rows, from 2 to 3,998, which makes 2,000,000. They lie as tenants that write at the same time
# leave them, not one tenant's beside each other.
SET_UP = f"""
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS pg_cordon;
DROP SCHEMA IF EXISTS {SCHEMA} CASCADE;
DROP ROLE IF EXISTS {ROLE};
CREATE ROLE {ROLE} LOGIN;
CREATE SCHEMA {SCHEMA};
SET search_path = {SCHEMA};
CREATE TABLE by_hand (team_id bigint NOT NULL, id bigint NOT NULL, name text NOT NULL);
INSERT INTO by_hand SELECT t, id, 'row ' || id FROM generate_series(1, {TENANTS}) t, generate_series(1, 4 * t - 2) id
    ORDER BY id, hashint8(t);
CREATE TABLE protected (LIKE by_hand);
INSERT INTO protected SELECT * FROM by_hand;
ALTER TABLE by_hand ADD PRIMARY KEY (team_id, id);
ALTER TABLE protected ADD PRIMARY KEY (team_id, id);
SELECT count(*) FROM cordon.protect('{SCHEMA}.protected') \\g /dev/null
GRANT USAGE ON SCHEMA {SCHEMA} TO {ROLE};
GRANT SELECT ON by_hand, protected TO {ROLE};
VACUUM (FREEZE, ANALYZE) by_hand;
VACUUM (FREEZE, ANALYZE) protected;
CHECKPOINT;
SELECT count(*) FROM by_hand;
"""
TEAR_DOWN = f"SET client_min_messages = error; DROP SCHEMA {SCHEMA} CASCADE; DROP ROLE {ROLE};"

SESSION = f"-c search_path={SCHEMA} -c jit=off -c max_parallel_workers_per_gather=0"
SCAN_SETTINGS = "SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off;"
SCANS = {
    "hand-written": "SELECT count(*) FROM by_hand WHERE team_id = 42",
    "pg_cordon": "SELECT count(*) FROM protected",
}
BY_HAND = "SELECT set_config('bench.team_id', :t::text, true);"
PROTECTED = "SELECT cordon.set_tenant(:t::text);"
# Name: variables, then for each subject how it sets the tenant and its query.
LOOK_UPS = {
    "primary key": ("\\set id random(1, 4 * :t - 2)", {
        "hand-written": (BY_HAND, "SELECT name FROM by_hand WHERE team_id = :t AND id = :id;"),
        "pg_cordon": (PROTECTED, "SELECT name FROM protected WHERE id = :id;"),
    }),
    "first page": ("", {
        "hand-written": (BY_HAND, "SELECT id, name FROM by_hand WHERE team_id = :t ORDER BY id LIMIT 50;"),
        "pg_cordon": (PROTECTED, "SELECT id, name FROM protected ORDER BY id LIMIT 50;"),
    }),
}
SCAN_TARGET_NS = 12
RATIO_TARGET = 1.10


def run(program, *arguments, user=None, script=None):
    program = os.path.join(os.environ.get("CORDON_PG_BIN", ""), program)
    environment = dict(os.environ)
    if user:
        environment.update(PGUSER=user, PGOPTIONS=SESSION)
    result = subprocess.run([program, *arguments], input=script, text=True, capture_output=True, env=environment)
    if result.returncode:
        sys.exit(f"{program} failed:\n{result.stderr}")
    return result.stdout


def psql(script, user=None):
    return run("psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", user=user, script=script)


@contextlib.contextmanager
def one_cpu():
    """Keeps this process, the programs that it starts and new sessions on one CPU; yields whether that worked."""
    postmaster = int(psql("SELECT pg_read_file('postmaster.pid')").split()[0])
    before = {}
    try:
        for pid in (0, postmaster):
            allowed = os.sched_getaffinity(pid)
            os.sched_setaffinity(pid, {max(os.sched_getaffinity(0))})
            before[pid] = allowed
    except (OSError, AttributeError) as error:  # not Linux, or the server is on another machine or somebody else's
        print(f"  not on one CPU ({error}): the ratios say little", file=sys.stderr)
    try:
        yield len(before) == 2
    finally:
        for pid, allowed in before.items():
            os.sched_setaffinity(pid, allowed)


def scan_ns(rows):
    """Execution time of a full scan per row of the table."""
    statements = "\n".join(f"EXPLAIN (ANALYZE, TIMING OFF, COSTS OFF) {query};" for query in SCANS.values())
    best = {}
    for _ in range(1 + ROUNDS):
        output = psql(f"SET app.team_id = '42';\n{SCAN_SETTINGS}\n{statements}", user=ROLE)
        if output.count("Seq Scan") != len(SCANS) or "Filter: (team_id = cordon.tenant_int8())" not in output:
            sys.exit(f"these are not the plans to compare:\n{output}")
        times = re.findall(r"Execution Time: ([\d.]+) ms", output)
        for name, ms in zip(SCANS, times, strict=True):
            best[name] = min(float(ms) * 1e6 / rows, best.get(name, float("inf")))
    return {name: round(ns, 2) for name, ns in best.items()}


def check_rows(subjects):
    """Exits unless the queries return the same rows, and some: only then do their times compare."""
    answers = set()
    for set_tenant, query in subjects.values():
        transaction = f"BEGIN;\n{set_tenant}\n{query}\nCOMMIT;"
        answers.add(psql(f"\\set t 500\n\\set id 7\n{transaction}", user=ROLE))
    if len(answers) != 1 or "row 7" not in answers.pop():
        sys.exit(f"these queries return different rows: {subjects}")


def transactions_per_second(directory):
    figures = {}
    for name, (variables, subjects) in LOOK_UPS.items():
        check_rows(subjects)
        scripts = {}
        for subject, (set_tenant, query) in subjects.items():
            scripts[subject] = os.path.join(directory, f"{name} {subject}.sql")
            with open(scripts[subject], "w", encoding="utf-8") as file:
                file.write(f"\\set t random(1, {TENANTS})\n{variables}\nBEGIN;\n{set_tenant}\n{query}\nCOMMIT;\n")
        best = {}
        for _ in range(ROUNDS):
            for subject, script in scripts.items():
                output = run("pgbench", "--no-vacuum", "--protocol=prepared", "--client=1", f"--time={SECONDS}",
                             f"--file={script}", user=ROLE)
                tps = float(re.search(r"^tps = ([\d.]+)", output, re.MULTILINE).group(1))
                best[subject] = max(tps, best.get(subject, 0))
        figures[name] = {subject: round(tps, 1) for subject, tps in best.items()}
        print(f"  {name} done", file=sys.stderr)
    return figures


def measure():
    rows = int(psql(SET_UP))
    print(f"  {rows:,} rows made", file=sys.stderr)
    with one_cpu() as is_on_one_cpu, tempfile.TemporaryDirectory() as directory:
        scan = scan_ns(rows)
        print("  full scan done", file=sys.stderr)
        tps = transactions_per_second(directory)
    psql(TEAR_DOWN)
    difference = round(scan["pg_cordon"] - scan["hand-written"], 2)
    return {
        "rows": rows, "tenants": TENANTS, "rounds": ROUNDS, "seconds": SECONDS, "one_cpu": is_on_one_cpu,
        "full scan": {"ns_per_row": scan, "difference": difference, "target": SCAN_TARGET_NS},
        "look-ups": {
            name: {"tps": by, "ratio": round(by["hand-written"] / by["pg_cordon"], 3), "target": RATIO_TARGET}
            for name, by in tps.items()
        },
    }


def print_row(title, figures, number_format, comparison, figure, target):
    verdict = "" if figure <= target else "   MISSED"
    columns = "".join(f"{figures[name]:16{number_format}}" for name in ("hand-written", "pg_cordon"))
    print(f"{title:24}{columns}   {comparison}   target {target}{verdict}")


def print_table(results):
    print(f"\npolicies beside conditions written by hand, {results['rows']:,} rows of {results['tenants']:,} tenants\n")
    print(f"{'':24}{'hand-written':>16}{'pg_cordon':>16}")
    scan = results["full scan"]
    difference = scan["difference"]
    print_row("full scan, ns per row", scan["ns_per_row"], ".1f", f"+ {difference:5.1f}", difference, scan["target"])
    for name, look_up in results["look-ups"].items():
        ratio = look_up["ratio"]
        print_row(f"{name}, tps", look_up["tps"], ",.0f", f"× {ratio:5.3f}", ratio, look_up["target"])
    if not results["one_cpu"]:
        print("\nserver and pgbench were not on one CPU: the ratios say little")


def main(json_path):
    results = {}
    with contextlib.suppress(FileNotFoundError), open(json_path, encoding="utf-8") as file:
        results = json.load(file)
    results["policies"] = measure()
    with open(json_path, "w", encoding="utf-8") as file:
        json.dump(results, file, indent=2)
        file.write("\n")
    print_table(results["policies"])


if __name__ == "__main__":
    main(*sys.argv[1:])
