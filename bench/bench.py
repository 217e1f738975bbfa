"""Measures sealing and opening beside plain text and pgcrypto, on the server that psql reaches.

Each figure is the time of one call, in nanoseconds: the execution time of a query that evaluates the expression once a
row, less that of the same query over the bare column, divided by the rows. The queries take turns, and the best of
ROUNDS counts, because noise only ever adds. Writes a JSON file and an SVG plot.

usage: bench.py results.json plot.svg
"""

import json
import platform
import re
import subprocess
import sys

ROUNDS = 7
# Label, bytes of plaintext, rows of the fast queries, rows of pgp_sym_encrypt (which stretches its key for each value).
SIZES = [("40 B", 40, 300_000, 300), ("1 KiB", 1024, 200_000, 300), ("64 KiB", 65536, 10_000, 100)]
KEY = r"'\x00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff'::bytea"
IV = r"'\x00112233445566778899aabbccddeeff'::bytea"

# Name: value that is made once, expression that is evaluated for each row.
PLAIN_TEXT = ("t", "v")
SUBJECTS = {
    "seal": {
        "pg_cordon": ("t", "v::encrypted_text"),
        "pgcrypto encrypt_iv": ("convert_to(t, 'UTF8')", f"encrypt_iv(v, {KEY}, {IV}, 'aes-cbc')"),
        "pgcrypto pgp_sym_encrypt": ("t", "pgp_sym_encrypt(v, 'a passphrase')"),
    },
    "open": {
        "pg_cordon": ("t::encrypted_text", "v::text"),
        "pgcrypto decrypt_iv": (
            f"encrypt_iv(convert_to(t, 'UTF8'), {KEY}, {IV}, 'aes-cbc')",
            f"decrypt_iv(v, {KEY}, {IV}, 'aes-cbc')",
        ),
        "pgcrypto pgp_sym_decrypt": ("pgp_sym_encrypt(t, 'a passphrase')", "pgp_sym_decrypt(v, 'a passphrase')"),
    },
}
# Of pg_cordon's time to pgcrypto's encrypt_iv and decrypt_iv.
TARGETS = {
    ("40 B", "seal"): 0.45, ("40 B", "open"): 0.45,
    ("1 KiB", "seal"): 0.5, ("1 KiB", "open"): 0.5,
    ("64 KiB", "seal"): 0.5, ("64 KiB", "open"): 1.0,
}


def psql(script):
    command = ["psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1"]
    return subprocess.run(command, input=script, text=True, check=True, capture_output=True).stdout


def query(size, value, expression, rows):
    """Evaluates the expression once a row, over a value that is in memory."""
    return (
        f"WITH s AS MATERIALIZED (SELECT repeat('x', {size}) AS t), v AS MATERIALIZED (SELECT {value} AS v FROM s) "
        f"SELECT count({expression}) FROM v, generate_series(1, {rows})"
    )


def execution_ms(script):
    explained = "\n".join(f"EXPLAIN (ANALYZE, TIMING OFF, COSTS OFF) {statement};" for statement in script)
    output = psql(f"SET app.team_id = '7';\n{explained}")
    return [float(ms) for ms in re.findall(r"Execution Time: ([\d.]+) ms", output)]


def measure():
    figures = {}
    for label, size, fast_rows, slow_rows in SIZES:
        cases = {}
        for operation, subjects in SUBJECTS.items():
            for name, (value, expression) in subjects.items():
                rows = slow_rows if "pgp" in name else fast_rows
                cases[operation, name] = (rows, query(size, value, expression, rows), query(size, value, "v", rows))
        cases["read", "plain text"] = (fast_rows, query(size, *PLAIN_TEXT, fast_rows), None)
        best = {}
        for _ in range(ROUNDS):
            statements = [(case, at) for case, (_, *queries) in cases.items() for at, q in enumerate(queries) if q]
            times = execution_ms([cases[case][1 + at] for case, at in statements])
            for key, ms in zip(statements, times, strict=True):
                best[key] = min(ms, best.get(key, ms))
        figures[label] = {}
        for case, (rows, _, baseline) in cases.items():
            net = best[case, 0] - (best[case, 1] if baseline else 0)
            figures[label].setdefault(case[0], {})[case[1]] = round(net * 1e6 / rows, 1)
        print(f"  {label} done", file=sys.stderr)
    return figures


