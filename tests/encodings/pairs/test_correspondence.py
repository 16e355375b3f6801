"""Pairs of images: which ones, what is compared, and how well points are found again."""

import pickle
from functools import partial

import numpy as np
import pytest
import torch

from gensight.encodings.pairs.correspondence import Correspondence
from gensight.errors import ConfigError, DataError
from gensight.geometry import image_to_model
from gensight.readers.puppets import PuppetsReader
from gensight.readers.splits import Subset
from gensight.samples import Item, Relation, Sample, View
from gensight.transforms import Augmentation, augment_view, whole_frame
from tests.contracts.encoding import EncodingContract
from tests.encodings.pair_items import Listed, black, descriptor_map
from tests.tolerances import MATCHED_PX

SIZE = (96, 128)
TO_SECOND = np.array([[0.9, 0.1, 8.0], [-0.1, 0.9, 9.0], [0.0, 0.0, 1.0]])  # the second image, turned and smaller
SCALE = 8.0  # px in which descriptors change: 1.5 to 2 cells


def sample(key: str, group: str = "video", size: tuple[int, int] = SIZE) -> Sample:
    return Sample(key, size, partial(black, size), group=group)


def pair(points: np.ndarray, second: np.ndarray | None = None, keys: tuple[str, str] = ("a", "b")) -> Item:
    if second is None:
        second = points @ TO_SECOND[:2, :2].T + TO_SECOND[:2, 2]
    return Item((sample(keys[0]), sample(keys[1])), relation=Relation("tracks", np.stack([points, second])))


class TestCorrespondence(EncodingContract):
    def encoding(self):
        return Correspondence(num_points=16)

    def item(self, rng):
        return pair(rng.uniform([45, 35], [85, 65], (12, 2)))

    def answer(self, item, views):
        grid = self.encoding().grid_size(views[0].model_size)
        maps = [np.eye(3), np.linalg.inv(TO_SECOND)]
        return {
            "descriptors": torch.stack(
                [descriptor_map(view, grid, to_first, SCALE) for view, to_first in zip(views, maps, strict=True)]
            )
        }

    def built_items(self, item):
        return list(self.encoding().build_items(Listed(item.samples, own_pairs=[(0, 1)])))

    def assert_within_bound(self, prediction, item, view):
        error = image_to_model(prediction.matches.points, view) - image_to_model(item.relation.tracks[1], view)
        assert np.sqrt(np.mean(error**2)) < 0.15 * 4  # cells of 4 px
        assert (prediction.matches.confidence > 0.8).all()

    def test_only_points_in_both_frames_count(self, view):
        points = np.array([(40.0, 40.0), (50.0, 40.0), (60.0, 40.0), (5.0, 40.0)])
        second = np.array([(40.0, 50.0), (np.nan, np.nan), (124.0, 50.0), (30.0, 50.0)])
        zoomed = View(SIZE, self.model_size, np.array([[1.0, 0, -10], [0, 1, -10], [0, 0, 1]]))
        targets = self.encoding().encode(pair(points, second), (zoomed, zoomed))
        assert targets["descriptors"].shape == (2, 16, 2)
        assert targets["descriptors_weight"].tolist() == [1.0] + [0.0] * 15
        assert targets["descriptors"][:, 0].tolist() == [[30, 30], [30, 40]]
        assert (targets["descriptors"][:, 1:] == 0).all()

    def test_each_image_has_a_view_of_its_own(self, view):
        item = pair(np.array([(60.0, 50.0)]))
        other = View(SIZE, self.model_size, np.array([[-0.5, 0, 90], [0, 0.5, 3], [0, 0, 1]]), mirrored=True)
        points = self.encoding().encode(item, (view, other))["descriptors"][:, 0].numpy()
        np.testing.assert_allclose(points[0], image_to_model(item.relation.tracks[0, 0], view), atol=1e-4)
        np.testing.assert_allclose(points[1], image_to_model(item.relation.tracks[1, 0], other), atol=1e-4)

    def test_unknown_queries_stay_unknown_and_the_truth_is_not_read(self, rng, view):
        item = self.item(rng)
        queries = item.relation.tracks[0].copy()
        queries[3] = np.nan
        query_item = Item(item.samples, relation=Relation("tracks", np.stack([queries, np.full_like(queries, np.nan)])))
        outputs = self.answer(item, (view, view))
        full = self.encoding().decode(outputs, item, (view, view)).matches
        found = self.encoding().decode(outputs, query_item, (view, view)).matches
        assert np.isnan(found.points[3]).all()
        assert found.confidence[3] == 0
        kept = [np.delete(matches.points, 3, 0) for matches in (found, full)]
        np.testing.assert_allclose(*kept, atol=MATCHED_PX, rtol=0)

    def test_a_pair_without_tracks_has_no_matches(self, view):
        item = Item((sample("a"), sample("b")))
        outputs = {"descriptors": torch.rand(2, 8, 16, 24)}
        assert self.encoding().decode(outputs, item, (view, view)).matches is None


def test_matches_are_unbiased() -> None:
    rng = np.random.default_rng(0)
    contract = TestCorrespondence()
    errors = []
    for _ in range(30):
        item = contract.item(rng)
        views = tuple(
            augment_view(whole_frame(SIZE, (64, 96)), Augmentation(rotation=15, scale=(0.8, 1.1)), rng) for _ in (0, 1)
        )
        found = contract.encoding().decode(contract.answer(item, views), item, views).matches.points
        errors.append(image_to_model(found, views[1]) - image_to_model(item.relation.tracks[1], views[1]))
    errors = np.concatenate(errors) / 4
    assert np.abs(errors.mean(0)).max() < 0.02  # cells; the standard error is below 0.005
    assert np.sqrt((errors**2).mean()) < 0.1


