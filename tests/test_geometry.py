from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gensight import geometry
from gensight.geometry import (
    box_image_to_model,
    box_model_to_image,
    box_to_frame,
    clip_box,
    grid_to_image,
    grid_to_model,
    image_to_grid,
    image_to_model,
    inside,
    map_grid_to_image,
    map_image_to_grid,
    mirroring,
    model_to_grid,
    model_to_image,
    pixel_centres,
    points_box,
    rotation,
    scaling,
    translation,
    warp_image,
    warp_mask,
)
from gensight.samples import View
from gensight.transforms import Augmentation, around_box, augment_view, mirror_view, stretched_box, whole_frame

IMAGE_SIZE = (240, 320)


def views() -> dict[str, View]:
    rng = np.random.default_rng(0)
    upright = whole_frame(IMAGE_SIZE, (120, 160))
    turned = augment_view(upright, Augmentation(rotation=60.0), rng)
    box = np.array([100.3, 60.7, 260.1, 180.9])
    return {
        "identity": whole_frame(IMAGE_SIZE, IMAGE_SIZE),
        "halved": upright,
        "shrunk": whole_frame(IMAGE_SIZE, (96, 96)),
        "shrunk a lot": whole_frame(IMAGE_SIZE, (30, 40)),
        "a third and a bit": whole_frame(IMAGE_SIZE, (73, 97)),
        "enlarged": whole_frame(IMAGE_SIZE, (480, 640)),
        "box": around_box(IMAGE_SIZE, box, (64, 64)),
        "enlarged box": around_box(IMAGE_SIZE, box, (400, 300)),
        "box over the border": around_box(IMAGE_SIZE, np.array([-80.0, -40.0, 250.0, 200.0]), (96, 128)),
        "stretched": stretched_box(IMAGE_SIZE, box, (256, 64)),
        "stretched whole": stretched_box(IMAGE_SIZE, np.array([0.0, 0.0, 320.0, 240.0]), (480, 160)),
        "mirrored": mirror_view(upright),
        "mirrored box": mirror_view(around_box(IMAGE_SIZE, box, (64, 64))),
        "turned": turned,
        "turned and mirrored": mirror_view(turned),
        "turned and shrunk": augment_view(whole_frame(IMAGE_SIZE, (48, 64)), Augmentation(rotation=60.0), rng),
        "turned and enlarged": augment_view(around_box(IMAGE_SIZE, box, (320, 400)), Augmentation(rotation=60.0), rng),
        "turned and stretched": augment_view(
            stretched_box(IMAGE_SIZE, box, (240, 40)), Augmentation(rotation=60.0), rng
        ),
    }


VIEWS = views()
each_view = pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)


@each_view
def test_inverses_are_exact(view):
    points = np.random.default_rng(1).uniform(-100, 500, (5, 7, 2))
    np.testing.assert_allclose(model_to_image(image_to_model(points, view), view), points, atol=1e-9)
    np.testing.assert_allclose(grid_to_image(image_to_grid(points, view, (17, 23)), view, (17, 23)), points, atol=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.tuples(st.integers(1, 999), st.integers(1, 999)), st.tuples(st.integers(1, 99), st.integers(1, 99)))
def test_the_grid_covers_the_model_frame(model_size, grid_size):
    corners = np.array([[0.0, 0.0], [model_size[1], model_size[0]]])
    on_grid = model_to_grid(corners, model_size, grid_size)
    np.testing.assert_allclose(on_grid, [[0, 0], [grid_size[1], grid_size[0]]], atol=1e-9)
    np.testing.assert_allclose(grid_to_model(on_grid, model_size, grid_size), corners, atol=1e-9)


def test_rotation_is_clockwise_on_the_screen_about_its_centre():
    turn = rotation(90.0, (10.0, 20.0))
    np.testing.assert_allclose(turn @ [11, 20, 1], [10, 21, 1], atol=1e-12)
    np.testing.assert_allclose(turn @ [10, 20, 1], [10, 20, 1], atol=1e-12)


def test_mirroring_keeps_the_frame():
    np.testing.assert_allclose(mirroring(8.0) @ [0.5, 3, 1], [7.5, 3, 1])
    np.testing.assert_allclose(mirroring(8.0) @ mirroring(8.0), np.eye(3))


