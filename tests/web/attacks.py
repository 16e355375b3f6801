"""Requests of strangers for files that are not theirs, grouped by kind.

Each probe is a request with a place for a path. It is sent twice: with the path of a private picture, and with one of
the same form where no file is (`strangers.py`).
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

API = "/gradio_api"


@dataclass(frozen=True)
class Probe:
    """A request.

    Attributes:
        kind: Of what is tried.
        name: Of the try, within its kind.
        url: Without the server; `{}` stands for the path.
        body: JSON of a POST, with the path in it as `PATH`; None for a GET.
        spell: How the path is written.
        method: Of a request without a body.
        headers: Further ones.
        result: Where the answer to a question is fetched, with `{}` for its event.
    """

    kind: str
    name: str
    url: str
    body: Any = None
    spell: Callable[[str], str] = str
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    result: str = API + "/call/ask/{}"


@dataclass(frozen=True)
class Scene:
    """What the probes aim at.

    Attributes:
        private: A picture that no visitor may see, and a path in its folder where nothing is.
        text: A text likewise.
        links: In the server's folder, to files that are there and that are not; by how they are made.
        owned: Key or path of another visitor's upload, and one of this form that never was.
        answered: Likewise of a picture of his answer.
        session: Name of his session.
        event: Name of his event.
        questions: Of the page: number of a function -> what its inputs are.
        run: Name of a run.
    """

    private: tuple[str, str]
    text: tuple[str, str]
    links: dict[str, tuple[str, str]]
    owned: tuple[str, str]
    answered: tuple[str, str]
    session: str
    event: str
    questions: dict[int, list[str]]
    run: str


def spellings(folder: Path) -> dict[str, dict[str, Callable[[str], str]]]:
    """Ways of writing an absolute path, by kind."""
    up = "../" * 14
    return {
        "absolute path": {
            "as it is": str,
            "doubled slashes": lambda path: path.replace("/", "//"),
            "dots between": lambda path: path.replace("/", "/./"),
            "slash behind": lambda path: path + "/",
            "dot behind": lambda path: path + "/.",
            "by /proc": lambda path: "/proc/self/root" + path,
            "by the home folder": lambda path: "~/" + up + path[1:],
            "upper case": str.upper,
        },
        "relative path": {
            "from here": lambda path: os.path.relpath(path),
            "from here, with ./": lambda path: "./" + os.path.relpath(path),
            "far up": lambda path: up + path[1:],
            "from the upload folder": lambda path: f"{folder}/{up}{path[1:]}",
            "from a folder that is not there": lambda path: f"{folder}/none/../{up}{path[1:]}",
            "four dots": lambda path: "....//" * 14 + path[1:],
            "backslashes": lambda path: up.replace("/", "\\") + path[1:].replace("/", "\\"),
        },
        "encoded": {
            "percent": lambda path: quote(path, safe=""),
            "percent, twice": lambda path: quote(quote(path, safe=""), safe=""),
            "dots": lambda path: "%2e%2e/" * 14 + path[1:],
            "slashes": lambda path: "..%2f" * 14 + path[1:],
            "all, twice": lambda path: "%252e%252e%252f" * 14 + path[1:],
            "overlong": lambda path: "..%c0%af" * 14 + path[1:],
            "html": lambda path: path.replace("/", "&#47;"),
        },
        "unicode": {
            "full-width slashes": lambda path: path.replace("/", "／"),
            "division slashes": lambda path: path.replace("/", "∕"),
            "one-dot leaders": lambda path: "․․/" * 14 + path[1:],
            "zero-width space": lambda path: "\u200b" + path,
            "turned around": lambda path: "\u202e" + path,
            "byte order mark": lambda path: path + "\ufeff",
            "half a character": lambda path: path + "\ud800",
        },
        "control characters": {
            "null behind": lambda path: path + "\0",
            "null and suffix": lambda path: path + "\0.png",
            "null before": lambda path: "\0" + path,
            "line feed": lambda path: path + "\n",
            "blank before": lambda path: " " + path,
            "tab behind": lambda path: path + "\t",
        },
        "address": {
            "file://": lambda path: "file://" + path,
            "file:": lambda path: "file:" + path,
            "FILE://localhost": lambda path: "FILE://localhost" + path,
            "share": lambda path: "\\\\127.0.0.1\\c$" + path.replace("/", "\\"),
            "long path": lambda path: "\\\\?\\C:" + path.replace("/", "\\"),
            "host": lambda path: "//localhost" + path,
            "http": lambda path: "http://127.0.0.1:9/file=" + path,
            "data": lambda path: "data:image/png;base64," + path,
        },
    }


def question(run: str, image: Any) -> dict[str, Any]:
    return {"data": [run, image, "", "by the words", ""]}


META = {"meta": {"_type": "gradio.FileData"}}


def probes(scene: Scene, folder: Path) -> Iterator[tuple[Probe, tuple[str, str]]]:
    """All probes, with the pair of paths of each."""
    for kind, ways in spellings(folder).items():
        for name, spell in ways.items():
            for label, more in (("bare", {}), ("with meta", META)):
                body = question(scene.run, {"path": "PATH", "orig_name": "a.png", **more})
                yield Probe(kind, f"{name}, {label}", API + "/call/ask", body, spell), scene.private
            if name not in ("half a character", "data"):
                yield Probe(kind, f"{name}, fetched", API + "/file={}", None, spell), scene.text
    yield from _links(scene)
    yield from _shapes(scene)
    yield from _functions(scene)
    yield from _routes(scene)
    yield from _others(scene)


def _links(scene: Scene) -> Iterator[tuple[Probe, tuple[str, str]]]:
    for name, pair in scene.links.items():
        for label, more in (("bare", {}), ("with meta", META)):
            body = question(scene.run, {"path": "PATH", **more})
            yield Probe("links in the upload folder", f"{name}, {label}", API + "/call/ask", body), pair
        for method in ("GET", "HEAD"):
            probe = Probe("links in the upload folder", f"{name}, {method}", API + "/file={}", method=method)
            yield probe, pair


def _shapes(scene: Scene) -> Iterator[tuple[Probe, tuple[str, str]]]:
    """A file in unexpected shapes, and in unexpected places."""
    file = {"path": "PATH", **META}
    images: dict[str, Any] = {
        "a text": "PATH",
        "a list": ["PATH"],
        "a list of files": [file],
        "a list in the path": {"path": ["PATH"]},
        "a dict in the path": {"path": {"path": "PATH"}},
        "nested meta": {"path": "PATH", "meta": {"_type": "gradio.FileData", "path": "PATH", "meta": META}},
        "meta of another type": {"path": "PATH", "meta": {"_type": "gradio.Image"}},
        "meta as a text": {"path": "PATH", "meta": "gradio.FileData"},
        "a stream": {"path": "PATH", "is_stream": True, **META},
        "image in image": {"image": file, "path": "PATH"},
        "value in value": {"value": file, "__type__": "update"},
        "a gallery": [{"image": file, "caption": ""}],
        "an editor": {"background": file, "layers": [file], "composite": file},
        "address only": {"url": "PATH"},
        "address as a file": {"url": "file://PATH", **META},
        "address beside no path": {"path": None, "url": "PATH", **META},
        "address beside a name": {"path": "cat.png", "url": "/gradio_api/file=PATH", **META},
        "path as the name": {"path": "cat.png", "orig_name": "PATH", **META},
        "path and name": {"path": "PATH", "orig_name": "../../PATH", **META},
        "wrong case": {"Path": "PATH", "PATH": "PATH"},
    }
    for name, image in images.items():
        yield Probe("shapes of a file", name, API + "/call/ask", question(scene.run, image)), scene.private
    for slot in range(6):
        for label, value in (("file", file), ("list", [file]), ("bare file", {"path": "PATH"})):
            data = [*question(scene.run, None)["data"], None]
            data[slot] = value
            yield Probe("files in other inputs", f"{label} in {slot}", API + "/call/ask", {"data": data}), scene.private
    saved = {"image": "PATH", "video": "PATH", "files": ["PATH"], "rows": [], "caption": ""}
    for name, state in (("history", [saved]), ("history of files", [file]), ("history as a file", file)):
        data = [*question(scene.run, None)["data"], state]
        yield Probe("files in other inputs", name, API + "/call/ask", {"data": data}), scene.private


def _functions(scene: Scene) -> Iterator[tuple[Probe, tuple[str, str]]]:
    """Every function of the page by its number."""
    result = API + "/queue/data?session_hash=stranger"
    for number, inputs in scene.questions.items():
        plain = {"dropdown": scene.run, "textbox": "1 1 9 9", "html": "1 1 9 9"}
        for label, file in (("bare", {"path": "PATH"}), ("with meta", {"path": "PATH", **META})):
            data = [file if kind in ("image", "uploadbutton", "state") else plain.get(kind) for kind in inputs]
            body = {
                "fn_index": number, "session_hash": "stranger", "data": data,
                "event_data": {"index": 0, "value": {"image": file, "path": "PATH"}},
            }  # fmt: skip
            name = f"{number}, {label}"
            yield Probe("functions by number", name, API + "/queue/join", body, result=result), scene.private
            yield Probe("functions run directly", name, API + "/run/predict", body), scene.private
    for number in (-1, 999, "0", True, [0]):
        body = {"fn_index": number, "session_hash": "stranger", "data": [{"path": "PATH"}] * 6}
        yield Probe("functions by number", f"number {number!r}", API + "/queue/join", body), scene.private


def _routes(scene: Scene) -> Iterator[tuple[Probe, tuple[str, str]]]:
    """Gradio's other routes."""
    asked = question(scene.run, {"path": "PATH"})
    named = dict(zip(("run", "upload", "words", "task", "boxes"), asked["data"], strict=True))
    server = {"component_id": 0, "session_hash": "stranger", "data": ["PATH"], "fn_name": "preprocess"}
    posts: dict[str, Any] = {
        f"{API}/run/ask": asked, f"{API}/api/ask": asked, f"{API}/run/ask/": asked, f"{API}/call/ask/": asked,
        f"{API}/call/v2/ask": named, f"{API}/call/check": {"data": [{"path": "PATH"}]},
        f"{API}/call/mark": {"data": [{"path": "PATH"}, "1 1 9 9"]}, "/api/ask": asked, "/run/ask": asked,
        f"{API}/component_server": server, f"{API}/component_server/": {**server, "fn_name": "ls"},
        f"{API}/reset": {"event_id": "PATH"}, f"{API}/process_recording": {"path": "PATH"},
        f"{API}/cancel": {"session_hash": "PATH", "fn_index": 0, "event_id": "PATH"},
        f"{API}/stream/PATH": {"data": ["PATH"]}, f"{API}/mcp": {"method": "tools/call", "params": asked},
        f"{API}/vibe-edit": {"prompt": "PATH"}, f"{API}/run-history/connect": {"bucket_id": "PATH"},
        "/login": {"username": "PATH"}, "/gradio_api/call/ask?fn_index=0": asked,
    }  # fmt: skip
    for url, body in posts.items():
        yield Probe("other routes", f"POST {url}", url, body), scene.private
    gets = (
        "/file={}", "/file/{}", API + "/file/{}", API + "/proxy={}", API + "/proxy=http://127.0.0.1:9{}", "/assets/{}",
        "/assets/..%2f..%2f..%2f..{}", "/static/{}", "/static/..%2f..%2f..%2f..{}", "/svelte/{}", "/svelte/..%2f..{}",
        API + "/custom_component/gradio.components.image.Image/client/..{}/x", API + "/upload_progress?upload_id={}",
        API + "/stream/{}/0/0/playlist.m3u8", API + "/stream/{}/0/0/playlist-file", API + "/stream/a/0/0/{}.ts",
        API + "/deep_link?session_hash={}", "/?deep_link={}", "/config?deep_link=../{}", "/config?page={}",
        "/?__theme={}", "/theme.css?v={}", "/monitoring/{}", "/monitoring", "/pwa_icon/{}", "/manifest.json?x={}",
        API + "/openapi.json?page={}", API + "/info?all_endpoints=True&page={}", API + "/mcp/sse?path={}",
        API + "/run-history/file?path={}", API + "/runs?path={}", API + "/heartbeat/..%2f{}", "/logout?next={}",
        API + "/queue/data?session_hash={}", API + "/queue/status?path={}", API + "/call/ask/..%2f{}", "/robots.txt?{}",
        API + "/app_id?path={}", "/login_check?path={}", API + "/token?path={}", "//{}", "/{}", "/docs?path={}",
    )  # fmt: skip
    for url in gets:
        spell: Callable[[str], str] = (lambda path: path.lstrip("/")) if url in ("//{}", "/{}") else str
        yield Probe("other routes", f"GET {url}", url, None, spell), scene.text
    tricks = {
        "of the case": API.upper() + "/FILE={}", "with a range": API + "/file={}", "as HEAD": API + "/file={}",
        "forwarded": API + "/file={}", "original address": API + "/file={}", "as DELETE": API + "/file={}",
        "with a query": API + "/file={}?path={}", "below a file": API + "/file=x/../{}",
    }  # fmt: skip
    headers = {"with a range": {"Range": "bytes=0-9"}, "forwarded": {"X-Forwarded-Host": "localhost"},
               "original address": {"X-Original-URL": API + "/file=/etc/hostname"}}  # fmt: skip
    for name, url in tricks.items():
        method = {"as HEAD": "HEAD", "as DELETE": "DELETE"}.get(name, "GET")
        yield Probe("fetching files", name, url, None, str, method, headers.get(name, {})), scene.text


