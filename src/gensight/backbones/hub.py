"""Models of the Hugging Face libraries: the folder behind a path or a hub id, and reading it quietly."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from gensight.errors import RunError, first_line

_LOGS = ("diffusers.utils.logging", "transformers.utils.logging")


def hub_folder(source: str | Path, what: str, download: Callable[[str], str], wanted: str, otherwise: str) -> Path:
    """The folder behind a path or a hub id, whose files are downloaded where they are not cached yet.

    Args:
        source: The path or the id.
        what: How messages name what is there: `backbone`, `model`.
        download: Fetches an id's files, none of which can run code, and gives their folder.
        wanted: What to give, where `source` is neither.
        otherwise: What to do where there is no network, as the end of a sentence.

    Raises:
        RunError: There is no such folder, or the hub can't be reached or lacks what is needed.
    """
    name = str(source)
    if Path(name).is_dir():
        return Path(name)
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise RunError(f"there is no such {what} folder", where=name, hint=f"give {wanted}")
    try:
        return Path(download(name))
    except (OSError, ValueError) as error:
        raise RunError(
            f"the {what} is not in the local cache, and could not be downloaded",
            where=name,
            hint=f"check the id and the network ({first_line(error)[:120]}), or {otherwise}",
        ) from error


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Without the libraries' progress bars for each file, and their advice on folders that are checked here."""
    logs = [sys.modules[name] for name in _LOGS if name in sys.modules]
    shown = [(log.get_verbosity(), log.is_progress_bar_enabled()) for log in logs]
    for log in logs:
        log.set_verbosity_error()
        log.disable_progress_bar()
    try:
        yield
    finally:
        for log, (level, bar) in zip(logs, shown, strict=True):
            log.set_verbosity(level)
            if bar:
                log.enable_progress_bar()


@contextmanager
def reading(what: str, where: Path) -> Iterator[None]:
    """Reads quietly; what the libraries raise for files that are missing, damaged or of another kind is a RunError."""
    try:
        with quiet_libraries():
            yield
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise RunError(
            f"{what} could not be read ({first_line(error)})",
            where=where,
            hint="the file may be cut short or of another model: copy or download it again",
        ) from error
