from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mathse.core.errors import DataError
from mathse.core.tables import read_table
from mathse.report.revisions import open_revision, resolve_commit
from tests.report.history import History
from tests.report.world import build


@pytest.fixture
def history(tmp_path: Path) -> History:
    """main: a whole run; the experiment "short": r1 is not evaluated, r1.ledger is another one."""
    history = History(tmp_path)
    build(tmp_path / "data")
    history.commit("a run")
    shutil.rmtree(tmp_path / "data/eval/r1")
    shutil.copy(tmp_path / "data/rounds/r0/ledger.parquet", tmp_path / "data/rounds/r1/")
    history.commit("another one")
    history.experiment("short")
    shutil.rmtree(tmp_path / "data")
    return history


def test_a_commit_has_its_tables_and_an_experiment_its_own(history):
    main, short = (open_revision(history.root, rev) for rev in ("main", "short"))
    assert read_table(main.round("r1").ledger)["round"].unique().to_list() == ["r1"]
    assert read_table(short.round("r1").ledger)["round"].unique().to_list() == ["r0"]
    assert main.eval("r1").graded.is_file() and not short.eval("r1").graded.exists()
    assert read_table(main.problems).height == read_table(short.problems).height == 5
    assert not (history.root / "data").exists()
    assert main.params.is_file() and main.dvc_lock.is_file()


def test_the_workspace_is_the_project_itself(history):
    assert open_revision(history.root, "workspace").problems == (
        history.root / "data/problems/problems.parquet"
    )


def test_a_table_that_left_the_cache_leaves_the_revision(history):
    opened = open_revision(history.root, "main")
    opened.round("r1").ledger.readlink().unlink()
    assert not open_revision(history.root, "main").round("r1").ledger.is_symlink()
    assert opened.round("r0").ledger.is_file()


def test_what_is_not_there_is_explained(history):
    with pytest.raises(DataError, match="nothing is no commit and no experiment"):
        open_revision(history.root, "nothing")
    with pytest.raises(DataError, match="no commit"):
        open_revision(history.root, "--all")
    history.forget()
    with pytest.raises(DataError, match="has no table of main") as caught:
        open_revision(history.root, "main")
    assert "dvc fetch" in str(caught.value)
    history.git("rm", "-q", "dvc.lock")
    history.git("commit", "-qm", "no lock")
    with pytest.raises(DataError, match="Nothing was run in HEAD"):
        open_revision(history.root, "HEAD")


def test_two_experiments_of_one_name_differ_by_commit(history):
    commit = resolve_commit(history.root, "short")
    history.git("update-ref", f"refs/exps/{'0' * 2}/{'1' * 38}/short", "HEAD")
    with pytest.raises(DataError, match="2 experiments are called short"):
        resolve_commit(history.root, "short")
    assert resolve_commit(history.root, commit[:9]) == commit


def test_links_in_git_stay_where_they_are(history):
    (history.root / "metrics").mkdir(exist_ok=True)
    (history.root / "metrics/linked.json").symlink_to("/etc/passwd")
    (history.root / "metrics/plain.json").write_text("{}\n")
    history.git("add", "-f", "metrics")
    history.git("commit", "-qm", "a link")
    metrics = open_revision(history.root, "HEAD").folder / "metrics"
    assert [file.name for file in metrics.glob("*ed.json")] == []
    assert (metrics / "plain.json").is_file()
