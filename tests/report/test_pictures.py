from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from gensight.errors import RunError
from gensight.files.images import read_image, write_image
from gensight.report.pictures import LONGEST_SIDE, draw_item, has_sides, picture_path, to_samples
from gensight.report.results import Run, read_run
from gensight.samples import Visibility
from tests.report.fake_run import write_fake_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return read_run(write_fake_run(tmp_path / "mouse", num_items=6))


def test_an_item_becomes_a_prediction_and_a_sample(run: Run) -> None:
    assert run.predictions is not None
    item = run.predictions.items[5]  # its last label is unknown
    prediction, truth = to_samples(run, item)
    predicted = prediction.instances[0].keypoints
    assert predicted is not None
    assert predicted.located.all()
    assert 0.5 <= predicted.confidence.min() <= predicted.confidence.max() <= 1
    assert truth.instances is not None
    labels = truth.instances[0].keypoints
    assert labels is not None
    assert labels.visibility[3] == Visibility.UNLABELLED
    assert np.isnan(labels.points[3]).all()
    np.testing.assert_allclose(np.linalg.norm(predicted.points - labels.points, axis=1)[:3], (item.error_px or [])[:3])


def test_a_small_copy_is_drawn_like_the_original(run: Run) -> None:
    assert run.predictions is not None
    item = run.predictions.items[1]
    path = picture_path(run, item)
    assert path is not None
    original = draw_item(run, item).astype(int)
    write_image(path, np.ascontiguousarray(read_image(path)[::2, ::2]))
    small = draw_item(run, item).astype(int)
    assert original.shape == small.shape
    assert max(small.shape) == LONGEST_SIDE
    assert np.abs(original - small).mean() < 12


def test_pictures_outside_the_run_folder_are_not_read(run: Run, tmp_path: Path) -> None:
    assert run.predictions is not None
    item = run.predictions.items[0]
    write_image(tmp_path / "secret.png", np.zeros((9, 9, 3), dtype=np.uint8))
    for image in ("../secret.png", str(tmp_path / "secret.png"), "pictures/none.jpg", None):
        assert picture_path(run, msgspec.structs.replace(item, image=image)) is None
    with pytest.raises(RunError, match="no picture in the run folder"):
        draw_item(run, msgspec.structs.replace(item, image=None))


def test_a_broken_picture_is_named(run: Run) -> None:
    assert run.predictions is not None
    item = run.predictions.items[0]
    path = picture_path(run, item)
    assert path is not None
    path.write_bytes(b"")
    with pytest.raises(RunError) as caught:
        draw_item(run, item)
    assert caught.value.where == str(path)


def test_the_wrong_keypoint_count_is_named(run: Run) -> None:
    assert run.predictions is not None
    assert run.predictions.skeleton is not None
    other = msgspec.structs.replace(run.predictions.skeleton, keypoints=["a", "b"], edges=[])
    wrong = replace(run, predictions=msgspec.structs.replace(run.predictions, skeleton=other))
    with pytest.raises(RunError, match="expected 2 keypoints of 3 numbers each") as caught:
        draw_item(wrong, run.predictions.items[0])
    assert "predictions.json: m4s1/img0000.png" in str(caught.value.where)


def test_limbs_between_unknown_keypoints_are_left_out(run: Run) -> None:
    assert run.predictions is not None
    assert run.predictions.skeleton is not None
    other = msgspec.structs.replace(run.predictions.skeleton, edges=[(0, 1), (0, 17), (-1, 2)])
    odd = replace(run, predictions=msgspec.structs.replace(run.predictions, skeleton=other))
    prediction, _ = to_samples(odd, run.predictions.items[0])
    assert prediction.instances[0].keypoints is not None
    assert prediction.instances[0].keypoints.skeleton.edges == ((0, 1),)


def test_partners_come_from_the_file_or_from_the_names(run: Run) -> None:
    assert run.predictions is not None
    assert run.predictions.skeleton is not None
    for mirror, expected in [([1, 0, 2, 3], (1, 0, 2, 3)), ([7, 7], (0, 2, 1, 3)), ([], (0, 2, 1, 3))]:
        facts = msgspec.structs.replace(run.predictions.skeleton, mirror=mirror)
        of = replace(run, predictions=msgspec.structs.replace(run.predictions, skeleton=facts))
        keypoints = to_samples(of, run.predictions.items[0])[0].instances[0].keypoints
        assert keypoints is not None
        assert keypoints.skeleton.mirror == expected
        assert has_sides(of)