def test_box_to_frame_fills_it():
    matrix = box_to_frame(np.array([10.0, 20.0, 30.0, 60.0]), (8, 16))
    np.testing.assert_allclose(matrix @ [10, 20, 1], [0, 0, 1])
    np.testing.assert_allclose(matrix @ [30, 60, 1], [16, 8, 1])


@each_view
def test_boxes_enclose_their_mapped_corners(view):
    box = np.array([50.0, 60.0, 150.0, 90.0])
    mapped = box_image_to_model(box, view)
    assert (mapped[2:] > mapped[:2]).all()
    corners = image_to_model(np.array([[50.0, 60.0], [150.0, 60.0], [50.0, 90.0], [150.0, 90.0]]), view)
    np.testing.assert_allclose(mapped, [*corners.min(0), *corners.max(0)])
    back = box_model_to_image(mapped, view)
    assert (back[:2] <= box[:2] + 1e-9).all()
    assert (back[2:] >= box[2:] - 1e-9).all()


def test_boxes_of_points():
    points = np.array([[1.0, 5.0], [np.nan, 0.0], [3.0, 2.0]])
    assert points_box(points).tolist() == [1, 2, 3, 5]
    assert np.isnan(points_box(points[1:2])).all()
    assert clip_box(np.array([-5.0, 2.0, 50.0, 50.0]), (10, 20)).tolist() == [0, 2, 20, 10]
    assert inside(np.array([[0.0, 0.0], [20.0, 10.0], [20.1, 5.0], [np.nan, 5.0]]), (10, 20)).tolist() == [
        True, True, False, False,
    ]  # fmt: skip


def well_inside(points: np.ndarray, size: tuple[int, int], margin: float) -> np.ndarray:
    return ((points >= margin) & (points <= np.array(size[::-1]) - margin)).all(-1)


def centroid(picture: np.ndarray) -> np.ndarray:
    mass = picture.astype(np.float64)
    return (pixel_centres(picture.shape[:2]) * mass[..., None]).sum((0, 1)) / mass.sum()


@each_view
def test_pixels_go_where_points_go(view):
    """A soft dot of the image lands within 0.1 px of where its centre is mapped (image px where the view enlarges)."""
    rng = np.random.default_rng(2)
    lengths = np.linalg.norm(view.matrix[:2, :2], axis=0)
    spread = 2.5 * np.maximum(1 / lengths, 1)
    middle = model_to_image(np.array([view.model_size[1], view.model_size[0]]) / 2, view)
    for _ in range(4):
        centre = middle + rng.uniform(-3, 3, 2)
        distance = (((pixel_centres(IMAGE_SIZE) - centre) / spread) ** 2).sum(-1)
        dot = (255 * np.exp(-distance / 2)).astype(np.float32)
        warped = warp_image(dot, view)
        place = image_to_model(centre, view)
        assert np.hypot(*(centroid(warped**2) - place)) < 0.1 * max(1.0, lengths.max())


def test_the_whole_image_comes_back_as_it_is():
    image = np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)
    warped = warp_image(image, whole_frame((37, 53), (37, 53)))
    assert np.array_equal(warped, image)
    assert warped.flags.c_contiguous


def test_a_crop_on_pixel_borders_is_a_slice_and_its_outside_is_filled():
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    inner = View((40, 60), (10, 20), translation(-30.0, -12.0))
    assert np.array_equal(warp_image(image, inner), image[12:22, 30:50])
    outer = warp_image(image, View((40, 60), (60, 80), translation(7.0, 9.0)), fill=7)
    assert np.array_equal(outer[9:49, 7:67], image)
    assert (outer[:9] == 7).all()
    assert (outer[:, 67:] == 7).all()


def test_halving_takes_the_mean_of_four():
    image = np.random.default_rng(0).random((8, 12)).astype(np.float32)
    halved = warp_image(image, whole_frame((8, 12), (4, 6)))
    np.testing.assert_allclose(halved, image.reshape(4, 2, 6, 2).mean((1, 3)), atol=1e-6)


