"""Measure time and peak memory of imports of different sizes: memory must not grow with the images.

    python -m bench.import_memory [--problems 10000 100000] [--side 50]

Each import runs in a process of its own, on generated rows in the layout of MATH-Vision with one
picture each. The result goes to `bench/results/import_memory.json`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.common import peak_mib, save
from mathse.datasets.image_files import array_to_png


def make_rows(root: Path, count: int, side: int) -> int:
    """Write a data set of random pictures; returns their size in bytes."""
    noise = np.random.default_rng(0)
    size = 0
    (root / "images").mkdir(parents=True)
    with (root / "test.jsonl").open("w", encoding="utf-8") as lines:
        for number in range(count):
            image = array_to_png(noise.integers(0, 256, (side, side, 3), np.uint8))
            size += len(image)
            (root / "images" / f"{number}.png").write_bytes(image)
            row = {
                "id": str(number),
                "question": f"How many of the {number} dots are red?\n<image1>",
                "options": [],
                "answer": str(number % 97),
                "solution": None,
                "level": 1,
                "subject": "counting",
                "image": f"images/{number}.png",
            }
            lines.write(json.dumps(row) + "\n")
    return size


def run_import(root: Path, out: Path) -> None:
    """Import and print counts, seconds and this process's peak memory as one line of JSON."""
    from mathse.datasets.importing import import_source

    start_s = time.perf_counter()
    counts = import_source("math-vision", root, out)
    spent_s = time.perf_counter() - start_s
    print(json.dumps({"problems": counts["problems"], "s": spent_s, "peak_mib": peak_mib()}))


def main() -> None:
    """Print a table: problems, size of their images, seconds, peak memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--side", type=int, default=50, help="pixels of a picture's side")
    parser.add_argument("--worker", nargs=2, metavar=("DATA", "OUT"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        run_import(Path(args.worker[0]), Path(args.worker[1]))
        return
    rows = []
    print(f"{'problems':>10} {'images MB':>10} {'s':>8} {'rows/s':>8} {'peak MiB':>9}")
    for count in args.problems:
        with tempfile.TemporaryDirectory() as folder:
            size = make_rows(Path(folder) / "data", count, args.side)
            command = [sys.executable, "-m", "bench.import_memory", "--worker"]
            command += [f"{folder}/data", f"{folder}/out"]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        seen = json.loads(output.splitlines()[-1])
        assert seen["problems"] == count, seen
        rate, peak = count / seen["s"], seen["peak_mib"]
        print(f"{count:>10} {size / 1e6:>10.0f} {seen['s']:>8.1f} {rate:>8.0f} {peak:>8.0f}")
        rows.append({**seen, "image_mb": round(size / 1e6, 1)})
    save("import_memory", {"imports": rows}, ("polars", "pillow"))


if __name__ == "__main__":
    main()
