import pytest

from gensight.errors import DataError
from gensight.skeletons import COCO_17, NAMED, OPENPOSE_18, Skeleton, lone_sides, mirror_by_name


@pytest.mark.parametrize("skeleton", NAMED.values(), ids=NAMED)
def test_named_skeletons_are_whole(skeleton):
    assert len(set(skeleton.keypoints)) == len(skeleton) == int(skeleton.name.split("-")[1])
    assert len(skeleton.sigmas) == len(skeleton)
    for index, partner in enumerate(skeleton.mirror):
        name = skeleton.keypoints[index]
        expected = name.replace("left", "#").replace("right", "left").replace("#", "right")
        assert skeleton.keypoints[partner] == expected
        assert skeleton.sigmas[index] == skeleton.sigmas[partner]
    mirrored = {frozenset(skeleton.mirror[end] for end in edge) for edge in skeleton.edges}
    assert mirrored == {frozenset(edge) for edge in skeleton.edges}
    assert {end for edge in skeleton.edges for end in edge} == set(range(len(skeleton)))


def test_openpose_has_coco_s_keypoints_and_a_neck():
    assert set(OPENPOSE_18.keypoints) == set(COCO_17.keypoints) | {"neck"}


@pytest.mark.parametrize(
    ("names", "mirror"),
    [
        (("snout", "leftear", "rightear", "tailbase"), (0, 2, 1, 3)),
        (("LeftEar", "RightEar", "LEFT_PAW", "RIGHT_PAW"), (1, 0, 3, 2)),
        (("l_eye", "r_eye", "ear-l", "ear-r", "paw L", "paw R"), (1, 0, 3, 2, 5, 4)),
        (("earL", "earR", "heel", "heer"), (1, 0, 2, 3)),
        (("left_ear", "nose", "bright"), (0, 1, 2)),
        (("a.left.x", "b", "a.right.x"), (2, 1, 0)),
        (("left_left", "left_right", "right_right"), (2, 1, 0)),
        ((), ()),
    ],
)
def test_partners_are_found_by_name(names, mirror):
    assert mirror_by_name(names) == mirror
    assert Skeleton("mine", names).mirror == mirror


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"keypoints": ("a", "b", "a")}, "skeleton mine has keypoints of the same name: a"),
        ({"edges": ((0, 2),)}, "skeleton mine has an edge to a keypoint beyond its 2"),
        ({"mirror": (1, 1)}, "skeleton mine has a mirror that does not pair its 2 keypoints: (1, 1)"),
        ({"mirror": (0,)}, "skeleton mine has a mirror that does not pair its 2 keypoints: (0,)"),
        ({"sigmas": (0.1,)}, "skeleton mine has 1 sigmas for 2 keypoints"),
    ],
)
def test_what_does_not_fit_is_named(fields, message):
    with pytest.raises(DataError) as error:
        Skeleton("mine", **{"keypoints": ("a", "b"), **fields})
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("names", "lone"),
    [
        (("left_ear", "right_ear", "left_knee"), ("left_knee",)),
        (("earL", "earR", "pawL"), ("pawL",)),
        (("nose", "Lpaw"), ("Lpaw",)),
        (("Lip", "Rump", "Rostrum", "Rear", "upright"), ()),
        (("snout", "patte droite"), ("patte droite",)),
        (("l1", "r1", "r2"), ("r2",)),
    ],
)
def test_sides_without_a_partner_are_named(names, lone):
    assert lone_sides(names, mirror_by_name(names)) == lone


WAYS = "Lpaw Rpaw,FL FR,gauche_1 droite_1,ojo_izquierdo ojo_derecho,LinkesOhr RechtesOhr,frontLPaw frontRPaw,l1 r1"


@pytest.mark.parametrize("pair", WAYS.split(","))
def test_sides_are_written_in_many_ways(pair):
    assert mirror_by_name(("nose", *pair.split())) == (0, 2, 1)
