"""An OpenAI-compatible chat server on loopback: well-behaved, or as bad as a test wants it.

with ChatServer(answer) as server:
    OpenAIEngine("model", Server(url=server.url), ...)
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Body = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """What the server sends: a chat completion, or something else.

    Attributes:
        text, finish_reason, refusal: of the completion.
        tokens: of the prompt, cached ones among them, of the response; None: no usage is sent.
        status, headers: of HTTP.
        body: sent instead of a completion.
        cut: bytes of the body that are not sent before the connection closes.
        closes: close the connection without a word.
        delay_s: wait before the answer.
    """

    text: str | None = None
    finish_reason: str | None = "stop"
    refusal: str | None = None
    tokens: tuple[int, int, int] | None = (12, 2, 4)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    cut: int = 0
    closes: bool = False
    delay_s: float = 0.0

    def payload(self, model: str) -> bytes:
        if self.body is not None:
            return self.body
        if self.status >= 400:
            return json.dumps({"error": {"message": self.text or "no", "code": None}}).encode()
        message = {"role": "assistant", "content": self.text, "refusal": self.refusal}
        choice = {"index": 0, "message": message, "finish_reason": self.finish_reason}
        reply: Body = {"object": "chat.completion", "model": model, "choices": [choice]}
        if self.tokens is not None:
            prompt, cached, response = self.tokens
            reply["usage"] = {
                "prompt_tokens": prompt,
                "completion_tokens": response,
                "prompt_tokens_details": {"cached_tokens": cached},
            }
        return json.dumps(reply).encode()


@dataclass(frozen=True)
class Received:
    """A request as it came, and when; names of headers are found in any case."""

    body: Body
    headers: Message
    at_s: float

    @property
    def prompt(self) -> str:
        return prompt_of(self.body)


def prompt_of(body: Body) -> str:
    """Return the text of a request's last user turn, without its images."""
    content = [one["content"] for one in body["messages"] if one["role"] == "user"][-1]
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content if part["type"] == "text")


def images_of(body: Body) -> list[tuple[str, bytes]]:
    """Return the media type and bytes of each image of a request."""
    found = []
    for message in body["messages"]:
        for part in message["content"] if isinstance(message["content"], list) else ():
            if part["type"] == "image_url":
                head, _, data = part["image_url"]["url"].partition(";base64,")
                found.append((head.removeprefix("data:"), base64.b64decode(data, validate=True)))
    return found


def echo(body: Body) -> Reply:
    """Answer with the prompt and the seed."""
    return Reply(f"{prompt_of(body)} {body['seed']}")


class ChatServer:
    """Serves `/v1/chat/completions` in threads; a context manager.

    Args:
        answer: gives the reply to a request's body; called in several threads at once.
        key: the key that it wants; empty: any.
        port: where it listens; 0: at any free port.

    Attributes:
        url: what an engine is given.
        received: all requests to complete a chat, in the order of arrival.
        most_in_flight: how many were answered at once.
    """

    def __init__(
        self, answer: Callable[[Body], Reply] = echo, *, key: str = "", port: int = 0
    ) -> None:
        self.answer = answer
        self.key = key
        self.received: list[Received] = []
        self.most_in_flight = 0
        self._in_flight = 0
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def times_seen(self) -> Counter[str]:
        """Return how often each prompt came."""
        return Counter(one.prompt for one in self.received)

    def reply_to(self, received: Received) -> Reply:
        """Count a request in and out; wait as long as its reply wants."""
        with self._lock:
            self.received.append(received)
            self._in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            if self.key and received.headers.get("Authorization") != f"Bearer {self.key}":
                given = received.headers.get("Authorization")
                return Reply(f"Incorrect API key provided: {given}", status=401)
            reply = self.answer(received.body)
            time.sleep(reply.delay_s)
            return reply
        finally:
            with self._lock:
                self._in_flight -= 1


class MisbehavingServer(ChatServer):
    """Gives a prompt the replies of its script first, one each time it comes.

    Args:
        scripts: replies by prompt.
        answer: gives all other replies.
        key: as for `ChatServer`.
    """

    def __init__(
        self,
        scripts: Mapping[str, Sequence[Reply]],
        answer: Callable[[Body], Reply] = echo,
        *,
        key: str = "",
    ) -> None:
        super().__init__(self._next, key=key)
        self._scripts = {prompt: list(replies) for prompt, replies in scripts.items()}
        self._plain = answer

    def _next(self, body: Body) -> Reply:
        with self._lock:
            script = self._scripts.get(prompt_of(body))
            reply = script.pop(0) if script else None
        return reply or self._plain(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that are killed are part of the tests."""


def _handler(server: ChatServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path != "/v1/chat/completions":
                self._send(Reply("no such address", status=404), b'{"error": {"message": "no"}}')
                return
            reply = server.reply_to(Received(body, self.headers, time.monotonic()))
            if reply.closes:
                self.close_connection = True
            else:
                self._send(reply, reply.payload(body["model"]))

        def _send(self, reply: Reply, payload: bytes) -> None:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload[: len(payload) - reply.cut])
            self.wfile.flush()
            self.close_connection = self.close_connection or reply.cut > 0

        def log_message(self, *_: object) -> None: ...

    return Handler
