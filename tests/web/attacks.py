"""Requests of strangers for files that are not theirs, grouped by kind; and what the answers gave away.

Each probe is a request with a place for a path. It is sent twice: with the path of a private picture, and with one of
the same form where no file is. A server that keeps its promise gives no pixel of the picture, and answers both alike.
"""

import io
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
from PIL import Image

API = "/gradio_api"
_SECONDS = 20  # of one request
SECRET = b"private-words-5f1c9a"
PRIVATE = np.random.default_rng(5).integers(0, 255, (64, 64, 3), np.uint8)


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
        uploads: The folder that the server keeps its files in.
        owned: Key or path of another visitor's upload, and one of this form that never was.
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
    for slot in range(5):
        for label, value in (("file", file), ("list", [file]), ("bare file", {"path": "PATH"})):
            data = question(scene.run, None)["data"]
            data[slot] = value
            yield Probe("files in other inputs", f"{label} in {slot}", API + "/call/ask", {"data": data}), scene.private
    saved = {"overlay": "PATH", "target": "PATH", "files": ["PATH"], "rows": [], "caption": ""}
    for name, state in (("history", [saved]), ("history of files", [file]), ("history as a file", file)):
        data = [*question(scene.run, None)["data"], state]
        yield Probe("files in other inputs", name, API + "/call/ask", {"data": data}), scene.private


def _functions(scene: Scene) -> Iterator[tuple[Probe, tuple[str, str]]]:
    """Every function of the page by its number."""
    result = API + "/queue/data?session_hash=stranger"
    for number, inputs in scene.questions.items():
        plain = {"dropdown": scene.run, "textbox": "1 1 9 9"}
        for label, file in (("bare", {"path": "PATH"}), ("with meta", {"path": "PATH", **META})):
            data = [file if kind in ("image", "state") else plain.get(kind) for kind in inputs]
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
        if inputs == ["state"]:  # earlier answers
            body = {"fn_index": number, "session_hash": "PATH", "data": [None], "event_data": {"index": 0, "value": 0}}
            pair, result = (scene.session, "never-was"), API + "/queue/data?session_hash=PATH"
            yield Probe("other visitors", "his history", API + "/queue/join", body, result=result), pair
            yield Probe("other visitors", "his history, at once", API + "/run/predict", body), pair


@dataclass(frozen=True)
class Outcome:
    """What one request gave: its status, what was said (without the path and random names), and every byte."""

    status: int
    said: str
    files: tuple[bytes, ...]

    @property
    def gives(self) -> bool:
        return SECRET in self.said.encode() or any(is_private(file) for file in self.files)


def is_private(content: bytes) -> bool:
    """Whether these bytes hold the private words, or something much like the private picture."""
    if SECRET in content:
        return True
    try:
        with Image.open(io.BytesIO(content)) as image:
            pixels = np.asarray(image.convert("RGB"))
    except (OSError, ValueError):
        return False
    if pixels.shape != PRIVATE.shape or pixels.std() == 0:
        return False
    return bool(np.corrcoef(pixels.ravel(), PRIVATE.ravel())[0, 1] > 0.3)  # also with drawings on it, or compressed


def send(client: httpx.Client, probe: Probe, path: str) -> Outcome:
    """One request, and what its answer leads to."""
    spelled = probe.spell(path)
    # As it is typed into an address: what is encoded already stays so.
    url = probe.url.replace("{}", quote(spelled, safe="/%=&?", errors="replace")).replace("PATH", quote(path))
    content = None
    if probe.body is not None:
        content = json.dumps(probe.body).replace("PATH", json.dumps(spelled)[1:-1])
    method = "POST" if content is not None else probe.method
    headers = {**probe.headers, **({"content-type": "application/json"} if content else {})}
    status, said = _read(client, method, url, content, headers)
    if status == 0 and said == b"ReadError":  # a connection that an earlier answer has broken
        status, said = _read(client, method, url, content, headers)
    texts = [said]
    event = re.match(rb'\s*\{"event_id":\s*"([^"]+)"', said)
    if status == 200 and event:
        follow = probe.result.replace("{}", event[1].decode()).replace("PATH", path)
        texts.append(_read(client, "GET", follow, None, {})[1])
    if b'"path"' in texts[-1]:
        urls = set(re.findall(rb'"url": ?"[^"]*?(/gradio_api/file=[^"]+)"', texts[-1]))
        texts += [_read(client, "GET", one.decode(), None, {})[1] for one in urls]
    return Outcome(status, _same(b"\n".join(texts[:2]), spelled, path), tuple(texts))


def _read(
    client: httpx.Client, method: str, url: str, content: str | None, headers: dict[str, str]
) -> tuple[int, bytes]:
    """Status and body; of a stream, until it has said what there is to be said."""
    read, ends = b"", time.monotonic() + _SECONDS
    try:
        with client.stream(method, url, content=content, headers=headers) as response:
            for chunk in response.iter_bytes():
                read += chunk
                if re.search(rb"event: (complete|error)\n.*\n\n|process_completed|close_stream|data: ALIVE", read):
                    break
                if time.monotonic() > ends:
                    break
            status = response.status_code
            if status == 200 and method == "HEAD":
                read += str(sorted(response.headers.items())).encode()
            return status, read
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return 0, read + type(error).__name__.encode()


def _same(said: bytes, *paths: str) -> str:
    """A body without what differs between any two requests."""
    text = said.decode(errors="replace")
    for path in paths:
        for form in (
            json.dumps(path)[1:-1],
            path,
            quote(path, safe="/", errors="replace"),
            path.lstrip("/"),
            path.rpartition("/")[2],
        ):
            text = text.replace(form, "PATH") if len(form) > 3 else text
    text = re.sub(r'data: \{"msg":"(estimation|process_starts|heartbeat)".*\n', "", text)  # how busy the server is
    return re.sub(r"[A-Za-z0-9_-]{22}/|[0-9a-f]{16,}[0-9a-f.]*|\d+\.\d+(e-?\d+)?", "RANDOM", text)


