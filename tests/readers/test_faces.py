"""Faces with 68 points: both file formats, their pixel conventions, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from gensight.errors import ConfigError, DataError
from gensight.files.images import write_image
from gensight.metrics.keypoints import InterOcularError
from gensight.readers.faces import FACE_68, FacesReader, is_faces
from gensight.samples import Array
from gensight.skeletons import COCO_17, Skeleton
from tests.contracts.reader import ReaderContract
from tests.readers.miniatures import SIZE, picture

NAMES = ("one.png", "deeper/two.jpg", "deeper/three.png")


def points_of(number: int) -> Array:
    """(68, 2) as a file counts them, inside the image."""
    return np.random.default_rng(number).uniform(3, [SIZE[1] - 3, SIZE[0] - 3], (68, 2)).round(3)


def images(root: Path) -> Path:
    for number, name in enumerate(NAMES):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        write_image(root / name, picture(number))
    return root


def with_pts(root: Path) -> Path:
    for number, name in enumerate(NAMES):
        lines = "\n".join(f"{x} {y}" for x, y in points_of(number))
        path = (images(root) / name).with_suffix(".pts")
        path.write_text(f"version: 1\nn_points:  68\n{{\n{lines}\n}}\n")
    return root


def with_csv(root: Path, header: list[str], order: Array, name: str = "face_landmarks.csv") -> Path:
    images(root)
    rows = [",".join(header)]
    for number, image in enumerate(NAMES):
        values = points_of(number).ravel()[order]
        rows.append(",".join([Path(image).name, *map(str, values)]))
    (root / name).write_text("\n".join(rows) + "\n\n")
    return root


IN_TURN = ["", *map(str, range(136))]
NAMED = ["image_name", *(f"part_{k}_{axis}" for k in range(68) for axis in "xy")]
X_FIRST = ["image", *(f"{axis}_{k}" for axis in "xy" for k in range(68))]
TURN = np.arange(136)


class TestPts(ReaderContract):
    @pytest.fixture
    def reader(self, tmp_path):
        return FacesReader(with_pts(tmp_path))


class TestCsv(ReaderContract):
    @pytest.fixture
    def reader(self, tmp_path):
        return FacesReader(with_csv(tmp_path, NAMED, TURN))


def test_matlab_counts_from_one(tmp_path):
    reader = FacesReader(with_pts(tmp_path))
    found = {sample.key: sample.instances[0].keypoints.points for sample in reader}
    for number, name in enumerate(NAMES):
        np.testing.assert_allclose(found[name], points_of(number) - 0.5)


@pytest.mark.parametrize(
    ("header", "order"),
    [(IN_TURN, TURN), (NAMED, TURN), (X_FIRST, np.concatenate([TURN[::2], TURN[1::2]]))],
)
def test_every_order_of_columns_gives_the_same_points(tmp_path, header, order):
    found = {
        sample.key: sample.instances[0].keypoints.points for sample in FacesReader(with_csv(tmp_path, header, order))
    }
    for number, name in enumerate(NAMES):
        np.testing.assert_allclose(found[name], points_of(number) + 0.5)


def test_the_numbers_of_300_w():
    names = FACE_68.keypoints
    assert [names[k - 1] for k in (9, 31, 37, 46, 49, 55, 61)] == [
        "chin", "nose_bridge_4", "right_eye_outer", "left_eye_outer", "right_mouth_corner", "left_mouth_corner",
        "right_inner_corner",
    ]  # fmt: skip
    pairs = {
        (1, 17),
        (18, 27),
        (22, 23),
        (32, 36),
        (37, 46),
        (40, 43),
        (41, 48),
        (49, 55),
        (51, 53),
        (60, 56),
        (68, 66),
    }
    assert all(FACE_68.mirror[a - 1] == b - 1 for a, b in pairs)
    assert {k + 1 for k, other in enumerate(FACE_68.mirror) if k == other} == {9, 28, 29, 30, 31, 34, 52, 58, 63, 67}


@pytest.mark.parametrize(
    "made",
    [
        with_pts,
        lambda root: with_csv(root, NAMED, TURN),
        lambda root: with_csv(root, IN_TURN, TURN, "training_frames_keypoints.csv"),
    ],
)
def test_init_recognises_both(tmp_path, made):
    assert is_faces(made(tmp_path))


def test_what_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"neither a \.pts file nor a csv of 68 points"):
        FacesReader(images(tmp_path))
    with_pts(tmp_path)
    (tmp_path / "one.pts").write_text("version: 1\n{\n1 2\n}")
    with pytest.raises(DataError, match="2 numbers instead of 136"):
        FacesReader(tmp_path)
    (tmp_path / "one.pts").write_text("1 2")
    with pytest.raises(DataError, match="its points stand in braces"):
        FacesReader(tmp_path)


def test_missing_images_are_refused_or_left_out(tmp_path):
    (with_pts(tmp_path) / "one.png").unlink()
    with pytest.raises(DataError, match="1 of 3 images"):
        FacesReader(tmp_path)
    assert len(FacesReader(tmp_path, missing="drop")) == 2


def test_a_csv_leads_nowhere_outside(tmp_path):
    root = with_csv(tmp_path / "in", NAMED, TURN)
    write_image(tmp_path / "outside.png", picture(7))
    text = (root / "face_landmarks.csv").read_text().replace("one.png", "../outside.png")
    (root / "face_landmarks.csv").write_text(text)
    with pytest.raises(DataError, match="line 2 names an image outside the folder"):
        FacesReader(root)


def test_errors_between_eyes_need_eyes():
    assert InterOcularError(COCO_17)._eyes == [1, 2]
    with pytest.raises(ConfigError, match="needs the keypoints left_eye and right_eye"):
        InterOcularError(Skeleton("mouse", ("nose", "tail")))
