"""The page of a run of landmarks: what was found in some frames, and how consistently."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from gensight.drawing.palette import cycled
from gensight.files.atomic import write_text
from gensight.report.pictures import data_uri
from gensight.samples import Array

MAGNIFY = 2  # model pixels are few: frames are shown enlarged

_STYLE = (
    "body{font:14px sans-serif;margin:2em} .row{display:flex;flex-wrap:wrap;gap:8px} figure{margin:0} "
    "td,th{padding:2px 10px;text-align:right}"
)


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame of the page, all of it in the model frame.

    Attributes:
        key: Of the sample.
        image: uint8 (height, width, 3).
        points: (K, 2), x and y in model pixels.
        parts: float (K, h, w), maps in [0, 1], each at its own scale.
        mask: float (height, width) in [0, 1], how much is foreground; None without background factorisation.
        redrawn: uint8 (height, width, 3), the frame from its own parts; None where features are redrawn.
        errors: (K,) equivariance errors in model pixels.
    """

    key: str
    image: Array
    points: Array
    parts: Array
    mask: Array | None
    redrawn: Array | None
    errors: Array


def write_landmark_page(name: str, frames: Sequence[Frame], out: Path) -> Path:
    """Writes the page; a landmark whose mask is below one half on average is marked as background."""
    rows = []
    for frame in frames:
        mask = None if frame.mask is None else np.repeat((frame.mask * 255).round().astype(np.uint8)[..., None], 3, 2)
        pictures = {
            "frame": frame.image,
            "landmarks": draw_landmarks(frame),
            "part maps": draw_parts(frame),
            "mask": mask,
            "reconstruction": frame.redrawn,
        }
        cells = "".join(
            f'<figure><img src="{data_uri(picture.repeat(MAGNIFY, 0).repeat(MAGNIFY, 1))}" alt="{title}">'
            f"<figcaption>{title}</figcaption></figure>"
            for title, picture in pictures.items()
            if picture is not None
        )
        rows.append(f'<h2>{html.escape(frame.key)}</h2><div class="row">{cells}</div>')
    text = (
        f'<!doctype html><meta charset="utf-8"><title>{html.escape(name)}</title><style>{_STYLE}</style>'
        f"<h1>Landmarks of {html.escape(name)}</h1>{_table(frames)}{''.join(rows)}"
    )
    write_text(out, text)
    return out


def _table(frames: Sequence[Frame]) -> str:
    errors = np.mean([frame.errors for frame in frames], axis=0)
    travel = np.std([frame.points for frame in frames], axis=0).mean(-1)
    masked = frames[0].mask is not None
    heads = ["landmark", "equivariance error, px", "travel, px", *(["mask", "lies on"] if masked else [])]
    lines = ["".join(f"<th>{head}</th>" for head in heads)]
    shares = np.mean([_mask_at_points(frame) for frame in frames], axis=0) if masked else errors
    for number, (error, moved, share) in enumerate(zip(errors, travel, shares, strict=True)):
        cells = [str(number), f"{error:.2f}", f"{moved:.1f}"]
        if masked:
            cells += [f"{share:.2f}", "subject" if share >= 0.5 else "background"]
        lines.append("".join(f"<td>{cell}</td>" for cell in cells))
    rows = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<p>{len(frames)} frames; px of the model's view.</p><table>{rows}</table>"


def _mask_at_points(frame: Frame) -> Array:
    assert frame.mask is not None
    x, y = np.clip(frame.points.astype(int), 0, np.array(frame.mask.shape[::-1]) - 1).T
    return np.asarray(frame.mask[y, x])


def draw_landmarks(frame: Frame) -> Array:
    """The frame with a numbered colour on each landmark."""
    picture = frame.image.copy()
    for number, (x, y) in enumerate(frame.points):
        cv2.circle(picture, (int(x), int(y)), 2, tuple(int(c) for c in cycled(number)), -1)
    return picture


def draw_parts(frame: Frame) -> Array:
    """Each place in its strongest part's colour, as bright as that part is there."""
    height, width = frame.image.shape[:2]
    scaled = frame.parts / np.maximum(frame.parts.max((1, 2), keepdims=True), 1e-12)
    colours = np.array([cycled(number) for number in range(len(scaled))], dtype=np.float64)
    picture = colours[scaled.argmax(0)] * scaled.max(0)[..., None]
    return np.asarray(cv2.resize(picture.round().astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST))
