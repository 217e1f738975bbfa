"""Measures cordon.reencrypt and encrypt_column, on the server that psql reaches: rows per second alone, the growth of the
backend's memory, and what a pgbench beside it loses while it runs with a pause.

* Alone: ROWS values of 40 bytes in a table without other indexes than its primary key, best of ROUNDS.
* Adoption: as many texts of 40 bytes by encrypt_column, and finish_conversion, which reads them all; best of ROUNDS.
* Beside: one pgbench client that updates rows of another column by primary key for SECONDS, with nothing beside it and with
  a reencrypt with batch_size BATCH and pause PAUSE, in turns; the best of ROUNDS each.

Merges the figures into the JSON file under "rotation" and "adoption".

usage: rotation.py results.json
"""

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading

from policies import psql, run

ROUNDS = 3
SECONDS = 6
ROWS = 1_000_000
BATCH, PAUSE = 500, "50 ms"
RATE_TARGET, LOSS_TARGET = 60_000, 0.15

SET_UP = f"""
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS pg_cordon;
DROP SCHEMA IF EXISTS bench_rotation CASCADE;
CREATE SCHEMA bench_rotation;
SET app.team_id = '7';
CREATE TABLE bench_rotation.t (team_id bigint NOT NULL, id int PRIMARY KEY, token encrypted_text, hits int DEFAULT 0)
    WITH (fillfactor = 80);
INSERT INTO bench_rotation.t SELECT 7, i, repeat('x', 40) FROM generate_series(1, {ROWS}) i;
VACUUM (FREEZE, ANALYZE) bench_rotation.t;
CHECKPOINT;
"""
ROTATE = "SELECT cordon.rotate_key('encryption') \\g /dev/null\n"
RESIDENT = "SELECT substring(pg_read_file(format('/proc/%s/status', pg_backend_pid())) from 'VmRSS:\\s+(\\d+)'), " \
           "substring(pg_read_file(format('/proc/%s/status', pg_backend_pid())) from 'RssShmem:\\s+(\\d+)');\n"
CALL = "SET client_min_messages = warning; CALL cordon.reencrypt('bench_rotation.t', 'token'{});\n"


def alone():
    """Rows per second, and the growth of private memory over the second half of the run in KiB."""
    psql(ROTATE)
    output = psql("SELECT cordon.key_id('x'::text::shared_encrypted_text) > 0;\n" + RESIDENT + "\\timing on\n" + CALL.format("")
                  + "\\timing off\n" + RESIDENT)
    times = re.findall(r"^Time: ([\d.]+) ms", output, re.MULTILINE)
    before, after = (int(total) - int(shared) for total, shared in re.findall(r"^(\d+)\|(\d+)$", output, re.MULTILINE))
    psql("VACUUM bench_rotation.t; CHECKPOINT")
    return ROWS / (float(times[-1]) / 1000), after - before


def adoption():
    """Rows per second, seconds to finish, and the growth of private memory in KiB while the rows were converted."""
    psql(f"""SET client_min_messages = error; DROP TABLE IF EXISTS bench_rotation.plain;
             CREATE TABLE bench_rotation.plain (team_id bigint NOT NULL, id int PRIMARY KEY, token text);
             INSERT INTO bench_rotation.plain SELECT 7, i, repeat('x', 40) FROM generate_series(1, {ROWS}) i;
             VACUUM (FREEZE, ANALYZE) bench_rotation.plain; CHECKPOINT""")
    output = psql("SET client_min_messages = warning; SELECT cordon.key_id('x'::text::shared_encrypted_text) > 0;\n" + RESIDENT + "\\timing on\n"
                  "CALL cordon.encrypt_column('bench_rotation.plain', 'token', tenant_column => 'team_id');\n"
                  "\\timing off\n" + RESIDENT + "\\timing on\nCALL cordon.finish_conversion('bench_rotation.plain', 'token');\n")
    convert, finish = (float(time) / 1000 for time in re.findall(r"^Time: ([\d.]+) ms", output, re.MULTILINE)[-2:])
    before, after = (int(total) - int(shared) for total, shared in re.findall(r"^(\d+)\|(\d+)$", output, re.MULTILINE))
    return ROWS / convert, finish, after - before


