"""Requests that never reach Gradio, and the headers of those that do."""

import asyncio
import gc
import json
import weakref
from pathlib import Path
from typing import Any

import pytest

from gensight.web.guard import Guard
from gensight.web.messages import Message, Scope, Send
from gensight.web.payloads import Questions
from gensight.web.served_files import ServedFiles
from gensight.web.visitors import VISITOR, Visitors

Answered = tuple[int, bytes, dict[bytes, bytes]]


async def _echo(scope: Scope, receive: Any, send: Send) -> None:
    """Answers with what reached it."""
    body, more = b"", scope["method"] == "POST"
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    reached = {"path": scope["path"], "query": scope["query_string"].decode(), "visitor": scope[VISITOR],
               "headers": sorted(key.decode() for key, _ in scope["headers"]), "body": body.decode()}  # fmt: skip
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-own", b"1")]})
    await send({"type": "http.response.body", "body": json.dumps(reached).encode()})


class Server:
    def __init__(self, folder: Path, token: str | None = None) -> None:
        self.visitors = Visitors("127.0.0.1" if token is None else "0.0.0.0", 8000, token)
        self.files = ServedFiles(folder)
        questions = Questions({0: ("text", "file"), 1: ("text",)}, {1}, 0, self.files, self.visitors)
        self.guard = Guard(_echo, self.visitors, self.files, questions, max_upload_bytes=2_000_000)

    def ask(self, method: str, path: str, body: bytes = b"", query: str = "", **headers: str) -> Answered:
        said: list[Message] = []
        parts = [body[:5], body[5:]]
        more = {key.replace("_", "-"): value for key, value in headers.items()}
        sent = {"host": "localhost:8000", "content-length": str(len(body)), **more}

        async def receive() -> Message:
            return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

        async def send(message: Message) -> None:
            said.append(message)

        pairs = [(key.encode(), value.encode()) for key, value in sent.items() if value != "none"]
        scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": pairs}
        asyncio.run(self.guard(scope, receive, send))
        content = b"".join(message.get("body", b"") for message in said[1:])
        return said[0]["status"], content, dict(said[0]["headers"])


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def test_a_question_is_passed_on_without_what_gradio_need_not_know(server: Server) -> None:
    body = json.dumps({"data": ["run", None], "fn_index": 0, "session_hash": "s", "batched": True}).encode()
    status, said, headers = server.ask("POST", "/gradio_api/queue/join", body, "x=1", cookie="a=b",
                                       x_forwarded_host="evil.example", user_agent="test")  # fmt: skip

    reached = json.loads(said)
    assert (status, headers[b"x-own"]) == (200, b"1")
    assert set(json.loads(reached["body"])) == {"data", "fn_index", "session_hash", "trigger_id", "event_data"}
    assert (reached["query"], reached["visitor"]) == ("", "")
    assert reached["headers"] == ["content-length", "content-type", "host", "user-agent"]
    assert b"default-src 'self'" in headers[b"content-security-policy"]
    assert headers[b"x-content-type-options"] == b"nosniff"


def test_functions_are_run_at_once_only_where_the_page_says_so(server: Server) -> None:
    queued = json.dumps({"data": ["run", None], "fn_index": 0, "session_hash": "s"}).encode()
    direct = json.dumps({"data": ["run"], "fn_index": 1, "session_hash": "s"}).encode()

    statuses = [server.ask("POST", f"/gradio_api/{path}", body)[0]
                for path in ("queue/join", "run/predict") for body in (queued, direct)]  # fmt: skip
    assert statuses == [200, 404, 404, 200]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/gradio_api/process_recording"), ("POST", "/gradio_api/vibe-edit/"), ("POST", "/gradio_api/run/ask"),
        ("POST", "/gradio_api/api/ask"), ("POST", "/gradio_api/component_server"), ("POST", "/gradio_api/call/check"),
        ("GET", "/gradio_api/proxy=http://x"), ("GET", "/gradio_api/file/x"), ("GET", "/monitoring"),
        ("GET", "/gradio_api/stream/a/b/0/playlist.m3u8"), ("GET", "/gradio_api/deep_link"), ("POST", "/"),
        ("GET", "/assets/../x"), ("GET", "/static//etc/passwd"), ("GET", "/static/.hidden"),
        ("PUT", "/gradio_api/upload"),
        ("OPTIONS", "/gradio_api/queue/join"), ("POST", "/gradio_api/cancel"), ("GET", "/gradio_api/call/ask/0123"),
        ("GET", "/GRADIO_API/INFO"), ("GET", "/gradio_api/mcp/sse"), ("POST", "/gradio_api/reset"),
    ],
)  # fmt: skip
def test_what_the_page_does_not_need_is_not_there(server: Server, method: str, path: str) -> None:
    assert server.ask(method, path)[:2] == (404, b"There is no such page.")


@pytest.mark.parametrize("path", ["http://10.0.0.1/x", "HTTPS://x", "/etc/passwd", "//x", "x/y.png", ""])
def test_files_that_are_not_listed_are_refused_alike(server: Server, path: str) -> None:
    assert server.ask("GET", f"/gradio_api/file={path}")[:2] == (403, b"Only uploaded files are taken.")


