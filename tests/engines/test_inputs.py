from __future__ import annotations

import io
import json
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import transformers
from PIL import Image

import mathse.engines.input_fingerprint as fingerprint
from mathse.core.errors import DataError, ParamError
from mathse.core.images import ImageStore
from mathse.core.params import ModelRole, PixelLimits
from mathse.engines.input_fingerprint import RECORD, fingerprint_of, write_record
from mathse.engines.inputs import InputBuilder, append_tokens
from mathse.engines.model_files import load_files, model_digest, needs_torchvision
from mathse.engines.open_image import open_image
from mathse.engines.pixels import Pixels, limit_processor, limited_settings, scaled_size
from tests.tiny import ask, build_processor, write_store


@pytest.fixture
def builder(tiny: Path, store: ImageStore) -> InputBuilder:
    return InputBuilder.load(tiny, store)


def whole(builder: InputBuilder, texts: list[str], pictures: Any) -> Any:
    return builder.processor(
        text=texts,
        images=pictures,
        padding=True,
        padding_side="left",
        return_tensors="pt",
        add_special_tokens=True,
    )


def picture(store: ImageStore, image_id: str) -> Image.Image:
    return open_image(store.get(image_id))


def test_a_batch_is_what_the_processor_makes_of_all_prompts(
    builder: InputBuilder, store: ImageStore
) -> None:
    texts = [builder.render(ask("short " * n, 1)) for n in (1, 5, 3)]
    ids = [("img0",), ("img1",), ("wide",)]
    for _ in range(2):  # made, then kept
        made = builder.batch(texts, ids)
        wanted = whole(builder, texts, [[picture(store, i[0])] for i in ids])
        assert made.keys() == set(wanted.keys())
        for name, value in made.items():
            assert value.dtype == wanted[name].dtype
            assert torch.equal(value, wanted[name]), name
    assert made["attention_mask"][0, 0] == 0 and made["attention_mask"][0, -1] == 1


def test_prompts_with_different_numbers_of_images_go_through_the_processor_together(
    builder: InputBuilder, store: ImageStore
) -> None:
    texts = [builder.render(ask("one", 1)), builder.render(ask("two", 2))]
    made = builder.batch(texts, [("img0",), ("img1", "img2")])
    pictures = [[picture(store, "img0")], [picture(store, "img1"), picture(store, "img2")]]
    wanted = whole(builder, texts, pictures)
    assert made["pixel_values"].shape[:2] == (2, 2)
    assert all(torch.equal(value, wanted[name]) for name, value in made.items())


def test_a_full_cache_changes_nothing(tiny: Path, store: ImageStore) -> None:
    keeps, forgets = InputBuilder.load(tiny, store), InputBuilder.load(tiny, store, cache_bytes=0)
    text = keeps.render(ask("same", 1))
    for _ in range(2):
        one, other = keeps.features(text, ("img3",)), forgets.features(text, ("img3",))
        assert all(torch.equal(one[name], other[name]) for name in one)
    assert keeps._cached_bytes > 0 and forgets._cached_bytes == 0
    keeps.clear()
    assert keeps._cached_bytes == 0 and not keeps._cache