def transactions(path):
    output = run("pgbench", "--no-vacuum", "--protocol=prepared", "--client=1", f"--time={SECONDS}", f"--file={path}")
    return float(re.search(r"^tps = ([\d.]+)", output, re.MULTILINE).group(1))


def beside(path):
    psql(ROTATE)
    program = os.path.join(os.environ.get("CORDON_PG_BIN", ""), "psql")
    options = f", batch_size => {BATCH}, pause => '{PAUSE}'"
    with subprocess.Popen([program, "-X", "-q"], stdin=subprocess.PIPE, text=True) as call:
        writer = threading.Thread(target=call.communicate, args=(CALL.format(options),))
        writer.start()
        tps = transactions(path)
        psql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE '%cordon.reencrypt%' "
             "AND pid <> pg_backend_pid()")
        writer.join()
    done = int(psql("SELECT sum(rows_done) FROM cordon.reencrypt_progress"))
    return tps, done / SECONDS


def main(json_path):
    psql(SET_UP)
    print("  rows made", file=sys.stderr)
    rates = [alone() for _ in range(ROUNDS)]
    adoptions = [adoption() for _ in range(ROUNDS)]
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "write.sql")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"\\set id random(1, {ROWS})\nUPDATE bench_rotation.t SET hits = hits + 1 WHERE id = :id;\n")
        quiet, busy = [], []
        for _ in range(ROUNDS):
            quiet.append(transactions(path))
            busy.append(beside(path))
    psql("SET client_min_messages = error; DROP SCHEMA bench_rotation CASCADE")
    loss = 1 - max(tps for tps, _ in busy) / max(quiet)
    results = {}
    with contextlib.suppress(FileNotFoundError), open(json_path, encoding="utf-8") as file:
        results = json.load(file)
    results["rotation"] = figures = {
        "rows": ROWS, "rows_per_second": round(max(rate for rate, _ in rates)), "memory_growth_kib": min(kib for _, kib in rates),
        "batch_size": BATCH, "pause": PAUSE, "tps_alone": round(max(quiet)), "tps_beside": round(max(tps for tps, _ in busy)),
        "rows_per_second_beside": round(max(rate for _, rate in busy)), "loss": round(loss, 3),
    }
    results["adoption"] = adopted = {
        "rows": ROWS, "rows_per_second": round(max(rate for rate, _, _ in adoptions)),
        "seconds_to_finish": round(min(seconds for _, seconds, _ in adoptions), 2),
        "memory_growth_kib": min(kib for _, _, kib in adoptions),
    }
    with open(json_path, "w", encoding="utf-8") as file:
        json.dump(results, file, indent=2)
        file.write("\n")
    print("\ncordon.reencrypt, 40 B\n")
    verdict = "" if figures["rows_per_second"] >= RATE_TARGET else "   MISSED"
    print(f"alone: {figures['rows_per_second']:,} rows/s, target {RATE_TARGET:,}{verdict}; "
          f"private memory grew by {figures['memory_growth_kib']:,} KiB over {ROWS:,} rows")
    print(f"cordon.encrypt_column: {adopted['rows_per_second']:,} rows/s, private memory grew by {adopted['memory_growth_kib']:,} KiB; "
          f"finish_conversion: {adopted['seconds_to_finish']} s, of which milliseconds under an exclusive lock")
    verdict = "" if loss <= LOSS_TARGET else "   MISSED"
    print(f"beside pgbench, batch_size {BATCH}, pause {PAUSE}: {figures['tps_beside']:,} in place of {figures['tps_alone']:,} tps, "
          f"loss {100 * loss:.0f} %, target {100 * LOSS_TARGET:.0f} %{verdict}; {figures['rows_per_second_beside']:,} rows/s")


if __name__ == "__main__":
    main(*sys.argv[1:])
