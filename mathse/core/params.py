"""What a result depends on: `params.yaml` as typed sections. An unknown key is an error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    field_validator,
    model_validator,
)

from mathse.core.contradictions import TRAINED_SPLITS as TRAINED_SPLITS
from mathse.core.contradictions import contradictions
from mathse.core.errors import ParamError
from mathse.core.registry import ENGINES, names_of

RoleName = Literal["student", "orm", "teacher", "annotator", "reflector"]
Dtype = Literal["auto", "bfloat16", "float32"]
Dtype32 = Literal["float32", "bfloat16"]
VerdictForm = Literal["likelihood", "stepwise", "diagnostic", "binary"]
Accept = Literal["answer", "orm", "both"]

_ROUND_NAME = re.compile(r"[a-z][a-z0-9_]*")  # r1, no_reflection


class Section(BaseModel):
    """A section of the parameters: frozen, and no key that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Table(Section):
    """One imported data set (see `mathse import`) and the split that its rows become."""

    path: str
    split: str | None = None  # take only rows of this split of the data set
    use: Literal["train", "eval", "eval_hard"]
    limit: int | None = Field(default=None, ge=1)


class Problems(Section):
    """Where problems come from: generated figures by split, or imported tables."""

    source: Literal["figures", "tables"]
    figures: dict[str, Annotated[int, Field(ge=0)]]
    tables: list[Table]
    orm_share: float = Field(ge=0, lt=1)
    orm_test_share: float = Field(ge=0, lt=1)


class Decontaminate(Section):
    """When a training problem is an evaluation problem; see `mathse.curation.contamination`."""

    enabled: bool
    text_min: float = Field(gt=0, le=1)
    text_plain_min: float = Field(gt=0, le=1)
    text_with_picture_min: float = Field(gt=0, le=1)
    picture_min: float = Field(gt=0, le=1)
    hash_bits_max: int = Field(ge=0, le=128)
    numbers_min: int = Field(ge=0)


class PixelLimits(Section):
    """Fewest and most pixels of a picture; others are scaled. None: the model's own limits."""

    min: int | None = Field(default=None, ge=1)
    max: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> PixelLimits:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is more than max {self.max}")
        return self

    def __bool__(self) -> bool:
        """Return True if there is a limit."""
        return self.min is not None or self.max is not None


class Role(Section):
    """Who does a part of the work: an engine, and the model that it runs or asks."""

    engine: str = "transformers"
    model: str | None = None  # a folder, a Hub id, or the name that a server knows
    revision: str | None = None  # of the Hub
    pixels: PixelLimits = PixelLimits()
    dtype: Dtype = "auto"
    batch_size: int = Field(default=16, ge=1)
    max_prompt_tokens: int = Field(default=4096, ge=1)
    trust_remote_code: bool = False


class ModelRole(Role):
    """A role that is trained: `model` is what its training starts from."""

    model: str


class OrmRole(ModelRole):
    """The ORM; `refresh`: if, and on which rows, it is trained further after each round."""

    refresh: Literal["never", "round", "own_rows"] = "never"
    refresh_steps: int = Field(default=200, ge=1)


class WritingRole(Role):
    """Teacher, annotator or reflector: a role with its own sampling."""

    temperature: float | None = Field(ge=0)  # None, and so for top_p: a server is not sent it
    top_p: float | None = Field(gt=0, le=1)
    max_new_tokens: int | None = Field(ge=1)  # None: for engines that sample nothing
    extra: dict[str, JsonValue] = {}  # what else a server is sent with each request


class SamplingSection(Section):
    """How trajectories are sampled."""

    temperature: float = Field(ge=0)
    top_p: float = Field(gt=0, le=1)
    max_new_tokens: int = Field(ge=1)


class PromptsSection(Section):
    """The prompts of teacher, annotator and reflector; see `mathse.prompts.roles`."""

    folder: str
    language: Literal["auto", "en", "zh"]


class Distill(Section):
    """The teacher's trajectories that r0 learns from."""

    problems: int = Field(ge=1)


class OrmData(SamplingSection):
    """The trajectories that the ORM learns from."""

    samples: int = Field(ge=1)
    max_train: int = Field(ge=2)
    max_test: int = Field(ge=2)
    max_per_problem: int = Field(ge=1)
    teacher_share: float = Field(ge=0, le=1)


