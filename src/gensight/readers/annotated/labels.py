"""Labels of one image by one teacher, as a line of JSON and files beside it, and back. See docs/dataset-format.md."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np

from gensight.errors import DataError
from gensight.files.atomic import fitting_name, write_bytes
from gensight.files.images import read_image, write_image
from gensight.readers.coco.rle import compress, decode_mask, mask_to_runs
from gensight.samples import Array, Depth, Gaze, Instance, Keypoints, Provenance, Sample, Size, Visibility
from gensight.skeletons import Skeleton

_ROOM = 215  # bytes of a name, so that 40 are left for what is added to it
MAPS = "maps"  # folder of depth maps, edges, tracks and variants, below the data set's
Skeletons = Mapping[str, Skeleton]
Entry = dict[str, Any]

_AGAIN = "annotate the images again"
_CODES = 65534  # steps of a 16-bit depth map; code 0 is unknown


def key_path(key: str) -> PurePosixPath:
    """A sample's key as a path below some folder, to which suffixes can be added. DataError if it leads out of it."""
    path = PurePosixPath(key)
    if path.is_absolute() or ".." in path.parts or not path.name:
        raise DataError(f"the key `{key}` is no file name below a folder")
    return PurePosixPath(*(fitting_name(part, _ROOM) for part in path.parts))


# --- Writing ---


def write_labels(root: Path, folder: str, key: str, sample: Sample, confidence: float) -> Entry:
    """A sample's labels as a `labels` entry; its maps are written to `root/maps/folder`.

    Args:
        root: The data set's folder.
        folder: A teacher's folder below `maps`.
        key: The image's key.
        sample: Only its instances, depth, edges, caption, label and `extras["variants"]` (callables that give uint8
            RGB images) are looked at; None is not written.
        confidence: Of all labels but instances.
    """
    base = PurePosixPath(MAPS) / folder / key_path(key)
    entry: Entry = {"confidence": plain(confidence)}
    if sample.instances is not None:
        entry["instances"] = [instance_to_json(instance) for instance in sample.instances]
    if sample.depth is not None:
        entry["depth"] = write_depth(root, f"{base}.depth.png", sample.depth())
    if sample.edges is not None:
        levels = np.rint(np.clip(sample.edges(), 0, 1) * 255).astype(np.uint8)
        write_image(root / f"{base}.edges.png", levels)
        entry["edges"] = {"file": f"{base}.edges.png"}
    if sample.caption is not None:
        entry["caption"] = sample.caption
    if sample.label is not None:
        entry["label"] = sample.label
    if "variants" in sample.extras:
        entry["variants"] = []
        for number, variant in enumerate(sample.extras["variants"]):
            write_image(root / f"{base}.variant-{number}.png", variant())
            entry["variants"].append({"file": f"{base}.variant-{number}.png"})
    return entry


def write_depth(root: Path, name: str, depth: Depth) -> Entry:
    """Writes a depth map as a 16-bit PNG: value = offset + scale * (code - 1), 0 where unknown.

    The error is at most half of `scale`, which is the map's range / 65533.
    """
    values = np.asarray(depth.values, dtype=np.float64)
    known = np.isfinite(values)
    low, high = (float(values[known].min()), float(values[known].max())) if known.any() else (0.0, 0.0)
    scale = (high - low) / (_CODES - 1) or 1.0
    codes = np.where(known, 1 + np.rint((np.where(known, values, low) - low) / scale), 0).astype(np.uint16)
    encoded, data = cv2.imencode(".png", codes)
    assert encoded
    write_bytes(root / name, data.tobytes())
    return {"file": name, "kind": depth.kind, "offset": low, "scale": scale}


def plain(value: float) -> float:
    """A confidence rounded for writing: float32 digits beyond the sixth are noise."""
    return round(float(value), 6)


def instance_to_json(instance: Instance) -> Entry:
    """An instance; what is unknown is left out."""
    entry: Entry = {"category": instance.category, "score": plain(float(instance.confidence))}
    entry["provenance"] = [instance.provenance.source, plain(float(instance.provenance.confidence))]
    for name in ("box", "head_box"):
        value = getattr(instance, name)
        if value is not None:
            entry[name] = [float(edge) for edge in value]
    for name in ("area", "identity", "id"):
        value = getattr(instance, name)
        if value is not None:
            entry[name] = value
    if instance.is_crowd:
        entry["is_crowd"] = True
    if instance.keypoints is not None:
        entry["keypoints"] = _keypoints_to_json(instance.keypoints)
    if instance.mask is not None:
        entry["mask"] = compress(mask_to_runs(np.asarray(instance.mask(), dtype=bool)))
    if instance.gaze is not None:
        gaze = instance.gaze
        entry["gaze"] = {
            "points": np.asarray(gaze.points).tolist(),
            "in_frame": gaze.in_frame,
            "eye": None if gaze.eye is None else np.asarray(gaze.eye).tolist(),
        }
    return entry