def prepare(address: str, files: Path, folder: Path) -> Scene:
    """Hides files in a folder, and lets a visitor use the page and leave.

    Args:
        address: Of the page.
        files: The server's own folder.
        folder: Empty, elsewhere.
    """
    private = folder / "private"
    private.mkdir(mode=0o700)
    Image.fromarray(PRIVATE).save(private / "seen.png")
    (private / "seen.txt").write_bytes(SECRET)
    picture, text = ((str(private / f"seen.{end}"), str(private / f"none.{end}")) for end in ("png", "txt"))
    with httpx.Client(base_url=address, trust_env=False, timeout=60) as visitor:
        visitor.get("/")
        config = visitor.get("/config").json()
        types = {one["id"]: one["type"] for one in config["components"]}
        questions = {
            one["id"]: [types[number] for number in one["inputs"]]
            for one in config["dependencies"]
            if one["backend_fn"]
        }
        run = next(one["props"]["value"] for one in config["components"] if one["props"].get("elem_id") == "run")
        (number,) = (one["id"] for one in config["dependencies"] if one["api_name"] == "ask")
        owned = upload(visitor)
        asked = question(run, {"path": owned, "orig_name": "mine.png", **META})
        joined = {"fn_index": number, "session_hash": "hissession", "data": [*asked["data"], None]}
        visitor.post(API + "/queue/join", json=joined).raise_for_status()
        _, said = _read(visitor, "GET", API + "/queue/data?session_hash=hissession", None, {})
        answered = re.findall(rb'"path": ?"([^"]+overlay.png)"', said)[0].decode()
        event = visitor.post(API + "/call/ask", json=asked).json()["event_id"]  # whose answer he does not fetch
        _read(visitor, "GET", API + "/heartbeat/hissession", None, {})
        visitor.post(API + "/reset", json={"event_id": event})
    return Scene(picture, text, _links_of(address, files, picture), (owned, _altered(owned)),
                 (answered, _altered(answered)), "hissession", event, questions, run)  # fmt: skip


def upload(client: httpx.Client, content: bytes | None = None) -> str:
    buffer = io.BytesIO()
    Image.fromarray(PRIVATE).save(buffer, "PNG")
    response = client.post(API + "/upload", files={"files": ("mine.png", content or buffer.getvalue())})
    return str(response.json()[0])


def _altered(key: str) -> str:
    """A key or path of the same form."""
    folder, _, name = key.rpartition("/")
    return f"{folder[:-3]}{'000' if folder[-3:] != '000' else '111'}/{name}"


def _links_of(address: str, files: Path, pair: tuple[str, str]) -> dict[str, tuple[str, str]]:
    """Links in the server's folder to a file that is there and to one that is not."""
    made: dict[str, tuple[str, str]] = {}
    uploads = files / "uploads"
    uploads.mkdir(exist_ok=True)
    for name, place in (("link", files), ("link among uploads", uploads)):
        for number, target in enumerate(pair):
            (place / f"{number}.png").symlink_to(target)
        made[name] = (str(place / "0.png"), str(place / "1.png"))
    (uploads / "folder").symlink_to(Path(pair[0]).parent)
    made["linked folder"] = tuple(str(uploads / "folder" / Path(path).name) for path in pair)  # type: ignore[assignment]
    os.link(pair[0], uploads / "hard.png")
    made["hard link"] = (str(uploads / "hard.png"), str(uploads / "none.png"))
    made["relative to the folder"] = ("uploads/0.png", "uploads/1.png")
    with httpx.Client(base_url=address, trust_env=False, timeout=60) as stranger:
        keys = []
        for number, target in enumerate(pair):
            content = b"\x89PNG\r\n\x1a\n to be replaced " + str(number).encode()
            keys.append(upload(stranger, content))
            (stored,) = (path for path in files.rglob("*") if path.is_file() and path.read_bytes() == content)
            stored.unlink()
            stored.symlink_to(target)
    made["own upload, replaced by a link"] = (keys[0], keys[1])
    return made


@dataclass(frozen=True)
class Result:
    """A probe, and what both of its requests gave."""

    probe: Probe
    there: Outcome
    absent: Outcome

    @property
    def gives(self) -> bool:
        return self.there.gives

    @property
    def tells(self) -> bool:
        return (self.there.status, self.there.said) != (self.absent.status, self.absent.said)


def run_all(address: str, scene: Scene, files: Path) -> list[Result]:
    """Every probe, each as another stranger."""
    results = []
    with httpx.Client(base_url=address, trust_env=False, timeout=_SECONDS) as stranger:
        for probe, (there, absent) in probes(scene, files):
            stranger.cookies.clear()
            results.append(Result(probe, send(stranger, probe, there), send(stranger, probe, absent)))
    return results


def table(results: list[Result]) -> str:
    """By kind: the number of probes, of those that gave something of the file, and that told whether it is there."""
    rows = ["| kind | payloads | gave the file | told whether it is there |", "|---|---|---|---|"]
    for kind in dict.fromkeys(one.probe.kind for one in results):
        of_kind = [one for one in results if one.probe.kind == kind]
        rows.append(f"| {kind} | {len(of_kind)} | {sum(one.gives for one in of_kind)} "
                    f"| {sum(one.tells for one in of_kind)} |")  # fmt: skip
    rows.append(f"| all | {len(results)} | {sum(one.gives for one in results)} | {sum(one.tells for one in results)} |")
    return "\n".join(rows)
