"""The grammar of a verdict, for constrained decoding: in the Lark dialect of llguidance and vLLM.

A constrained judge cannot misquote a trajectory, contradict itself or leave the format. What it
still decides: in the stepwise form its own token at each position of each step (the trajectory's
token, and how it goes on, follow), in the others status and step; and the words of its analysis.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from mathse.core.steps import MISSING, step_tokens
from mathse.prompts import VerdictForm

_TEXT = r'([^"\\\x00-\x1f]|\\["\\bfnrt])+'
_ANALYSIS = rf'/, "error_analysis": "{_TEXT}"\}}/'
_TOKEN = r'[^ ,|"\\\x00-\x1f]+'


def verdict_grammar(form: VerdictForm, steps: Sequence[str]) -> str:
    """Return the grammar of what a judge may write after `verdict_prefix(form)`.

    Args:
        form: what the judge was trained to write.
        steps: of the trajectory.
    """
    if form == "likelihood":
        return f'start: /{_TEXT}"\\}}/'
    if form == "binary":
        return 'start: "CORRECT\\"}" | "WRONG\\"}"'
    if form == "diagnostic":
        numbers = " | ".join(_quoted(str(number)) for number in range(1, len(steps) + 1))
        return f'start: "CORRECT\\"}}" | "WRONG\\", \\"error_step\\": " ({numbers}) {_ANALYSIS}'
    rules = ["start: step1", f'wrong: " wrong\\", \\"status\\": \\"WRONG\\"" {_ANALYSIS}']
    for number, step in enumerate(steps, start=1):
        tokens = step_tokens(step)
        for index, token in enumerate([*tokens, MISSING]):
            other, same = _literal(token), _literal(f"{token}|{token}")
            rules.append(f"OTHER{number}_{index}: / {_TOKEN}\\|{other}/ & ~/ {same}/")
        rules.append(f"step{number}: {_quoted(f'{number}.')} (at{number}_0 | wrong)")
        for index, token in enumerate(tokens):
            same = f"{_quoted(f' {token}|{token}')} at{number}_{index + 1}"
            rules.append(f"at{number}_{index}: {same} | OTHER{number}_{index} wrong")
        last = number == len(steps)
        right = (
            _quoted(' right", "status": "CORRECT"}')
            if last
            else f"{_quoted(' right, ')} step{number + 1}"
        )
        rules.append(f"at{number}_{len(tokens)}: {right} | OTHER{number}_{len(tokens)} wrong")
    return "\n".join(rules)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _literal(text: str) -> str:
    """Escape a text for a regular expression between slashes."""
    return re.escape(text).replace("/", "\\/")
