"""Measure the embedded teacher: `python -m recipes.tiny_teacher.measure models/tiny-teacher`.

It solves drawn problems once, greedily, with the student's prompt. Counted are right answers,
solutions without a faulty step, and texts that equal the usual solution: on the side of the split
that its training figures lie on, and on the held-out one, whose figures it has not seen.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import polars as pl

from mathse.core.images import ImageStore, write_images
from mathse.engines.protocol import SamplingParams
from mathse.engines.transformers_engine import TransformersEngine
from mathse.evaluation.accuracy import share_with_interval
from mathse.figures.catalogue import stream
from mathse.figures.source import rows_of
from mathse.judge.answer_states import judge_by_answer
from mathse.judge.audit import audit
from mathse.trajectories import solve
from schemas import Problem, column_types

GREEDY = SamplingParams(temperature=0.0, top_p=1.0, max_new_tokens=96, seed=0)
SIDES = {"training side": "teacher_test", "held-out side": "eval"}
"""Streams of problems; a name that is no split's is a stream of its own on the training side."""


def measure(model: str, work: Path, *, problems: int) -> dict[str, dict[str, object]]:
    """Return by side the shares of right ones, each with n and its 95% interval."""
    found = {}
    for label, name in SIDES.items():
        drawn = stream(name, 0)
        rows, images = zip(*(rows_of(next(drawn), name) for _ in range(problems)), strict=True)
        asked = pl.DataFrame(rows, schema=column_types(Problem))
        store = work / "measure-images"
        write_images(pl.DataFrame(images).unique("image_id", maintain_order=True), store)
        engine = TransformersEngine(model, images=ImageStore(store), batch_size=256)
        plan = [(name, 0) for name in asked["problem_id"]]
        solved = solve(engine, asked, plan, sampling=GREEDY, round_name="r0", origin="teacher")
        engine.close()
        # By the answer check, by the step verifier, and beside the stored solution.
        judged = judge_by_answer(solved, asked)
        truths = audit(solved, judged, asked)["truth"]
        usual = solved.join(asked.select("problem_id", "solution"), on="problem_id")
        counts = {
            "answer": (judged["answer_state"] == "match").sum(),
            "every_step": (truths == "right").sum(),
            "unreadable": (truths == "unreadable").sum(),
            "usual_solution": (usual["response"] == usual["solution"]).sum(),
        }
        found[label] = {
            key: share_with_interval(int(count), problems) for key, count in counts.items()
        }
    return found


def main() -> None:
    """Print the shares as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--work", type=Path, default=Path(".mathse/tiny-teacher"))
    parser.add_argument("--problems", type=int, default=640, help="of each side")
    args = parser.parse_args()
    print(json.dumps(measure(args.model, args.work, problems=args.problems), indent=1))


if __name__ == "__main__":
    main()
