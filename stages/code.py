"""code: write which code each stage runs; every other stage depends on its own file alone."""

from __future__ import annotations

from mathse.core.accept import keep_versions
from mathse.core.code import CodeBase, render_fingerprint
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.run_stage import run


def code(layout: Layout) -> None:
    """Write the fingerprint of each stage. Refuse bad params before all else."""
    load_params(layout.params)
    modules = CodeBase(layout.folder)
    texts = []
    for file in sorted((layout.folder / "stages").glob("[a-z]*.py")):
        if "__main__" not in file.read_text(encoding="utf-8"):
            continue
        texts.append(render_fingerprint(modules.fingerprint(f"stages.{file.stem}")))
        out = layout.code(file.stem)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(texts[-1], encoding="utf-8")
    keep_versions(layout, texts)


if __name__ == "__main__":
    run(code)