def cache_kib():
    """Growth of a backend's resident memory when it opens a value of each of 10,000 tenants, in KiB.

    The same loop is run before with one tenant, so that what PostgreSQL itself allocates is not counted.
    """
    def loop(tenant):
        return (
            "DO $$ BEGIN FOR i IN 1..10000 LOOP "
            f"PERFORM set_config('app.team_id', {tenant}, true), 'x'::text::encrypted_text::text; "
            "END LOOP; END $$;\n"
        )
    resident = (
        "SELECT substring(pg_read_file(format('/proc/%s/status', pg_backend_pid())) from 'VmRSS:\\s+(\\d+)');\n"
    )
    before, after = psql(loop("'1'") + resident + loop("i::text") + resident).split()
    return int(after) - int(before)


def ratios(figures):
    rows = []
    for (label, operation), target in TARGETS.items():
        ours = figures[label][operation]["pg_cordon"]
        theirs = next(ns for name, ns in figures[label][operation].items() if name.endswith("_iv"))
        rows.append({"size": label, "operation": operation, "ratio": round(ours / theirs, 3), "target": target})
    return rows


def print_table(results):
    print("\nns per call, net of reading the plain column\n")
    for operation in ("seal", "open"):
        names = list(SUBJECTS[operation])
        print(f"{operation:8}" + "".join(f"{name:>28}" for name in names))
        for label, by_operation in results["ns"].items():
            print(f"{label:8}" + "".join(f"{by_operation[operation][name]:28,.0f}" for name in names))
        print()
    print("reading plain text, ns per row: " + ", ".join(
        f"{label} {ns['read']['plain text']:.0f}" for label, ns in results["ns"].items()))
    print("\npg_cordon ÷ pgcrypto's encrypt_iv or decrypt_iv (AES-256-CBC, unauthenticated, IV chosen by the caller)\n")
    for row in results["ratios"]:
        verdict = "" if row["ratio"] <= row["target"] else "   MISSED"
        print(f"{row['size']:8}{row['operation']:6}{row['ratio']:6.2f}   target {row['target']:.2f}{verdict}")
    print(f"\nkeys of 10,000 tenants in one backend: {results['cache_kib']:,} KiB resident (target 4,096)")


def svg(results):
    """Bars of ns per call, one group a size, each on a scale of its own, because the sizes differ by three powers."""
    colours = {"pg_cordon": "#1b6ca8", "pgcrypto": "#c9a227"}
    bar_height, gap, left, width = 20, 8, 250, 460
    y, parts = 40, []
    for operation in ("seal", "open"):
        for label, by_operation in results["ns"].items():
            bars = {name: ns for name, ns in by_operation[operation].items() if "pgp" not in name}
            scale = max(bars.values())
            parts.append(f'<text x="10" y="{y + 14}" font-weight="bold">{operation} {label}</text>')
            for name, ns in bars.items():
                colour = colours[name.split()[0]]
                length = max(1, width * ns / scale)
                parts.append(f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{name}</text>')
                parts.append(f'<rect x="{left}" y="{y}" width="{length:.0f}" height="{bar_height - 4}" fill="{colour}"/>')
                parts.append(f'<text x="{left + length + 6:.0f}" y="{y + 13}">{ns:,.0f} ns</text>')
                y += bar_height
            y += gap
    title = '<text x="10" y="22" font-size="15">Time of one call, net of reading the column (shorter is better)</text>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 820 {y}" font-family="sans-serif" font-size="12">'
        f'<rect width="820" height="{y}" fill="white"/>{title}{"".join(parts)}</svg>\n'
    )


def cpu():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as info:
            return next(line.split(":")[1].strip() for line in info if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


def main(json_path, svg_path):
    psql("SET client_min_messages = error; CREATE EXTENSION IF NOT EXISTS pgcrypto; "
         "CREATE EXTENSION IF NOT EXISTS pg_cordon; SELECT cordon.create_keyring();")
    figures = measure()
    results = {
        "server": psql("SHOW server_version").strip(), "cpu": cpu(), "rounds": ROUNDS,
        "ns": figures, "ratios": ratios(figures), "cache_kib": cache_kib(),
    }
    with open(json_path, "w", encoding="utf-8") as file:
        json.dump(results, file, indent=2)
        file.write("\n")
    with open(svg_path, "w", encoding="utf-8") as file:
        file.write(svg(results))
    print_table(results)


if __name__ == "__main__":
    main(*sys.argv[1:])