def test_prompt_tokens_counts_images_and_prepares_one_per_size(
    builder: InputBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    process = builder._process
    monkeypatch.setattr(builder, "_process", lambda *given: calls.append(given) or process(*given))
    for n, image in enumerate(["img0", "img1", "img2", "wide"]):
        text = builder.render(ask("word " * n, 1))
        assert (
            builder.prompt_tokens(text, (image,))
            == process([text], [(image,)])["input_ids"].shape[1]
        )
    assert len(calls) == 2  # one for 40 x 32, one for 90 x 20
    text = builder.render(ask("no image"))
    assert builder.prompt_tokens(text, ()) == len(builder.tokenizer(text)["input_ids"])


def test_target_ids_follow_the_prompt_and_end_the_turn(builder: InputBuilder) -> None:
    text = builder.render(ask("How many?", 1))
    target = "There are 12.\nThe answer to this problem is 12."
    ids = builder.target_ids(text, target)
    assert builder.closing == "<end_of_utterance>"
    assert ids[-1] == builder.tokenizer.eos_token_id
    assert builder.tokenizer.decode(ids[:-1]) == target
    assert (
        builder.tokenizer(text)["input_ids"] + ids
        == builder.tokenizer(text + target + builder.closing)["input_ids"]
    )


def test_target_ids_where_the_tokenizer_merges_across_the_border(builder: InputBuilder) -> None:
    """A prompt that ends inside a word: its own tokens stay as generation sees them."""
    prompt, target = "The ans", "wer to this problem is 12."
    assert (
        builder.tokenizer(prompt + target)["input_ids"][
            : len(builder.tokenizer(prompt)["input_ids"])
        ]
        != (builder.tokenizer(prompt)["input_ids"])
    )
    ids = builder.target_ids(prompt, target)
    assert builder.tokenizer.decode(ids) == target + builder.closing


def test_special_tokens_of_the_tokenizer_in_use_are_removed(builder: InputBuilder) -> None:
    plain = builder.render(ask("see this", 1))
    for token in ("<end_of_utterance>", "<pad>", "<p<pad>ad>", "<im<pa<image>d>age>"):
        assert builder.render(ask(f"see {token}this", 1)) == plain
        assert builder.target_ids(plain, f"7{token}") == builder.target_ids(plain, "7")
    assert builder.render(ask("a </s> b")).count("</s>") == 1  # not a token here

    other = build_processor()
    other.tokenizer.add_special_tokens({"additional_special_tokens": ["</s>", "<start_of_turn>"]})
    cleaned = InputBuilder(other).render(ask("a</<start_of_turn>s> b"))
    assert "</s>" not in cleaned and "<start_of_turn>" not in cleaned and "a b" in cleaned


@pytest.mark.parametrize("name", ["models/nowhere", "./x/y", "/no/such", "~/x/y", "one", "a/b/c"])
def test_a_mistyped_folder_is_refused_without_asking_the_hub(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    monkeypatch.setattr(transformers.AutoProcessor, "from_pretrained", None)
    with pytest.raises(ParamError, match=f"no model folder {name}"):
        InputBuilder.load(name)
    with pytest.raises(ParamError, match="no model folder"):
        model_digest(name)


def test_a_hub_model_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*words: object, **more: object) -> None:
        raise OSError("we couldn't connect to the Hub")

    monkeypatch.setattr(transformers.AutoProcessor, "from_pretrained", missing)
    with pytest.raises(ParamError, match="owner/name cannot be loaded from the Hub"):
        InputBuilder.load("owner/name")


@pytest.mark.skipif(find_spec("torchvision") is not None, reason="torchvision is installed")
@pytest.mark.parametrize(
    ("model_type", "pictures"),
    [("qwen2_vl", "Qwen2VLImageProcessor"), ("internvl", "GotOcr2ImageProcessor")],
)
def test_a_model_that_needs_torchvision_says_how_to_install_it(
    model_type: str, pictures: str, tmp_path: Path
) -> None:
    name = {"qwen2_vl": "Qwen2VLProcessor", "internvl": "InternVLProcessor"}[model_type]
    build_processor().tokenizer.save_pretrained(tmp_path)
    files = {
        "config.json": {"model_type": model_type},
        "preprocessor_config.json": {"image_processor_type": pictures, "processor_class": name},
    }
    for file, content in files.items():
        (tmp_path / file).write_text(json.dumps(content))
    with pytest.raises(ParamError, match="without torchvision") as error:
        InputBuilder.load(tmp_path)
    assert "pip install -c constraints.txt -e '.[vlm]'" in str(error.value)
    assert "network" not in str(error.value) and "copy the base model" not in str(error.value)
    assert needs_torchvision(ModelRole(model=str(tmp_path)))
    assert not needs_torchvision(ModelRole(model="models/nowhere"))


@pytest.mark.parametrize(
    ("error", "is_of_network"), [(OSError("no answer"), True), (ValueError("no class"), False)]
)
def test_the_network_is_named_where_it_may_be_the_cause(
    error: Exception, is_of_network: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*words: object, **more: object) -> None:
        raise error

    monkeypatch.setattr(transformers.AutoProcessor, "from_pretrained", fails)
    with pytest.raises(ParamError, match=f"owner/name cannot be loaded.*{error}") as raised:
        InputBuilder.load("owner/name")
    assert ("network" in str(raised.value)) == is_of_network


def test_a_library_that_a_model_needs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*words: object, **more: object) -> None:
        raise ImportError("\nthis model needs einops\n")

    monkeypatch.setattr(transformers.AutoProcessor, "from_pretrained", missing)
    with pytest.raises(ParamError, match="a library is missing: this model needs einops"):
        InputBuilder.load("owner/name")


