"""Generation with vLLM: continuous batches, and one computation of what prompts share.

Prompts are those of the other engines: token ids and pictures of `InputBuilder`; vLLM puts the
image tokens in. Samples of one problem share its pictures and the cache of its prompt.
"""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from mathse.core.errors import DataError, ParamError
from mathse.core.images import ImageStore
from mathse.core.params import Dtype, PixelLimits
from mathse.engines.constrained import Grammars
from mathse.engines.inputs import InputBuilder
from mathse.engines.model_files import model_digest, unloadable
from mathse.engines.outputs import read_tokens, with_score
from mathse.engines.pixels import Pixels, limited_settings
from mathse.engines.precision import auto_dtype
from mathse.engines.protocol import Completion, Request

FORCED = "forced"
"""The argument with the tokens to write (see `vllm_forced`)."""
ANY_TEXT = "start: /(?s:.*)/"
"""Of a request with a scored text and no constraint."""
_PICTURES = 64
_ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # in this process, so that it ends with it
    "VLLM_USE_V2_MODEL_RUNNER": "0",  # the other one does not take `ForcedText`
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB, on a CPU
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
}


@dataclass
class _Row:
    """A request that passed the checks, and what vLLM made of it so far."""

    request: Request
    prompt: Any
    prompt_tokens: int
    scored_ids: list[int]  # of the scored text with the token that ends it; empty: no score
    text: Completion | None = None  # while its scored text is computed


