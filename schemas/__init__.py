"""The contracts of all tables: one model a table, and the ways to hold a frame to it.

    df = schemas.validate(df, schemas.Problem, file="data/problems/problems.parquet")

Rules between tables are in `schemas.checks`.
"""

from schemas.enums import (
    ANSWER_STATES,
    ANSWER_TYPES,
    DROP_REASONS,
    ERROR_KINDS,
    FINISH_REASONS,
    IMAGE_FORMATS,
    LEDGER_STATES,
    LETTERS,
    MATCH_RULES,
    ORIGINS,
    ORM_PARTS,
    ORM_STATUSES,
    REJECT_REASONS,
    FinishReason,
)
from schemas.graded import Graded
from schemas.image import Image
from schemas.ledger_row import LedgerRow
from schemas.match import Match
from schemas.orm_row import OrmRow
from schemas.prediction import Prediction
from schemas.problem import Problem
from schemas.quarantine import Quarantine
from schemas.table import Table
from schemas.train_row import TrainRow
from schemas.trajectory import Trajectory
from schemas.validation import (
    ContractError,
    Rule,
    column_types,
    quarantine_rows,
    rules,
    split_bad,
    validate,
)
from schemas.verdict import Verdict

TABLES: tuple[type[Table], ...] = (
    Problem,
    Image,
    Trajectory,
    Verdict,
    TrainRow,
    OrmRow,
    LedgerRow,
    Prediction,
    Graded,
    Quarantine,
    Match,
)

__all__ = [
    "ANSWER_STATES",
    "ANSWER_TYPES",
    "DROP_REASONS",
    "ERROR_KINDS",
    "FINISH_REASONS",
    "IMAGE_FORMATS",
    "LEDGER_STATES",
    "LETTERS",
    "MATCH_RULES",
    "ORIGINS",
    "ORM_PARTS",
    "ORM_STATUSES",
    "REJECT_REASONS",
    "TABLES",
    "ContractError",
    "FinishReason",
    "Graded",
    "Image",
    "LedgerRow",
    "Match",
    "OrmRow",
    "Prediction",
    "Problem",
    "Quarantine",
    "Rule",
    "Table",
    "TrainRow",
    "Trajectory",
    "Verdict",
    "column_types",
    "quarantine_rows",
    "rules",
    "split_bad",
    "validate",
]