def test_append_tokens_extends_what_has_one_entry_per_token(builder: InputBuilder) -> None:
    inputs = builder.batch(
        [builder.render(ask("a", 1)), builder.render(ask("b c d e", 1))], [("img0",), ("img1",)]
    )
    inputs["token_type_ids"] = torch.ones_like(inputs["input_ids"])
    pixels = inputs["pixel_values"]
    known = torch.tensor([[True, True], [True, False]])
    longer = append_tokens(inputs, torch.tensor([[7, 8], [9, 0]]), known)
    assert longer["input_ids"][:, -2:].tolist() == [[7, 8], [9, 0]]
    assert longer["attention_mask"][:, -2:].tolist() == [[1, 1], [1, 0]]
    assert longer["token_type_ids"][:, -2:].tolist() == [[0, 0], [0, 0]]
    assert longer["pixel_values"] is pixels


@pytest.mark.parametrize(
    ("image", "rule"), [("broken", "decodes"), ("noise", "decodes"), ("nowhere", "known")]
)
def test_a_bad_image_is_named(builder: InputBuilder, image: str, rule: str) -> None:
    with pytest.raises(DataError, match=image) as error:
        builder.features(builder.render(ask("x", 1)), (image,))
    assert error.value.rule is not None and rule in error.value.rule


def test_the_number_of_images_must_fit(builder: InputBuilder) -> None:
    with pytest.raises(DataError, match="The processor refuses this input"):
        builder.features(builder.render(ask("x", 2)), ("img0",))


