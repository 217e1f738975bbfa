"""What a server pays for preloading the library when a database does not use it: instructions of a backend for a query, with the
library and without it, as callgrind counts them. Counts do not depend on what else the machine does.

Usage: preload.py RESULTS DATA_DIRECTORY [COMMAND...]; the command, as runuser, comes before each program of the server. The
server of the data directory must not run.
"""

import json
import os
import re
import subprocess
import sys

FEW, MANY = 50, 450
TARGET = 1.02
TERMS = " + ".join(f"a.aid % {n}" for n in range(2, 202))
QUERIES = {
    "pgbench -S": "SELECT abalance FROM pgbench_accounts WHERE aid = 4711;",
    "a query of 200 terms": f"SELECT {TERMS} FROM pgbench_accounts a WHERE a.aid = 4711;",
}


def instructions(run_as, data, library, query, times):
    """Instructions of a single-user backend that runs the query so many times."""
    program = os.path.join(os.environ["CORDON_PG_BIN"], "postgres")
    command = [*run_as, "valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, "--single", "-D", data,
               "-c", f"shared_preload_libraries={library}", "postgres"]
    result = subprocess.run(command, input=f"{query}\n" * times, capture_output=True, text=True, check=False)
    collected = re.search(r"Collected : (\d+)", result.stderr)
    if not collected or result.stdout.count("abalance =") + result.stdout.count("?column? =") < times:
        sys.exit(f"error: the backend did not run the query:\n{result.stderr[-2000:]}")
    return int(collected.group(1))


def main():
    results_path, data, *run_as = sys.argv[1:]
    rows = {}
    for name, query in QUERIES.items():
        per_query = {}
        for library in ("", "pg_cordon"):
            few, many = (instructions(run_as, data, library, query, times) for times in (FEW, MANY))
            per_query[library] = (many - few) / (MANY - FEW)
        ratio = per_query["pg_cordon"] / per_query[""]
        if ratio > TARGET:
            print(f"{name}: MISSED, target {TARGET}")
        rows[name] = {"without": round(per_query[""]), "preloaded": round(per_query["pg_cordon"]), "ratio": round(ratio, 4)}
        print(f"{name}: {per_query['']:,.0f} instructions without the library, {per_query['pg_cordon']:,.0f} with it: {ratio:.4f}")
    with open(results_path, encoding="utf-8") as file:
        results = json.load(file)
    results["preload"] = rows
    with open(results_path, "w", encoding="utf-8") as file:
        json.dump(results, file, indent=2)
        file.write("\n")


main()
