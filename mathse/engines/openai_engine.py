"""Any server that speaks OpenAI's chat completions: an API, or `vllm serve`.

The package `openai` repeats requests that get no answer: on 408, 409, 429 and 5xx, on time-outs and
dropped connections, after the time that the server asks for (Retry-After, up to two minutes) or
after 0.5 to 8 seconds.
"""

from __future__ import annotations

import base64
import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mathse.core.errors import DataError, MathseError, ParamError
from mathse.core.ids import content_id
from mathse.core.images import ImageStore
from mathse.core.journal_packs import PackLimits
from mathse.core.machine import Machine, Server, ServerName
from mathse.core.params import Role, WritingRole
from mathse.engines.model_files import model_digest
from mathse.engines.pixels import Pixels
from mathse.engines.protocol import Completion, Request
from mathse.engines.usage import Budget
from mathse.prompts import PROMPTS_VERSION
from schemas import FailureKind

IMAGES_VERSION = 2
"""Raise it when images are sent in another way than as stored, in data URLs."""
FAILURES_IN_A_ROW = 20
_PACKED_MAX = 16
_MOST_TOKENS = 2**31
_MAX_REASON_CHARS = 300
_KEPT = "what is finished is kept"


class ServerError(MathseError):
    """A server works for no request: no valid key, no such model, no answers."""


