from __future__ import annotations

import pytest

from mathse.core import progress
from mathse.core.progress import Progress, track


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 100.0
        monkeypatch.setattr(progress.time, "monotonic", lambda: self.now_s)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_lines_come_seldom_and_at_the_end(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    seen = []
    for item in track(range(60), total=60, label="score r1", unit="texts"):
        seen.append(item)
        clock.now_s += 0.5
    out, err = capsys.readouterr()
    assert seen == list(range(60)) and out == ""
    assert err.splitlines() == [
        "score r1: 20/60 texts, 2.0/s, 0:20 left",
        "score r1: 40/60 texts, 2.0/s, 0:10 left",
        "score r1: 60/60 texts, 2.0/s, took 0:30",
    ]


def test_what_was_done_before_does_not_count_to_the_rate(clock: Clock) -> None:
    with Progress(total=100, label="x", done=90) as bar:
        clock.now_s += 10
        bar.advance(5)
        assert bar.line() == "x: 95/100 items, 0.5/s, 0:10 left"


def test_an_error_shows_how_far_it_came(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError):
        for item in track(range(5), total=5, label="x"):
            if item == 2:
                clock.now_s += 7200
                raise RuntimeError
    # The generator is closed when it is collected; its last line tells the count.
    assert capsys.readouterr().err.startswith("x: 2/5 items")


def test_long_times_show_hours(clock: Clock) -> None:
    with Progress(total=1, label="x") as bar:
        clock.now_s += 3725
        bar.advance()
        assert bar.line().endswith("took 1:02:05")


def test_a_terminal_gets_a_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True)
    assert list(track(range(3), total=3, label="drawn")) == [0, 1, 2]
    assert "3/3" in capsys.readouterr().err
