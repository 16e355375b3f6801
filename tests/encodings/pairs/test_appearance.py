"""Triplets: their images, the compared regions, and the predicted similarities."""

import pickle
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from gensight.encodings.pairs.appearance import Appearance, image_region
from gensight.errors import ConfigError, DataError
from gensight.readers.puppets import PuppetsReader
from gensight.samples import Array, Instance, Item, Relation, Sample, View
from gensight.transforms import mirror_view, whole_frame
from tests.contracts.encoding import EncodingContract
from tests.encodings.pair_items import Listed, black

SIZE = (96, 128)
BOXES = np.array([(16.0, 16, 64, 64), (48, 32, 96, 80), (32, 16, 80, 80)])


def filled(box: Array) -> Array:
    mask = np.zeros(SIZE, bool)
    mask[int(box[1]) : int(box[3]), int(box[0]) : int(box[2])] = True
    return mask


def instance(box=BOXES[0], identity: str | None = None, category: str = "dog") -> Instance:
    return Instance(category, np.array(box, dtype=np.float64), mask=partial(filled, box), identity=identity)


def sample(key: str, group: str, *instances: Instance, **extras) -> Sample:
    return Sample(key, SIZE, partial(black, SIZE), instances, group=group, extras=extras)


def triplet(region: str = "image") -> Item:
    shown = [sample(key, group, instance(box)) for key, group, box in zip("abc", "vvw", BOXES, strict=True)]
    if region == "image":
        return Item(tuple(shown), relation=Relation("triplet"))
    return Item(tuple(shown), 0, relation=Relation("triplet", boxes=BOXES))


def videos(num_videos=3, length=6, **fields) -> Listed:
    return Listed(
        [
            sample(f"{v}/{n}", f"v{v}", instance(identity=f"dog{v}"), **fields)
            for v in range(num_videos)
            for n in range(length)
        ]
    )


class AppearanceContract(EncodingContract):
    """Descriptors that tell the subjects from their surroundings, and the third image from the others."""

    region = "image"

    def encoding(self):
        return Appearance(stride=8, region=self.region)

    def item(self, rng):
        return triplet(self.region)

    def answer(self, item, views):
        encoding = Appearance(stride=8, region="box")
        boxed = Item(item.samples, 0, relation=item.relation)
        regions = encoding.encode(boxed, views)["descriptors"]
        if self.region == "image":
            regions = torch.ones_like(regions)
        kinds = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.6, 0.8]])
        around = torch.nn.functional.one_hot(torch.tensor([2, 3, 4]), 5).float()
        inside = torch.nn.functional.pad(kinds, (0, 3))
        maps = inside[:, :, None, None] * regions[:, None] + around[:, :, None, None] * (1 - regions[:, None])
        return {"descriptors": torch.nn.functional.normalize(maps, dim=1)}

    def built_items(self, item):
        samples = [sample(one.key, one.group, *one.instances) for one in item.samples]
        return list(self.encoding().build_items(Listed(samples)))

    def assert_within_bound(self, prediction, item, view):
        near, far = prediction.similarities
        # Cells on the rim of a region hold some of what is around it.
        assert near == pytest.approx(1, abs=0.05)
        assert far == pytest.approx(0.6, abs=0.05)


class TestWholeImage(AppearanceContract):
    def test_regions_leave_out_what_lies_beside_the_image(self):
        view = whole_frame(SIZE, (64, 64))  # 128 x 96 in a square: bars above and below
        regions = self.encoding().encode(triplet(), (view,) * 3)["descriptors"]
        assert regions.shape == (1, 8, 8)
        assert regions[0].sum(1).tolist() == [0, 8, 8, 8, 8, 8, 8, 0]

    def test_the_common_part_of_three_views_is_compared(self, view):
        right = View(SIZE, (64, 96), np.array([[0.75, 0, 24], [0, 2 / 3, 0], [0, 0, 1]]))
        regions = self.encoding().encode(triplet(), (view, view, right))["descriptors"]
        assert (regions[0, :, :3] == 0).all()  # 24 of 96 px
        assert (regions[0, :, 4:-1] == 1).all()


