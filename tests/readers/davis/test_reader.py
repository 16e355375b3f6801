"""DAVIS: sequences, objects separated by palette numbers or joined."""

from pathlib import Path

import numpy as np
import pytest

from gensight.errors import DataError
from gensight.files.images import write_image
from gensight.readers.davis.reader import DavisReader
from gensight.readers.davis.writer import write_davis
from gensight.readers.shared.label_maps import write_label_map
from gensight.samples import Instance, Sample
from tests.contracts.reader import ReaderContract


def make(root: Path, grey: bool = False) -> Path:
    """`ant`: three frames of two objects, the second hidden in the middle; `bee`: two frames, one of them labelled."""
    for sequence, count in (("ant", 3), ("bee", 2)):
        for frame in range(count):
            path = Path("480p") / sequence / f"{frame:05d}"
            write_image(root / "JPEGImages" / f"{path}.jpg", np.full((20, 30, 3), 50 * frame, np.uint8))
            labels = np.zeros((20, 30), np.uint8)
            labels[2:6, frame : frame + 5] = 1
            if sequence == "ant" and frame != 1:
                labels[10:15, 20:28] = 2
            if (sequence, frame) == ("bee", 1):
                continue
            if grey:
                write_image(root / "Annotations" / f"{path}.png", np.where(labels, 255, 0).astype(np.uint8))
            else:
                write_label_map(root / "Annotations" / f"{path}.png", labels)
    return root


@pytest.fixture
def root(tmp_path):
    return make(tmp_path / "davis")


class TestDavis(ReaderContract):
    @pytest.fixture
    def reader(self, root):
        return DavisReader(root)

    def write(self, samples, root):
        write_davis(samples, root, image_suffix=".png")
        return DavisReader(root, "train")

    def compare(self, sample, other):
        assert sample.group == other.group
        if sample.instances is None:
            assert other.instances is None
        else:
            super().compare(sample, other)


def test_values(root):
    reader = DavisReader(root)
    assert [sample.key for sample in reader] == ["ant/00000", "ant/00001", "ant/00002", "bee/00000", "bee/00001"]
    assert reader.groups == ["ant"] * 3 + ["bee"] * 2
    assert reader.relation(0, 1) is None
    one, two = reader[0].instances
    assert (one.identity, two.identity, one.box) == ("ant/1", "ant/2", None)
    assert one.mask().sum() == 20
    assert two.mask()[10:15, 20:28].all()
    assert [int(object_.mask().sum()) for object_ in reader[1].instances] == [20, 0]  # hidden, but known
    assert reader[4].instances is None  # unlabelled is not empty


def test_the_first_edition_has_one_object(tmp_path, root):
    (whole,) = DavisReader(root, year=2016)[0].instances
    assert (whole.identity, whole.mask().sum()) == ("ant/1", 20 + 40)
    grey = make(tmp_path / "grey", grey=True)
    for year in (2016, 2017):
        (whole,) = DavisReader(grey, year=year)[0].instances
        assert (whole.identity, whole.mask().sum()) == ("ant/1", 60)


def test_lists_of_both_editions(root):
    by_year, by_resolution = root / "ImageSets/2017", root / "ImageSets/480p"
    by_resolution.mkdir(parents=True)
    (by_resolution / "val.txt").write_text("/JPEGImages/480p/bee/00000.jpg /Annotations/480p/bee/00000.png\n")
    assert DavisReader(root, "val").groups == ["bee"] * 2
    by_year.mkdir()
    (by_year / "val.txt").write_text("ant\n")
    assert DavisReader(root, "val").groups == ["ant"] * 3
    assert DavisReader(root, "val", year=2016).groups == ["bee"] * 2
    (by_year / "val.txt").write_text("ant\ncat\n")
    with pytest.raises(DataError, match=r"1 of 2 sequences that val\.txt names are missing: cat"):
        DavisReader(root, "val")
    reader = DavisReader(root, "val", missing="drop")
    assert reader.check().dropped == {"sequences missing": 1}
    (by_year / "val.txt").write_text("")
    with pytest.raises(DataError, match="the list names nothing"):
        DavisReader(root, "val")


def test_folders_that_are_wrong(root, tmp_path):
    with pytest.raises(DataError, match="there are no lists, so no `train`") as caught:
        DavisReader(root, "train")
    assert "divide them by name" in caught.value.hint
    with pytest.raises(DataError, match="folder of the frames not found"):
        DavisReader(tmp_path / "none")
    (tmp_path / "JPEGImages/480p/empty").mkdir(parents=True)
    with pytest.raises(DataError, match="the sequences hold no frames"):
        DavisReader(tmp_path)


def test_masks_of_another_size_are_reported_and_refused(root):
    write_label_map(root / "Annotations/480p/ant/00001.png", np.ones((10, 30), np.uint8))
    reader = DavisReader(root)
    with pytest.raises(DataError, match=r"10 x 30 .* but its image is 20 x 30") as caught:
        reader[1].instances[0].mask()
    assert caught.value.where.endswith("ant/00001.png")
    errors = [finding for finding in reader.check().findings if finding.level == "error"]
    assert [finding.count for finding in errors] == [2]


def test_objects_that_come_later_are_reported(root):
    late = np.zeros((20, 30), np.uint8)
    late[:3] = 3
    write_label_map(root / "Annotations/480p/ant/00002.png", late)
    findings = DavisReader(root).check().findings
    (finding,) = [one for one in findings if one.what.startswith("sequence with objects that its first annotation")]
    assert finding.where == "ant"


def test_written_folders(tmp_path):
    pixels, mask = np.zeros((8, 9, 3), np.uint8), np.zeros((8, 9), bool)
    mask[1:3, 1:3] = True

    def sample(frame: int, group: str, *names: str | None) -> Sample:
        instances = tuple(Instance("cat", mask=lambda: mask, identity=name) for name in names)
        return Sample(f"{group}-{frame}", (8, 9), lambda: pixels, (*instances, Instance("x")), group=group)

    write_davis([sample(0, "v/1", "tom"), sample(1, "v/1", "tim"), sample(2, "v/1", "tom")], tmp_path, "train")
    write_davis([sample(0, "w", None)], tmp_path, "val", year=2016)
    reader = DavisReader(tmp_path, "train")
    seen = [[one.identity for one in frame.instances if one.mask().any()] for frame in reader]
    assert seen == [["v_1/1"], [], ["v_1/1"]]  # the second object is not in the first annotation
    assert (tmp_path / "ImageSets/2016/val.txt").read_text() == "w\n"
    assert (tmp_path / "Annotations/480p/w/00000.png").is_file()
    with pytest.raises(DataError, match="the sequence `w` is there already"):
        write_davis([sample(1, "w", None)], tmp_path)
    with pytest.raises(DataError, match="no samples to write"):
        write_davis([], tmp_path)


def test_the_real_frames(shared_data):
    reader = DavisReader(shared_data / "davis")
    assert len(reader) == 159
    assert sorted(set(reader.groups)) == ["blackswan", "dog", "libby"]
    for sample in (reader[0], reader[80], reader[158]):
        (one,) = sample.instances
        height, width = sample.size
        assert (height, width) == (480, 854)
        assert one.mask().sum() > 2000