def test_a_listed_file_is_no_document_that_runs(server: Server) -> None:
    page = server.files.add_upload(b"<script>alert(1)</script>", "cat.html", "")
    picture = server.files.add_upload(b"\x89PNG\r\n\x1a\n<svg onload=alert(1)>", "cat.svg", "")

    status, said, headers = server.ask("GET", f"/gradio_api/file={page}")
    assert (status, said) == (200, b"<script>alert(1)</script>")
    assert headers[b"content-type"] == b"application/octet-stream"
    assert headers[b"content-disposition"] == b"attachment; filename*=UTF-8''cat.html"
    assert headers[b"content-security-policy"] == b"default-src 'none'; sandbox"
    assert server.ask("GET", f"/gradio_api/file={picture}")[2][b"content-type"] == b"image/png"
    assert server.ask("HEAD", f"/gradio_api/file={page}")[1] == b""


def test_bodies_are_bounded(server: Server) -> None:
    assert server.ask("POST", "/gradio_api/upload", content_length="2100001")[0] == 413
    form = {"content_type": "multipart/form-data; boundary=x"}
    head = b"--x\r\nContent-Disposition: form-data; name=files; filename=a.png\r\n\r\n"
    assert server.ask("POST", "/gradio_api/upload", head + bytes(2_100_001), content_length="9", **form)[0] == 413
    whole = head + bytes(2_000_001) + b"\r\n--x--\r\n"
    assert server.ask("POST", "/gradio_api/upload", whole, **form)[0] == 413
    assert server.ask("POST", "/gradio_api/queue/join", content_length="1000001")[0] == 413
    assert server.ask("POST", "/gradio_api/upload", content_length="none")[0] == 411
    assert server.ask("POST", "/gradio_api/queue/join", b"{not json")[:2] == (400, b"The request cannot be read.")


def test_other_names_and_other_sites_are_refused(server: Server) -> None:
    assert server.ask("GET", "/", host="evil.example")[0] == 403
    assert server.ask("GET", "/config", origin="http://localhost:9999")[0] == 403
    assert server.ask("POST", "/gradio_api/upload", origin="null")[0] == 403
    assert server.ask("GET", "/config", origin="http://localhost:8000")[0] == 200
    linked = server.ask("GET", "/", sec_fetch_site="cross-site")
    assert (linked[0], b'url=/"' in linked[1], b"set-cookie" in linked[2]) == (200, True, False)


def test_the_token_is_exchanged_for_a_cookie(tmp_path: Path) -> None:
    server = Server(tmp_path, token="right")

    assert server.ask("GET", "/")[0] == 401
    assert server.ask("GET", "/", query="token=wrong")[0] == 401
    assert server.ask("GET", "/", query="token=")[0] == 401
    assert server.ask("GET", "/config", query="token=right")[0] == 401
    assert server.ask("POST", "/gradio_api/upload")[0] == 401
    status, said, headers = server.ask("GET", "/", query="token=right", host="machine.example:8000")
    assert (status, b'url=/"' in said) == (200, True)
    cookie = headers[b"set-cookie"].partition(b";")[0].decode()
    reached = json.loads(server.ask("GET", "/", cookie=cookie)[1])
    assert (reached["path"], reached["query"], len(reached["visitor"])) == ("/", "", 32)
    assert server.ask("GET", "/config", authorization="Bearer right")[0] == 200


def test_an_upload_is_kept_for_whoever_sent_it(server: Server) -> None:
    body = b"--x\r\nContent-Disposition: form-data; name=files; filename=../a.png\r\n\r\ncat\r\n--x--\r\n"
    kind = {"content_type": "multipart/form-data; boundary=x"}
    cookie = server.visitors.issue_cookie()[1].partition(b";")[0].decode()

    status, said, _ = server.ask("POST", "/gradio_api/upload", body, cookie=cookie, **kind)

    (key,) = json.loads(said)
    assert (status, key.partition("/")[2]) == (200, "a.png")
    assert server.ask("GET", f"/gradio_api/file={key}", cookie=cookie)[1] == b"cat"
    assert server.ask("GET", f"/gradio_api/file={key}")[0] == 403
    assert server.ask("POST", "/gradio_api/upload", b"cat", content_type="text/plain")[:2] == (
        400,
        b"The request cannot be read.",
    )


def test_a_refused_request_is_not_kept(server: Server) -> None:
    class Body:
        async def receive(self) -> Message:
            return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        pass

    body = Body()
    scope = {"type": "http", "method": "GET", "path": "/none", "headers": [(b"host", b"localhost:8000")]}
    asyncio.run(server.guard(scope, body.receive, send))
    kept = weakref.ref(body)
    del body
    gc.collect()

    assert kept() is None


def test_websockets_are_closed(server: Server) -> None:
    said: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        said.append(message)

    asyncio.run(server.guard({"type": "websocket", "path": "/", "headers": []}, receive, send))

    assert said == [{"type": "websocket.close", "code": 1008}]