class TestBox(AppearanceContract):
    region = "box"

    def test_each_region_is_its_box(self):
        view = View(SIZE, SIZE, np.eye(3))
        targets = self.encoding().encode(triplet("box"), (view,) * 3)
        assert targets["descriptors"].shape == (3, 12, 16)
        for region, box in zip(targets["descriptors"], BOXES / 8, strict=True):
            expected = np.zeros((12, 16), np.float32)
            expected[int(box[1]) : int(box[3]), int(box[0]) : int(box[2])] = 1
            np.testing.assert_array_equal(region.numpy(), expected)
        assert targets["descriptors_weight"].tolist() == [1]

    def test_a_subject_out_of_view_has_no_weight_and_no_similarity(self, view):
        away = View(SIZE, (64, 96), np.array([[1.0, 0, 500], [0, 1, 0], [0, 0, 1]]))
        views = (view, away, view)
        assert self.encoding().encode(triplet("box"), views)["descriptors_weight"].tolist() == [0]
        outputs = self.answer(triplet("box"), (view,) * 3)
        assert self.encoding().decode(outputs, triplet("box"), views).similarities[0] == 0

    def test_images_of_unknown_subjects_are_compared_as_wholes(self, view):
        samples = tuple(replace(one, instances=None) for one in triplet().samples)
        item = Item(samples, relation=Relation("triplet"))
        targets = self.encoding().encode(item, (view,) * 3)
        assert targets["descriptors_weight"].tolist() == [0]
        assert (targets["descriptors"][:, 1:-1, 1:-1] == 1).all()


class TestMask(AppearanceContract):
    region = "mask"


