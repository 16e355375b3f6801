"""Normals of planes, known exactly, through every view; their edges; the bound of encode and decode."""

from functools import partial

import numpy as np
import pytest

from gensight.encodings.surface_normals import INTRINSICS, SurfaceNormals, angles, depth_normals, image_normals
from gensight.errors import ConfigError, DataError
from gensight.geometry import image_to_model, pixel_centres
from gensight.readers.puppets import PuppetsReader
from gensight.samples import Depth, Item, Sample
from gensight.transforms import mirror_view, whole_frame
from tests.contracts.encoding import EncodingContract

SIZE = (96, 128)
CAMERA = np.array([[110.0, 0.0, 60.0], [0.0, 115.0, 50.0], [0.0, 0.0, 1.0]])


def _given(value):
    return value


def plane(normal: np.ndarray, distance: float = 2.0) -> np.ndarray:
    """float64: depth of the plane `normal . P = -distance` seen by `CAMERA`."""
    rays = np.concatenate([(pixel_centres(SIZE) - CAMERA[:2, 2]) / np.diag(CAMERA)[:2], np.ones((*SIZE, 1))], axis=-1)
    return -distance / (rays @ normal)


def item(depth: np.ndarray, kind: str = "metric") -> Item:
    blank = partial(_given, np.zeros((*SIZE, 3), np.uint8))
    known = partial(_given, Depth(depth.astype(np.float32), kind))
    return Item((Sample("a", SIZE, blank, depth=known, group="scene", extras={INTRINSICS: CAMERA}),))


def tilted(x: float, y: float) -> np.ndarray:
    normal = np.array([x, y, -1.0])
    return normal / np.linalg.norm(normal)


class TestSurfaceNormals(EncodingContract):
    def encoding(self):
        return SurfaceNormals(stride=4)

    def item(self, rng):
        return item(plane(tilted(*rng.uniform(-0.4, 0.4, 2))))

    def assert_within_bound(self, prediction, item, view):
        truth = depth_normals(item.sample.depth().values, CAMERA)
        points = image_to_model(pixel_centres(SIZE), view)
        margin = 16.0  # model pixels: the outermost cells hold less than the view
        seen = (points > margin).all(-1) & (points < np.array(view.model_size[::-1]) - margin).all(-1)
        seen[:24], seen[-24:], seen[:, :24], seen[:, -24:] = False, False, False, False
        assert seen.sum() > 100
        assert angles(image_normals(prediction.maps["normals"]), truth)[seen].max() < 0.5


@pytest.mark.parametrize("normal", [tilted(0, 0), tilted(0.5, 0), tilted(-0.3, 0.4)])
def test_planes_are_exact_and_face_the_camera(normal):
    found = depth_normals(plane(normal), CAMERA)
    assert np.isnan(found[0]).all()
    np.testing.assert_allclose(found[1:-1, 1:-1], np.broadcast_to(normal, (94, 126, 3)), atol=1e-9)


def test_edges_of_depth_and_unknown_depth_have_no_normal():
    depth = plane(tilted(0.1, 0.1))
    depth[:, 64:] += 1.0
    depth[40, 20] = np.nan
    depth[70, 20] = 0
    known = np.isfinite(depth_normals(depth, CAMERA)).all(-1)
    assert not known[1:-1, 63:65].any()
    assert known[1:39, 2:62].all()
    for row in (40, 70):
        assert not known[row, 19:22].any()
        assert known[row, [17, 23]].all()


def test_a_mirrored_view_mirrors_the_normals():
    encoding, view = SurfaceNormals(stride=4), whole_frame(SIZE, (64, 96))
    of = item(plane(tilted(0.5, 0.2)))
    upright, mirrored = (encoding.encode(of, (one,))["normals"] for one in (view, mirror_view(view)))
    assert upright[0].max() > 0.6  # to the right
    assert mirrored[0].min() < 0.4  # to the left
    assert encoding.encode(of, (mirror_view(view),))["normals_weight"].mean() > 0.8


def test_red_is_right_green_is_up_blue_faces_the_camera():
    encoding, view = SurfaceNormals(stride=4), whole_frame(SIZE, SIZE)
    red, green, blue = encoding.encode(item(plane(tilted(0.3, -0.4))), (view,))["normals"][:, 10, 10].tolist()
    length = np.sqrt(0.3**2 + 0.4**2 + 1)
    assert (red, green, blue) == pytest.approx((0.5 + 0.15 / length, 0.5 + 0.2 / length, 0.5 + 0.5 / length), abs=1e-3)


def test_the_panel_shows_the_truth_and_measures_the_angle():
    encoding, view = SurfaceNormals(stride=4), whole_frame(SIZE, SIZE)
    of = item(plane(tilted(0, 0)))
    other = encoding.decode(encoding.encode(item(plane(tilted(0.1, 0))), (view,)), of, (view,))
    panel = encoding.panel(other, of)
    assert panel.unit == "degrees"
    assert panel.error == pytest.approx(np.degrees(np.arctan(0.1)), abs=0.5)


def test_puppets_know_their_normals():
    sample = PuppetsReader(1, seed=3, size=(64, 64), truths=("depth", "camera"))[0]
    (of,) = SurfaceNormals(stride=4).items(sample)
    targets = SurfaceNormals(stride=4).encode(of, (whole_frame((64, 64), (64, 64)),))
    assert targets["normals_weight"].mean() > 0.3
    assert SurfaceNormals().items(PuppetsReader(1, seed=3, size=(64, 64), truths=("depth",))[0]) == []


def test_mistakes():
    with pytest.raises(ConfigError, match="at least 1 model pixel"):
        SurfaceNormals(stride=0)
    with pytest.raises(DataError, match="normals need metric depth"):
        SurfaceNormals().encode(item(np.ones(SIZE), "affine"), (whole_frame(SIZE, SIZE),))
    with pytest.raises(DataError, match="does not fit an image"):
        SurfaceNormals().encode(item(np.ones((4, 4))), (whole_frame(SIZE, SIZE),))