class OpenAIEngine:
    """Completes prompts over HTTP, several at a time.

    Args:
        model: name by which the server knows the model.
        server: where it is and how it is used.
        images: where image ids lead; None for text alone.
        revision: what tells models of one name apart: a version, a hash of the weights.
        name: of the server in `machine.yaml`, for messages.
        extra: what else is sent with each request; null: the engine does not send the key either.

    Attributes:
        budget: what the server's limits allow and what was spent.

    Raises:
        ParamError: if the package is missing, the url holds a key, or the key cannot be sent.
    """

    def __init__(
        self,
        model: str,
        server: Server,
        *,
        images: ImageStore | None = None,
        revision: str = "",
        name: ServerName = "default",
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        if urlsplit(server.url).username or urlsplit(server.url).password:
            raise ParamError(f"servers.{name}.url holds a key: put it into {server.key_env}")
        self._key = os.environ.get(server.key_env, "").strip()
        if not (self._key.isascii() and self._key.isprintable()):
            raise ParamError(f"{server.key_env}: the key has characters that no header can hold")
        self._package = _import_openai()
        self._client = self._package.OpenAI(
            api_key=self._key or "none",
            base_url=server.url,
            timeout=self._package.Timeout(server.timeout_s, connect=min(10, server.timeout_s)),
            max_retries=server.tries - 1,
        )
        self.model = model
        self.server = server
        self.pixels = Pixels(images)
        self.budget = Budget(server.budget.model_dump())
        self.extra = dict(extra or {})
        more = [self.extra] if self.extra else []
        self.digest = content_id("openai", model, revision, *more)
        scaled = [self.pixels.limits.model_dump()] if self.pixels.limits else []
        self.input_fingerprint = content_id("openai", IMAGES_VERSION, PROMPTS_VERSION, *scaled)
        self.how = "openai with grammar" if server.takes_grammar else "openai"
        self._setting = f"servers.{name}"
        # A kill costs a few finished requests beside those in flight: they are paid.
        self.pack_limits = PackLimits(min(_PACKED_MAX, server.concurrency), 1.0)
        self._failures_in_a_row = 0
        self._refused_keys: set[str] = set()
        self._refusals = 0  # in a row

    def complete(self, requests: Sequence[Request]) -> Iterator[Completion]:
        """Yield completions as they finish; what is bad in one request becomes an error completion.

        What ends the work is raised when the requests in flight have their answers.

        Raises:
            ServerError: if the server works for no request.
            BudgetError: if the budget allows no further request.
        """
        waiting = deque(requests)
        working: set[Future[Completion]] = set()
        finished: deque[Completion] = deque()
        stop: MathseError | None = None
        pool = ThreadPoolExecutor(self.server.concurrency)
        try:
            while True:
                # Send as many as may be in flight; after a stop, none.
                while waiting and len(working) < self.server.concurrency and stop is None:
                    if not self.budget.has_room(len(working)):
                        break
                    working.add(pool.submit(self._complete, waiting.popleft()))
                # Yield what has finished one by one, so that others are sent meanwhile.
                if finished:
                    yield finished.popleft()
                    continue
                if not working:
                    break
                done, working = wait(working, return_when=FIRST_COMPLETED)
                for work in done:
                    try:
                        finished.append(work.result())
                        self.budget.count(finished[-1])
                        self._check_alive(finished[-1])
                        self._check_refused(finished[-1])
                    except ServerError as error:
                        stop = stop or error
        except (KeyboardInterrupt, SystemExit):
            self._client.close()  # else the end waits for the answers in flight
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        if stop is not None:
            raise stop
        if waiting:
            raise self.budget.error(f"{self._setting}.budget")

    def units(self, requests: Sequence[Request]) -> list[list[int]]:
        """Each request stands alone."""
        return [[index] for index in range(len(requests))]

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _complete(self, request: Request) -> Completion:
        """Send one request; return what came of it."""
        try:
            body = self._body(request)
            answer = self._client.chat.completions.with_raw_response.create(**body)
            return self._read(request.key, answer.http_response.json())
        except DataError as error:
            return Completion.failed(request.key, str(error))
        except self._package.APIStatusError as error:
            return self._refused(request.key, error)
        except self._package.APIConnectionError as error:
            reason = self._one_line(f"no answer: {error} {error.__cause__ or ''}")
        except (ValueError, RecursionError):
            reason = "the reply is not JSON"
        return Completion.failed(request.key, reason, kind="retryable")

    def _body(self, request: Request) -> dict[str, Any]:
        """Return a request as the API wants it.

        Raises:
            DataError: if an image is unknown or no picture, or the server cannot do what is asked.
        """
        server, sampling = self.server, request.sampling
        # The messages, with the pictures where the prompt shows them.
        image_parts = map(self._image_part, request.image_ids)
        messages = []
        for message in request.messages:
            parts: list[Any] = [
                next(image_parts, None) if part["type"] == "image" else part
                for part in message["content"]
            ]
            if None in parts:
                raise DataError("The prompt shows more images than were given.")
            is_text = len(parts) == 1 and parts[0]["type"] == "text"  # some servers know no parts
            messages.append({**message, "content": parts[0]["text"] if is_text else parts})
        # What goes beyond the API: settings of machine.yaml, a given beginning, a grammar.
        more = {key: value for key, value in self.extra.items() if value is not None}
        if request.prefix and not server.continues_prefix:
            raise DataError(
                "The answer's beginning is given, and this server may not continue it.",
                fix=f"set {self._setting}.continues_prefix in machine.yaml if it does (vLLM does)",
            )
        if request.prefix:
            messages.append({"role": "assistant", "content": request.prefix})
            more |= {"add_generation_prompt": False, "continue_final_message": True}
        if request.constraint and server.takes_grammar:
            more["structured_outputs"] = {"grammar": request.constraint}
        # What is null is left to the server.
        sampled = {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": None if "seed" in self.extra else sampling.seed,
        }
        return {
            "model": self.model,
            "messages": messages,
            **{key: value for key, value in sampled.items() if value is not None},
            server.token_limit: sampling.max_new_tokens,
            "extra_body": more,
        }

    def _image_part(self, image_id: str) -> dict[str, Any]:
        kind, data = self.pixels.encoded(image_id)
        url = f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
        return {"type": "image_url", "image_url": {"url": url}}

    def _read(self, key: str, reply: Any) -> Completion:
        """Read a reply; servers differ in what they leave out."""
        # The text, why it ended, and the tokens that were counted.
        try:
            choice, usage = reply["choices"][0], reply.get("usage") or {}
            message, end = choice["message"], choice.get("finish_reason")
            text = (message.get("content") or "").encode(errors="replace").decode()  # no surrogates
            withheld = message.get("refusal") or (end if end == "content_filter" else None)
            details = usage.get("prompt_tokens_details") or {}
            counts = usage.get("prompt_tokens"), usage.get("completion_tokens")
            prompt, response, cached = (
                max(0, int(count or 0)) for count in (*counts, details.get("cached_tokens"))
            )
            if max(prompt, response) > _MOST_TOKENS:
                raise ValueError("no number of tokens")
        except (AttributeError, KeyError, IndexError, TypeError, ValueError, OverflowError):
            what = reply.get("error") if isinstance(reply, dict) else None
            reason = self._one_line(f"the reply is no chat completion: {what or 'parts lack'}")
            return Completion.failed(key, reason, kind="retryable")
        is_counted = None not in counts
        if not is_counted and (limit := self.budget.needs_tokens):
            raise ServerError(
                f"{self.server.url} does not say how many tokens an answer took (usage), so "
                f"{self._setting}.budget.{limit} in machine.yaml cannot be kept.\n"
                f"  fix: limit requests instead, and run the stage again; {_KEPT}"
            )
        # The reason why a text does not count.
        error: str | None = None
        kind: FailureKind | None = None
        if withheld:
            error, kind = self._one_line(f"the text is withheld: {withheld}"), "permanent"
        elif end not in ("stop", "length"):
            error, kind = self._one_line(f"the text was broken off: {end}"), "retryable"
        elif end == "stop" and not text.strip():
            error, kind = "the reply has no text", "permanent"
        return Completion(
            key=key,
            text="" if error else text,
            finish_reason="error" if error else end,
            prompt_tokens=prompt,
            response_tokens=response,
            error=error,
            error_kind=kind,
            cached_tokens=min(cached, prompt),
            cost=self._cost(prompt, min(cached, prompt), response) if is_counted else None,
        )

    def _cost(self, prompt: int, cached: int, response: int) -> float | None:
        price = self.server.price
        if price is None:
            return None
        per_cached = price.prompt if price.cached is None else price.cached
        money = (prompt - cached) * price.prompt + cached * per_cached
        return (money + response * price.completion) / 1e6

    def _refused(self, key: str, error: Any) -> Completion:
        """Return the error completion for an HTTP status.

        Raises:
            ServerError: if the status is not about this request.
        """
        status, where = error.status_code, f"{self.server.key_env} at {self.server.url}"
        reason = self._one_line(error.message.replace("Error code:", "HTTP"))
        stop = ""
        if status in (401, 403):  # without the server's text: it may show a part of the key
            state = "is refused" if self._key else "is not set"
            stop = f"The key in the environment variable {where} {state} (HTTP {status})."
        elif status == 402 or error.code == "insufficient_quota":
            stop = f"The account of {where} has no credit: {reason}"
        elif status == 404:
            stop = (
                f"There is no model {self.model} at {self.server.url}, or the address is wrong "
                f"({self._setting}.url in machine.yaml): {reason}"
            )
        if stop:
            raise ServerError(f"{stop}\n  fix: correct that and run the stage again; {_KEPT}")
        if status in (408, 409, 429) or status >= 500:
            return Completion.failed(key, reason, kind="retryable")
        self._refused_keys.add(key)
        return Completion.failed(key, reason)

    def _check_alive(self, completion: Completion) -> None:
        """Count failures in a row.

        Raises:
            ServerError: if there are so many that the server must be down.
        """
        is_down = completion.error_kind == "retryable"
        self._failures_in_a_row = self._failures_in_a_row + 1 if is_down else 0
        if self._failures_in_a_row >= max(FAILURES_IN_A_ROW, self.server.concurrency):
            raise ServerError(
                f"{self._failures_in_a_row} requests in a row failed at {self.server.url}, each "
                f"tried up to {self.server.tries} times; the last: {completion.error}\n"
                f"  fix: start the server, or lower {self._setting}.concurrency in machine.yaml, "
                f"and run the stage again; {_KEPT}"
            )

    def _check_refused(self, completion: Completion) -> None:
        """Count refusals until there is an answer, be it one of the journal.

        Raises:
            ServerError: if there are so many that no request can be right.
        """
        if completion.key not in self._refused_keys or self.budget.spent["requests"]:
            self._refusals = 0
            return
        self._refusals += 1
        if self._refusals >= max(FAILURES_IN_A_ROW, self.server.concurrency):
            raise ServerError(
                f"The first {self._refusals} requests were all refused at {self.server.url}; the "
                f"last: {completion.error}\n"
                "  fix: correct what it names: model, temperature, top_p, max_new_tokens or extra "
                f"of the role in params.yaml, or {self._setting}.token_limit in machine.yaml"
            )

    def _one_line(self, text: str) -> str:
        """Shorten a server's text, and remove the key, which some servers repeat."""
        if self._key:
            text = text.replace(self._key, "…")
        text = " ".join(text.encode(errors="replace").decode().split())
        return text if len(text) <= _MAX_REASON_CHARS else f"{text[:_MAX_REASON_CHARS]}…"


def load_openai(
    model: str, role: Role, images: ImageStore, machine: Machine, name: ServerName = "default"
) -> OpenAIEngine:
    """Load the engine of a role; two model folders of one name differ by their weights."""
    revision = model_digest(model) if Path(model).is_dir() else role.revision
    server = machine.server(name)
    extra = role.extra if isinstance(role, WritingRole) else None
    return OpenAIEngine(
        model, server, images=images, revision=revision or "", name=name, extra=extra
    )


def _import_openai() -> Any:
    try:
        import openai
    except ImportError as error:
        raise ParamError(
            f"The engine openai needs the package openai: {error}\n"
            "  fix: pip install -c constraints.txt -e '.[openai]'"
        ) from error
    return openai
