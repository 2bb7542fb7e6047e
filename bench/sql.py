"""`mathse sql` on large tables: `python -m bench.sql [MILLIONS]`.

Writes rounds of trajectories with the columns of the pipeline, then asks in a process of its own:
seconds of a group-by, most memory. Writes bench/results/sql.json.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from bench.common import ROOT, save

ROUNDS = 20
QUESTIONS = {
    "group-by": "SELECT round, origin, count(*) FROM trajectories GROUP BY ALL",
    "tokens": "SELECT round, avg(response_tokens), max(len(steps)) FROM trajectories GROUP BY ALL",
    "join": "SELECT t.round, count(*) FILTER (v.accepted) FROM trajectories t "
    "JOIN verdicts v USING (trajectory_id) GROUP BY ALL",
}
TRAJECTORY = """
SELECT left(md5(i::VARCHAR), 16) AS trajectory_id, left(md5((i % {problems})::VARCHAR), 16)
       AS problem_id, '{name}' AS round, i % 4 AS sample_idx, 'student' AS origin,
       NULL::VARCHAR AS parent_id, 'fingerprint' AS input_fingerprint, 'model' AS model,
       '{{}}' AS sampling, i AS seed, '1. ' || i || '+1=' || (i + 1) || '. The answer is ' || i
       AS response, [i::VARCHAR, (i + 1)::VARCHAR] AS steps, 'stop' AS finish_reason,
       NULL::VARCHAR AS error, NULL::VARCHAR AS error_kind, 90 AS prompt_tokens,
       40 + i % 60 AS response_tokens
FROM range({first}, {last}) t(i)
"""
VERDICT = """
SELECT left(md5(i::VARCHAR), 16) AS trajectory_id, left(md5((i % {problems})::VARCHAR), 16)
       AS problem_id, '{name}' AS round, i % 3 = 0 AS accepted
FROM range({first}, {last}) t(i)
"""


def write(data: Path, rows: int) -> None:
    """Write so many trajectories and verdicts, over 20 rounds."""
    connection = duckdb.connect()
    for number in range(ROUNDS):
        folder = data / "rounds" / f"r{number + 1}"
        folder.mkdir(parents=True)
        size = rows // ROUNDS
        span = {"first": number * size, "last": (number + 1) * size, "name": f"r{number + 1}"}
        for table, sql in (("trajectories", TRAJECTORY), ("verdicts", VERDICT)):
            text = sql.format(**span, problems=rows // 20)
            target = f"'{folder}/{table}.parquet' (COMPRESSION zstd, ROW_GROUP_SIZE 50000)"
            connection.execute(f"COPY ({text}) TO {target}").fetchall()
    connection.close()


ASK = """
import json, sys, time
from bench.common import peak_mib
from mathse.report.sql import Tables
start = time.perf_counter()
with Tables({"main": sys.argv[1]}) as tables:
    found = {"open_s": round(time.perf_counter() - start, 2)}
    start = time.perf_counter()
    rows = list(tables.ask(sys.argv[2]).rows)
    found["seconds"] = round(time.perf_counter() - start, 2)
found["peak_mib"] = round(peak_mib())
assert len(rows) == 20, len(rows)
print(json.dumps(found))
"""


def main() -> None:
    """Measure one and ten million trajectories, or so many millions as are named."""
    sizes = [int(word) for word in sys.argv[1:]] or [1, 10]
    results: dict[str, object] = {"load_before": round(os.getloadavg()[0], 1)}
    for millions in sizes:
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            write(Path(folder) / "data", millions * 1_000_000)
            print(f"{millions} million written in {time.perf_counter() - start:.0f} s", flush=True)
            for name, sql in QUESTIONS.items():
                words = [sys.executable, "-c", ASK, f"{folder}/data", sql]
                done = subprocess.run(
                    words, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT
                )
                results[f"{millions} million, {name}"] = json.loads(done.stdout)
                print(name, done.stdout.strip(), flush=True)
    save("sql", results, ("duckdb",))


if __name__ == "__main__":
    main()
