"""Which items of a run are shown on the page: its worst, its middle and its best."""

from typing import Any

from gensight.report.errors_px import RankedItem, ranked_items
from gensight.report.pictures import data_uri, draw_item, picture_path
from gensight.report.results import PredictedItem, Run

PICTURES_PER_GROUP = 8


def gallery(run: Run) -> dict[str, Any]:
    """The worst, middle and best items of a run that have pictures, as overlays for the page's template."""
    ranked, relative = ranked_items(run)
    pictured = [(place, entry) for place, entry in enumerate(ranked, 1) if picture_path(run, entry.item) is not None]
    count = min(PICTURES_PER_GROUP, max(1, len(pictured) // 3))
    middle = max((len(pictured) - count) // 2, 0)
    rows = {
        "Worst": pictured[::-1][:count],
        "Around the median": pictured[middle : middle + count],
        "Best": pictured[:count],
    }
    if len(pictured) < 3:
        rows = {"All": pictured[::-1]}
    tiles = {
        title: [_tile(run, entry, place, len(ranked)) for place, entry in entries] for title, entries in rows.items()
    }
    return {
        "run": run.name,
        "rows": [{"title": title, "tiles": shown} for title, shown in tiles.items() if shown],
        "relative": relative,
        "drawn": any(entry.item.panel is not None for entry in ranked),
        "num_items": len(ranked),
        "num_pictured": len(pictured),
        "has_predictions": run.predictions is not None,
    }


def _tile(run: Run, entry: RankedItem, place: int, count: int) -> dict[str, str]:
    picture = draw_item(run, entry.item)
    return {
        "uri": data_uri(picture),
        "width": str(picture.shape[1]),
        "height": str(picture.shape[0]),
        "name": _item_name(run, entry.item),
        "error": _error_text(entry),
        "place": f"{place} of {count}",
        "worst_keypoint": _worst_keypoint(run, entry),
    }


def _error_text(entry: RankedItem) -> str:
    unit = entry.item.error_unit
    if entry.item.error is None or unit == "px":
        return f"{entry.mean_px:.1f} px"
    return f"{unit} {entry.mean_px:.3f}"


def _item_name(run: Run, item: PredictedItem) -> str:
    """The image's key; that of the item too where the image has several."""
    items = () if run.predictions is None else run.predictions.items
    alone = sum(other.sample_key == item.sample_key for other in items) == 1
    return item.sample_key if alone else item.item_key or item.sample_key


def _worst_keypoint(run: Run, entry: RankedItem) -> str:
    errors = run.errors_px(entry.item)
    worst = max(errors, key=lambda name: errors[name], default=None)
    return f"worst: {worst} {errors[worst]:.1f} px" if worst is not None else ""
