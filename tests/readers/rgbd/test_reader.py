"""RGB-D folders: depth in metres, poses, and points that reprojection follows from frame to frame."""

import pickle
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from gensight.errors import DataError
from gensight.files.images import write_image
from gensight.puppets.correspondence import correspond
from gensight.readers.puppets import PuppetsReader
from gensight.readers.rgbd.reader import RgbdReader
from gensight.readers.rgbd.writer import write_rgbd
from gensight.samples import Depth, Sample
from tests.contracts.reader import ReaderContract

DRAWN = {"seed": 3, "size": (96, 128), "truths": ("depth", "camera"), "num_frames": 3}
KINECT = {"colour_intrinsics": (525, 525, 320, 240), "colour_offset": (-0.025, 0, 0)}


@pytest.fixture(scope="session")
def rendered():
    return PuppetsReader(6, **DRAWN)


@pytest.fixture(scope="session")
def written(rendered, tmp_path_factory):
    root = tmp_path_factory.mktemp("rgbd")
    write_rgbd(rendered, root)
    return root


@pytest.fixture
def root(written, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(written, tmp_path / "copy")


def files(root: Path, ending: str) -> list[Path]:
    return sorted(root.rglob(f"*{ending}"))


def write_depth(path: Path, values: np.ndarray) -> None:
    Image.fromarray(values).save(path)


class TestRgbd(ReaderContract):
    @pytest.fixture(scope="class")
    def reader(self, written):
        return RgbdReader(written)

    def write(self, samples, root):
        write_rgbd(samples, root)
        return RgbdReader(root)

    def compare(self, sample, other):
        assert (sample.group, other.group) == (other.group, sample.group)
        np.testing.assert_array_equal(sample.depth().values, other.depth().values)
        for name in ("pose", "intrinsics"):
            np.testing.assert_array_equal(sample.extras[name], other.extras[name])


def test_values(rendered, written):
    reader = RgbdReader(written)
    assert [sample.key for sample in reader][2:4] == ["puppets-3_000000/frame-000002", "puppets-3_000001/frame-000000"]
    assert reader.groups == ["puppets-3_000000"] * 3 + ["puppets-3_000001"] * 3
    for sample, other in zip(rendered, reader, strict=True):
        found, true = other.depth(), sample.depth().values
        assert found.kind == "metric"
        np.testing.assert_array_equal(np.isnan(found.values), np.isnan(true) | (true > 65.534))
        np.testing.assert_allclose(found.values, np.where(true > 65.534, np.nan, true), atol=0.00051)
        np.testing.assert_allclose(other.extras["pose"], sample.extras["pose"], atol=1e-12)
        np.testing.assert_allclose(other.extras["intrinsics"], sample.extras["intrinsics"], atol=1e-12)


@pytest.mark.parametrize(("first", "second"), [(0, 1), (0, 2), (5, 3)])
def test_tracks_are_the_correspondences_of_the_rendered_scene(rendered, written, first, second):
    reader = RgbdReader(written)
    relation = reader.relation(first, second)
    assert (relation.kind, relation.provenance.source) == ("tracks", "reprojection@1")
    starts, ends = relation.tracks
    assert np.isfinite(starts).all()
    true, visible = correspond(rendered._frame(first)[2], rendered._frame(second)[2], starts)
    both = np.isfinite(ends).all(1) & visible
    assert both.sum() > 100
    distance = np.linalg.norm(ends - true, axis=1)[both]
    assert np.median(distance) < 0.02
    assert np.quantile(distance, 0.9) < 0.5
    # What the scene hides is hidden, except where the depth difference is below the tolerance.
    found = np.isfinite(ends).all(1)
    followed = np.isfinite(true).all(1)
    assert (found == visible)[followed].mean() > 0.95


def test_a_relation_is_the_same_each_time_and_in_a_worker(written):
    reader = RgbdReader(written)
    tracks = reader.relation(0, 2).tracks
    copy = pickle.loads(pickle.dumps(reader))
    for again in (reader.relation(0, 2), copy.relation(0, 2), RgbdReader(written).relation(0, 2)):
        np.testing.assert_array_equal(again.tracks, tracks)
    unmoved = reader.relation(1, 1).tracks
    np.testing.assert_allclose(unmoved[0], unmoved[1], atol=1e-9)


def test_no_relation_between_groups_or_without_pose_and_camera(root):
    assert RgbdReader(root).relation(2, 3) is None
    files(root, ".pose.txt")[0].unlink()
    poses = files(root, ".pose.txt")
    lost = poses[0].read_text().split()
    poses[0].write_text(" ".join(["nan", *lost[1:]]))
    reader = RgbdReader(root)
    assert [reader.relation(i, 2) is None for i in (0, 1, 2)] == [True, True, False]
    assert "pose" not in reader[0].extras
    assert [f.count for f in reader.check().findings] == [2]
    for path in files(root, "camera-intrinsics.txt"):
        path.unlink()
    reader = RgbdReader(root)
    assert reader.relation(2, 2) is None
    assert reader[2].depth().values.shape == (96, 128)
    assert reader[2].extras.keys() == {"pose"}


def test_intrinsics_are_found_above_or_given(root, written):
    true = RgbdReader(written).relation(0, 2).tracks
    first, second = files(root, "camera-intrinsics.txt")
    text = first.read_text()
    first.unlink()
    second.unlink()
    (root / "camera-intrinsics.txt").write_text(text)
    np.testing.assert_array_equal(RgbdReader(root).relation(0, 2).tracks, true)
    (root / "camera-intrinsics.txt").unlink()
    fx, _, cx, _, fy, cy, *_ = (float(word) for word in text.split())
    np.testing.assert_array_equal(RgbdReader(root, intrinsics=(fx, fy, cx, cy)).relation(0, 2).tracks, true)


def test_colours_of_another_size_are_the_same_view(root, written):
    small = RgbdReader(written)
    for path in files(root, ".color.png"):
        pixels = np.asarray(Image.open(path))
        Image.fromarray(pixels.repeat(2, 0).repeat(2, 1)).save(path)
    large = RgbdReader(root)
    assert large[0].size == (192, 256)
    np.testing.assert_allclose(large.relation(0, 2).tracks, 2 * small.relation(0, 2).tracks, atol=1e-9)
    np.testing.assert_allclose(large[0].extras["intrinsics"][:2], 2 * small[0].extras["intrinsics"][:2])
    np.testing.assert_array_equal(large[0].depth().values[::2, ::2], small[0].depth().values)


def test_a_colour_camera_beside_the_depth_camera(written):
    """Its pose, intrinsics and depth belong together: they lead to the tracks followed in the depth images."""
    focal = RgbdReader(written)[0].extras["intrinsics"][0, 0]
    reader = RgbdReader(written, colour_intrinsics=(focal * 0.9, focal * 0.9, 60, 50), colour_offset=(0.05, 0, 0.01))
    a, b = reader[0], reader[2]
    assert a.extras["intrinsics"][0].tolist() == [focal * 0.9, 0, 60.5]
    starts, ends = reader.relation(0, 2).tracks
    depth = a.depth().values
    cells = np.floor(starts).astype(int)
    z = depth[cells[:, 1], cells[:, 0]]
    places = np.linalg.inv(a.extras["intrinsics"]) @ np.concatenate([starts, np.ones((len(starts), 1))], 1).T * z
    world = a.extras["pose"] @ np.concatenate([places, np.ones((1, len(z)))])
    there = (np.linalg.inv(b.extras["pose"]) @ world)[:3]
    expected = (b.extras["intrinsics"] @ there)[:2] / there[2]
    distance = np.linalg.norm(expected.T - ends, axis=1)
    assert np.nanmedian(distance) < 0.02


# --- what is wrong ---


def test_depth_of_the_wrong_unit_is_refused(written):
    with pytest.raises(
        DataError, match=r"a depth unit of 1 m makes the median depth \d+ m, outside of 0.1 to 100 m"
    ) as e:
        RgbdReader(written, depth_unit=1.0)
    assert "0.001 (millimetres)" in e.value.hint
    assert e.value.where.endswith(".depth.png")
    metres = written.parent / "metres"
    for index, path in enumerate(files(written, ".depth.png")[:3]):
        write_image(metres / f"{index}.color.png", np.zeros((96, 128, 3), np.uint8))
        values = np.asarray(Image.open(path))
        write_depth(metres / f"{index}.depth.png", np.rint(values / 1000).astype(np.uint16))
    with pytest.raises(DataError, match=r"makes the median depth 0\.00\d+ m") as e:
        RgbdReader(metres)
    assert "1 (metres)" in e.value.hint
    assert np.nanmedian(RgbdReader(metres, depth_unit=1.0)[0].depth().values) > 1
    shutil.rmtree(metres)


def test_depth_of_eight_bits_is_refused(root):
    path = files(root, ".depth.png")[0]
    write_depth(path, np.full((96, 128), 9, np.uint8))
    with pytest.raises(DataError, match=r"a depth image with 8 bits and 1 channel\(s\)") as caught:
        RgbdReader(root)
    assert caught.value.where == str(path)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DataError, match="cannot be read as a depth image"):
        RgbdReader(root)
    path.write_bytes(b"")
    with pytest.raises(DataError, match="cannot be read as a depth image"):
        RgbdReader(root)


