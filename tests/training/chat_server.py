"""A small HTTP server that speaks the chat-completions protocol with scripted replies, faults included."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NOW = {"retry-after-ms": "1"}  # tells the client not to wait before it tries again


@dataclass
class Reply:
    """What to send: a message with its finish reason, or any status, headers and raw body instead."""

    content: str = ""
    reasoning_content: str | None = None
    finish_reason: str = "stop"
    status: int = 200
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)


Script = Callable[[str, int, list[dict[str, str]]], Reply]
"""Of the question, how often it was asked before, and the whole conversation: what to reply."""


class ChatServer:
    """url: the base_url to ask. asked: every conversation, in order. seen: how often each question came."""

    def __init__(self, script: Script) -> None:
        self.asked: list[list[dict[str, str]]] = []
        self.seen: dict[str, int] = {}
        self.keys: set[str | None] = set()
        self.bodies: list[dict[str, Any]] = []
        self._script = script
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                server._answer(self, body)

            def log_message(self, *_: object) -> None:
                return None

        self._http = _Server(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def _answer(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        assert handler.path == "/v1/chat/completions", handler.path
        messages = body["messages"]
        question = next(message["content"] for message in messages if message["role"] == "user")
        with self._lock:
            before = self.seen.get(question, 0)
            self.seen[question] = before + 1
            self.asked.append(messages)
            self.bodies.append(body)
            self.keys.add(handler.headers.get("authorization"))
        reply = self._script(question, before, messages)
        content = reply.body if reply.body is not None else json.dumps(completion(body["model"], reply)).encode()
        handler.send_response(reply.status)
        for name, value in {"content-type": "application/json", **reply.headers}.items():
            handler.send_header(name, value)
        handler.send_header("content-length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    def start(self) -> None:
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Says nothing about clients that hang up: a run that stops does that."""


def completion(model: str, reply: Reply) -> dict[str, Any]:
    message = {"role": "assistant", "content": reply.content}
    if reply.reasoning_content is not None:
        message["reasoning_content"] = reply.reasoning_content
    return {
        "id": "c", "object": "chat.completion", "created": 1, "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": reply.finish_reason}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 100, "total_tokens": 110},
    }  # fmt: skip


@contextmanager
def serving(script: Script) -> Iterator[ChatServer]:
    server = ChatServer(script)
    server.start()
    try:
        yield server
    finally:
        server.stop()