@pytest.mark.parametrize("name", ["halved", "shrunk", "box over the border", "stretched", "enlarged"])
def test_a_mirrored_picture_is_the_flipped_picture(name):
    image = np.random.default_rng(0).integers(0, 256, (*IMAGE_SIZE, 3), dtype=np.uint8)
    view = VIEWS[name]
    assert np.array_equal(warp_image(image, mirror_view(view)), warp_image(image, view)[:, ::-1])


@each_view
def test_a_flat_image_stays_flat_and_keeps_its_type(view):
    for image in (np.full((*IMAGE_SIZE, 3), 200, np.uint8), np.full((*IMAGE_SIZE, 3), 0.25, np.float32)):
        warped = warp_image(image, view)
        assert warped.dtype == image.dtype
        assert warped.shape == (*view.model_size, 3)
        centres = model_to_image(pixel_centres(view.model_size), view)
        margin = 2 * max(1.0, 1 / np.linalg.norm(view.matrix[:2, :2], axis=0).min())
        inner = well_inside(centres, IMAGE_SIZE, margin)
        np.testing.assert_allclose(warped[inner], image[0, 0, 0], atol=1e-6)


@pytest.mark.parametrize("turn", [0.0, 33.0])
def test_shrinking_is_anti_aliased(turn):
    """Stripes of one pixel turn grey, whatever the phase; without a blur they would alias to broad stripes."""
    image = np.zeros((300, 400), np.uint8)
    image[:, ::2] = 255
    view = whole_frame((300, 400), (43, 57))
    view = View(view.image_size, view.model_size, rotation(turn, (28.5, 21.5)) @ view.matrix)
    middle = warp_image(image, view)[16:27, 22:35].astype(float)
    assert np.abs(middle - 127.5).max() < 25


@pytest.mark.parametrize("turn", [0.0, 20.0])
def test_a_view_beside_the_image_is_all_fill(turn):
    image = np.full((30, 40, 3), 200, np.uint8)
    for shift, scale in ((-1000.3, 1.0), (1000.3, 1.0), (-1000.3, 0.2), (1000.3, 0.2)):
        matrix = rotation(turn, (8.0, 8.0)) @ translation(shift, 0.0) @ scaling(scale, scale)
        assert (warp_image(image, View((30, 40), (16, 16), matrix), fill=3) == 3).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (300, 1)])
@pytest.mark.parametrize("turn", [0.0, 30.0])
def test_images_of_one_pixel_are_warped(size, turn):
    view = whole_frame(size, (16, 24))
    view = View(view.image_size, view.model_size, rotation(turn, (12.0, 8.0)) @ view.matrix)
    warped = warp_image(np.full((*size, 3), 90, np.uint8), view)
    assert warped.shape == (16, 24, 3)
    assert warped.max() > 0


@each_view
def test_masks_go_where_points_go(view):
    mask = np.zeros(IMAGE_SIZE, bool)
    middle = model_to_image(np.array([view.model_size[1], view.model_size[0]]) / 2, view)
    mask[((pixel_centres(IMAGE_SIZE) - middle) ** 2).sum(-1) < 30**2] = True
    warped = warp_mask(mask, view)
    assert warped.dtype == bool
    expected = ((model_to_image(pixel_centres(view.model_size), view) - middle) ** 2).sum(-1)
    step = 1 / np.linalg.norm(view.matrix[:2, :2], axis=0).min()
    assert warped[expected < (30 - 1.5) ** 2].all()
    assert not warped[expected > (30 + 1.5 + step) ** 2].any()


@each_view
def test_maps_land_where_their_cells_are(view):
    grid_size = (24, 32)
    cells = np.array([12.3, 11.6])
    y, x = np.mgrid[0:24, 0:32] + 0.5
    values = np.exp(-((x - cells[0]) ** 2 + (y - cells[1]) ** 2) / (2 * 2.0**2)).astype(np.float32)
    on_image = map_grid_to_image(values, view)
    assert on_image.shape == IMAGE_SIZE
    place = grid_to_image(cells, view, grid_size)
    row, column = divmod(int(on_image.argmax()), IMAGE_SIZE[1])
    cell = np.linalg.norm(grid_to_image(cells + 0.5, view, grid_size) - place)
    assert np.hypot(column + 0.5 - place[0], row + 0.5 - place[1]) <= cell + 1
    # Values between cells are bilinear: exact for a linear ramp.
    ramp = (2 * x + 3 * y).astype(np.float32)
    seen = image_to_grid(pixel_centres(IMAGE_SIZE), view, grid_size)
    expected = 2 * seen[..., 0] + 3 * seen[..., 1]
    inner = well_inside(seen, grid_size, 0.6)
    assert inner.any()
    # OpenCV places samples to 1/32 of a cell.
    np.testing.assert_allclose(map_grid_to_image(ramp, view)[inner], expected[inner], atol=5 / 32)