def test_check_reads_every_depth_image(root):
    write_image(files(root, ".depth.png")[1], np.zeros((96, 128, 3), np.uint8))  # not among those that opening looks at
    write_depth(files(root, ".depth.png")[3], np.zeros((96, 128), np.uint16))
    found = {finding.what: finding for finding in RgbdReader(root).check().findings}
    assert found["a depth image with 8 bits and 3 channel(s)"].level == "error"
    assert found["depth map without a known pixel"].where == "puppets-3_000001/frame-000000"


def test_nothing_measured_is_unknown(root):
    path = files(root, ".depth.png")[0]
    values = np.full((96, 128), 1500, np.uint16)
    values[0], values[1] = 0, 65535
    write_depth(path, values)
    depth = RgbdReader(root)[0].depth().values
    assert np.isnan(depth[:2]).all()
    np.testing.assert_allclose(depth[2:], 1.5, rtol=1e-6)
    assert depth.dtype == np.float32


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("1 0 0", "not a pose: 3 numbers instead of 16"),
        ("one " + "0 " * 15, "not a pose: could not convert string to float"),
        ("1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 2", "a pose that is no rigid motion"),
        ("2 0 0 0 0 2 0 0 0 0 2 0 0 0 0 1", "a pose that is no rigid motion"),
        ("1 0 0 0 0 -1 0 0 0 0 1 0 0 0 0 1", "a pose that mirrors"),
    ],
)
def test_poses_that_are_none(root, text, what):
    path = files(root, ".pose.txt")[1]
    path.write_text(text)
    with pytest.raises(DataError, match=what) as caught:
        RgbdReader(root)
    assert caught.value.where == str(path)