class Lora(Section):
    """Adapters beside frozen matrices, merged into them when the model is written."""

    rank: int = Field(default=16, ge=1)
    alpha: float = Field(default=32, gt=0)  # the adapter's product counts alpha / rank
    dropout: float = Field(default=0.0, ge=0, lt=1)
    # Of whole names of modules, such as model.language_model.layers.0.mlp.up_proj
    targets: str = r".*(language|text)_model.*\.(q|k|v|o|gate|up|down)_proj"


class TrainConfig(Section):
    """How a model is fine-tuned: everything that the trained weights depend on, the seed apart."""

    learning_rate: float = Field(gt=0)  # the highest, reached after the warm-up
    warmup_ratio: float = Field(ge=0, le=1)  # share of the steps
    weight_decay: float = Field(ge=0)  # of matrices; norms and biases have none
    max_grad_norm: float = Field(default=1.0, gt=0)
    batch_size: int = Field(ge=1)  # rows per optimizer step over all processes
    steps: int | None = Field(default=None, ge=1)  # None: as many as `epochs` take
    epochs: float = Field(default=1.0, gt=0)
    max_tokens: int = Field(ge=1)  # a row with more (prompt, images, target) is left out
    precision: Literal["auto", "bf16", "fp32"] = "auto"  # of computation; weights train in fp32
    frozen: tuple[str, ...] = ()  # parts of the names of parameters that are not trained
    span_weight: float = Field(default=1.0, gt=0)  # see `Example.weighted_span`
    attention: Literal["auto", "eager", "sdpa", "flash_attention_2"] = "auto"
    save_dtype: Dtype32 = "bfloat16"  # of the weights that are written
    # A model's record names these only where they are not the default.
    method: Literal["full", "lora"] = Field(
        default="full", exclude_if=lambda value: value == "full"
    )
    lora: Lora = Field(default=Lora(), exclude_if=lambda value: value == Lora())
    frozen_dtype: Dtype32 = Field(default="float32", exclude_if=lambda value: value == "float32")


class Training(TrainConfig):
    """A section of fine-tuning: its configuration, and how memory is spent.

    What is here changes no more than the order in which gradients are added.
    """

    processes: int = Field(default=1, ge=1)  # on the CPU; on GPUs see `launcher` of machine.yaml
    micro_batch_size: int = Field(default=0, ge=0)
    micro_batch_tokens: int | None = Field(default=None, ge=1)  # instead: most tokens, padding too
    sharding: Literal["none", "full"] = "none"  # full: weights, gradients, optimizer over processes
    activation_checkpointing: bool = False  # compute activations again in the backward pass


class Finetune(Training):
    """The student's fine-tuning: that of r0, and how the rounds train."""

    trainer: Literal["accelerate", "llama-factory", "ms-swift"] = "accelerate"
    trainer_options: dict[str, Any] = {}  # flags of another trainer: {template: qwen2_vl}


class Evolve(Section):
    """What differs in the fine-tuning of the rounds. Apart from `finetune`: r0 reads none of it."""

    init: Literal["base", "previous"]
    steps: int | None = Field(default=None, ge=1)  # None: as many as `finetune.epochs` take


class TrainOrm(Training):
    """The ORM's fine-tuning."""

    form: VerdictForm
    solve_repeats: int = Field(ge=1)


class Generate(SamplingSection):
    """The student's trajectories on D_remain."""

    enabled: bool
    samples: int = Field(ge=1)
    hard_samples: int = Field(ge=0)
    max_problems: int | None = Field(default=None, ge=1)
    choices: Literal["shown", "hidden"] = "shown"


class Score(Section):
    """How trajectories are judged and accepted."""

    accept: Accept
    min_p_correct: float = Field(ge=0, le=1)
    max_new_tokens: int = Field(ge=1)


class Reflect(Section):
    """Reflection on wrong trajectories."""

    enabled: bool
    per_problem_max: int = Field(ge=1)
    samples: int = Field(ge=1)
    max_problems: int | None = Field(default=None, ge=1)
    # See `with_feedback`.
    feedback: Literal["orm", "none", "shuffled", "annotator", "solve_again"] = "orm"


