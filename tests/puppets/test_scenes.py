"""Scenes built by hand: sides, occlusion and distances follow from the geometry."""

from dataclasses import replace
from math import pi
from random import Random

import numpy as np
import pytest

from gensight.puppets import render
from gensight.puppets.bodies.people import draw_person
from gensight.puppets.bodies.poses import Limb, Pose
from gensight.puppets.camera import look, project
from gensight.puppets.scenery import objects
from gensight.puppets.scenery.surroundings import outdoors
from gensight.puppets.scenes import Light, Scene, Subject
from gensight.puppets.staging import draw_scene
from gensight.readers.puppets import moment_keypoints, visible_boxes
from gensight.samples import Visibility
from gensight.skeletons import OPENPOSE_18

SIZE = (128, 128)
DISTANCE = 4.0
HANGING = Limb((0.0, 12.0), (5.0, 8.0))
STANDING = Pose(
    "standing", "", HANGING, HANGING, Limb((0.0, 4.0), (0.0, 2.0)), Limb((0.0, 4.0), (0.0, 2.0)), (0.0, 0.0), 0.0
)
NAMES = OPENPOSE_18.keypoints


def scene(yaw: float, things=()) -> Scene:
    person = replace(draw_person(Random(3)), height=1.7, hair_style="short", hat="", backpack=None, garment="trousers")
    light = Light((0.0, 0.0), (0.5, 0.5, 0.5, 0.0), (1.0, 1.0, 1.0), 1.0, 1.0, 0.0, 0.0, (0, 0))
    subject = Subject(person, STANDING, None, 0.0, DISTANCE, yaw, 0.0)
    words = [("brown", "box")] * len(things)
    return Scene(outdoors(Random(1)), list(things), words, [subject], (0, 1.0, 0, 0, 0, 0, 1.6), (0, 0, 0, 0), light, 0)


def keypoints(yaw: float, things=()):
    moment = scene(yaw, things).at(0)
    return moment_keypoints(moment, 0, project(moment.entities, moment.camera, SIZE))


def place(points, name: str) -> float:
    return points.points[NAMES.index(name), 0]


def visible(points, name: str) -> bool:
    return points.visibility[NAMES.index(name)] == Visibility.VISIBLE


@pytest.mark.parametrize("part", ["shoulder", "elbow", "wrist", "hip", "knee", "ankle", "eye", "ear"])
def test_left_is_on_the_right_of_who_faces_the_camera(part):
    assert place(keypoints(0.0), f"left_{part}") > place(keypoints(0.0), f"right_{part}")
    assert place(keypoints(pi), f"left_{part}") < place(keypoints(pi), f"right_{part}")


def test_a_face_is_hidden_from_behind():
    front, back = keypoints(0.0), keypoints(pi)
    for name in ("nose", "left_eye", "right_eye"):
        assert visible(front, name)
        assert not visible(back, name)
    for name in ("left_wrist", "right_ankle", "neck"):
        assert visible(front, name)
        assert visible(back, name)


def test_one_side_hides_the_other_in_profile():
    facing_right = keypoints(pi / 2)
    assert place(facing_right, "nose") > place(facing_right, "neck")
    assert visible(facing_right, "right_shoulder")
    assert visible(facing_right, "right_ear")
    for name in ("left_shoulder", "left_elbow", "left_ear", "left_hip"):
        assert facing_right.visibility[NAMES.index(name)] == Visibility.OCCLUDED


def test_furniture_hides_what_is_behind_it():
    def crate(_):
        from gensight.puppets.shapes import Material, box

        return box("body", (0.0, 0.4, 0.0), (1.2, 0.8, 0.4), Material((120, 80, 40))), ("brown", "box")

    thing, _ = objects.place(Random(0), crate, 0.0, DISTANCE - 1.0, 0.0)
    found = keypoints(0.0, [thing])
    for name in ("left_knee", "right_knee", "left_ankle", "right_ankle"):
        assert found.visibility[NAMES.index(name)] == Visibility.OCCLUDED
    for name in ("left_shoulder", "right_elbow", "nose"):
        assert visible(found, name)


def test_depth_agrees_with_distance():
    described = scene(0.3)
    moment = described.at(0)
    projection = project(moment.entities, moment.camera, SIZE)
    depth = render.depth_map(projection)
    assert abs(np.median(depth[projection.owners == described.first_subject]) - DISTANCE) < 0.15
    # The ground at the feet is as far as the feet; the camera is level, so depth is z. Row of the ground at depth z:
    row = int(SIZE[0] / 2 + 1.6 * SIZE[0] * 1.0 / DISTANCE)
    assert abs(depth[row, 2] - DISTANCE) < 0.15
    ground = depth[SIZE[0] // 2 + 3 :, 2]
    assert (np.diff(ground) < 0).all()


def test_size_and_distance_agree():
    moment = scene(0.0).at(0)
    projection = project(moment.entities, moment.camera, SIZE)
    box, _ = visible_boxes(projection)[1]
    expected = 1.6 * SIZE[0] * 1.7 / DISTANCE
    assert abs((box[3] - box[1]) / expected - 1) < 0.06


def test_camera_maps_are_inverse_to_its_axes():
    camera = look(0.5, 1.2, -0.3, 0.2, -0.1, 0.05, 1.3)
    np.testing.assert_allclose(camera.rotation @ camera.rotation.T, np.eye(3), atol=1e-12)
    ahead = camera.position + 2 * camera.rotation[2]
    (x, y), depth = camera.world_to_image(ahead, (40, 60))
    assert (round(x, 6), round(y, 6), round(float(depth), 6)) == (30, 20, 2)
    above = camera.world_to_image(ahead + np.array([0, 0.5, 0]), (40, 60))[0]
    assert above[1] < 20


def test_heads_point_at_what_is_looked_at():
    angles = []
    for index in range(25):
        described = draw_scene(2, index, "people", (1, 3))
        moment = described.at(0)
        for number, head in enumerate(moment.heads):
            target = moment.targets[number]
            if target is None or head is None:
                continue
            places = moment.keypoints[number][0]
            facing = moment.keypoints[number][1][NAMES.index("nose")]
            towards = target - places[NAMES.index("nose")]
            angles.append(np.degrees(np.arccos(np.clip(facing @ towards / np.linalg.norm(towards), -1, 1))))
    assert len(angles) > 20
    assert np.median(angles) < 8
    assert np.quantile(angles, 0.95) < 30


def test_names_of_shapes_are_unique_within_an_entity():
    for index in range(12):
        for entity in draw_scene(1, index).at(0).entities:
            names = [shape.name for shape in entity.shapes]
            assert len(names) == len(set(names)), entity.name
