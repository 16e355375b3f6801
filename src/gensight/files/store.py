"""A store of half-precision tensors on disk, memory-mapped: written by several processes, read by all, never torn.

A store is a folder in which every record has the same named tensors:

    layout.json         names and shapes
    TOKEN.data          records end to end; each writer appends to a file of its own
    TOKEN.index         one entry for each finished record: key, slot, checksums
    claims              an empty file whose byte ranges are locked by who computes which record

A record's data reach the disk before its entry is written, so a process that is killed leaves, at worst, data without
an entry: they are never served. An entry cut short ends its file; a record whose checksum is wrong is refused.
"""

import fcntl
import hashlib
import math
import os
import secrets
import shutil
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from gensight.errors import ResourceError, RunError
from gensight.files.atomic import disk_errors, read_json, write_json
from gensight.samples import Array

Layout = Mapping[str, Sequence[int]]
VERSION = 1
ALIGNMENT = 64
ENTRY = struct.Struct("<16sQII")  # digest of the key, slot, checksum of the record, checksum of the entry


class TensorStore:
    """Records of named float16 tensors by text key. Opens an existing store of this layout, or makes one.

    Safe for any number of processes at once. Picklable: a loader's worker gets its own handles on the same files.

    Args:
        folder: Made if it does not exist.
        layout: Tensor name -> shape, the same for every record.

    Raises:
        RunError: If the folder holds a store of another layout or version.
    """

    def __init__(self, folder: str | Path, layout: Layout) -> None:
        self.folder = Path(folder)
        self.layout = {name: tuple(shape) for name, shape in layout.items()}
        self.record_bytes = record_bytes(layout)
        self._records: dict[bytes, tuple[str, int, int]] = {}  # digest -> (shard, slot, checksum)
        self._read_to: dict[str, int] = {}  # shard -> bytes of its index that were taken in
        self._maps: dict[str, Array] = {}
        self._verified: set[bytes] = set()
        self._shard: _Shard | None = None
        self._claims: int | None = None
        self._check_layout()
        self.refresh()

    def __reduce__(self) -> tuple[Any, ...]:
        return TensorStore, (self.folder, self.layout)

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, key: str) -> bool:
        return _digest(key) in self._records

    def __getitem__(self, key: str) -> dict[str, Array]:
        """The record's tensors, read-only views of the memory map. Raises KeyError where absent or damaged."""
        digest = _digest(key)
        shard, slot, checksum = self._records[digest]
        record = self._record(shard, slot)
        if digest not in self._verified:  # once for each process: checking costs more than reading
            if record is None or zlib.crc32(record.data) != checksum:
                del self._records[digest]
                raise KeyError(key)
            self._verified.add(digest)
        assert record is not None
        return self._split(record)

    def refresh(self) -> None:
        """Takes in what other processes finished since."""
        for path in sorted(self.folder.glob("*.index")):
            shard, start = path.stem, self._read_to.get(path.stem, 0)
            with path.open("rb") as file:
                file.seek(start)
                entries = file.read()
            data = path.with_suffix(".data")
            num_slots = data.stat().st_size // self.record_bytes if data.is_file() else 0
            for offset in range(0, len(entries) - ENTRY.size + 1, ENTRY.size):
                entry = entries[offset : offset + ENTRY.size]
                digest, slot, checksum, own = ENTRY.unpack(entry)
                if own != zlib.crc32(entry[:-4]) or slot >= num_slots:
                    break  # incomplete: being written, or damaged, so what follows cannot be trusted either
                self._records[digest] = (shard, slot, checksum)
                self._read_to[shard] = start + offset + ENTRY.size

    def write(self, records: Mapping[str, Mapping[str, Array]]) -> None:
        """Adds records; returns once they are on the disk.

        Raises:
            ValueError: If a tensor's name or shape is not the layout's, or a value is not finite in half precision.
            ResourceError: If the disk is full. Records written before stay; no part of these is served.
        """
        if self._shard is None:
            self._shard = _Shard(self.folder, self.record_bytes)
        packed = {_digest(key): self._join(key, tensors) for key, tensors in records.items()}
        self._shard.append(packed)
        self.refresh()

    @contextmanager
    def claim(self, keys: Sequence[str], wait: bool = False) -> Iterator[list[str]]:
        """Yields those keys that this process is to compute: absent, and held by no other process meanwhile.

        A claim ends with the block, or with the process. It keeps processes from doing the same work twice; writing
        without one is safe too. Claims are between processes, not between threads.

        Args:
            keys: The requested records.
            wait: Wait for other processes' claims to end, instead of leaving those keys out.
        """
        if self._claims is None:
            self._claims = os.open(self.folder / "claims", os.O_RDWR | os.O_CREAT, 0o666)
        places = {key: int.from_bytes(_digest(key)[:7], "little") for key in keys if key not in self}
        held = [key for key in sorted(places, key=places.__getitem__) if _lock(self._claims, places[key], wait)]
        try:
            self.refresh()  # another process may have finished some just before they were locked
            yield [key for key in held if key not in self]
        finally:
            for key in held:
                fcntl.lockf(self._claims, fcntl.LOCK_UN, 1, places[key])

    def _check_layout(self) -> None:
        path = self.folder / "layout.json"
        mine = {"version": VERSION, "tensors": {name: list(shape) for name, shape in self.layout.items()}}
        if not path.exists():
            write_json(path, mine)
        if read_json(path) != mine:
            raise RunError(
                "the tensor store was made with another layout, or by another version",
                where=path,
                hint="delete the folder: what is in it can be computed again",
            )

    def _record(self, shard: str, slot: int) -> Array | None:
        """The record's bytes, or None where the file ends before."""
        end = (slot + 1) * self.record_bytes
        if shard not in self._maps or len(self._maps[shard]) < end:
            path = self.folder / f"{shard}.data"
            if not path.is_file() or path.stat().st_size < end:
                return None
            self._maps[shard] = np.memmap(path, dtype=np.uint8, mode="r")
        return self._maps[shard][end - self.record_bytes : end]

    def _split(self, record: Array) -> dict[str, Array]:
        tensors, start = {}, 0
        for name, shape in self.layout.items():
            size = 2 * math.prod(shape)
            tensors[name] = np.asarray(record[start : start + size]).view(np.float16).reshape(shape)
            start += _aligned(size)
        return tensors

    def _join(self, key: str, tensors: Mapping[str, Array]) -> bytes:
        if set(tensors) != set(self.layout):
            raise ValueError(f"record {key!r} has tensors {sorted(tensors)}, the store has {sorted(self.layout)}")
        parts = []
        for name, shape in self.layout.items():
            if tensors[name].shape != shape:
                raise ValueError(f"tensor {name!r} of record {key!r} is {tensors[name].shape}, the store has {shape}")
            with np.errstate(over="ignore"):
                half = np.ascontiguousarray(tensors[name], dtype=np.float16)
            if not np.isfinite(half).all():
                raise ValueError(f"tensor {name!r} of record {key!r} is not finite in half precision")
            parts.append(half.tobytes().ljust(_aligned(half.nbytes), b"\0"))
        return b"".join(parts)


