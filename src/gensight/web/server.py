"""`gensight serve`: trained runs on a web page of this machine's own."""

import os
import secrets
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from gensight.errors import ConfigError, ResourceError
from gensight.prediction.trained_run import TrainedRun
from gensight.web.answers.store import AnswerStore
from gensight.web.examples import examples_of
from gensight.web.guard import Guard
from gensight.web.outputs import name_by_keys
from gensight.web.payloads import Questions
from gensight.web.ports import free_port
from gensight.web.questions import input_kind
from gensight.web.served_files import EVERYONE, ServedFiles
from gensight.web.uploads import Limits
from gensight.web.visitors import Visitors, is_loopback

if TYPE_CHECKING:
    from gensight.web.page.actions import Page


def serve(page: AbstractContextManager[str]) -> None:
    """Serves a `running_page` until it is interrupted; errors as there."""
    stopped = threading.Event()
    with page as address:
        print(f"page: {address}   (Ctrl-C ends it)", flush=True)
        former = signal.signal(signal.SIGTERM, lambda *_: stopped.set())
        try:
            while not stopped.wait(1.0):
                pass
        except KeyboardInterrupt:
            print("ended")
        finally:
            signal.signal(signal.SIGTERM, former)


@contextmanager
def running_page(
    runs: Sequence[Path],
    host: str = "127.0.0.1",
    port: int = 7860,
    limits: Limits | None = None,
    device: str = "auto",
    examples: Path | None = None,
) -> Iterator[str]:
    """Yields the address of a page that runs meanwhile.

    Everything that it writes lies in a folder of its own, which only this user can read and which is removed at the
    end. Visitors get no other file of this machine. Where others may reach the address, it holds a token.

    Args:
        runs: Finished run folders.
        host: Address to listen on; `0.0.0.0` lets other machines in, and then a token is needed.
        port: 0 takes any free one.
        limits: Of uploads.
        device: `auto`, `cpu`, `cuda` ...
        examples: Folder of images to offer, and perhaps of their `boxes.json`; None: images of each run's test part.

    Raises:
        RunError, ConfigError: A folder is no finished run, or one that a page can't ask.
        ResourceError: Gradio is not installed, or the port is taken.
    """
    if find_spec("gradio") is None:
        raise ResourceError("the page needs Gradio, which is not installed", hint="pip install 'gensight[serve]'")
    limits = limits or Limits()
    port = free_port(host, port)
    loaded = load_runs(runs, device)
    visitors = Visitors(host, port, None if is_loopback(host) else secrets.token_urlsafe(24))
    with TemporaryDirectory(prefix="gensight-serve-") as name:
        folder = Path(name).resolve() / "files"
        with _environment(folder):
            offered = {
                run: examples_of(trained, folder / "examples" / str(number), limits, examples)
                for number, (run, trained) in enumerate(loaded.items())
            }
            from gensight.web.page.actions import Page

            page = Page(loaded, offered, AnswerStore(folder / "answers"), ServedFiles(folder), limits)
            with _launched(page, visitors, port):
                token = "" if visitors.token is None else f"/?token={visitors.token}"
                yield f"http://{_named(host)}:{port}{token}"


@contextmanager
def _launched(page: "Page", visitors: Visitors, port: int) -> Iterator[None]:
    from starlette.middleware import Middleware

    from gensight.web.page.layout import build_page, css, functions_of, theme

    blocks: Any = build_page(page)
    files, longest = page.files, page.limits.max_bytes
    questions = Questions(*functions_of(blocks), files, visitors)
    guard = Middleware(Guard, visitors=visitors, files=files, questions=questions, max_upload_bytes=longest)
    try:
        blocks.launch(
            server_name=visitors.host, server_port=port, share=False, inbrowser=False, quiet=True, show_error=False,
            prevent_thread_lock=True, allowed_paths=[], max_file_size=longest, footer_links=[],
            run_history=False, ssr_mode=False, pwa=False, mcp_server=False, enable_monitoring=False,
            theme=theme(), css=css(), strict_cors=True,
            app_kwargs={"middleware": [guard], "docs_url": None, "redoc_url": None, "openapi_url": None},
        )  # fmt: skip
        name_by_keys(blocks.config, files, EVERYONE)  # the examples, which Gradio names by their paths
        yield
    finally:
        blocks.close(verbose=False)


def load_runs(runs: Sequence[Path], device: str) -> dict[str, TrainedRun]:
    """Runs by name; of two with one name, the folder's is added. Raises as `serve`."""
    if not runs:
        raise ConfigError("no run is given", where="RUN", hint="name the folder of a trained run")
    loaded: dict[str, TrainedRun] = {}
    for run in runs:
        trained = TrainedRun.load(run, device)
        input_kind(trained)
        name = trained.config.name
        if name in loaded:
            name = f"{name} ({Path(run).resolve().name})"
        if name in loaded:
            raise ConfigError("this run is given twice", where=run)
        loaded[name] = trained
    return loaded


def _named(host: str) -> str:
    """An address that a browser on this machine can open."""
    if host in ("0.0.0.0", "::", ""):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


@contextmanager
def _environment(folder: Path) -> Iterator[None]:
    """Gradio's settings while the page runs: its files in `folder`, nothing reported, and none of the user's own,
    which could open the page to more than was asked for, or keep its files elsewhere."""
    folder.mkdir(parents=True, mode=0o700)
    own = {
        "GRADIO_TEMP_DIR": str(folder),
        "GRADIO_EXAMPLES_CACHE": str(folder / "examples-cache"),
        "GRADIO_ANALYTICS_ENABLED": "False",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    former = dict(os.environ)
    for key in [key for key in former if key.startswith("GRADIO_")]:
        del os.environ[key]
    os.environ.update(own)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(former)