def test_a_processor_without_memory_does_not_make_an_input_bad(
    builder: InputBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(**_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(builder, "processor", no_memory)
    with pytest.raises(MemoryError):
        builder.features("x", ())


def test_images_are_needed_where_ids_are_given(tiny: Path) -> None:
    with pytest.raises(DataError, match="no images were given"):
        InputBuilder.load(tiny).features("x", ("img0",))


def encoded(image: Image.Image, kind: str = "PNG", **extra: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **extra)
    return buffer.getvalue()


def test_transparent_pixels_are_white() -> None:
    clear = Image.new("RGBA", (2, 1), (10, 20, 30, 0))
    clear.putpixel((1, 0), (10, 20, 30, 255))
    opened = open_image(encoded(clear))
    assert opened.mode == "RGB"
    assert [opened.getpixel((0, 0)), opened.getpixel((1, 0))] == [(255, 255, 255), (10, 20, 30)]
    palette = Image.new("P", (1, 1), 0)
    palette.putpalette([1, 2, 3])
    assert open_image(encoded(palette, "GIF", transparency=0)).getpixel((0, 0)) == (255, 255, 255)


def test_16_bit_grey_keeps_its_shades() -> None:
    grey = Image.new("I;16", (1, 1), 32896)
    assert open_image(encoded(grey)).getpixel((0, 0)) == (128, 128, 128)


def test_an_api_gets_what_the_student_sees(tiny: Path, tmp_path: Path) -> None:
    grey, plain = Image.new("I;16", (30, 20), 32896), encoded(Image.new("RGB", (30, 20)), "JPEG")
    pixels = Pixels(write_store(tmp_path, {"a": encoded(grey), "b": plain}))
    kind, data = pixels.encoded("a")
    assert kind == "image/png" and Image.open(io.BytesIO(data)).convert("RGB") == pixels.image("a")
    assert pixels.encoded("b") == ("image/jpeg", plain)


def test_a_turned_photograph_is_upright(tmp_path: Path, tiny: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.new("RGB", (40, 10)), "JPEG", exif=exif)
    assert open_image(data).size == (10, 40)
    assert InputBuilder.load(tiny, write_store(tmp_path, {"a": data}))._pixels.size("a") == (10, 40)


@pytest.mark.parametrize(
    ("limits", "size"),
    [
        ({}, (400, 100)),
        ({"min": 40_000, "max": 40_000}, (400, 100)),
        ({"max": 10_000}, (200, 50)),
        ({"max": 3}, (3, 1)),
        ({"min": 40_401}, (402, 101)),
    ],
)
def test_pictures_are_scaled_within_the_limits(
    tiny: Path, tmp_path: Path, limits: dict[str, int], size: tuple[int, int]
) -> None:
    write_store(tmp_path, {"a": encoded(Image.new("RGB", (400, 100)))})
    builder = InputBuilder.load(tiny, ImageStore(tmp_path, PixelLimits(**limits)))
    assert builder._pixels.image("a").size == builder._pixels.size("a") == size
    kind, data = builder._pixels.encoded("a")
    assert kind == "image/png" and open_image(data).size == size
    plain = InputBuilder.load(tiny).input_fingerprint
    assert (builder.input_fingerprint == plain) == (not limits)


def test_a_model_of_the_hub_is_taken_at_its_revision(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def download(model: str, *, revision: str, allow_patterns: list[str]) -> str:
        asked.append((model, revision))
        assert {"*.safetensors", "*.json", "*.jinja"} <= set(allow_patterns)
        if revision == "none":
            raise OSError("no such revision")
        return str(tiny)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    role = ModelRole(model="owner/name", revision="v1")
    assert load_files(role) == str(tiny) and asked == [("owner/name", "v1")]
    assert load_files(ModelRole(model="owner/name")) == "owner/name"
    assert load_files(ModelRole(model=str(tiny), revision="v1")) == str(tiny) and len(asked) == 1
    with pytest.raises(ParamError, match="owner/name at revision none"):
        load_files(ModelRole(model="owner/name", revision="none"))


def test_the_input_fingerprint_survives_saving_and_loading(
    tiny: Path, tmp_path: Path, builder: InputBuilder
) -> None:
    builder.batch(
        [builder.render(ask("use it", 1))], [("img0",)]
    )  # padding leaves traces in a fast tokenizer
    builder.save(tmp_path)
    assert (
        InputBuilder.load(tmp_path).input_fingerprint
        == builder.input_fingerprint
        == InputBuilder.load(tiny).input_fingerprint
    )


def test_the_input_fingerprint_covers_template_pixels_tokens_and_prompts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    base = fingerprint_of(build_processor())
    other_template = build_processor()
    other_template.chat_template += " "
    other_mean = build_processor()
    other_mean.image_processor.image_mean = (0.4, 0.5, 0.5)
    variants = [
        other_template,
        other_mean,
        build_processor(image_size=56, image_tokens=16),
        build_processor(image_tokens=9),
        build_processor(vocab=310),
    ]
    found = {base, *(fingerprint_of(processor) for processor in variants)}
    monkeypatch.setattr(fingerprint, "PROMPTS_VERSION", "other prompts")
    found.add(fingerprint_of(build_processor()))
    assert len(found) == 7


def test_a_model_of_another_input_fingerprint_is_refused(
    tiny: Path, tmp_path: Path, builder: InputBuilder
) -> None:
    builder.save(tmp_path)
    write_record(tmp_path, {"input_fingerprint": builder.input_fingerprint})
    assert InputBuilder.load(tmp_path).input_fingerprint == builder.input_fingerprint
    write_record(tmp_path, {"input_fingerprint": "older"})
    with pytest.raises(DataError, match="trained with input fingerprint older") as error:
        InputBuilder.load(tmp_path)
    assert "dvc repro" in str(error.value) and RECORD in str(error.value)
    assert InputBuilder.load(tmp_path, check=False).input_fingerprint == builder.input_fingerprint


def test_a_damaged_record_is_named(tmp_path: Path, builder: InputBuilder) -> None:
    builder.save(tmp_path)
    (tmp_path / RECORD).write_text(json.dumps([1])[:-1])
    with pytest.raises(DataError, match="not a JSON object"):
        InputBuilder.load(tmp_path)


def test_a_model_without_chat_template_is_refused() -> None:
    plain = build_processor()
    plain.chat_template = None
    with pytest.raises(DataError, match="no chat template"):
        InputBuilder(plain)


def test_the_token_that_begins_a_sequence_is_not_doubled() -> None:
    processor = build_processor()
    processor.tokenizer.bos_token = "<global-img>"
    builder = InputBuilder(processor)
    assert builder._writes_bos("<global-img>User:") and not builder._writes_bos("User:")


PHOTO = (4032, 3024)


def test_a_photo_stays_within_the_prompt_of_qwen2_vl() -> None:
    from transformers import Qwen2VLImageProcessorPil

    images = Qwen2VLImageProcessorPil(size={"shortest_edge": 3136, "longest_edge": 12845056})
    for limit, tokens in ((None, 15_552), (1_003_520, 1280)):
        size = scaled_size(PHOTO, PixelLimits(max=limit))
        grid = images(images=[Image.new("RGB", size)], return_tensors="pt")["image_grid_thw"]
        assert abs(int(grid.prod()) // 4 - tokens) < 40


def test_limits_lower_the_tiles_of_internvl() -> None:
    from transformers import GotOcr2ImageProcessorPil

    processor = SimpleNamespace(
        image_processor=GotOcr2ImageProcessorPil(
            size={"height": 448, "width": 448}, crop_to_patches=True, max_patches=12
        )
    )
    tiles = processor.image_processor.get_number_of_image_patches
    assert tiles(600, 800) == 13
    limit_processor(processor, PixelLimits())
    assert tiles(600, 800) == 13
    assert limited_settings(processor, PixelLimits()) == {}
    limit_processor(processor, PixelLimits(max=1_204_224))
    assert tiles(600, 800) <= 7
    # The settings for another processor of the class.
    settings = limited_settings(processor, PixelLimits(max=1_204_224))
    assert settings == {"max_patches": 6, "min_patches": 1}
    limit_processor(processor, PixelLimits(max=1))
    assert tiles(*PHOTO) == 1


def test_limits_lower_the_longest_edge_of_idefics3(tmp_path: Path) -> None:
    processor = build_processor()
    processor.image_processor.do_image_splitting = True
    processor.image_processor.size = {"longest_edge": 28 * 20}
    processor.save_pretrained(tmp_path / "model")
    data = encoded(Image.new("RGB", (400, 300)))
    write_store(tmp_path / "images", {"a": data})

    def tokens(**limits: int) -> int:
        store = ImageStore(tmp_path / "images", PixelLimits(**limits))
        builder = InputBuilder.load(tmp_path / "model", store)
        return builder.prompt_tokens(builder.render(ask("?", 1)), ["a"])

    assert tokens() > 4 * tokens(max=(28 * 5) ** 2) > tokens(max=28 * 28) > 0
