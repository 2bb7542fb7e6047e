from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathse.core.ids import ListHash, content_id, file_digest, folder_digest

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
values = st.recursive(
    leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)


def same(a: object, b: object) -> bool:
    """Equality that tells 1, 1.0, True and -0.0 apart."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and repr(a) == repr(b)


@settings(max_examples=60, deadline=None)
@given(values, values)
def test_equal_ids_mean_equal_values(a: object, b: object) -> None:
    assert (content_id(a) == content_id(b)) == same(a, b)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (("ab", "c"), ("a", "bc")),
        ((["a"], "b"), (["a", "b"],)),
        ((1,), (1.0,)),
        ((1,), ("1",)),
        ((None,), ("",)),
        ((), (None,)),
        ((b"x",), ("x",)),
        ((b"x",), ({"bytes": "x"},)),
        ((Path("a/b"),), ("a/b",)),
        (({"a": 1},), ({"mapping": {"a": 1}},)),
    ],
)
def test_look_alikes_differ(left: tuple[object, ...], right: tuple[object, ...]) -> None:
    assert content_id(*left) != content_id(*right)


def test_order_of_keys_and_kind_of_sequence_do_not_count() -> None:
    assert content_id({"a": 1, "b": (2, 3)}) == content_id({"b": [2, 3], "a": 1})


def test_ids_never_change() -> None:
    """Ids are stored in tables: this value must stay as it is for good."""
    assert (
        content_id("question", ["2", "3"], "A", 1.5, b"png", None, {"k": True})
        == "b5f3a378b33ff4b0"
    )


@pytest.mark.parametrize("part", [{1, 2}, object(), {1: "a"}])
def test_what_has_no_fixed_form_is_refused(part: object) -> None:
    with pytest.raises(TypeError):
        content_id(part)


def test_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="nan"):
        content_id(float("nan"))


def test_file_digest_is_sha256(tmp_path: Path) -> None:
    file = tmp_path / "empty"
    file.write_bytes(b"abc")
    assert file_digest(file) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_folder_digest_sees_names_and_contents_only(tmp_path: Path) -> None:
    def make(name: str, files: dict[str, str]) -> str:
        for path, text in files.items():
            (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / path).write_text(text)
        return folder_digest(tmp_path / name)

    first = make("a", {"x": "1", "sub/y": "2"})
    assert make("b", {"sub/y": "2", "x": "1"}) == first
    assert make("c", {"x": "2", "sub/y": "1"}) != first
    assert make("d", {"x": "1", "suby": "2"}) != first
    assert make("e", {"x": "1", "sub/y": "2", "z": ""}) != first


def test_folder_digest_of_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError):
        folder_digest(tmp_path / "missing")


@given(st.lists(values))
def test_a_list_is_hashed_item_by_item(items: list[object]) -> None:
    digest = ListHash()
    for item in items:
        digest.add(item)
    assert digest.content_id() == content_id(items)
