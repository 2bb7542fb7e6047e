"""The page in headless Chromium: filters, links and keys work, nothing is logged or fetched."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mathse.report.page.render import render_report, write_report
from mathse.report.page.run_tables import RunTables
from tests.judge.trajectories import problem_id
from tests.report.chromium import CHROMIUM, Page, browser_page
from tests.report.page_world import (
    ATTACKS,
    BROKEN,
    FIRST_TRY,
    STILL_WRONG,
    add_round,
    build_page_world,
)
from tests.report.world import CORRECTION, MISTAKE

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here: apt-get install chromium"
)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("browser")
    out = folder / "report.html"
    write_report([RunTables(build_page_world(folder))], out)
    return out.as_uri()


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the address of a page of two runs, of two rounds after r0."""
    layout = build_page_world(folder := tmp_path_factory.mktemp("compared"))
    add_round(layout)
    write_report([RunTables(layout, name) for name in ("old", "new")], folder / "report.html")
    return (folder / "report.html").as_uri()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the address of a page that leaves trajectories out."""
    run = RunTables(build_page_world(folder := tmp_path_factory.mktemp("small")))
    page = render_report([run])
    (folder / "report.html").write_text(render_report([run], len(page.encode()) / 1e6 - 0.003))
    return (folder / "report.html").as_uri()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Page]:
    with browser_page() as page:
        yield page


@pytest.fixture
def page(chromium: Page, url: str) -> Iterator[Page]:
    chromium.messages.clear()
    chromium.requests.clear()
    chromium.open(url)
    yield chromium
    assert chromium.messages == []
    assert {one.partition(":")[0] for one in chromium.requests} <= {"file", "data", "about"}
    assert len([one for one in chromium.requests if one.startswith("file")]) == 1
    assert chromium.run("typeof window.hacked") == "undefined"


def choose(page: Page, name: str, value: str) -> int:
    """Choose a value of a filter and return how many trajectories are listed."""
    page.run(
        f"f = document.getElementById('f-{name}'); f.value = {value!r}; "
        "f.dispatchEvent(new Event('change'))"
    )
    return int(page.run("document.querySelectorAll('#list li').length"))


def detail(page: Page) -> str:
    return str(page.run("document.getElementById('detail').innerText"))


def test_filters_select_what_they_name(page: Page) -> None:
    assert choose(page, "role", "reflection") == 1
    assert choose(page, "role", "") == 150  # the rest follows on "More"
    page.run("document.getElementById('more').click()")
    assert int(page.run("document.querySelectorAll('#list li').length")) > 150
    choose(page, "role", "evaluation")
    choose(page, "round", "r1")
    assert choose(page, "change", "newly solved") == 30
    assert choose(page, "split", "eval") == 20
    assert choose(page, "split", "eval_hard") == 10
    assert choose(page, "split", "") == 30
    assert choose(page, "change", "newly broken") == 0
    choose(page, "against", "control")
    assert choose(page, "change", "newly solved") == 27
    assert "change=newly+solved" in page.run("location.hash")
    page.run("document.getElementById('clear').click()")
    assert choose(page, "orm", "agree") == 4
    page.run("location.hash = '#orm=refused%2C+answer+right'")
    page.wait("document.getElementById('count').innerText.startsWith('0 trajectories')")


# "3 trajectories of 2 problems"
COUNT = "document.getElementById('count').innerText.match(/[\\d,]+/g).map(Number)"


@pytest.mark.parametrize("pages", ["url", "compared"])
def test_each_number_leads_to_as_many(
    chromium: Page, pages: str, request: pytest.FixtureRequest
) -> None:
    chromium.open(request.getfixturevalue(pages))
    links = "[...document.querySelectorAll('main a')].filter((e) => e.hash.includes('='))"
    numbers = chromium.run(f"{links}.map((e) => [e.hash, Number(e.textContent)])")
    assert len(numbers) > 20
    for hash, number in numbers:
        of_problems = "change=" in hash or "ledger=" in hash
        chromium.run(f"location.hash = {hash!r}; follow()")
        assert chromium.run(COUNT)[of_problems] == number, hash
    kinds = ("kind=vision", "kind=not+named", "right+in+both", "against=old%3Ar1", "newly+broken")
    for kind in kinds[: 5 if pages == "compared" else 1]:
        assert any(kind in hash for hash, _ in numbers), kind
    trained = [hash for hash, _ in numbers if "role=student" in hash and "change=" in hash]
    assert len(trained) == (3 if pages == "compared" else 0)


def test_the_list_says_how_many_of_the_number_of_a_link_are_in_the_file(
    chromium: Page, small: str, url: str
) -> None:
    wrong = "role=evaluation&round=r1&split=eval&change=wrong+in+both"
    count = "document.getElementById('count').innerText"
    for address, is_cut in ((small, True), (url, False)):
        chromium.open(address)
        chromium.run(f"location.hash = '#{wrong}'; follow()")
        here = chromium.run(COUNT)[1]
        text = f". {here} of 10 problems are in this file: see “What was left out”"
        assert (here < 10) == is_cut and chromium.run(count).endswith(text) == is_cut
        # Other filters are not what the link counts.
        choose(chromium, "role", "")
        assert "in this file" not in chromium.run(count)


def test_the_line_in_red_names_the_step_that_the_orm_calls_wrong(
    chromium: Page, compared: str
) -> None:
    chromium.open(compared)
    for path, text in (
        (BROKEN, "The ORM calls it wrong (P(correct) 0.1). It names step 2: The sum is 7."),
        (STILL_WRONG, "It names no step: The sum is 7."),
        (FIRST_TRY, "It names step 9, which is not there: The sum is 7."),
    ):
        chromium.run(f"location.hash = '#t={path['trajectory_id']}'; follow()")
        assert text in chromium.run(
            "[...document.querySelectorAll('#detail .note.bad')].at(-1).innerText"
        )
    chromium.run(f"location.hash = '#t={BROKEN['trajectory_id']}'; follow()")
    notes = chromium.run("document.querySelector('#detail .note').innerText")
    assert notes.startswith("Problem newly broken: in r1, 2 of 2 answers")
    named = "document.querySelector('#detail ol.steps li:nth-child(2).named .analysis')"
    assert chromium.run(f"{named}.innerText") == "ORM, step 2: The sum is 7"


def test_a_link_opens_its_trajectory_beside_its_parent(page: Page) -> None:
    page.run(f"location.hash = '#t={CORRECTION['trajectory_id']}'")
    page.wait("document.getElementById('detail').innerText.includes('reflection')")
    sides = "[...document.querySelectorAll('.side')]"
    assert page.run(f"{sides}.length") == 2
    assert "r1 · student" in page.run(f"{sides}[0].innerText")
    assert page.run(f"[...{sides}[1].querySelectorAll('mark')].map((e) => e.textContent)")[:1] == [
        "3"
    ]
    left, right = (f"{sides}[{number}].querySelector('mark')" for number in (0, 1))
    for colour in ("color", "backgroundColor", "textDecorationLine"):
        look = "getComputedStyle({}).{}"
        assert page.run(f"{look.format(left, colour)} === {look.format(right, colour)}"), colour
    assert MISTAKE["trajectory_id"] in page.run("document.querySelector('#partner').value")
    assert page.run("document.querySelectorAll('.side li.named .analysis').length") == 1
    page.run("location.hash = '#t=unknown'")
    page.wait("document.getElementById('detail').innerText.includes('is not among')")


def test_hostile_texts_are_read_as_text(page: Page) -> None:
    page.run(f"location.hash = '#t={MISTAKE['trajectory_id']}'")
    page.wait("document.querySelector('#detail .question').innerText.includes('hacked')")
    text = detail(page)
    for name in ("script", "end of the block", "template"):
        assert ATTACKS[name] in text, name
    assert "\\u202e" in text and "\\u001b[31m" in text
    assert page.run("document.querySelectorAll('#detail script, #detail [onerror]').length") == 0
    assert page.run("document.querySelectorAll('#detail math mfrac').length") >= 1
    assert page.run("document.querySelectorAll('math [href], math a').length") == 0


def test_keys_go_through_the_list(page: Page) -> None:
    choose(page, "role", "evaluation")
    current = "document.querySelector('#list a.current').dataset.id"
    first = page.run(current)
    page.press("j")
    second = page.run(current)
    assert first != second and second in page.run("decodeURIComponent(location.hash)")
    page.press("k")
    assert page.run(current) == first
    page.press("/")
    assert page.run("document.activeElement.id") == "f-q"
    page.press("j")  # now a letter of the search
    assert page.run(current) == first


def test_a_search_finds_ids_and_words(page: Page) -> None:
    search = (
        "q = document.getElementById('f-q'); q.value = {!r}; q.dispatchEvent(new Event('input'))"
    )
    page.run(search.format(problem_id(0)))
    page.wait("document.getElementById('count').innerText.includes('of 1 problems')")
    page.run(search.format("not in any text"))
    page.wait("document.getElementById('count').innerText.startsWith('0 trajectories')")


def test_words_are_compared(page: Page) -> None:
    def diff(left: str, right: str) -> object:
        return page.run(f"wordDiff({left!r}, {right!r})")

    assert diff("a b", "a b") == [["same", "a b"]]
    assert diff("2+4=6.", "3+4=7.") == [
        ["left", "2"],
        ["right", "3"],
        ["same", "+4="],
        ["left", "6"],
        ["right", "7"],
        ["same", "."],
    ]
    assert diff("", "new") == [["right", "new"]]
    long = "'x y z '.repeat(3000)", "'x z y\\n'.repeat(3000)"
    for index, side in enumerate(("left", "right")):
        parts = f"wordDiff({', '.join(long)}).filter(([kind]) => ['same', {side!r}].includes(kind))"
        assert page.run(f"{parts}.map(([, text]) => text).join('') === {long[index]}")


def test_on_a_training_trajectory_a_tag_is_about_the_problem(page: Page) -> None:
    sample = {"origin": "student", "clash": "refused, answer right"}
    texts = "tags({}, 'newly solved').filter(Boolean).map((e) => e.textContent)"
    found = [page.run(texts.format({**sample, "origin": o})) for o in ("student", "evaluation")]
    assert found == [
        ["problem newly solved", "ORM refused, answer right"],
        ["newly solved", "ORM refused, answer right"],
    ]
    tested = page.run(texts.format({**sample, "origin": "ORM test"}))
    assert tested[1] == "ORM refused, annotated as right"


def test_a_tag_about_the_problem_has_no_colour(page: Page) -> None:
    kinds = "tags({{ origin: {!r}, clash: null }}, {!r})[0].className.trim()"
    found = [
        page.run(kinds.format(origin, moved))
        for origin in ("student", "evaluation")
        for moved in ("newly solved", "newly broken")
    ]
    assert found == ["tag", "tag", "tag good", "tag bad"]


def test_a_refused_text_that_is_the_worked_solution_is_called_right(page: Page) -> None:
    item = (
        "{{ ...items[0], origin: 'student', clash: 'refused, answer right', orm_status: 'wrong',"
        " steps: {}, error_step: 1, problem: {{ solution: {} }} }}"
    )
    for steps, solution, end in (
        (["a", "b"], ["a", "b"], "identical to the worked solution, so the verdict is wrong."),
        (["a", "b"], ["a", "c"], "Either the verdict is wrong, or step 1 is: look at it."),
        ([], [], "Either the verdict is wrong, or step 1 is: look at it."),
    ):
        assert page.run(f"verdictText({item.format(steps, solution)})").endswith(end)


def test_a_reflection_leads_to_what_it_was_written_from(page: Page) -> None:
    parent = f"#t={MISTAKE['trajectory_id']}"
    assert choose(page, "role", "reflection") == 1
    for selector in ("#list .parent a", "#detail .muted .parent a", "#detail td .parent a"):
        links = f"[...document.querySelectorAll('{selector}')].map((e) => [e.hash, e.innerText])"
        assert page.run(links) == [[parent, "r1 · student, sample 0"]], selector
    page.run("document.querySelector('#list .parent a').click()")
    page.wait(f"document.querySelector('#list a.current')?.hash === {parent!r}")
    assert page.run("document.querySelectorAll('#detail .muted .parent').length") == 0


@pytest.mark.parametrize("width", [1300, 1280])
def test_all_on_a_problem_and_its_choice_are_not_cut(
    chromium: Page, compared: str, width: int
) -> None:
    chromium.open(compared, width=width)
    for item in (BROKEN, CORRECTION):
        chromium.run(f"location.hash = '#t={item['trajectory_id']}'; follow()")
        table = "document.querySelector('#detail .scroll')"
        assert chromium.run(f"{table}.scrollWidth <= {table}.clientWidth")
        assert chromium.run("getComputedStyle(document.getElementById('partner')).maxWidth") == (
            "100%"
        )


def test_p_correct_is_explained_below_it(page: Page) -> None:
    page.run(f"location.hash = '#t={CORRECTION['trajectory_id']}'; follow()")
    assert "probability that it writes the whole verdict “correct”; from score" in detail(page)
    choose(page, "role", "evaluation")
    assert "whole verdict" not in detail(page)


def test_filters_are_folded_on_a_phone_alone(chromium: Page, url: str) -> None:
    for width, is_open in ((1280, True), (390, False)):
        chromium.open(url, width=width)
        assert chromium.run("document.getElementById('fold').open") == is_open
    chromium.press("/")
    assert chromium.run("document.getElementById('fold').open")


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False)])
def test_the_page_fits_the_window(chromium: Page, url: str, width: int, dark: bool) -> None:
    chromium.messages.clear()
    chromium.open(url, width=width, dark=dark)
    assert chromium.run("document.documentElement.scrollWidth") <= width
    table = "document.querySelector('#trust .scroll')"
    assert width < 600 or chromium.run(f"{table}.scrollWidth <= {table}.clientWidth")
    assert chromium.messages == [] and chromium.run("window.scrollY") == 0
    named = "e.alt || e.labels?.length || e.getAttribute('aria-label')"
    controls = "[...document.querySelectorAll('img, select, input, svg')]"
    assert chromium.run(f"{controls}.filter((e) => !({named})).length") == 0