def _keypoints_to_json(keypoints: Keypoints) -> Entry:
    located = keypoints.located
    return {
        "skeleton": keypoints.skeleton.name,
        "points": [[float(x), float(y)] if known else None
                   for (x, y), known in zip(keypoints.points, located, strict=True)],
        "visibility": [int(value) for value in keypoints.visibility],
        "confidence": [plain(float(value)) for value in keypoints.confidence],
    }  # fmt: skip


def skeleton_to_json(skeleton: Skeleton) -> Entry:
    """A skeleton, all that `Skeleton` holds."""
    return {
        "keypoints": list(skeleton.keypoints),
        "edges": [list(edge) for edge in skeleton.edges],
        "mirror": list(skeleton.mirror),
        "sigmas": None if skeleton.sigmas is None else list(skeleton.sigmas),
    }


# --- Reading ---


def skeleton_from_json(name: str, entry: Mapping[str, Any]) -> Skeleton:
    sigmas = entry.get("sigmas")
    return Skeleton(
        name,
        tuple(entry["keypoints"]),
        tuple((int(a), int(b)) for a, b in entry["edges"]),
        tuple(entry["mirror"]),
        None if sigmas is None else tuple(sigmas),
    )


def instance_from_json(entry: Mapping[str, Any], size: Size, skeletons: Skeletons) -> Instance:
    """The instance of `instance_to_json`, for an image of this size. Raises KeyError, TypeError or ValueError."""
    source, confidence = entry["provenance"]
    mask, gaze = entry.get("mask"), entry.get("gaze")
    return Instance(
        category=entry["category"],
        box=_array(entry.get("box")),
        keypoints=None if "keypoints" not in entry else _keypoints_from_json(entry["keypoints"], skeletons),
        mask=None if mask is None else partial(decode_mask, {"size": list(size), "counts": mask}, size),
        head_box=_array(entry.get("head_box")),
        gaze=None if gaze is None else Gaze(np.array(gaze["points"], dtype=np.float64).reshape(-1, 2),
                                           gaze["in_frame"], _array(gaze["eye"])),
        area=entry.get("area"),
        identity=entry.get("identity"),
        is_crowd=bool(entry.get("is_crowd", False)),
        id=entry.get("id"),
        confidence=float(entry["score"]),
        provenance=Provenance(source, float(confidence)),
    )  # fmt: skip


def _array(values: Sequence[float] | None) -> Array | None:
    return None if values is None else np.array(values, dtype=np.float64)


def _keypoints_from_json(entry: Mapping[str, Any], skeletons: Skeletons) -> Keypoints:
    points = [(np.nan, np.nan) if point is None else point for point in entry["points"]]
    return Keypoints(
        skeletons[entry["skeleton"]],
        np.array(points, dtype=np.float64).reshape(-1, 2),
        np.array(entry["visibility"], dtype=np.int8),
        np.array(entry["confidence"], dtype=np.float32),
    )


def _checked(pixels: Array, path: Path, size: Size) -> Array:
    if pixels.shape[:2] != size:
        raise DataError(f"a map of {pixels.shape[:2]} belongs to an image of {size}", where=path, hint=_AGAIN)
    return pixels


def _read_levels(path: Path, size: Size) -> Array:
    try:
        data = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    except OSError as error:
        raise DataError(f"the map cannot be read: {error.strerror}", where=path, hint=_AGAIN) from error
    pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    if pixels is None or pixels.ndim != 2:
        raise DataError("not a grey PNG image", where=path, hint=_AGAIN)
    return _checked(pixels, path, size)


def _read_edges(path: Path, size: Size) -> Array:
    return _read_levels(path, size).astype(np.float32) / np.float32(255)


