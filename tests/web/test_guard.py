"""Requests that never reach Gradio, and the headers of those that do."""

import asyncio
import json
from typing import Any

import pytest

from gensight.web.guard import Guard, Message, Receive, Scope, Send


async def _echo(scope: Scope, receive: Receive, send: Send) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-own", b"1")]})
    await send({"type": "http.response.body", "body": body})


def ask(path: str, body: bytes = b"", method: str = "POST", length: bytes | None = None) -> tuple[int, bytes, Any]:
    told: list[Message] = []
    parts = [body[:5], body[5:]]
    headers = [(b"content-length", str(len(body)).encode() if length is None else length)]

    async def receive() -> Message:
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    async def send(message: Message) -> None:
        told.append(message)

    guard = Guard(_echo, max_upload_bytes=2_000_000)
    asyncio.run(guard({"type": "http", "method": method, "path": path, "headers": headers}, receive, send))
    return told[0]["status"], told[1]["body"], dict(told[0]["headers"])


def test_a_question_passes_unchanged_and_the_answer_forbids_everything_from_outside() -> None:
    body = json.dumps({"data": [{"path": "/own/cat.png", "url": "http://127.0.0.1/file=cat.png"}]}).encode()

    status, said, headers = ask("/gradio_api/queue/join", body)

    assert (status, said, headers[b"x-own"]) == (200, body, b"1")
    assert b"default-src 'self'" in headers[b"content-security-policy"]


@pytest.mark.parametrize(
    "path", ["/gradio_api/file=http://10.0.0.1/x", "/gradio_api/file=HTTPS://x", "/gradio_api/proxy=http://x"]
)
def test_nothing_is_fetched_for_strangers(path: str) -> None:
    status, said, _ = ask(path, method="GET")

    assert (status, said) == (403, b"This server fetches nothing for others.")


@pytest.mark.parametrize("address", ["http://10.0.0.1/x.png", "file:///etc/passwd", "https://a.b"])
def test_a_file_given_by_its_address_is_refused_wherever_it_hides(address: str) -> None:
    status, said, _ = ask("/gradio_api/call/ask", json.dumps({"data": [[{"a": {"path": address}}]]}).encode())

    assert (status, said) == (403, b"Only uploaded files are taken, no web addresses.")


def test_bodies_are_bounded() -> None:
    assert ask("/gradio_api/upload", length=b"2100001")[0] == 413
    assert ask("/gradio_api/upload", length=b"2099999")[0] == 200
    assert ask("/gradio_api/queue/join", length=b"1000001")[0] == 413
    assert ask("/gradio_api/upload", length=b"")[0] == 411


def test_what_is_no_json_is_left_to_gradio() -> None:
    assert ask("/gradio_api/queue/join", b"{not json")[:2] == (200, b"{not json")


@pytest.mark.parametrize("path", ["/gradio_api/process_recording", "/gradio_api/vibe-edit/", "/vibe-code/"])
def test_what_the_page_does_not_need_is_not_there(path: str) -> None:
    assert ask(path)[0] == 404