def record_bytes(layout: Layout) -> int:
    """What one record takes on disk."""
    return sum(_aligned(2 * math.prod(shape)) for shape in layout.values())


def require_space(folder: str | Path, num_bytes: int) -> None:
    """Raises ResourceError unless the disk of `folder`, which may be made later, has room for this and some more."""
    place = Path(folder).absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if num_bytes * 1.02 > free:
        raise ResourceError(
            f"{num_bytes / 1e9:.1f} GB are needed on disk, and {free / 1e9:.1f} GB are free",
            where=folder,
            hint="free some space, or do without the store (cache.mode=off, or fewer cache.views)",
        )


class _Shard:
    """One writer's pair of files."""

    def __init__(self, folder: Path, size: int) -> None:
        self.size, self.num_records = size, 0
        self.path = folder / f"{secrets.token_hex(8)}.data"
        self._data = self.path.open("xb", buffering=0)
        self._index = self.path.with_suffix(".index").open("xb", buffering=0)

    def append(self, records: Mapping[bytes, bytes]) -> None:
        entries = b""
        with disk_errors(self.path, full="free some disk space, and resume"):
            self._data.seek(self.num_records * self.size)  # over what an append that failed may have left
            for slot, (digest, record) in enumerate(records.items(), self.num_records):
                _write_all(self._data.fileno(), record)
                entry = ENTRY.pack(digest, slot, zlib.crc32(record), 0)[:-4]
                entries += entry + struct.pack("<I", zlib.crc32(entry))
            os.fsync(self._data.fileno())
            place = self._index.tell()
            try:
                _write_all(self._index.fileno(), entries)
                os.fsync(self._index.fileno())
            except OSError:
                self._index.seek(place)
                self._index.truncate()
                raise
        self.num_records += len(records)


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _lock(handle: int, place: int, wait: bool) -> bool:
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), 1, place)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _digest(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=16).digest()


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
