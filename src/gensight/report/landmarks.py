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
        pictures = [("frame", frame.image), ("landmarks", draw_landmarks(frame)), ("part maps", draw_parts(frame))]
        if frame.mask is not None:
            pictures.append(("mask", _grey(frame.mask)))
        if frame.redrawn is not None:
            pictures.append(("reconstruction", frame.redrawn))
        cells = "".join(
            f'<figure><img src="{data_uri(_enlarged(picture))}" alt="{title}"><figcaption>{title}</figcaption></figure>'
            for title, picture in pictures
        )
        rows.append(f'<h2>{html.escape(frame.key)}</h2><div class="row">{cells}</div>')
    text = (
        f'<!doctype html><meta charset="utf-8"><title>{html.escape(name)}</title><style>{_STYLE}</style>'
        f"<h1>Landmarks of {html.escape(name)}</h1>{_table(frames)}{''.join(rows)}"
    )
    write_text(out, text)
    return out


def foreground_shares(frames: Sequence[Frame]) -> Array | None:
    """(K,) mean of the mask at each landmark's place; None without masks."""
    shares = []
    for frame in frames:
        if frame.mask is None:
            return None
        height, width = frame.mask.shape
        x = np.clip(frame.points[:, 0].astype(int), 0, width - 1)
        y = np.clip(frame.points[:, 1].astype(int), 0, height - 1)
        shares.append(frame.mask[y, x])
    return np.asarray(np.mean(shares, axis=0))


def _table(frames: Sequence[Frame]) -> str:
    errors = np.mean([frame.errors for frame in frames], axis=0)
    travel = np.std([frame.points for frame in frames], axis=0).mean(-1)
    shares = foreground_shares(frames)
    rows = []
    for number, error in enumerate(errors):
        place = "" if shares is None else f"<td>{shares[number]:.2f}</td><td>{_place(float(shares[number]))}</td>"
        rows.append(f"<tr><td>{number}</td><td>{error:.2f}</td><td>{travel[number]:.1f}</td>{place}</tr>")
    more = "" if shares is None else "<th>mask</th><th>lies on</th>"
    head = f"<tr><th>landmark</th><th>equivariance error, px</th><th>travel, px</th>{more}</tr>"
    return f"<p>{len(frames)} frames; px of the model's view.</p><table>{head}{''.join(rows)}</table>"


def _place(share: float) -> str:
    return "subject" if share >= 0.5 else "background"


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
    enlarged = cv2.resize(picture.round().astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(enlarged)


def _grey(mask: Array) -> Array:
    return np.repeat((mask * 255).round().astype(np.uint8)[..., None], 3, axis=2)


def _enlarged(picture: Array) -> Array:
    return np.ascontiguousarray(picture.repeat(MAGNIFY, axis=0).repeat(MAGNIFY, axis=1))
