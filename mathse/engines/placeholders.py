"""Whether a picture in the messages gives as many image tokens as the processor makes."""

from __future__ import annotations

import hashlib
import io
import tempfile
from pathlib import Path

import polars as pl
from PIL import Image

from mathse.core.errors import DataError
from mathse.core.images import ImageStore, write_images
from mathse.core.params import Role
from mathse.engines.inputs import InputBuilder
from mathse.engines.model_files import load_files
from mathse.prompts import solve_messages

PHOTO = (4032, 3024)
"""Width and height of a photo with 12 megapixels."""
_SIZES = ((640, 480), (300, 900))


def check_placeholders(role: Role) -> tuple[list[str], str]:
    """Send pictures of several sizes, alone and in pairs, through a model's chat template.

    Args:
        role: names the model, its pixel limits and the longest prompt.

    Returns:
        What is wrong, and what was found otherwise.

    Raises:
        MathseError: if the processor does not load.
    """
    with tempfile.TemporaryDirectory() as folder:
        names = _write_pictures(Path(folder), (*_SIZES, PHOTO))
        images = ImageStore(folder, role.pixels)
        model = load_files(role)
        # Without the loader's own check: what is wrong is to be found here, for every size.
        builder = InputBuilder.load(
            model, images, trust_remote_code=role.trust_remote_code, check=False
        )
        faults, found = [], []
        for (width, height), name in zip((*_SIZES, PHOTO), names, strict=True):
            # Alone and in a pair: a template may write one placeholder for all pictures.
            try:
                written, made, length = _count(builder, [name])
                pair = _count(builder, [name, name])[0]
            except DataError as error:
                faults.append(f"{width}×{height}: {error}")
                continue
            found.append(f"{width}×{height}: {written} tokens")
            # One fault for each size: the first that applies.
            if made is not None and written != made:
                faults.append(
                    f"{width}×{height}: the prompt has {written} image tokens, and the processor "
                    f"makes {made}: the chat template writes other placeholders"
                )
            elif not written or pair != 2 * written:
                faults.append(
                    f"{width}×{height}: one picture gives {written} image tokens, two give {pair}: "
                    "the chat template does not write a placeholder for each"
                )
            elif length > role.max_prompt_tokens:
                faults.append(
                    f"{width}×{height} makes a prompt of {length} tokens, and max_prompt_tokens is "
                    f"{role.max_prompt_tokens}: set pixels.max, or lower it"
                )
    return faults, ", ".join(found)


def _count(builder: InputBuilder, image_ids: list[str]) -> tuple[int, int | None, int]:
    """Return the image tokens of a prompt, those that its pixels make if known, and its length."""
    text = builder.render(solve_messages("1+1?", [], len(image_ids)))
    features, processor = builder.features(text, image_ids), builder.processor
    ids = features["input_ids"]
    written = int((ids == getattr(processor, "image_token_id", -1)).sum())
    made = None
    if (grid := features.get("image_grid_thw")) is not None:  # Qwen-VL: patches, then merged
        made = int(grid.prod(-1).sum()) // processor.image_processor.merge_size**2
    elif "pixel_values" in features:  # tiles of as many tokens each
        tokens = getattr(processor, "image_seq_len", getattr(processor, "image_seq_length", None))
        tiles = features["pixel_values"].shape[:-3].numel()
        made = None if tokens is None else tiles * tokens
    return written, made, int(ids.shape[1])


def _write_pictures(folder: Path, sizes: tuple[tuple[int, int], ...]) -> list[str]:
    rows = []
    for size in sizes:
        data = io.BytesIO()
        Image.linear_gradient("L").resize(size).convert("RGB").save(data, "JPEG")
        name = hashlib.sha256(data.getvalue()).hexdigest()
        rows.append(
            {
                "image_id": name,
                "bytes": data.getvalue(),
                "format": "JPEG",
                "width": size[0],
                "height": size[1],
            }
        )
    write_images(pl.DataFrame(rows), folder)
    return [str(row["image_id"]) for row in rows]