class VllmEngine:
    """Completes prompts with vLLM, in this process.

    `scored_prob` is what the transformers engine defines: vLLM writes the scored text under the
    grammar, and its logarithms of probabilities are those after the grammar's mask. For a model
    with several tokens that end a text, the grammar of vLLM allows the tokenizer's alone.

    Args:
        model: folder or Hub id.
        images: where image ids lead; None for text alone.
        batch_size: most prompts that are generated together.
        dtype: of weights and pixels; auto is bfloat16 where the device computes it, else
            float32.
        max_prompt_tokens: longer prompts become error completions.
        tensor_parallel: GPUs that share the model.
        gpu_memory: share of each GPU's memory that is used.
        trust_remote_code: run code that comes with the model.

    Raises:
        ParamError: if vLLM is not installed.
        DataError: if the model does not load, or was trained with another input fingerprint.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        images: ImageStore | None = None,
        batch_size: int = 256,
        dtype: Dtype = "auto",
        max_prompt_tokens: int = 4096,
        tensor_parallel: int = 1,
        gpu_memory: float = 0.9,
        trust_remote_code: bool = False,
    ) -> None:
        # vLLM is optional: it is imported only here.
        version = _import_vllm()
        from vllm import EngineArgs, LLMEngine
        from vllm.config import StructuredOutputsConfig
        from vllm.exceptions import VLLMError
        from vllm.usage.usage_lib import UsageContext

        from mathse.engines.vllm_forced import ForcedText

        self._refusals = (DataError, ValueError, VLLMError)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        chosen = str(auto_dtype(device)).removeprefix("torch.") if dtype == "auto" else dtype
        self.builder = InputBuilder.load(model, images, trust_remote_code=trust_remote_code)
        self._grammars = Grammars(self.builder.tokenizer, self.builder.stop_ids)
        limits = PixelLimits() if images is None else images.pixels
        try:
            arguments = EngineArgs(
                model=str(model),
                dtype=chosen,
                trust_remote_code=trust_remote_code,
                tensor_parallel_size=tensor_parallel,
                gpu_memory_utilization=gpu_memory,
                max_model_len=-1,  # what fits
                max_num_seqs=batch_size,
                enforce_eager=device == "cpu",
                enable_prefix_caching=True,
                limit_mm_per_prompt={"video": 0},  # else it keeps memory for the longest video
                mm_processor_kwargs=limited_settings(self.builder.processor, limits) or None,
                generation_config="vllm",  # not the model's own top_p and penalties
                structured_outputs_config=StructuredOutputsConfig(backend="guidance"),
                logits_processors=[ForcedText],
                async_scheduling=False,
                disable_log_stats=True,
            )
            # As for vLLM's own class for many prompts: more of their tokens at once.
            context = UsageContext.LLM_CLASS
            self._engine = LLMEngine.from_engine_args(arguments, usage_context=context)
        except (OSError, ValueError, RuntimeError) as error:
            raise unloadable(model, error) from error
        # What others read of an engine: its limits, and what its outputs depend on.
        self.batch_size = batch_size
        self.max_prompt_tokens = max_prompt_tokens
        self.digest = model_digest(model)
        self.input_fingerprint = self.builder.input_fingerprint
        longest = min(max_prompt_tokens, self._engine.model_config.max_model_len)
        self.how = (
            f"vllm {version} {device} torch.{chosen} x{tensor_parallel}, prompts to {longest}"
        )
        # What requests need: pictures, tokens that must not be written, a thread to prepare inputs.
        self._picture = lru_cache(_PICTURES)(Pixels(images).image)
        vocabulary = self._engine.model_config.get_vocab_size()
        never = [token for token in self.builder.never_written if token < vocabulary]
        self._never_written = dict.fromkeys(never, -math.inf)
        self._preparing = ThreadPoolExecutor(1)

    def complete(self, requests: Iterable[Request | None]) -> Iterator[Completion]:
        """Yield completions as they finish; a bad request becomes an error completion.

        Args:
            requests: taken one by one, when there is room; None means: ask again later.
        """
        source = iter(requests)
        preparing: deque[Future[_Row | Completion]] = deque()
        rows: dict[str, _Row] = {}
        ended = False
        while True:
            # Keep as many again prepared as vLLM works on.
            while not ended and len(preparing) + len(rows) < 2 * self.batch_size:
                try:
                    request = next(source)
                except StopIteration:
                    ended = True
                    break
                if request is None:
                    break
                preparing.append(self._preparing.submit(self._prepare, request))
            while preparing and (preparing[0].done() or not rows):
                made = preparing.popleft().result()
                refused = self._add(rows, made) if isinstance(made, _Row) else made
                if refused is not None:
                    yield refused
            if rows:
                for output in self._engine.step():
                    if (done := self._read(rows, output)) is not None:
                        yield done
            elif ended and not preparing:
                return

    def units(self, requests: Sequence[Request]) -> list[list[int]]:
        """Each request stands alone."""
        return [[index] for index in range(len(requests))]

    def close(self) -> None:
        """Free the device."""
        self._preparing.shutdown()
        self._engine.engine_core.shutdown()
        del self._engine

    def _prepare(self, request: Request) -> _Row | Completion:
        """Count a prompt's tokens and prepare its pixels, or say what is wrong with it."""
        tokens, shown = 0, _count_images(request)
        try:
            if shown != len(request.image_ids):
                raise DataError(
                    f"The prompt shows {shown} images; {len(request.image_ids)} were given."
                )
            text = self.builder.render(request.messages, prefix=request.prefix)
            tokens = self.builder.prompt_tokens(text, request.image_ids)
            if tokens > self.max_prompt_tokens:
                raise DataError(
                    f"The prompt has {tokens} tokens; at most {self.max_prompt_tokens} are allowed."
                )
            if request.constraint:
                self._grammars.matcher(request.constraint)
            scored = (
                self.builder.target_ids(text, request.scored_text) if request.scored_text else []
            )
            prompt: dict[str, Any] = {"prompt_token_ids": self.builder.token_ids(text)}
            if request.image_ids:
                prompt["multi_modal_data"] = {"image": [*map(self._picture, request.image_ids)]}
                prompt["multi_modal_uuids"] = {"image": list(request.image_ids)}
            [prompt] = self._engine.renderer.render_cmpl([prompt], skip_mm_cache=True)
        except self._refusals as error:
            return Completion.failed(request.key, str(error), prompt_tokens=tokens)
        if scored:  # the grammar of vLLM ends a text by this token alone
            scored[-1] = int(self.builder.tokenizer.eos_token_id)
        return _Row(request, prompt, tokens, scored)

    def _add(self, rows: dict[str, _Row], row: _Row) -> Completion | None:
        """Give a row to vLLM; return its completion if vLLM refuses it."""
        key = row.request.key
        try:
            self._engine.add_request(key, row.prompt, self._sampling(row))
        except self._refusals as error:
            return Completion.failed(key, str(error), prompt_tokens=row.prompt_tokens)
        rows[key] = row
        return None

    def _sampling(self, row: _Row) -> Any:
        """Return the parameters for a row's text, or for its scored text."""
        from vllm.sampling_params import RequestOutputKind, SamplingParams, StructuredOutputsParams

        given, forced = row.request.sampling, row.scored_ids if row.text else []
        grammar = _grammar(row)
        return SamplingParams(
            temperature=0.0 if forced else given.temperature,
            top_p=given.top_p,
            seed=given.seed,
            max_tokens=len(forced) or given.max_new_tokens,
            stop_token_ids=sorted(self.builder.stop_ids),
            logit_bias=self._never_written,
            structured_outputs=StructuredOutputsParams(grammar=grammar) if grammar else None,
            logprobs=0 if row.scored_ids else None,
            extra_args={FORCED: forced} if forced else None,
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )

    def _read(self, rows: dict[str, _Row], output: Any) -> Completion | None:
        """Return the completion of a row that has ended; None if its scored text comes next."""
        row, made = rows.pop(output.request_id), output.outputs[0]
        if made.finish_reason not in ("stop", "length"):
            reason = f"vLLM gave the request up: {made.finish_reason}"
            return Completion.failed(row.request.key, reason, kind="retryable")
        written = list(made.token_ids)
        if row.text is None:
            row.text = self._decode(row, written, output)
            if row.scored_ids and written != row.scored_ids:
                if self._grammars.allows(_grammar(row), row.scored_ids):
                    return self._add(rows, row)
                return replace(row.text, scored_prob=0.0)
        if not row.scored_ids:
            return row.text
        logs = [at[token].logprob for token, at in zip(written, made.logprobs, strict=True)]
        return with_score(self.builder, row.text, row.scored_ids, logs)

    def _decode(self, row: _Row, written: list[int], output: Any) -> Completion:
        read = read_tokens(self.builder, row.request.key, written, len(output.prompt_token_ids))
        return replace(read, cached_tokens=output.num_cached_tokens or 0)


def _grammar(row: _Row) -> str:
    return row.request.constraint or (ANY_TEXT if row.scored_ids else "")


def _count_images(request: Request) -> int:
    parts = (part for message in request.messages for part in message["content"])
    return sum(part["type"] == "image" for part in parts)


def _import_vllm() -> str:
    """Import vLLM with the settings that this engine needs; return its version.

    Raises:
        ParamError: if it is not installed.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        import vllm
    except ImportError as error:
        raise ParamError(
            f"The engine vllm needs the package vllm: {error}\n"
            "  fix: pip install -c constraints-vllm.txt -e '.[vllm]'"
        ) from error
    return str(vllm.__version__)
