import numpy as np

from gensight.drawing.palette import BLACK, CYCLE, SIDES, WHITE, ink_on, keypoint_colours, limb_colours, sides
from gensight.skeletons import ANIMAL_17, COCO_17, OPENPOSE_18, Skeleton


def test_sides_follow_the_names() -> None:
    for skeleton in (COCO_17, OPENPOSE_18, ANIMAL_17):
        for name, side in zip(skeleton.keypoints, sides(skeleton), strict=True):
            assert side == (name.split("_")[0] if name.startswith(("left", "right")) else "middle")


def test_sides_of_other_naming_styles() -> None:
    assert sides(Skeleton("mouse", ("snout", "leftear", "rightear", "tailbase"))) == (
        "middle",
        "left",
        "right",
        "middle",
    )
    assert sides(Skeleton("short", ("R_paw", "L_paw", "paw_l", "paw_r"))) == ("right", "left", "left", "right")
    assert sides(Skeleton("paired", ("fore", "hind"), mirror=(1, 0))) == ("left", "right")


def test_limbs_take_the_side_they_lead_to() -> None:
    limbs = dict(zip(OPENPOSE_18.edges, limb_colours(OPENPOSE_18), strict=True))
    names = OPENPOSE_18.keypoints
    assert limbs[names.index("neck"), names.index("left_shoulder")] == SIDES["left"]
    assert limbs[names.index("neck"), names.index("nose")] == SIDES["middle"]
    crossing = dict(zip(COCO_17.edges, limb_colours(COCO_17), strict=True))
    assert crossing[COCO_17.keypoints.index("left_hip"), COCO_17.keypoints.index("right_hip")] == SIDES["middle"]


def test_a_skeleton_without_sides_has_a_colour_per_keypoint() -> None:
    worm = Skeleton("worm", ("head", "body", "tail"), ((0, 1), (1, 2)))
    assert keypoint_colours(worm) == CYCLE[:3]
    assert limb_colours(worm) == CYCLE[1:3]


def test_left_and_right_stay_apart_without_red_green_vision() -> None:
    # Deuteranopia as a matrix on linear RGB (Machado, Oliveira and Fernandes 2009, severity 1).
    deutan = np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]])
    seen = {side: deutan @ (np.array(colour) / 255) ** 2.2 for side, colour in SIDES.items()}
    assert np.linalg.norm(seen["left"] - seen["right"]) > 0.3
    assert np.linalg.norm(seen["left"] - seen["middle"]) > 0.3
    assert np.linalg.norm(seen["right"] - seen["middle"]) > 0.3


def test_ink_contrasts() -> None:
    assert ink_on((240, 228, 66)) == BLACK
    assert ink_on((0, 60, 120)) == WHITE
