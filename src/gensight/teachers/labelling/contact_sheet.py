"""The contact sheet: one HTML page that shows the teachers' labels of some images, for a person to check."""

import base64
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from PIL import Image

from gensight.drawing import canvas as draw
from gensight.drawing import draw_depth, overlay
from gensight.drawing.palette import cycled
from gensight.errors import ConfigError
from gensight.files.atomic import write_text
from gensight.geometry import warp_image
from gensight.readers.annotated.labels import Entry, merge_instances
from gensight.readers.annotated.reader import AnnotatedReader
from gensight.samples import Array, Prediction, Sample
from gensight.transforms.views import stretched_frame

ORDERS = ("spread", "least-confident")
_TRAIL = 8  # frames that a track's tail goes back
_SHOWN_TRACKS = 400
_WIDTH = 420  # of each picture, px

_PAGE = jinja2.Environment(autoescape=True, trim_blocks=True).from_string("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{ title }}</title><style>
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 84rem; padding: 0 1rem; color: #1b1b1f }
h1 { font-size: 1.4rem } table { border-collapse: collapse; margin: 1rem 0 }
td, th { padding: .15rem .9rem .15rem 0; text-align: left; font-variant-numeric: tabular-nums }
section { border-top: 1px solid #d5d5da; padding: 1rem 0 } h2 { font-size: 1rem; margin: 0 0 .3rem }
.row { display: flex; flex-wrap: wrap; gap: .7rem } figure { margin: 0; width: min(100%, {{ width }}px) }
img { width: 100%; display: block } figcaption, .note { color: #5b5b66; font-size: .85rem }
@media (prefers-color-scheme: dark) {
body { background: #17171a; color: #e8e8ec } section { border-color: #3a3a40 }
figcaption, .note { color: #a5a5b0 } }
</style></head><body><h1>{{ title }}</h1><p class="note">{{ summary }}</p>
<table><tr><th>teacher</th><th>labels</th><th>images</th><th>instances</th></tr>
{% for one in teachers %}
<tr><td>{{ one.source }}</td><td>{{ one.labels|join(", ") }}</td><td>{{ one.num_images }}</td>
<td>{{ one.num_instances }}</td></tr>
{% endfor %}
</table>
{% for section in sections %}
<section><h2>{{ section.key }}</h2><p class="note">{{ section.note }}</p>
{% if section.caption %}<p>{{ section.caption }}</p>{% endif %}
<div class="row">
{% for name, data in section.figures %}
<figure><img alt="{{ name }}" src="data:image/jpeg;base64,{{ data }}"><figcaption>{{ name }}</figcaption></figure>
{% endfor %}
</div></section>
{% endfor %}
</body></html>
""")


def write_contact_sheet(
    root: str | Path, out: str | Path | None = None, num_images: int = 24, order: str = "spread"
) -> Path:
    """Writes a page that shows some of a data set's images with all their labels; nothing else is needed to read it.

    Args:
        root: The data set's folder.
        out: The HTML file; `contact-sheet.html` in the data set's folder if None.
        num_images: How many images at most.
        order: `spread`: evenly from the first to the last; `least-confident`: the worst first.

    Returns:
        The file.

    Raises:
        DataError: The folder is no data set of this format, or an image or map can't be read.
        ConfigError: An unknown order.
    """
    if order not in ORDERS:
        raise ConfigError(f"unknown value '{order}'", where="order", choices=ORDERS)
    reader = AnnotatedReader(root)
    rows = [(index, _confidence(reader.row(index))) for index in range(len(reader))]
    chosen = _chosen(rows, num_images, order)
    path = Path(root) / "contact-sheet.html" if out is None else Path(out)
    summary = f"{len(chosen)} of {len(reader)} images, "
    summary += "evenly spread" if order == "spread" else "the least confident first"
    if skipped := reader.description.get("skipped"):
        summary += f"; {len(skipped)} more could not be read"
    page = _PAGE.render(
        title=f"{Path(root).resolve().name}: labels of the teachers",
        summary=summary,
        width=_WIDTH,
        teachers=reader.description["teachers"],
        sections=[_section(reader, index, confidence) for index, confidence in chosen],
    )
    write_text(path, page)
    return path


def _confidence(row: Entry) -> float:
    """The lowest confidence of an image's labels; 1 where it has none."""
    instances = merge_instances(row["labels"]) or ()
    confidences = [entry.get("confidence", 1.0) for entry in row["labels"]] + [one["score"] for one in instances]
    return min(map(float, confidences), default=1.0)


def _chosen(rows: Sequence[tuple[int, float]], num: int, order: str) -> list[tuple[int, float]]:
    if order == "least-confident":
        return sorted(rows, key=lambda row: (row[1], row[0]))[:num]
    places = np.unique(np.linspace(0, len(rows) - 1, min(num, len(rows))).round().astype(int))
    return [rows[place] for place in places]


def _section(reader: AnnotatedReader, index: int, confidence: float) -> dict[str, Any]:
    row, sample = reader.row(index), reader[index]
    video = reader.videos.get(sample.group, {"labels": []})
    who = ", ".join(entry["teacher"] for entry in [*row["labels"], *video["labels"]]) or "no teacher"
    note = f"labelled by {who}; least confidence {confidence:.2f}"
    if sample.label is not None:
        note += f"; class {sample.label}"
    figures = [(name, _jpeg(picture)) for name, picture in _pictures(reader, index, sample)]
    return {"key": sample.key, "note": note, "caption": sample.caption, "figures": figures}


def _pictures(reader: AnnotatedReader, index: int, sample: Sample) -> Iterator[tuple[str, Array]]:
    image = sample.image()
    found = sample.instances
    if found is None:
        yield "image", image
    else:
        names = sorted({instance.category for instance in found})
        seen = ", ".join(f"{sum(i.category == name for i in found)} {name}" for name in names) or "nothing found"
        picture = overlay(image, Prediction(sample.key, sample.size, found))
        yield f"instances: {seen}", picture
    if sample.depth is not None:
        depth = sample.depth()
        low, high = np.nanpercentile(depth.values, [2, 98]) if np.isfinite(depth.values).any() else (0, 0)
        unit = " m" if depth.kind == "metric" else ", up to scale and shift"
        yield f"depth: {low:.3g} to {high:.3g}{unit}", draw_depth(depth)
    if sample.edges is not None:
        yield "edges", 255 - np.rint(255 * sample.edges()).astype(np.uint8)
    trails = _trails(reader, index)
    if trails is not None:
        shown = trails.shape[1]
        yield f"tracks: {shown} points seen here, with their last {_TRAIL} frames", _draw_trails(image, trails)
    for number, variant in enumerate(sample.extras.get("variants", ()), start=1):
        yield f"variant {number}", variant()


def _trails(reader: AnnotatedReader, index: int) -> Array | None:
    """float64 (frames, points, 2), the latest first: where the points that are seen here were; None without tracks."""
    groups = reader.groups
    if reader.relation(index, index) is None:
        return None
    trail = [other for other in range(max(0, index - _TRAIL), index + 1) if groups[other] == groups[index]]
    return reader.trails(trail[::-1])


def _draw_trails(image: Array, trails: Array) -> Array:
    picture = draw.as_canvas(image)
    unit = draw.unit(picture)
    step = max(1, -(-trails.shape[1] // _SHOWN_TRACKS))
    for number in range(0, trails.shape[1], step):
        places = trails[:, number]
        for start, end in zip(places[1:], places[:-1], strict=True):
            draw.line(picture, start, end, cycled(number), unit, 0.8)
        draw.dot(picture, places[0], 2.2 * unit, cycled(number))
    return picture


def _jpeg(picture: Array) -> str:
    height, width = picture.shape[:2]
    scale = min(1.0, 1.5 * _WIDTH / width)
    small = max(1, round(height * scale)), round(width * scale)
    picture = warp_image(picture, stretched_frame((height, width), small))
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(buffer, "JPEG", quality=85)
    return base64.b64encode(buffer.getvalue()).decode()
