"""Scores of an earlier evaluation of the same run, which a later one adds to."""

from pathlib import Path
from typing import Any

from gensight.errors import DataError
from gensight.files.atomic import read_json


def with_earlier_scores(metrics: dict[str, Any], path: Path) -> dict[str, Any]:
    """New scores, and those in the file that they don't replace.

    Kept are models that were not scored this time; and, where what was scored both times came out the same, so that
    they are of the same weights and images, a model's other protocols. Differences are kept with the scores that they
    are of.

    Args:
        metrics: As metrics.json holds them.
        path: The run's metrics.json; there may be none.
    """
    if not path.is_file():
        return metrics
    try:
        earlier = read_json(path)
        before = {entry["model"]: entry for entry in earlier["scores"]}
        scores = [_joined(entry, before.pop(entry["model"], None)) for entry in metrics["scores"]]
        scores += before.values()
        differences = [*metrics["differences"], *_kept_differences(metrics, earlier, scores)]
    except (DataError, KeyError, TypeError, AttributeError):
        return metrics  # a damaged file is replaced
    return {**metrics, "scores": scores, "differences": differences}


def _by_protocol(entry: dict[str, Any]) -> dict[str, Any]:
    return {result["protocol"]: result for result in entry["results"]}


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two evaluations of a model are of the same weights and images, as far as their scores can tell."""
    first, second = _by_protocol(one), _by_protocol(other)
    common = first.keys() & second.keys()
    keys = ("value", "num_images", "interval")
    return bool(common) and all(first[name][key] == second[name][key] for name in common for key in keys)


def _joined(entry: dict[str, Any], before: dict[str, Any] | None) -> dict[str, Any]:
    if before is None or not _same(entry, before):
        return entry
    return {**entry, "results": list({**_by_protocol(before), **_by_protocol(entry)}.values())}


def _kept_differences(metrics: dict[str, Any], earlier: dict[str, Any], scores: list[Any]) -> list[dict[str, Any]]:
    """Of scores that are both there still, unchanged."""
    values = {(entry["model"], name): one["value"] for entry in scores for name, one in _by_protocol(entry).items()}
    old = {
        (entry["model"], name): one["value"] for entry in earlier["scores"] for name, one in _by_protocol(entry).items()
    }
    renewed = {(one["model"], one["baseline"], one["protocol"]) for one in metrics["differences"]}
    return [
        one
        for one in earlier["differences"]
        if (one["model"], one["baseline"], one["protocol"]) not in renewed
        and all(
            (place := (one[role], one["protocol"])) in values and values[place] == old.get(place, values[place])
            for role in ("model", "baseline")
        )
    ]
