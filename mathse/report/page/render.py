"""Write the report of a run, or of two revisions, as one HTML file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from mathse.core.tables import open_durably
from mathse.core.text import printable
from mathse.evaluation.paired import Comparison
from mathse.report.page import plots, sections
from mathse.report.page.browser import BrowserData, browser_data
from mathse.report.page.explain import (
    REASONS,
    STATES,
    explain,
    gold_and_teacher,
    p_correct_note,
    uses_worked_solution,
)
from mathse.report.page.orm_trust import orm_trust
from mathse.report.page.run_tables import RunTables
from mathse.report.page.sections import Paired, Row
from mathse.report.summary import CONTROL
from mathse.report.usage import USAGE_COLUMNS, read_usage
from schemas import DROP_REASONS, LEDGER_STATES, REJECT_REASONS

MAX_MB = 5
RESERVE = 2_000  # bytes for the table of what was left out
SCRIPTS = (
    "word_diff.js",
    "browser_data.js",
    "browser_list.js",
    "browser_one.js",
    "formulas.js",
    "browser.js",
)
FILTERS = (
    ("round", "Round or model"),
    ("role", "Written by"),
    ("change", "Change"),
    ("against", "Change against"),
    ("orm", "ORM against answer"),
    ("answer", "Answer check"),
    ("outcome", "Outcome"),
    ("kind", "Kind of error"),
    ("ledger", "Ledger"),
    ("split", "Split"),
    ("family", "Family"),
)


def write_report(runs: Sequence[RunTables], out: Path) -> None:
    """Write the report of one run, or of the second of two compared with the first."""
    text = render_report(runs)
    with open_durably(out) as file:
        file.write(text.encode())


def render_report(runs: Sequence[RunTables], max_mb: float = MAX_MB) -> str:
    """Return the report as HTML of at most `max_mb` million bytes."""
    style, script = _asset("page.css"), "".join(_asset(name) for name in SCRIPTS)
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, finalize=_finalize
    )
    environment.filters["commas"] = "{:,}".format
    environment.globals |= {
        "percent": lambda value: f"{100 * value:.1f}",
        "number": lambda value: "–" if value is None else f"{value:.3f}",
        "filter": lambda **filters: "#" + urlencode(filters),
        "sentence": _sentence,
        "points": _points,
        "p_value": _p_value,
    }
    content = _content(runs) | {
        "style": Markup(style),
        "script": Markup(script),
        "policy": _policy(style, script),
        "filters": FILTERS,
        "max_mb": f"{max_mb:g}",
    }
    template = environment.from_string(_asset("page.html.jinja"))
    # Once without trajectories, to know how much is left for them.
    empty = BrowserData("", "", (0, 0), (0, 0), [])
    size = len(template.render(content, browser=empty, left_out=True).encode()) + RESERVE
    browser = browser_data(runs, int(max_mb * 1e6) - size)
    left_out = browser.problems[0] < browser.problems[1]
    return template.render(content, browser=browser, left_out=left_out) + "\n"


def _content(runs: Sequence[RunTables]) -> dict[str, Any]:
    """Return what the template writes, but for the trajectories."""
    run = runs[-1]
    # Tables that more than one part of the page uses.
    accuracies, funnel, orm = sections.accuracies(run), sections.funnel(run), orm_trust(run)
    changes, kinds = sections.changes(run), sections.error_kinds(run)
    states, flows = sections.ledger_states(run), sections.ledger_flows(run)
    lengths, settings = sections.lengths(run), sections.settings(run)
    usage = read_usage(run.layout.metrics("usage").parent)
    last = funnel[-1]["round"] if funnel else ""
    reasons = _reasons(funnel)
    reflected = [row for row in orm["judged"] if row["origin"] == "reflection"]
    # The moves between states that occurred, in the order of the states.
    moved = {pair for counts in flows.values() for pair in counts}
    pairs = [pair for pair in product(LEDGER_STATES, LEDGER_STATES) if pair in moved]
    splits = list(accuracies)
    # What each name in the template stands for; the plots come last.
    return {
        "title": f"MathSE: {' and '.join(one.label for one in runs)}"
        if run.label
        else "MathSE report",
        "subtitle": _subtitle(run),
        "models": run.models,
        "controls": run.controls,
        "left_out_models": run.left_out,
        "has_control": any(name.startswith(CONTROL) for name in run.models),
        "left_out_control": any(name.startswith(CONTROL) for name in run.left_out),
        "gold_and_teacher": gold_and_teacher(run.params),
        "p_correct_note": p_correct_note(run.params),
        # Accuracies, and this run beside others.
        "accuracies": accuracies,
        "comparisons": sections.comparisons(run),
        "compared": _compared(runs, settings) if len(runs) > 1 else None,
        # The rounds: what was written, accepted and solved, and how problems moved.
        "last_round": last,
        "train_rows": run.train.height if last else 0,
        "new_rows": run.train.filter(round=last).height,
        "written": sum(row["written"] for row in funnel),
        "funnel": funnel,
        "reasons": reasons,
        "reasons_note": explain((row[1] for row in reasons["rows"]), REASONS, dict(settings)),
        "states_note": explain(
            (name for name in STATES if any(name in pair for pair in moved)), STATES, {}
        ),
        "flows": flows,
        "moves": [(pair, [(name, n.get(pair, 0)) for name, n in flows.items()]) for pair in pairs],
        "changes": changes,
        "tried_again": sections.tried_again(run),
        "kinds": kinds,
        # The ORM and the reflector.
        "orm": orm,
        "orm_learns": (run.params.get("orm") or {}).get("refresh", "never") != "never",
        "reflector_knows": uses_worked_solution(run.params, "reflector")
        and bool(reflected)
        and all(row["passed"]["n"] == 0 for row in reflected),
        # Groups of problems, the canary, and what is forgotten.
        "groups": sections.groups(run),
        "canary": sections.canary(run),
        "forgotten": sections.forgotten(run),
        # Lengths, failures, usage and settings.
        "lengths": lengths,
        "failures": sections.failures(run),
        "usage": {"columns": ["stage", "role", *USAGE_COLUMNS], "rows": usage} if usage else None,
        "settings": settings,
        "hashes": sections.hashes(run),
        "plots": {
            "accuracy": [plots.plot_accuracy(split, rows) for split, rows in accuracies.items()],
            "funnel": plots.plot_funnel(funnel) if funnel else "",
            "ledger": plots.plot_ledger(states, flows) if flows else "",
            "transitions": [
                plots.plot_transitions(split, found)
                for split in splits
                if (found := [pair for pair in changes if pair.split == split])
            ],
            "kinds": plots.plot_kinds(kinds) if kinds else "",
            "roc": plots.plot_roc(orm["judged"]) if orm["judged"] else "",
            "calibration": plots.plot_calibration(orm["judged"]) if orm["judged"] else "",
            "lengths": plots.plot_lengths(lengths, run.models),
            "curves": plots.plot_curves(run.curves) if run.curves else "",
        },
    }


def _subtitle(run: RunTables) -> str:
    count = len(run.loop) - 1
    rounds = f"{count} rounds" if count != 1 else "one round"
    model = sections.scrub(str((run.params.get("student") or {}).get("model")))
    counts = run.problems["split"].value_counts().sort("split").iter_rows()
    listed = ", ".join(f"{n:,} {split}" for split, n in counts)
    return f"{rounds} from {model}, seed {run.params.get('seed')}. Problems: {listed}."


def _compared(runs: Sequence[RunTables], settings: Sequence[tuple[str, str]]) -> Row:
    """Compare two runs model by model: those that both have."""
    first, second = runs
    models = [name for name in second.models if name in first.models and name != "base"]
    old, new = dict(sections.settings(first)), dict(settings)
    keys = list(dict.fromkeys([*old, *new]))
    return {
        "labels": [first.label, second.label],
        "pairs": [
            pair
            for name in reversed(models)
            for pair in sections.compare_models(first, name, second, name)
        ],
        "params": [
            (key, old.get(key, "–"), new.get(key, "–"))
            for key in keys
            if old.get(key) != new.get(key)
        ],
    }


def _reasons(funnel: Sequence[Row]) -> Row:
    """Return a row for each reason that occurs, with a count for each round and origin."""
    rows = []
    for kind, names in (("rejected", REJECT_REASONS), ("dropped", DROP_REASONS)):
        known = dict.fromkeys([*names, *(name for row in funnel for name in row[kind])])
        for name in known:
            cells = [((row["round"], row["origin"]), row[kind].get(name, 0)) for row in funnel]
            if any(count for _, count in cells):
                rows.append((kind, name, name.replace("_", " "), cells))
    return {"columns": [f"{row['round']} {row['origin']}" for row in funnel], "rows": rows}


def _sentence(pair: Paired) -> str:
    found = pair.found
    verb = {
        "better": "is better than",
        "worse": "is worse than",
        "cannot tell": "cannot be distinguished from",
    }[pair.outcome]
    return (
        f"{pair.after} {verb} {pair.before} on {pair.split}: {_points(found)} points, "
        f"n = {found.n:,}, p {_p_value(found)}."
    )


def _points(found: Comparison) -> str:
    low, high = 100 * found.low, 100 * found.high
    return f"{100 * found.difference:+.1f} [{low:+.1f}, {high:+.1f}]"


def _p_value(found: Comparison) -> str:
    if found.p_value < 0.001:
        return "< 0.001"
    is_near = sections.SIGNIFICANT - 0.01 <= found.p_value < sections.SIGNIFICANT + 0.01
    return f"= {found.p_value:.{4 if is_near else 3}f}"


def _finalize(value: Any) -> Any:
    """Make text visible that hides or steers: escape sequences, direction marks."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _policy(style: str, script: str) -> str:
    """Return a content security policy: this style, this script, pictures in the page, no more."""
    digests = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (style, script)
    ]
    return (
        f"default-src 'none'; style-src 'sha256-{digests[0]}'; script-src 'sha256-{digests[1]}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _asset(name: str) -> str:
    text = files(__package__).joinpath("assets", name).read_text(encoding="utf-8")
    assert name.endswith(".jinja") or "</" not in text.replace("</ ", ""), name
    return text
