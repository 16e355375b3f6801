"""Masks are decoded and encoded exactly as pycocotools does it."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as reference

from gensight.readers.coco.rle import compress, decode_mask, decompress, encode_mask, mask_to_runs, runs_to_mask

SIZE = (30, 41)


@given(st.lists(st.tuples(st.floats(-10, 60), st.floats(-10, 60)), min_size=3, max_size=12))
@settings(max_examples=40, deadline=None)
def test_polygons(points):
    polygon = np.array(points).reshape(-1).tolist()
    expected = reference.decode(reference.frPyObjects([polygon], *SIZE))[..., 0]
    np.testing.assert_array_equal(decode_mask([polygon], SIZE), expected.astype(bool))


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.1, 0.5, 0.95, 1.0]))
@settings(max_examples=50, deadline=None)
def test_runs(seed, density):
    mask = np.random.default_rng(seed).random(SIZE) < density
    expected = reference.encode(np.asfortranarray(mask.astype(np.uint8)))
    written = encode_mask(mask)
    assert written == {"size": list(SIZE), "counts": expected["counts"].decode()}
    np.testing.assert_array_equal(decode_mask(written, SIZE), mask)
    np.testing.assert_array_equal(decode_mask({"size": list(SIZE), "counts": mask_to_runs(mask)}, SIZE), mask)


@given(st.lists(st.integers(0, 10**7), max_size=20))
@settings(max_examples=50, deadline=None)
def test_text_of_counts(counts):
    assert decompress(compress(counts)) == counts


def test_by_hand():
    mask = np.array([[0, 1], [1, 1]], bool)
    assert mask_to_runs(mask) == [1, 3]
    np.testing.assert_array_equal(runs_to_mask([1, 3], (2, 2)), mask)


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="runs of 5 pixels for an image of 4"):
        runs_to_mask([1, 4], (2, 2))
    with pytest.raises(ValueError, match=r"the mask's size is \[3, 3\], its image's \[2, 2\]"):
        decode_mask({"size": [3, 3], "counts": [9]}, (2, 2))
    with pytest.raises(ValueError, match="neither polygons nor runs"):
        decode_mask("text", (2, 2))


def test_real_masks(shared_data):
    labels = json.loads((shared_data / "coco_mini" / "annotations" / "person_keypoints_val2017.json").read_text())
    sizes = {image["id"]: (image["height"], image["width"]) for image in labels["images"]}
    for annotation in labels["annotations"]:
        size, segmentation = sizes[annotation["image_id"]], annotation["segmentation"]
        runs = reference.frPyObjects(segmentation, *size)
        expected = reference.decode(reference.merge(runs) if isinstance(runs, list) else runs)
        np.testing.assert_array_equal(decode_mask(segmentation, size), expected.astype(bool))