@pytest.mark.parametrize(
    "text", ["5 0 1 0 5 1 0 0 1 9", "5 1 1 0 5 1 0 0 1", "-5 0 1 0 5 1 0 0 1", "5 0 nan 0 5 1 0 0 1"]
)
def test_intrinsics_that_are_none(root, text):
    path = files(root, "camera-intrinsics.txt")[0]
    path.write_text(text)
    with pytest.raises(DataError, match="intrinsics") as caught:
        RgbdReader(root)
    assert caught.value.where == str(path)


def test_frames_that_lack_half_are_counted(root):
    files(root, ".depth.png")[0].unlink()
    files(root, ".color.png")[5].unlink()
    reader = RgbdReader(root)
    assert len(reader) == 4
    assert reader.check().dropped == {"colour without depth": 1, "depth without colour": 1}
    with pytest.raises(DataError, match="folder not found"):
        RgbdReader(root / "none")
    (root / "empty").mkdir()
    with pytest.raises(DataError, match="the folder holds no RGB-D frames"):
        RgbdReader(root / "empty")


def test_writing_refuses_what_the_format_cannot_hold(rendered, tmp_path):
    pixels = np.zeros((4, 4, 3), np.uint8)
    affine = Sample("a", (4, 4), lambda: pixels, depth=lambda: Depth(np.ones((4, 4), np.float32), "affine"))
    with pytest.raises(DataError, match="a sample without metric depth"):
        write_rgbd([affine], tmp_path)
    with pytest.raises(DataError, match="no samples to write"):
        write_rgbd([], tmp_path)
    write_rgbd([rendered[0]], tmp_path)
    with pytest.raises(DataError, match="the folder `puppets-3_000000` is there already"):
        write_rgbd([rendered[1]], tmp_path)


# --- real data ---


def test_real_tracks_look_alike(shared_data):
    """Colours along tracks differ far less than by chance, and less than if the camera had not moved."""
    folder = shared_data / "seven_scenes"
    reader, one_view = RgbdReader(folder, **KINECT), RgbdReader(folder)
    assert len(reader) == 100
    assert np.nanmedian(reader[0].depth().values) == pytest.approx(2, abs=1.5)
    rng = np.random.default_rng(0)
    errors = []
    for first in range(0, 90, 15):
        images = [cv2.GaussianBlur(reader[i].image().astype(np.float32), (0, 0), 2) for i in (first, first + 3)]
        tracks = reader.relation(first, first + 3).tracks
        other = one_view.relation(first, first + 3).tracks
        seen, other_seen = np.isfinite(tracks[1]).all(1), np.isfinite(other[1]).all(1)
        assert seen.sum() > 30
        start, end = (_colours(*pair) for pair in zip(images, tracks[:, seen], strict=True))
        unmoved = _colours(images[1], tracks[0, seen])
        unregistered = np.subtract(*(_colours(*pair) for pair in zip(images, other[:, other_seen], strict=True)))
        chance = rng.permutation(end)
        errors.append([np.abs(x).mean() for x in (start - end, unregistered, start - unmoved, start - chance)])
    matched, unregistered, unmoved, chance = np.mean(errors, axis=0)
    assert matched < 0.3 * chance
    assert matched < 0.5 * unmoved
    assert matched < 0.9 * unregistered


def _colours(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    cells = np.floor(points).astype(int).clip(0, [image.shape[1] - 1, image.shape[0] - 1])
    return image[cells[:, 1], cells[:, 0]]