class TestPose:
    def test_anchor_and_positive_share_a_group_and_the_negative_does_not(self):
        items = Appearance(distance=(2, 3)).build_items(videos())
        assert len(items) == 18
        assert len({item.key for item in items}) == 18
        for item in items:
            anchor, positive, negative = item.samples
            assert anchor.group == positive.group != negative.group
            assert 2 <= abs(int(anchor.key[2:]) - int(positive.key[2:])) <= 3
        assert items[0].instance is None
        assert items[0].relation.kind == "triplet"
        assert items[0].relation.boxes is None

    def test_the_seed_draws_and_repeats(self):
        keys = [[item.key for item in Appearance(seed=seed).build_items(videos())] for seed in (1, 1, 2)]
        assert keys[0] == keys[1] != keys[2]

    def test_subjects_are_found_again_by_identity(self):
        boxes = [np.array((8.0 * n, 8, 8 * n + 24, 40)) for n in range(4)]
        reader = Listed(
            [
                sample("a0", "a", instance(boxes[0], "x"), instance(boxes[1], "y")),
                sample("a1", "a", instance(boxes[2], "y"), instance(boxes[3], "x")),
                sample("b0", "b", instance(boxes[0], "z", "cat")),
                sample("c0", "c", instance(boxes[0], "w")),
            ]
        )
        items = list(Appearance(region="box").build_items(reader))
        assert [(item.key, item.instance) for item in items] == [
            ("a0+a1+c0|0", 0),
            ("a0+a1+c0|1", 1),
            ("a1+a0+c0|0", 0),
            ("a1+a0+c0|1", 1),
        ]
        np.testing.assert_array_equal(items[0].relation.boxes, np.stack([boxes[0], boxes[3], boxes[0]]))
        np.testing.assert_array_equal(items[1].relation.boxes, np.stack([boxes[1], boxes[2], boxes[0]]))
        assert [one.identity for one in items[0].samples[1].instances] == ["x"]

    def test_without_identities_the_only_one_of_a_category_is_the_same(self):
        reader = Listed(
            [
                sample("a0", "a", instance(category="cat"), instance()),
                sample("a1", "a", instance(), instance(BOXES[1])),
                sample("a2", "a", instance(BOXES[2])),
                sample("b0", "b", instance()),
            ]
        )
        items = list(Appearance(region="mask").build_items(reader))
        assert [item.key for item in items] == ["a0+a2+b0|1", "a2+a0+b0|0"]
        assert [image_region(items[0], slot, "mask").sum() for slot in range(3)] == [
            filled(box).sum() for box in (BOXES[0], BOXES[2], BOXES[0])
        ]

    def test_variants_are_negatives_and_nothing_else(self):
        samples = videos(2, 3).samples
        copies = [sample(f"{one.key}-copy", one.group, variant_of=one.key) for one in samples[:2]]
        items = list(Appearance(negative="variant").build_items(Listed([*samples, *copies])))
        assert [(item.samples[0].key, item.samples[2].key) for item in items] == [
            ("0/0", "0/0-copy"),
            ("0/1", "0/1-copy"),
        ]
        others = list(Appearance().build_items(Listed([*samples, *copies])))
        assert not any("copy" in item.key for item in others)
        (boxed, _) = Appearance(region="box", negative="variant").build_items(Listed([*samples, *copies]))
        np.testing.assert_array_equal(boxed.relation.boxes, np.stack([BOXES[0]] * 3))  # as in its anchor

    def test_varied_colours_are_random_for_each_image_and_repeat(self):
        reader = PuppetsReader(8, size=(32, 48), num_frames=2)
        plain = Appearance(seed=3).build_items(reader)[2]
        varied = Appearance(seed=3, colours="varied").build_items(reader)
        item, again = varied[2], pickle.loads(pickle.dumps(varied))[2 - len(varied)]
        assert item.key == plain.key
        changes = []
        for own, lit, same in zip(plain.samples, item.samples, again.samples, strict=True):
            np.testing.assert_array_equal(lit.image(), same.image())
            assert lit.path is None  # its pixels are not those of a file: features are kept by the pixels
            assert np.corrcoef(own.image().mean(2).ravel(), lit.image().mean(2).ravel())[0, 1] > 0.7  # the same picture
            changes.append(lit.image().mean((0, 1)) - own.image().mean((0, 1)))
        assert np.abs(changes[0] - changes[1]).max() > 5  # each in a light of its own
        other = Appearance(seed=4, colours="varied").build_items(reader)[2]
        assert (other.sample.image() != item.sample.image()).any()

    def test_items_can_be_pickled(self):
        items = Appearance(region="box").build_items(videos())
        assert [item.key for item in pickle.loads(pickle.dumps(items))[:3]] == [item.key for item in items[:3]]

    @pytest.mark.parametrize(
        ("reader", "fields", "what"),
        [
            (videos(2, 3), {"distance": (4, 9)}, "no two images of one group are 4 to 9 frames apart"),
            (videos(1, 3), {}, "all images belong to one group, so nothing is known to look different"),
            (videos(2, 3), {"negative": "variant"}, "no image of this data set is a variant of another"),
            (
                Listed([sample(f"{g}{n}", g, instance(), instance()) for g in "ab" for n in range(2)]),
                {"region": "box"},
                "no subject of this data set has a box",
            ),
            (
                Listed([sample(f"{g}{n}", g, instance(identity=f"{g}{n}")) for g in "ab" for n in range(2)]),
                {"region": "mask"},
                "no subject with a mask is found again in another image of its group",
            ),
        ],
    )
    def test_the_error_states_what_the_data_set_lacks(self, reader, fields, what):
        with pytest.raises(DataError) as caught:
            Appearance(**fields).build_items(reader)
        assert caught.value.what == what


@pytest.mark.parametrize("region", ["image", "mask"])
def test_puppets_give_triplets(region) -> None:
    reader = PuppetsReader(6, seed=3, size=(64, 64), truths=("boxes", "masks", "identity"), num_frames=3)
    encoding = Appearance(region=region)
    items = encoding.build_items(reader)
    view = whole_frame((64, 64), (64, 64))
    assert len(items) >= 4
    weights = [encoding.encode(item, (view, view, mirror_view(view)))["descriptors_weight"].item() for item in items]
    assert np.mean(weights) > 0.8


def test_values_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"distance=\(0, 2\) is not a range"):
        Appearance(distance=(0, 2))
    with pytest.raises(ConfigError, match="at least 1 model pixel per cell, got 0"):
        Appearance(stride=0)
