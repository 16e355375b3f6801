"""Tables of keypoints: back from each format as they were, and as the tools of the field load them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gensight.errors import ConfigError, DataError
from gensight.readers.poses.formats import FORMATS, format_of, parse_formats
from gensight.readers.poses.table import PoseFrame, PoseTable, Subject, located
from gensight.samples import Keypoints, Visibility
from gensight.skeletons import Skeleton

SKELETON = Skeleton("mouse", ("nose", "ear", "tail"), ((0, 1), (1, 2)))
PRESENT = ((0, 1), (), (1,), (0, 1), (1,), (0,))  # subjects of each frame
TIMES = (0.0, 0.04, 0.1, 0.14, 0.2, 0.5)
NEEDS = {"h5": "tables", "parquet": "pyarrow", "nwb": "ndx_pose"}


def points(frame: int, place: int) -> np.ndarray:
    found = np.array([[3.25, 4.5], [10.125, 8.0], [20.0, 30.75]])
    found += [frame, 40 * place]
    if frame == 3:
        found[1] = np.nan
    return found


def table(several: bool = True, first_empty: bool = False, images: bool = False) -> PoseTable:
    present = [frame if several else frame[:1] for frame in PRESENT]
    if first_empty:
        present[0] = ()

    def frames() -> Iterator[PoseFrame]:
        for number, places in enumerate(present):
            subjects = []
            for place in places:
                keypoints = located(SKELETON, points(number, place), np.array([0.9, 0.8, 0.7]) - place / 10)
                subjects.append(Subject(place if several else 0, keypoints, 0.5 + place / 4))
            if images:
                yield PoseFrame(f"cam/{number}.png", tuple(subjects), size=(64, 48))
            else:
                yield PoseFrame(f"clip.mp4#{number:06d}", tuple(subjects), number, TIMES[number], (64, 48))

    names = ("black", "white") if several else ()
    return PoseTable(SKELETON, frames, len(present), names, "run", "" if images else "clip.mp4", None if images else 25)


def write(name: str, given: PoseTable, folder: Path) -> Path:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    path = folder / f"keypoints{FORMATS[name].suffix}"
    FORMATS[name].write(given, path)
    return path


def values(given: PoseTable) -> np.ndarray:
    return np.concatenate([some for _, some in given.blocks(2)])


@pytest.mark.parametrize("first_empty", [False, True])
@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("name", FORMATS)
def test_a_table_comes_back(tmp_path: Path, name: str, several: bool, first_empty: bool) -> None:
    given = table(several, first_empty)
    path = write(name, given, tmp_path)
    back = format_of(path).read(path)  # type: ignore[union-attr]
    assert back.num_frames == len(list(back.frames())) == len(PRESENT)
    assert back.skeleton.keypoints == SKELETON.keypoints
    assert back.individuals == given.individuals
    np.testing.assert_allclose(values(back), values(given), atol=0.001)
    assert [frame.frame for frame in back.frames()] == list(range(len(PRESENT)))
    if name in ("coco", "parquet", "nwb"):
        assert [frame.time for frame in back.frames()] == pytest.approx(list(TIMES))
    if name in ("coco", "parquet", "nwb", "sleap", "slp"):
        assert back.skeleton.edges == SKELETON.edges
        assert back.video == "clip.mp4"


@pytest.mark.parametrize("name", ["coco", "parquet"])
def test_visibility_comes_back(tmp_path: Path, name: str) -> None:
    visibility = np.array([Visibility.OCCLUDED, Visibility.VISIBLE, Visibility.UNLABELLED], np.int8)
    where = np.array([[1.5, 2.5], [3.5, 4.5], [np.nan, np.nan]])
    subject = Subject(0, Keypoints(SKELETON, where, visibility, np.ones(3, np.float32)))
    given = PoseTable(SKELETON, lambda: iter([PoseFrame("a.png", (subject,), size=(9, 9))]), 1)
    path = write(name, given, tmp_path)
    (frame,) = FORMATS[name].read(path).frames()
    np.testing.assert_array_equal(frame.subjects[0].keypoints.visibility, visibility)
    assert (frame.key, frame.frame, frame.size) == ("a.png", None, (9, 9))


@pytest.mark.parametrize("name", ["csv", "h5", "coco", "parquet", "slp"])
def test_images_keep_their_names(tmp_path: Path, name: str) -> None:
    path = write(name, table(images=True), tmp_path)
    assert [frame.key for frame in FORMATS[name].read(path).frames()] == [f"cam/{n}.png" for n in range(6)]


@pytest.mark.parametrize("first_empty", [False, True])
@pytest.mark.parametrize(("several", "levels"), [(False, 3), (True, 4)])
def test_pandas_finds_a_row_for_each_frame(tmp_path: Path, several: bool, levels: int, first_empty: bool) -> None:
    pandas = pytest.importorskip("pandas")
    given = table(several, first_empty)
    for engine in ("c", "python"):
        found = pandas.read_csv(write("csv", given, tmp_path), header=list(range(levels)), index_col=0, engine=engine)
        assert list(found.index) == list(range(len(PRESENT)))
        assert found.columns.nlevels == levels
        expected = values(given) - [0.5, 0.5, 0]
        np.testing.assert_allclose(found.to_numpy(float), expected.reshape(len(PRESENT), -1), atol=0.001)


@pytest.mark.parametrize("several", [False, True])
def test_pandas_reads_h5_as_it_reads_csv(tmp_path: Path, several: bool) -> None:
    pytest.importorskip("tables")
    import pandas as pd

    given = table(several)
    h5 = pd.read_hdf(write("h5", given, tmp_path))
    text = pd.read_csv(write("csv", given, tmp_path), header=list(range(4 if several else 3)), index_col=0)
    pd.testing.assert_frame_equal(h5, text, check_index_type=False, check_names=False, atol=0.001)
    assert list(h5.columns.names) == list(text.columns.names)


def test_pycocotools_loads_the_json(tmp_path: Path) -> None:
    from pycocotools.coco import COCO

    loaded = COCO(str(write("coco", table(), tmp_path)))
    assert len(loaded.getImgIds()) == len(PRESENT)
    assert len(loaded.getAnnIds()) == sum(map(len, PRESENT))
    assert loaded.loadCats(1)[0]["keypoints"] == list(SKELETON.keypoints)


@pytest.mark.parametrize(("name", "source"), [("csv", "DeepLabCut"), ("h5", "DeepLabCut"), ("sleap", "SLEAP")])
@pytest.mark.parametrize("several", [False, True])
def test_movement_loads_it(tmp_path: Path, name: str, source: Any, several: bool) -> None:
    load = pytest.importorskip("movement.io.load_poses", reason="movement is not installed")
    given = table(several, first_empty=True)
    path = write(name, given, tmp_path)
    found = (load.from_sleap_file if source == "SLEAP" else load.from_dlc_file)(path, fps=25)
    expected = values(given)
    assert found.sizes["time"] == len(PRESENT)
    assert list(found.keypoints.values) == list(SKELETON.keypoints)
    assert found.sizes["individuals" if "individuals" in found.sizes else "individual"] == len(given.names)
    position = found.position.values  # (time, space, keypoints, individuals)
    np.testing.assert_allclose(position, expected[..., :2].transpose(0, 3, 2, 1) - 0.5, atol=0.001)


def test_movement_loads_nwb(tmp_path: Path) -> None:
    load = pytest.importorskip("movement.io.load_poses", reason="movement is not installed")
    given = table(several=False)
    found = load.from_nwb_file(write("nwb", given, tmp_path))
    assert found.sizes["time"] == len(TIMES)  # movement takes the usual distance of frames for all of them
    order = [list(found.coords[found.position.dims[2]].values).index(part) for part in SKELETON.keypoints]
    expected = values(given)[:, 0, :, :2].transpose(0, 2, 1) - 0.5
    np.testing.assert_allclose(found.position.values[:, :, order, 0], expected)


def test_sleap_io_loads_the_analysis_file(tmp_path: Path) -> None:
    sleap_io = pytest.importorskip("sleap_io", reason="sleap-io is not installed")
    given = table()
    labels = sleap_io.load_file(str(write("sleap", given, tmp_path)))
    assert [track.name for track in labels.tracks] == list(given.individuals)
    assert [node.name for node in labels.skeletons[0].nodes] == list(SKELETON.keypoints)
    found = {frame.frame_idx: frame for frame in labels.labeled_frames}
    for number, places in enumerate(PRESENT):
        assert len(found[number].instances if number in found else ()) == len(places)
    np.testing.assert_allclose(found[0].instances[1].numpy(), points(0, 1) - 0.5)


def test_sleap_io_loads_the_project(tmp_path: Path) -> None:
    sleap_io = pytest.importorskip("sleap_io", reason="sleap-io is not installed")
    given = table(first_empty=True)
    labels = sleap_io.load_file(str(write("slp", given, tmp_path)), open_videos=False)
    assert labels.skeleton.node_names == list(SKELETON.keypoints)
    assert labels.skeleton.edge_inds == [(0, 1), (1, 2)]
    assert [track.name for track in labels.tracks] == ["black", "white"]
    assert labels.videos[0].filename == "clip.mp4"
    assert [frame.frame_idx for frame in labels] == [2, 3, 4, 5]
    for frame in labels:
        assert [one.track.name for one in frame] == [("black", "white")[place] for place in PRESENT[frame.frame_idx]]
        for one, place in zip(frame, PRESENT[frame.frame_idx], strict=True):
            assert one.score == pytest.approx(0.5 + place / 4)
            expected = points(frame.frame_idx, place) - 0.5
            np.testing.assert_allclose(one.numpy(), expected, atol=1e-9)
            known = np.isfinite(expected[:, 0])
            scores = one.numpy(scores=True)[known, 2]
            np.testing.assert_allclose(scores, (np.array([0.9, 0.8, 0.7]) - place / 10)[known], atol=1e-6)


@pytest.mark.parametrize(("name", "kind"), [("csv", "deeplabcut"), ("h5", "deeplabcut"), ("sleap", "sleap")])
def test_keypoint_moseq_loads_it(tmp_path: Path, name: str, kind: str) -> None:
    loader = pytest.importorskip("keypoint_moseq.io", reason="keypoint-moseq is not installed")
    given = table()
    coordinates, confidences, parts = loader.load_keypoints(str(write(name, given, tmp_path)), kind)
    assert set(parts) == set(SKELETON.keypoints)
    assert len(coordinates) == len(given.individuals)
    for key, own in coordinates.items():
        ends = [(f"_{individual}", f"_track{number}") for number, individual in enumerate(given.individuals)]
        (place,) = [number for number, end in enumerate(ends) if key.endswith(end)]
        np.testing.assert_allclose(own, values(given)[:, place, :, :2] - 0.5, atol=0.001)
        assert confidences[key].shape == (len(PRESENT), len(SKELETON))


def test_formats_by_name_and_suffix() -> None:
    assert format_of(Path("a.analysis.h5")) is FORMATS["sleap"]
    assert format_of(Path("a.h5")) is FORMATS["h5"]
    assert format_of(Path("a.txt")) is None
    assert parse_formats("sleap, nwb", "--formats") == ("sleap", "nwb")
    with pytest.raises(ConfigError, match="unknown format 'slaep'"):
        parse_formats("slaep", "--formats")


def test_other_files_are_refused(tmp_path: Path) -> None:
    for name, chosen in FORMATS.items():
        if name in NEEDS:
            pytest.importorskip(NEEDS[name])
        path = tmp_path / f"other{chosen.suffix}"
        path.write_text("{}")
        with pytest.raises(DataError):
            chosen.read(path)


def test_single_images_have_no_times_for_nwb(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="single images"):
        write("nwb", table(images=True), tmp_path)
