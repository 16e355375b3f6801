"""AP-10K: COCO's format with the animal skeleton under AP-10K's names."""

import json

import pytest

from gensight.errors import DataError
from gensight.readers.ap10k.reader import Ap10kReader
from gensight.readers.ap10k.writer import write_ap10k
from gensight.readers.puppets import PuppetsReader
from gensight.skeletons import ANIMAL_17
from tests.contracts.reader import ReaderContract

OTHER_TOOLS = (
    "L_Eye", "R_Eye", "Nose", "Neck", "Root of tail", "L_Shoulder", "L_Elbow", "L_F_Paw", "R_Shoulder", "R_Elbow",
    "R_F_Paw", "L_Hip", "L_Knee", "L_B_Paw", "R_Hip", "R_Knee", "R_B_Paw",
)  # fmt: skip


@pytest.fixture(scope="module")
def animals():
    return list(PuppetsReader(4, seed=6, size=(48, 64), subjects="animals", truths=("keypoints", "boxes", "masks")))


@pytest.fixture
def root(animals, tmp_path):
    write_ap10k(animals[:3], tmp_path / "ap10k", "train")
    write_ap10k(animals[3:], tmp_path / "ap10k", "val", split=2)
    return tmp_path / "ap10k"


class TestAp10k(ReaderContract):
    @pytest.fixture
    def reader(self, root):
        return Ap10kReader(root)

    def write(self, samples, root):
        write_ap10k(samples, root, "test", split=3)
        return Ap10kReader(root, "test", split=3)


def test_the_files_hold_the_official_names(root):
    value = json.loads((root / "annotations/ap10k-train-split1.json").read_text())
    assert value["categories"][0]["keypoints"][:5] == ["left_eye", "right_eye", "nose", "neck", "root_of_tail"]
    assert len(Ap10kReader(root, "val", split=2)) == 1
    assert len(list((root / "data").rglob("*.png"))) == 4


def test_species_share_the_animal_skeleton(root):
    reader = Ap10kReader(root)
    assert reader.skeleton is ANIMAL_17
    assert all(one.keypoints.skeleton is ANIMAL_17 for sample in reader for one in sample.instances)
    one = reader.categories[0]
    few = Ap10kReader(root, categories=[one])
    assert few.categories == (one,)
    assert {found.category for sample in few for found in sample.instances} == {one}


def change(root, keypoints):
    path = root / "annotations/ap10k-train-split1.json"
    value = json.loads(path.read_text())
    for category in value["categories"]:
        category["keypoints"] = list(keypoints)
    path.write_text(json.dumps(value))


def test_other_spellings_are_understood(root):
    change(root, OTHER_TOOLS)
    assert Ap10kReader(root)[0].instances[0].keypoints.skeleton is ANIMAL_17


def test_other_keypoints_are_refused(root):
    change(root, OTHER_TOOLS[::-1])
    with pytest.raises(DataError, match="the keypoints are not AP-10K's") as caught:
        Ap10kReader(root)
    assert "category" in caught.value.where
    assert caught.value.choices == list(ANIMAL_17.keypoints)


def test_missing_files(root):
    with pytest.raises(DataError, match="there is no such label file") as caught:
        Ap10kReader(root, "test")
    assert caught.value.choices == ["ap10k-train-split1.json", "ap10k-val-split2.json"]
    sorted((root / "data").rglob("*.png"))[0].unlink()
    with pytest.raises(DataError, match=r"1 of 3 images that ap10k-train-split1\.json names are missing"):
        Ap10kReader(root)
    assert Ap10kReader(root, missing="drop").check().dropped == {"images missing": 1}


def test_people_are_no_animals(tmp_path):
    with pytest.raises(DataError, match="keypoints of `openpose-18` don't fit"):
        write_ap10k(PuppetsReader(2, seed=0, size=(32, 32)), tmp_path)