class Merge(Section):
    """Limits on what joins the training rows; see `mathse.curation.balance`."""

    max_per_problem: int = Field(ge=1)
    min_chars: int = Field(default=0, ge=0)  # of a trajectory
    max_chars: int | None = Field(default=None, ge=1)
    jaccard_min: float | None = Field(default=None, gt=0, le=1)  # null: only `dedup_key` counts
    easy_rate: float = Field(default=1.0, ge=0, le=1)
    easy_max: int | None = Field(default=None, ge=1)  # most rows of an easy problem
    hard_rate: float = Field(default=0.25, ge=0, le=1)
    hard_max: int | None = Field(default=None, ge=1)
    hard_share: float = Field(default=0.0, ge=0, lt=1)  # least share of hard problems' new rows
    reflection_rows: bool = False  # see `TrainRow.draft`
    select_rows: int = Field(default=0, ge=0)  # most candidates; see `TrainRow.candidates`

    @model_validator(mode="after")
    def _limits_can_be_met(self) -> Merge:
        if self.max_chars is not None and self.max_chars < self.min_chars:
            raise ValueError(f"max_chars is {self.max_chars}, below min_chars of {self.min_chars}")
        if self.hard_rate > self.easy_rate:
            raise ValueError(f"hard_rate is {self.hard_rate}, above easy_rate of {self.easy_rate}")
        if self.select_rows == 1:
            raise ValueError("select_rows is 1: to choose takes 2 solutions; 0 means no such rows")
        return self


class Evaluate(SamplingSection):
    """How the evaluation splits are answered."""

    splits: list[str] = Field(min_length=1)
    limit: int | None = Field(default=None, ge=1)
    gate: Literal["warn", "stop"] = "warn"  # what a round does that is worse than the one before


class Canary(Section):
    """General skills that each model is asked for; see `mathse.figures.canary`."""

    problems: int = Field(ge=0)
    max_new_tokens: int = Field(ge=1)


class Round(Section):
    """One round: the round before, and switches that override the sections' own."""

    prev: str
    generate: bool | None = None
    reflect: bool | None = None


class _Contradictions(ValueError):
    """What excludes each other in a file, a text each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class Params(Section):
    """All of `params.yaml`."""

    seed: int = Field(ge=0, lt=2**32)  # what NumPy and PyTorch both take
    errors_max_share: float = Field(default=0.05, ge=0, le=1)
    problems: Problems
    decontaminate: Decontaminate
    student: ModelRole
    orm: OrmRole
    teacher: WritingRole
    annotator: WritingRole
    reflector: WritingRole
    prompts: PromptsSection
    distill: Distill
    orm_data: OrmData
    train_orm: TrainOrm
    generate: Generate
    score: Score
    reflect: Reflect
    merge: Merge
    finetune: Finetune
    evolve: Evolve
    eval: Evaluate
    canary: Canary
    rounds: dict[str, Round]
    controls: list[Literal["control", "control_teacher", "control_same", "control_gold"]]

    @field_validator("rounds")
    @classmethod
    def _chain(cls, rounds: dict[str, Round]) -> dict[str, Round]:
        for name, settings in rounds.items():
            if not _ROUND_NAME.fullmatch(name):
                raise ValueError(f"{name!r} cannot name a round: use a-z, 0-9 and _, as in r4")
            if name in ("r0", "base", "orm") or name.startswith("control"):
                raise ValueError(f"{name} is not a name for a round: it is taken")
            if settings.prev != "r0" and settings.prev not in rounds:
                raise ValueError(f"round {name} follows {settings.prev}, which does not exist")
        for name in rounds:
            seen, previous = {name}, rounds[name].prev
            while previous != "r0":
                if previous in seen:
                    raise ValueError(f"round {name} follows itself")
                seen.add(previous)
                previous = rounds[previous].prev
        # The last line is taken for the last round.
        names = ["r0", *rounds]
        for name in rounds:
            if names.index(rounds[name].prev) > names.index(name):
                raise ValueError(
                    f"round {name} stands before {rounds[name].prev}, which it follows"
                )
        return rounds

    @property
    def roles(self) -> dict[RoleName, Role]:
        """Return all roles by name."""
        return {name: getattr(self, name) for name in get_args(RoleName)}

    @property
    def models(self) -> dict[RoleName, str]:
        """Return the model of each role whose engine runs or asks one."""
        return {
            name: role.model
            for name, role in self.roles.items()
            if role.engine in ENGINES and role.model is not None
        }

    @model_validator(mode="after")
    def _known_names(self) -> Params:
        for name, role in self.roles.items():
            if role.engine not in (known := names_of(name)):
                allowed = ", ".join(known)
                raise ValueError(f"{name}.engine: there is no {role.engine!r}; one of {allowed}")
        return self

    @model_validator(mode="after")
    def _no_contradictions(self) -> Params:
        if faults := list(contradictions(self)):
            raise _Contradictions(faults)
        return self

    def is_enabled(self, round_name: str, what: Literal["generate", "reflect"]) -> bool:
        """Return True if a round generates or reflects: its own switch, else the section's."""
        switch: bool | None = getattr(self.rounds[round_name], what)
        return bool(getattr(self, what).enabled) if switch is None else switch

    @property
    def last_round(self) -> str:
        """Return the round on the last line; r0 if there is none."""
        return ["r0", *self.rounds][-1]

    def chain(self, name: str) -> list[str]:
        """Return the rounds from r0 to a round, in order; a branch has not all that precede it.

        Example:
            With r1, r2, r3 and `r4: {prev: r2}`, the chain of r4 is r0, r1, r2, r4.
        """
        names = [name]
        while names[0] != "r0":
            names.insert(0, self.rounds[names[0]].prev)
        return names

    def previous_round(self, name: str) -> str | None:
        """Return the round that a round follows: r0 follows the base model, which follows nothing.

        Raises:
            ParamError: if there is no such round.
        """
        if name in self.rounds:
            return self.rounds[name].prev
        built_in = {"base": None, "r0": "base"} | dict.fromkeys(self.controls, "r0")
        if name not in built_in:
            known = ", ".join([*built_in, *self.rounds])
            raise ParamError(f"There is no round {name!r} in params.yaml; there are {known}")
        return built_in[name]