def _read_depth(path: Path, size: Size, kind: str, offset: float, scale: float) -> Depth:
    """Depth of a 16-bit PNG, as `write_depth` wrote it."""
    codes = _read_levels(path, size)
    values = np.where(codes > 0, offset + scale * (codes.astype(np.float64) - 1), np.nan)
    return Depth(values.astype(np.float32), "metric" if kind == "metric" else "affine")


def _read_variant(path: Path, size: Size) -> Array:
    return _checked(read_image(path), path, size)


def merge_labels(
    sample: Sample, entries: Sequence[Mapping[str, Any]], root: Path, skeletons: Skeletons, min_confidence: float = 0.0
) -> Sample:
    """A sample with the labels of all its teachers, in their order.

    Instances are added up; one that `completes` an earlier one takes its place. Of depth, edges, captions and labels
    the last teacher's is kept; `extras["provenance"]` names it, by field name. Labels below `min_confidence` are left
    out: instances, single keypoints (which become unlabelled), maps, captions.

    Raises:
        KeyError, TypeError, ValueError: An entry is not as `write_labels` writes it.
    """
    fields: dict[str, Any] = {}
    provenance: dict[str, Provenance] = {}
    variants: list[Callable[[], Array]] = []
    for entry in entries:
        confidence = float(entry.get("confidence", 1.0))
        if confidence < min_confidence:
            continue
        found = _maps(entry, root, sample.size)
        provenance |= {name: Provenance(entry["teacher"], confidence) for name in found}
        fields |= found
        variants += [
            partial(_read_variant, root / variant["file"], sample.size) for variant in entry.get("variants", ())
        ]
    merged = merge_instances(entries)
    if merged is not None:
        instances = [instance_from_json(instance, sample.size, skeletons) for instance in merged]
        fields["instances"] = tuple(kept for i in instances if (kept := _confident(i, min_confidence)) is not None)
    extras = {"provenance": provenance} | ({"variants": tuple(variants)} if variants else {})
    return replace(sample, **fields, extras={**sample.extras, **extras})


def merge_instances(entries: Sequence[Mapping[str, Any]]) -> list[Entry] | None:
    """All instances of an image's `labels` entries, as JSON, each with an id of its own within the image.

    One that `completes` an earlier one replaces it, and keeps the fields that it lacks. None where no teacher labelled
    instances.
    """
    lists = [entry["instances"] for entry in entries if "instances" in entry]
    if not lists:
        return None
    merged: dict[int, Entry] = {}
    for instance in (instance for instances in lists for instance in instances):
        number = instance.get("completes")
        if number is not None and number in merged:
            merged[number] = {**merged[number], **instance, "id": number}
            continue
        number = instance.get("id")
        if number is None or number in merged:
            number = max(merged, default=-1) + 1
        merged[number] = {**instance, "id": number}
    return list(merged.values())


def _maps(entry: Mapping[str, Any], root: Path, size: Size) -> dict[str, Any]:
    """The fields of a Sample that one entry fills, other than its instances."""
    fields: dict[str, Any] = {name: entry[name] for name in ("caption", "label") if name in entry}
    if "depth" in entry:
        depth = entry["depth"]
        fields["depth"] = partial(
            _read_depth, root / depth["file"], size, depth["kind"], depth["offset"], depth["scale"]
        )
    if "edges" in entry:
        fields["edges"] = partial(_read_edges, root / entry["edges"]["file"], size)
    return fields


def _confident(instance: Instance, min_confidence: float) -> Instance | None:
    if min(instance.confidence, instance.provenance.confidence) < min_confidence:
        return None
    keypoints = instance.keypoints
    if keypoints is None:
        return instance
    doubtful = keypoints.confidence < min_confidence
    if not doubtful.any():
        return instance
    visibility = np.where(doubtful, Visibility.UNLABELLED, keypoints.visibility).astype(np.int8)
    points = np.where(doubtful[:, None], np.nan, keypoints.points)
    return replace(instance, keypoints=replace(keypoints, points=points, visibility=visibility))


def entry_files(entry: Mapping[str, Any]) -> list[str]:
    """Paths, relative to the data set's folder, of the files that a `labels` entry names."""
    single = [entry[name]["file"] for name in ("depth", "edges") if name in entry]
    variants = [variant["file"] for variant in entry.get("variants", ())]
    tracks = [
        track[name] for track in entry.get("tracks", ()) for name in ("points", "visible", "confidence", "queries")
    ]
    return [*single, *variants, *tracks]
