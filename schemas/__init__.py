"""The contracts of all tables: one model a table, and the ways to check a frame against it.

    df = schemas.validate(df, schemas.Problem, file="data/problems/problems.parquet")

Rules between tables are in `schemas.checks`, the values of columns in `schemas.enums`.
"""

from schemas.accuracy import Accuracy as Accuracy
from schemas.audit import Audit as Audit
from schemas.canary_answer import CanaryAnswer as CanaryAnswer
from schemas.dropped import Dropped as Dropped
from schemas.enums import *  # noqa: F403
from schemas.graded import Graded as Graded
from schemas.image import Image as Image
from schemas.judgement import Judgement as Judgement
from schemas.ledger_row import LedgerRow as LedgerRow
from schemas.match import Match as Match
from schemas.mistake import Mistake as Mistake
from schemas.orm_row import OrmRow as OrmRow
from schemas.prediction import Prediction as Prediction
from schemas.problem import Problem as Problem
from schemas.quarantine import Quarantine as Quarantine
from schemas.table import Table as Table
from schemas.train_row import TrainRow as TrainRow
from schemas.trajectory import Trajectory as Trajectory
from schemas.transition import Transition as Transition
from schemas.validation import ContractError as ContractError
from schemas.validation import Rule as Rule
from schemas.validation import column_types as column_types
from schemas.validation import optional_types as optional_types
from schemas.validation import quarantine_rows as quarantine_rows
from schemas.validation import rules as rules
from schemas.validation import split_bad as split_bad
from schemas.validation import validate as validate
from schemas.verdict import Verdict as Verdict

TABLES: tuple[type[Table], ...] = (
    Problem,
    Image,
    Trajectory,
    Verdict,
    Mistake,
    TrainRow,
    Dropped,
    OrmRow,
    Judgement,
    LedgerRow,
    Prediction,
    Graded,
    Accuracy,
    Transition,
    CanaryAnswer,
    Audit,
    Quarantine,
    Match,
)
