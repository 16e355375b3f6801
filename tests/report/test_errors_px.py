from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from gensight.report.errors_px import errors_by_keypoint, ranked_items
from gensight.report.results import Run, TrueInstance, read_run
from tests.report.fake_run import KEYPOINTS, write_fake_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return read_run(write_fake_run(tmp_path / "mouse", num_items=6))


def test_errors_come_from_the_rows_of_a_pixel_protocol(run: Run) -> None:
    for model in run.metrics.scores:
        errors = errors_by_keypoint(run, model)
        assert tuple(errors) == KEYPOINTS
        assert [len(values) for values in errors.values()] == [6] * 4
        assert np.concatenate(list(errors.values())).mean() == pytest.approx(model.results[0].value)


def test_without_rows_the_predictions_give_the_models_errors(run: Run) -> None:
    scores = [
        msgspec.structs.replace(model, results=[msgspec.structs.replace(score, rows=[]) for score in model.results])
        for model in run.metrics.scores
    ]
    bare = replace(run, metrics=msgspec.structs.replace(run.metrics, scores=scores))
    errors = errors_by_keypoint(bare, scores[0])
    assert [len(values) for values in errors.values()] == [6, 6, 6, 5]  # one label is unknown
    assert errors_by_keypoint(bare, scores[1]) == {}
    assert errors_by_keypoint(replace(bare, predictions=None), scores[0]) == {}


def test_items_are_ranked_by_their_mean_error(run: Run) -> None:
    ranked, relative = ranked_items(run)
    assert not relative
    assert [entry.mean_px for entry in ranked] == sorted(entry.mean_px for entry in ranked)
    assert ranked[-1].item.sample_key == "m4s1/img0000.png"


def test_with_boxes_the_size_of_the_subject_counts(run: Run) -> None:
    assert run.predictions is not None
    sides = [100.0, 1.0, 100.0, 100.0, 100.0, 100.0]
    items = [
        msgspec.structs.replace(
            item, error_px=[2.0, None, 4.0, 3.0], truth=[TrueInstance(box=[5.0, 5.0, 5.0 + side, 5.0 + side])]
        )
        for item, side in zip(run.predictions.items, sides, strict=True)
    ]
    boxed = replace(run, predictions=msgspec.structs.replace(run.predictions, items=items))
    ranked, relative = ranked_items(boxed)
    assert relative
    assert ranked[-1].item is items[1]
    assert ranked[-1].mean_px == pytest.approx(3.0)
    assert ranked[0].relative == pytest.approx(0.03)


def test_items_without_an_error_are_not_ranked(run: Run) -> None:
    assert run.predictions is not None
    items = [msgspec.structs.replace(item, error_px=None) for item in run.predictions.items]
    items[0] = msgspec.structs.replace(items[0], error_px=[None, None, None, None])
    nothing = replace(run, predictions=msgspec.structs.replace(run.predictions, items=items))
    assert ranked_items(nothing) == ([], False)
    assert ranked_items(replace(run, predictions=None)) == ([], False)
