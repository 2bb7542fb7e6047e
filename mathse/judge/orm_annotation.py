"""What the ORM learns from: the student's trajectories and some of the teacher's, annotated."""

from __future__ import annotations

import polars as pl

from mathse.core.failures import check_failures
from mathse.core.layout import Layout
from mathse.core.params import Params, RoleName
from mathse.core.registry import ANNOTATORS, DATA_ENGINES, load
from mathse.curation.drops import Drops
from mathse.curation.plan import usable_problems
from mathse.engines.journaled import JournaledEngine
from mathse.engines.protocol import Engine
from mathse.engines.roles import load_role, use_journal
from mathse.judge.annotation import annotate_by_engine
from mathse.prompts.roles import load_prompts
from mathse.trajectories import sampling_params, solve


class OrmAnnotation:
    """Annotates trajectories as the parameters say.

    Args:
        layout: where images and journals are.
        params: all parameters.
        problems: `Problem` rows; those of the trajectories must be among them.

    Attributes:
        drops: the trajectories whose annotation is not used.
        engines: teacher and annotator, once they have worked.
    """

    def __init__(self, layout: Layout, params: Params, problems: pl.DataFrame) -> None:
        self.layout = layout
        self.params = params
        self.problems = problems
        self.drops = Drops()
        self.prompts = load_prompts(layout, params)
        self.engines: dict[str, Engine] = {}

    def __call__(self, trajectories: pl.DataFrame) -> pl.DataFrame:
        """Annotate whole trajectories, and add the teacher's solutions of unsolved problems.

        Without these the judge would know hard problems by their wrong trajectories alone, and
        learn to judge by the question.

        Args:
            trajectories: `Trajectory` rows; those that were cut off are left out.

        Returns:
            Rows of `ANNOTATED`.
        """
        annotated = self.annotate(trajectories, "annotate")
        # Problems without a correct trajectory, by content hash.
        right = annotated.filter(pl.col("status") == "correct")["problem_id"].to_list()
        wrong = annotated.filter(pl.col("status") == "wrong")
        teacher = self._engine("teacher", "orm teacher")
        unsolved = usable_problems(self.problems, teacher, right).sort("problem_id")
        share, names = self.params.orm_data.teacher_share, list[str]()
        for split in ("orm", "orm_test"):
            in_split = self.problems.filter(pl.col("split") == split)
            most = round(share * wrong.join(in_split, on="problem_id", how="semi").height)
            names += unsolved.filter(pl.col("split") == split)["problem_id"].head(most).to_list()
        solved = solve(
            teacher,
            self.problems,
            [(name, 0) for name in names],
            sampling=sampling_params(self.params.teacher, self.params.seed),
            round_name="r0",
            origin="teacher",
            messages=self.prompts.solve,
        )
        check_failures(solved, max_share=self.params.errors_max_share, label="orm teacher")
        return pl.concat([annotated, self.annotate(solved, "annotate teacher")])

    def annotate(self, trajectories: pl.DataFrame, label: str) -> pl.DataFrame:
        """Annotate what was not cut off. Each label has its own journal.

        Args:
            trajectories: `Trajectory` rows.
            label: what is done, for the journal and the progress line.

        Returns:
            Rows of `ANNOTATED`.
        """
        whole = trajectories.filter(pl.col("finish_reason") == "stop")
        role = self.params.annotator
        if role.engine in ANNOTATORS:
            found: pl.DataFrame = load(ANNOTATORS, role.engine)(whole, self.problems)
            return found
        engine = self._engine("annotator", label)
        return annotate_by_engine(
            whole,
            self.problems,
            engine,
            self.drops,
            prompts=self.prompts,
            sampling=sampling_params(role, self.params.seed),
            errors_max_share=self.params.errors_max_share,
            checks_answers=role.engine not in DATA_ENGINES,
        )

    def _engine(self, name: RoleName, label: str) -> Engine:
        """Return the engine of a role. Others rest meanwhile: they may need the same GPUs."""
        for other, engine in self.engines.items():
            if other != name and isinstance(engine, JournaledEngine):
                engine.rest()
        if name not in self.engines:
            self.engines[name] = load_role(self.layout, self.params, name, self.problems, label)
        use_journal(self.engines[name], self.layout, label)
        return self.engines[name]