def load_params(path: str | Path) -> Params:
    """Read and check `params.yaml`.

    Raises:
        ParamError: naming file, key and what is allowed, one line for each fault.
    """
    values = read_yaml(path)
    rounds = values.get("rounds") if isinstance(values, dict) else None
    if isinstance(rounds, dict) and (bad := [name for name in rounds if not isinstance(name, str)]):
        raise ParamError(
            f"{path}: rounds.{bad[0]}: name rounds r1, r2, …: DVC drops stages with other keys"
        )
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        raise ParamError("\n".join(explain_faults(str(path), error))) from error


def read_yaml(path: str | Path) -> Any:
    """Read a YAML file of settings.

    Raises:
        ParamError: naming the file, if it cannot be read, is not UTF-8, is no YAML, or has a key
            twice in the same place.
    """
    try:
        loader = _YamlLoader(Path(path).read_text(encoding="utf-8"))
        loader.name = str(path)  # that its messages name
        return loader.get_single_data()
    except OSError as error:
        raise ParamError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ParamError(f"{path}: line {line} is not UTF-8: save the file as UTF-8") from error
    except yaml.YAMLError as error:
        raise ParamError(f"{path} is not valid YAML: {error}") from error


class _YamlLoader(yaml.SafeLoader):
    """Refuses a key that a mapping has twice, as DVC does; YAML would take the last one."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Read a mapping. What `<<` merges into it comes later, and may have the same keys."""
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        first: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                name, line = (key.tag, key.value), key.start_mark.line + 1
                if name in first:
                    raise ParamError(
                        f"{self.name}: line {line}: {key.value} stands twice in the same place, "
                        f"first in line {first[name]}; remove one of the two"
                    )
                first[name] = line
        return node


def explain_faults(path: str, error: ValidationError) -> Iterator[str]:
    """Yield a line for each fault of a file's values."""
    for fault in error.errors():
        name = ".".join(str(part) for part in fault["loc"])
        message = fault["msg"].removeprefix("Value error, ")
        if not name:  # of the whole file: the message has the keys
            raised = fault.get("ctx", {}).get("error")
            several = raised.faults if isinstance(raised, _Contradictions) else [message]
            yield from (f"{path}: {one}" for one in several)
        elif fault["type"] == "extra_forbidden":
            yield f"{path}: {name} is not a parameter; remove it or correct its name"
        elif fault["type"] == "missing":
            yield f"{path}: {name} is missing"
        else:
            yield f"{path}: {name}: {message} (found {fault['input']!r:.80})"
