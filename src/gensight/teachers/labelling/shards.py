"""All lines of one teacher's shards."""

import json
from pathlib import Path
from typing import Any

from gensight.files.shards import line_at, whole_lines
from gensight.readers.annotated.labels import Entry


class Work:
    """All lines of one teacher's shards, by image and by video; read again on demand.

    Args:
        folder: The teacher's folder below `work`; it need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._lines: list[tuple[Path, int]] = []
        self._rows: dict[str, tuple[int, int]] = {}
        self._videos: dict[str, int] = {}
        self._read: tuple[int, Entry] | None = None
        self.skeletons: dict[str, Any] = {}
        for number, (place, text) in enumerate(whole_lines(folder)):
            line = json.loads(text)
            self._lines.append(place)
            self._rows.update({row["key"]: (number, index) for index, row in enumerate(line["rows"])})
            self.skeletons |= line["skeletons"]
            if line["video"] is not None:
                self._videos[line["video"]["group"]] = number

    def __bool__(self) -> bool:
        return bool(self._lines)

    def _line(self, number: int) -> Entry:
        if self._read is None or self._read[0] != number:
            self._read = number, line_at(self._lines[number])
        return self._read[1]

    def row(self, key: str) -> Entry | None:
        """What was found out about an image; the latest line's word."""
        if key not in self._rows:
            return None
        number, place = self._rows[key]
        row: Entry = self._line(number)["rows"][place]
        return row

    def video(self, group: str) -> Entry | None:
        """What was found out about a video."""
        if group not in self._videos:
            return None
        video: Entry = self._line(self._videos[group])["video"]
        return video
