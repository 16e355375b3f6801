"""The work of a prediction on disk: what is done so far, so that a kill loses a task and no more.

Below the folder of predictions, `unfinished/` holds a line per task (rows of the tables), the files of single images
and the parts of drawn videos. When all tasks are there, tables are written beside these, everything takes its place,
what an earlier prediction left goes, and `unfinished/` with it. `files.txt` lists what was written.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from gensight.errors import ConfigError
from gensight.files.atomic import json_values, read_json, write_json, write_text
from gensight.files.lock import exclusive
from gensight.files.shards import Shard, WorkFile, line_at, whole_lines

UNFINISHED, LISTING = "unfinished", "files.txt"
_JOB = "job.json"
Task = tuple[int, int]  # number of the source, number in it


class PredictionWork:
    """One process's hold on the work of a folder.

    Args:
        folder: Of the predictions.
        identity: Values for JSON: another prediction begins anew.
        shard: This process's part.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any], shard: Shard) -> None:
        self.folder, self.root = folder, folder / UNFINISHED
        self.files, self.parts = self.root / "files", self.root / "parts"
        folder.mkdir(parents=True, exist_ok=True)
        value = json_values(identity)
        with exclusive(folder):
            if self.root.exists() and not (self.root / _JOB).is_file():
                raise ConfigError("this folder is needed, and holds something else", where=self.root,
                                  hint="choose another folder with --out")  # fmt: skip
            if not self.root.exists() or read_json(self.root / _JOB) != value:
                self._clear()
                write_json(self.root / _JOB, value)
            self._own = WorkFile(self.root / shard.file_name)
        self._lines: dict[Task, tuple[Path, int]] = {}
        self.scan()

    def _clear(self) -> None:
        """Another prediction's work goes, unless a process is at it."""
        for path in self.root.glob("*.jsonl"):
            WorkFile(path).close()
        self._drop()

    def _drop(self) -> None:
        """Removes the work in one step, whatever happens while its files go."""
        done = self.root.with_name(f".{UNFINISHED}-done")
        if done.exists():
            shutil.rmtree(done)
        if self.root.exists():
            self.root.replace(done)
            shutil.rmtree(done)

    def scan(self) -> None:
        """Looks for the lines of all shards."""
        for place, text in whole_lines(self.root):
            source, task = json.loads(text[: text.index(b"]") + 1].removeprefix(b'{"task":'))
            self._lines[source, task] = place

    def __contains__(self, task: Task) -> bool:
        return task in self._lines

    def append(self, task: Task, line: Mapping[str, Any]) -> None:
        """A task is done, and all of its files are written."""
        self._own.append({"task": list(task), **line})

    def line(self, task: Task) -> dict[str, Any]:
        """What `append` was given."""
        return line_at(self._lines[task])

    def close(self) -> None:
        self._own.close()

    @contextmanager
    def finishing(self, tasks: Sequence[Task]) -> Iterator[bool]:
        """Whether this process is to write the tables, alone: all tasks are done, and nobody did so before.

        Afterwards, everything below `files` is moved into its place.
        """
        with exclusive(self.folder):
            if not self.root.exists():  # another shard has finished
                yield False
                return
            self.scan()
            whole = all(task in self for task in tasks)
            listing = self.root / LISTING
            yield whole and not listing.is_file()
            if whole:
                if not listing.is_file():
                    write_text(listing, "".join(f"{name}\n" for name in _names(self.files)))
                self._publish(listing)

    def _publish(self, listing: Path) -> None:
        """May be cut off at any point, and run again."""
        names = listing.read_text(encoding="utf-8").splitlines()
        for name in names:
            if (self.files / name).exists():
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                (self.files / name).replace(self.folder / name)
        former = self.folder / LISTING
        if former.is_file():
            for name in set(former.read_text(encoding="utf-8").splitlines()) - set(names):
                self._remove(self.folder / name)
        write_text(former, "".join(f"{name}\n" for name in names))
        self._drop()

    def _remove(self, path: Path) -> None:
        """A file of an earlier prediction, and the folders that are empty then; nothing outside of this one."""
        if not path.resolve().is_relative_to(self.folder.resolve()):
            return
        path.unlink(missing_ok=True)
        with suppress(OSError):
            while path.parent != self.folder:
                path = path.parent
                path.rmdir()


def _names(folder: Path) -> list[str]:
    """The files below a folder, without what a killed process was writing."""
    found = []
    for root, _, names in os.walk(folder):
        found += [(Path(root) / name).relative_to(folder).as_posix() for name in names if not name.startswith(".")]
    return sorted(found)