def test_maps_are_filled_outside_their_view():
    view = around_box((100, 100), np.array([20.0, 20.0, 40.0, 40.0]), (32, 32), padding=1.0)
    on_image = map_grid_to_image(np.ones((8, 8), np.float32), view, fill=-1.0)
    assert (on_image[20:40, 20:40] == 1).all()
    assert on_image.sum() == 400 - (10_000 - 400)


def test_pixel_centres():
    centres = pixel_centres((2, 3))
    assert centres.shape == (2, 3, 2)
    assert centres[1, 2].tolist() == [2.5, 1.5]


def test_big_images_are_shrunk_without_touching_what_is_not_seen(monkeypatch):
    """A small box of a large photograph costs what the box costs."""
    sizes = []
    resize = cv2.resize

    def counted(image, *args, **kwargs):
        sizes.append(image.size)
        return resize(image, *args, **kwargs)

    monkeypatch.setattr(geometry.cv2, "resize", counted)
    image = np.zeros((3000, 3000), np.uint8)
    warp_image(image, around_box((3000, 3000), np.array([1000.3, 1000.2, 1200.3, 1200.2]), (64, 64)))
    assert sizes
    assert max(sizes) < 300**2


def _brute_grid(values, view, grid_size, num):
    """Cell means by dense sampling: what `map_image_to_grid` must come to."""
    points = pixel_centres((grid_size[0] * num, grid_size[1] * num)) / num
    x, y = np.floor(grid_to_image(points, view, grid_size)).astype(int).transpose(2, 0, 1)
    seen = (x >= 0) & (y >= 0) & (x < values.shape[1]) & (y < values.shape[0])
    found = np.where(seen, values[np.clip(y, 0, values.shape[0] - 1), np.clip(x, 0, values.shape[1] - 1)], np.nan)
    cells = found.reshape(grid_size[0], num, grid_size[1], num)
    known = np.isfinite(cells)
    share = known.mean((1, 3))
    return np.where(known, cells, 0).sum((1, 3)) / np.maximum(known.sum((1, 3)), 1), share


@pytest.mark.parametrize("turn", [0.0, 25.0])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_map_on_the_grid_is_the_mean_over_each_cell(turn, mirrored):
    rng = np.random.default_rng(0)
    values = rng.random((40, 56)).astype(np.float32)
    values[5:12, 20:33] = np.nan
    view = View((40, 56), (32, 48), translation(1.3, -0.7) @ rotation(turn, (28, 20)) @ scaling(0.91, 0.83))
    if mirrored:
        view = replace(view, matrix=mirroring(48.0) @ view.matrix, mirrored=True)
    means, share = map_image_to_grid(values, view, (8, 12))
    expected, area = _brute_grid(values, view, (8, 12), 60)
    tolerance = 0.01 if turn == 0 else 0.05
    np.testing.assert_allclose(share, area, atol=tolerance)
    assert (np.isnan(means) == (share == 0)).all()
    known = area > 0.2
    np.testing.assert_allclose(means[known], expected[known], atol=tolerance)


def test_a_map_on_the_grid_of_a_mirrored_view_is_the_flipped_map():
    values = np.random.default_rng(1).random((30, 44)).astype(np.float32)
    view = View((30, 44), (32, 48), translation(0.4, 0.2) @ scaling(1.07, 1.03))
    twin = replace(view, matrix=mirroring(48.0) @ view.matrix, mirrored=True)
    means, share = map_image_to_grid(values, view, (8, 12))
    flipped, flipped_share = map_image_to_grid(values, twin, (8, 12))
    np.testing.assert_allclose(flipped[:, ::-1], means, atol=1e-6)
    np.testing.assert_allclose(flipped_share[:, ::-1], share, atol=1e-6)
