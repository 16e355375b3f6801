"""What every request to the page must keep to, whatever Gradio would allow.

Only the routes in `Guard._route` exist; everything else is not there. Questions are built anew (`payloads.py`), files
come from the list of `served_files.py` alone, and the headers of every response forbid what the page does not need.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import parse_qs

from gensight.files.atomic import json_text
from gensight.web.messages import (
    Application,
    Call,
    Message,
    Receive,
    Scope,
    Send,
    bounded,
    read_body,
    respond,
    send_file,
)
from gensight.web.outputs import name_by_keys, rewrite_json, rewrite_stream
from gensight.web.payloads import UNREADABLE, Questions, RefusedError, no_page
from gensight.web.served_files import ServedFiles
from gensight.web.visitors import NOBODY, VISITOR, Visitors, is_foreign

API = "/gradio_api"
_QUESTION_BYTES = 1_000_000
_MULTIPART_SPARE = 100_000  # bytes of an upload's headers
_MAX_FILES = 20  # of an upload
_PLAIN = ("/config", "/theme.css", "/favicon.ico", "/manifest.json",
          f"{API}/theme.css", f"{API}/info", f"{API}/startup-events")  # fmt: skip
_STATIC = re.compile(r"/(?:assets|static)(?:/[A-Za-z0-9_@+-][A-Za-z0-9_@+.-]*)+")
_SESSION = re.compile(rf"{API}/heartbeat/([A-Za-z0-9_-]{{1,100}})")
_EVENT = re.compile(rf"{API}/call/ask/([0-9a-f.]{{1,200}})")
_FILE = f"{API}/file="
# Sent on: Gradio reads others, such as X-Forwarded-Host, to build the addresses that it hands out.
_HEADERS = frozenset(
    (b"host", b"user-agent", b"accept", b"accept-encoding", b"accept-language", b"if-none-match",
     b"if-modified-since", b"x-forwarded-proto")
)  # fmt: skip
# The page itself again, now from this server: a browser then sends the cookie that it holds back from a foreign link.
_AGAIN = b'<!doctype html><meta http-equiv="refresh" content="0;url=/">'


class Guard:
    """ASGI middleware between the network and Gradio.

    Args:
        app: Gradio.
        visitors: Who is let in.
        files: That visitors may upload and fetch.
        questions: That they may put.
        max_upload_bytes: Of one uploaded file.
    """

    def __init__(
        self, app: Application, visitors: Visitors, files: ServedFiles, questions: Questions, max_upload_bytes: int
    ) -> None:
        self.app, self.visitors, self.files, self.questions = app, visitors, files, questions
        self.max_upload_bytes = max_upload_bytes
        self._routes: dict[tuple[str, str], Callable[[Call], Awaitable[None]]] = {
            ("GET", f"{API}/upload_progress"): self._progress,
            ("GET", f"{API}/queue/data"): self._answers_for_page,
            ("POST", f"{API}/upload"): self._upload,
            ("POST", f"{API}/queue/join"): self._question_of_page,
            ("POST", f"{API}/run/predict"): self._direct_question_of_page,
            ("POST", f"{API}/call/ask"): self._question_of_program,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            call = Call(scope, receive, send, self.visitors.identify(scope["headers"]))
            try:
                self._admit(call)
                await self._route(call)(call)
            except RefusedError as refused:
                await respond(call, refused.status, refused.reason.encode())

    def _admit(self, call: Call) -> None:
        """Refuses requests that come from elsewhere, or lack the token."""
        to_page = call.path == "/" and call.method in ("GET", "HEAD")
        if not self.visitors.is_own_host(call.headers):
            raise RefusedError(403, "This server is not known by that name.")
        if is_foreign(call.headers, to_page):
            raise RefusedError(403, "Requests from other sites are refused.")
        # Gradio itself asks for these two as it starts; they give nothing away.
        starting = call.path == f"{API}/startup-events" or (to_page and "token" in parse_qs(call.query))
        if not starting and not self.visitors.is_admitted(call.headers):
            raise RefusedError(401, "Open the address that `gensight serve` printed: it holds the token.")

    def _route(self, call: Call) -> Callable[[Call], Awaitable[None]]:
        """What answers a request.

        Raises:
            RefusedError: Nothing does.
        """
        path, gets = call.path, call.method == "GET"
        if gets or call.method == "HEAD":
            if path == "/":
                return self._page
            if path.startswith(_FILE):
                return self._file
            if _STATIC.fullmatch(path) or (gets and path in _PLAIN):
                return self._plain
        if gets and _SESSION.fullmatch(path):
            return self._heartbeat
        if gets and _EVENT.fullmatch(path):
            return self._answer_for_program
        if (call.method, path) not in self._routes:
            raise no_page()
        return self._routes[call.method, path]

    async def _page(self, call: Call) -> None:
        token = parse_qs(call.query).get("token", [""])[0]
        cookie = [self.visitors.issue_cookie()] if call.visitor == NOBODY else []
        html = [(b"content-type", b"text/html; charset=utf-8"), (b"cache-control", b"no-store")]
        if self.visitors.token is not None and "token" in parse_qs(call.query):
            if not self.visitors.is_token(token):
                raise RefusedError(401, "Open the address that `gensight serve` printed: it holds the token.")
            await respond(call, 200, _AGAIN, [*html, *cookie])
        elif call.visitor == NOBODY and (b"sec-fetch-site", b"cross-site") in call.headers:
            await respond(call, 200, _AGAIN, html)
        else:
            await self._pass_on(call, more_headers=cookie)

    async def _plain(self, call: Call) -> None:
        # Programs read /config first, and keep the cookie that comes with it.
        cookie = [self.visitors.issue_cookie()] if call.path == "/config" and call.visitor == NOBODY else []
        await self._pass_on(call, more_headers=cookie)

    async def _progress(self, call: Call) -> None:
        """Uploads are short: their progress is not followed, and its reader learns at once that it is over."""
        await respond(call, 200, b'data: {"msg": "done"}\n\n', [(b"content-type", b"text/event-stream")])

    async def _file(self, call: Call) -> None:
        await send_file(call, self.files, call.path.removeprefix(_FILE))

    async def _upload(self, call: Call) -> None:
        from starlette.datastructures import UploadFile
        from starlette.formparsers import MultiPartException
        from starlette.requests import ClientDisconnect, Request

        too_large = RefusedError(413, f"The file is too large: at most {self.max_upload_bytes / 1e6:g} MB are taken.")
        receive = bounded(call, self.max_upload_bytes + _MULTIPART_SPARE, too_large)
        if not dict(call.headers).get(b"content-type", b"").startswith(b"multipart/form-data"):
            raise RefusedError(400, UNREADABLE)
        scope = {key: value for key, value in call.scope.items() if key != "app"}  # by which errors would be others
        keys: list[str] = []
        try:
            async with Request(scope, receive).form(max_files=_MAX_FILES, max_fields=_MAX_FILES) as form:
                for file in form.getlist("files"):
                    if not isinstance(file, UploadFile):
                        raise RefusedError(400, UNREADABLE)
                    content = await file.read()
                    if len(content) > self.max_upload_bytes:
                        raise too_large
                    upload = (content, file.filename or "file", call.visitor)
                    keys.append(await asyncio.to_thread(self.files.add_upload, *upload))
        except (MultiPartException, ClientDisconnect, ValueError, KeyError) as error:
            raise RefusedError(400, UNREADABLE) from error
        await respond(call, 200, json_text(keys).encode(), [(b"content-type", b"application/json")])

    async def _question_of_page(self, call: Call) -> None:
        await self._pass_on(call, body=self.questions.from_page(await self._body(call), call.visitor, direct=False))

    async def _direct_question_of_page(self, call: Call) -> None:
        body = self.questions.from_page(await self._body(call), call.visitor, direct=True)
        send = rewrite_json(call.send, lambda answer: name_by_keys(answer, self.files, call.visitor))
        await self._pass_on(call, body=body, send=send)

    async def _question_of_program(self, call: Call) -> None:
        def sign(answer: dict[str, Any]) -> None:
            if "event_id" in answer:
                answer["event_id"] = self.visitors.sign_event(call.visitor, str(answer["event_id"]))

        body = self.questions.from_program(await self._body(call), call.visitor)
        await self._pass_on(call, body=body, send=rewrite_json(call.send, sign))

    async def _answers_for_page(self, call: Call) -> None:
        session = self.questions.session(parse_qs(call.query).get("session_hash", [""])[0], call.visitor)
        await self._stream(call, query=f"session_hash={session}")

    async def _answer_for_program(self, call: Call) -> None:
        event = self.visitors.read_event(call.visitor, call.path.rpartition("/")[2])
        if event is None:
            raise no_page()
        await self._stream(call, path=f"{API}/call/ask/{event}")

    async def _stream(self, call: Call, path: str | None = None, query: str = "") -> None:
        try:
            await self._pass_on(call, path, query, send=rewrite_stream(call.send, self.files, call.visitor))
        except RuntimeError as error:
            if "already started" not in str(error):
                raise
            # There is no such session: Gradio has said so in the stream, and then breaks it off.
            await call.send({"type": "http.response.body", "body": b""})

    async def _heartbeat(self, call: Call) -> None:
        session = self.questions.session(call.path.rpartition("/")[2], call.visitor)
        await self._pass_on(call, path=f"{API}/heartbeat/{session}")

    async def _body(self, call: Call) -> bytes:
        return await read_body(bounded(call, _QUESTION_BYTES, RefusedError(413, "The question is too long.")))

    async def _pass_on(
        self,
        call: Call,
        path: str | None = None,
        query: str = "",
        body: bytes = b"",
        send: Send | None = None,
        more_headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        """Hands a request to Gradio: nothing of it but what is named here, and a few of its headers."""
        path, send = path or call.path, send or call.send
        headers = [(key, value) for key, value in call.headers if key in _HEADERS]
        if call.method == "POST":
            length = str(len(body)).encode()
            headers += [(b"content-type", b"application/json"), (b"content-length", length)]
        scope = {
            **call.scope, "path": path, "raw_path": path.encode(), "query_string": query.encode(), "headers": headers,
            VISITOR: call.visitor,
        }  # fmt: skip
        unread = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Message:
            return unread.pop() if unread else await call.receive()

        async def send_more(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *more_headers]
            await send(message)

        await self.app(scope, receive, send_more)