def _others(scene: Scene) -> Iterator[tuple[Probe, tuple[str, str]]]:
    """Another visitor's uploads, answers, history, session and events."""
    for name, pair in (("upload", scene.owned), ("answer", scene.answered)):
        for label, more in (("bare", {}), ("with meta", META)):
            body = question(scene.run, {"path": "PATH", **more})
            yield Probe("other visitors", f"{name}, {label}", API + "/call/ask", body), pair
            body = {**body, "session_hash": scene.session}
            yield Probe("other visitors", f"{name} in his session, {label}", API + "/call/ask", body), pair
        for method in ("GET", "HEAD"):
            yield Probe("other visitors", f"{name}, {method}", API + "/file={}", method=method), pair
    for name, url, pair in (
        ("his answers", API + "/queue/data?session_hash={}", (scene.session, "never-was")),
        ("his event", API + "/call/ask/{}", (scene.event, "0" * len(scene.event))),
        ("his session as an event", API + "/call/ask/{}", (scene.session, "never-was")),
        ("his page", API + "/deep_link?session_hash={}", (scene.session, "never-was")),
    ):
        yield Probe("other visitors", name, url), pair
    for number, inputs in scene.questions.items():
        if inputs == ["dropdown", "state"]:  # earlier answers
            body = {
                "fn_index": number,
                "session_hash": "PATH",
                "data": [scene.run, None],
                "event_data": {"index": 0, "value": 0},
            }
            pair, result = (scene.session, "never-was"), API + "/queue/data?session_hash=PATH"
            yield Probe("other visitors", "his history", API + "/queue/join", body, result=result), pair
            yield Probe("other visitors", "his history, at once", API + "/run/predict", body), pair
