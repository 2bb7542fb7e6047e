"""The prompts of teacher, annotator and reflector: files of a folder, in English and Chinese.

A user's own folder has the same six files, with the same fields as `$problem` (`$$` is a dollar).
Each prompt is one user turn: not every model and server knows a system turn.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from string import Template

from mathse.core.errors import ParamError
from mathse.core.ids import content_id
from mathse.core.layout import Layout
from mathse.core.params import Params
from mathse.core.steps import split_steps
from mathse.prompts.text import Message, clean_text, number_steps, problem_text, user_messages

FIELDS = {
    "solve": {"problem"},
    "annotate": {"problem", "steps", "answer"},
    "reflect": {"problem", "steps", "error_step", "error_analysis"},
}
"""The fields of each file: all must occur, and no others."""
BUILT_IN = Path(__file__).parent / "templates"
BUILT_IN_NAME = "mathse/prompts/templates"
_LANGUAGES = ("en", "zh")
_UNNAMED = {"en": "not named", "zh": "未指出"}
_CHINESE = re.compile(r"[\u4e00-\u9fff]")  # 题


class RolePrompts:
    """Writes the messages to teacher, annotator and reflector.

    Args:
        folder: of the files.
        language: en or zh for all problems; auto: Chinese where the question has such characters.

    Raises:
        ParamError: if a file is missing, or its fields are not those of `FIELDS`.
    """

    def __init__(self, folder: Path, language: str = "auto") -> None:
        self.language = language
        names = [(kind, language) for kind in FIELDS for language in _LANGUAGES]
        self._templates = {name: _read(folder, *name) for name in names}

    def digest(self, kind: str) -> str:
        """Return a hash of the texts of solve, annotate or reflect, and of the language."""
        texts = [self._templates[kind, language].template for language in _LANGUAGES]
        return content_id(self.language, texts)

    def solve(self, question: str, choices: Sequence[str], n_images: int) -> list[Message]:
        """Ask the teacher for a solution in steps that ends in a closing sentence."""
        return self._write("solve", question, choices, n_images)

    def annotate(
        self,
        question: str,
        choices: Sequence[str],
        n_images: int,
        steps: Sequence[str],
        answer: str,
    ) -> list[Message]:
        """Ask the annotator for a verdict with step and analysis that do not give gold away."""
        shown = {"steps": number_steps(steps, n_images), "answer": clean_text(answer, n_images)}
        return self._write("annotate", question, choices, n_images, **shown)

    def reflect(
        self,
        question: str,
        choices: Sequence[str],
        n_images: int,
        wrong_response: str,
        error_step: int | None,
        error_analysis: str | None,
    ) -> list[Message]:
        """Ask the reflector for a new solution, given a wrong one and its verdict, never gold."""
        unnamed = _UNNAMED[self._language_of(question)]
        return self._write(
            "reflect",
            question,
            choices,
            n_images,
            steps=number_steps(split_steps(wrong_response), n_images),
            error_step=unnamed if error_step is None else str(error_step),
            error_analysis=clean_text(error_analysis or "", n_images) or unnamed,
        )

    def _write(
        self, kind: str, question: str, choices: Sequence[str], n_images: int, **fields: str
    ) -> list[Message]:
        template = self._templates[kind, self._language_of(question)]
        problem = problem_text(question, choices, n_images)
        return user_messages(template.substitute(fields, problem=problem), n_images)

    def _language_of(self, question: str) -> str:
        if self.language != "auto":
            return self.language
        return "zh" if _CHINESE.search(question) else "en"


def load_prompts(layout: Layout, params: Params) -> RolePrompts:
    """Read the prompts that the parameters name; the built-in ones come with the package."""
    section = params.prompts
    folder = BUILT_IN if section.folder == BUILT_IN_NAME else layout.folder / section.folder
    return RolePrompts(folder, section.language)


def _read(folder: Path, kind: str, language: str) -> Template:
    file = folder / f"{kind}.{language}.txt"
    try:
        template = Template(file.read_text(encoding="utf-8").strip())
    except (OSError, ValueError) as error:
        raise ParamError(
            f"prompts.folder: {file} cannot be read: {error}\n"
            "  fix: copy mathse/prompts/templates and change the texts there"
        ) from error
    if not template.is_valid() or set(template.get_identifiers()) != FIELDS[kind]:
        wanted = ", ".join(f"${name}" for name in sorted(FIELDS[kind]))
        raise ParamError(f"{file} must have the fields {wanted}, and $$ for any other dollar")
    return template
