"""docs/data-dictionary.md says what the schemas and dvc.yaml say."""

from __future__ import annotations

from pathlib import Path

import pytest

import schemas
from schemas.dictionary import TABLE_OF, TARGET, dictionary, written_tables


def test_the_dictionary_is_up_to_date() -> None:
    assert TARGET.read_text(encoding="utf-8") == dictionary(), "run `python -m schemas.dictionary`"


@pytest.mark.parametrize("model", schemas.TABLES, ids=lambda model: model.__name__)
def test_every_column_says_what_it_means(model: type[schemas.Table]) -> None:
    silent = [name for name, column in model.to_schema().columns.items() if not column.description]
    assert not silent


def test_every_table_lies_somewhere() -> None:
    stems = {Path(file).stem for _, file in written_tables()}
    assert set(TABLE_OF) <= stems and set(TABLE_OF.values()) == {
        model.__name__ for model in schemas.TABLES
    }


def test_every_parquet_table_has_a_contract() -> None:
    stems = {Path(file).stem for _, file in written_tables() if file.endswith(".parquet")}
    assert stems <= set(TABLE_OF)


def test_an_output_that_is_not_described_is_named(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text(
        "stages:\n  odd:\n    outs:\n      - data/odd.parquet\n", encoding="utf-8"
    )
    with pytest.raises(ValueError, match=r"odd writes data/odd\.parquet: add it to"):
        written_tables(tmp_path)