def test_of_many_points_an_even_choice_is_kept() -> None:
    y, x = np.mgrid[2:94:3, 2:126:4].astype(float)
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    view = whole_frame(SIZE, SIZE)
    targets = Correspondence(num_points=64).encode(pair(points, points), (view, view))
    chosen = targets["descriptors"][0].numpy()
    assert targets["descriptors_weight"].sum() == 64
    assert len(np.unique(chosen, axis=0)) == 64
    # Each sixteenth of the image holds 4 of 64 points on average.
    counts = np.histogram2d(chosen[:, 1], chosen[:, 0], bins=4, range=[(0, 96), (0, 128)])[0]
    assert counts.min() >= 2
    assert counts.max() <= 6


class TestPose:
    def reader(self, lengths=(30, 5, 1)):
        groups = [f"v{number}" for number, length in enumerate(lengths) for _ in range(length)]
        return Listed([sample(f"{group}/{n}", group) for n, group in enumerate(groups)])

    def test_pairs_keep_the_distance_within_a_group(self):
        reader = self.reader()
        items = Correspondence(distance=(3, 8)).build_items(reader)
        assert len(items) == 30 + 4  # of 5 frames the middle one has no partner; of one frame none
        gaps = []
        for item in items:
            first, second = item.samples
            assert first.group == second.group
            gaps.append(int(second.key.split("/")[1]) - int(first.key.split("/")[1]))
        assert {abs(gap) for gap in gaps} == set(range(3, 9))
        assert min(gaps) < 0 < max(gaps)

    def test_relations_are_read_on_demand(self):
        reader = self.reader()
        items = Correspondence().build_items(reader)
        assert reader.num_relations_read <= 2  # whether there are any; the shape checks look at one item too
        num_before = reader.num_relations_read
        assert all(item.relation is not None for item in items)
        assert len(items) - 2 <= reader.num_relations_read - num_before <= len(items)  # relations are cached

    def test_pairs_depend_on_the_seed_and_repeat(self):
        keys = [[item.key for item in Correspondence(seed=seed).build_items(self.reader())] for seed in (1, 1, 2)]
        assert keys[0] == keys[1] != keys[2]

    def test_own_pairs_go_before_random_ones(self):
        reader = Listed(self.reader().samples, own_pairs=[(0, 40 - 5), (2, 1), (2, 1)])
        items = Correspondence().build_items(reader)
        assert [tuple(one.key for one in item.samples) for item in items] == [("v0/0", "v2/35"), ("v0/2", "v0/1")]

    def test_short_videos_are_refused_by_length(self):
        with pytest.raises(DataError) as caught:
            Correspondence(distance=(6, 23)).build_items(self.reader((5, 3)))
        assert caught.value.what == "no two images of one group are 6 to 23 frames apart"
        assert caught.value.where == "the longest group is `v0`: 5 images"

    def test_data_without_tracks_are_refused(self):
        with pytest.raises(DataError, match="has no correspondences between its images"):
            Correspondence().build_items(Listed(self.reader().samples, relations={}))

    def test_a_pair_that_nothing_joins_has_no_point_and_no_weight(self):
        known = {(0, 35): Relation("tracks", np.full((2, 1, 2), 9.0))}
        items = Correspondence().build_items(Listed(self.reader().samples, known, own_pairs=[(0, 35), (1, 2)]))
        view = whole_frame(SIZE, SIZE)
        encoding = Correspondence()
        assert [encoding.encode(item, (view, view))["descriptors_weight"].sum() for item in items] == [1, 0]
        matches = encoding.decode({"descriptors": torch.rand(2, 8, 24, 32)}, items[1], (view, view)).matches
        assert matches.points.shape == (0, 2)

    def test_items_can_be_pickled_and_sliced(self):
        items = Correspondence().build_items(self.reader())
        again = pickle.loads(pickle.dumps(items))
        assert [item.key for item in again[:3]] == [items[n].key for n in range(3)]
        assert items[-1].key == items[len(items) - 1].key


def test_puppets_give_pairs_with_points_in_both_images() -> None:
    reader = Subset(PuppetsReader(12, seed=3, size=(64, 64), truths=(), num_frames=6), range(6))
    encoding = Correspondence(distance=(1, 3), num_points=64)
    items = encoding.build_items(reader)
    assert len(items) == 6
    view = whole_frame((64, 64), (64, 64))
    assert all(encoding.encode(item, (view, view))["descriptors_weight"].sum() > 32 for item in items)


def test_tracks_outside_their_image_are_refused() -> None:
    view = whole_frame(SIZE, SIZE)
    item = pair(np.array([(10.0, 10.0), (130.0, 20.0)]), np.array([(10.0, 10.0), (20.0, 20.0)]))
    with pytest.raises(DataError, match=r"a tracked point lies outside of its image of 128 x 96: \(130.0, 20.0\)"):
        Correspondence().encode(item, (view, view))
    broken = Item(item.samples, relation=Relation("tracks", np.zeros((3, 5, 2))))
    with pytest.raises(DataError, match=r"tracks of a pair are \(2, num_points, 2\), got \(3, 5, 2\)"):
        Correspondence().encode(broken, (view, view))


def test_values_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"distance=\(5, 2\) is not a range"):
        Correspondence(distance=(5, 2))
    with pytest.raises(ConfigError, match="num_points must be positive, got 0"):
        Correspondence(num_points=0)
    with pytest.raises(ConfigError, match="not a whole number of descriptor cells of 4"):
        Correspondence().grid_size((66, 64))
