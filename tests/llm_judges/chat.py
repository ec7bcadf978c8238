"""A real HTTP server that speaks the shape of OpenAI's chat completions, and answers as it is told."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.receiver import Receiver, receiving

Said = str | int
"""What the model says, or a status to fail with."""


class Chat:
    """``say`` gets each question and gives what is said."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.say: Callable[[str], Said] = lambda question: '{"score": 3}'
        self.model = "judge-1-0711"
        self.refusal = "overloaded"
        receiver.behave = self.behave  # type: ignore[method-assign]  # the double's own way to answer

    @property
    def url(self) -> str:
        return self.receiver.url.replace("/hook", "/v1")

    @property
    def questions(self) -> list[dict[str, Any]]:
        return [json.loads(call.body) for call in self.receiver.calls]

    def behave(self, handler: BaseHTTPRequestHandler) -> None:
        said = self.say(self.questions[-1]["messages"][0]["content"])
        status, body = (
            200,
            {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "model": self.model,
                "choices": [
                    {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
                ],
            },
        )
        if isinstance(said, int):
            status, body = said, {"error": {"message": self.refusal}}
        content = json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)


@contextmanager
def chatting() -> Iterator[Chat]:
    with receiving() as receiver:
        yield Chat(receiver)
