import json
from pathlib import Path

import numpy as np
import pytest
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil
from transformers.models.detr.image_processing_pil_detr import DetrImageProcessorPil
from transformers.models.dpt.image_processing_pil_dpt import DPTImageProcessorPil
from transformers.models.rt_detr.image_processing_pil_rt_detr import RTDetrImageProcessorPil
from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil
from transformers.models.zoedepth.image_processing_pil_zoedepth import ZoeDepthImageProcessorPil

from gensight.backbones.transformers_models import read_preprocessing
from gensight.errors import RunError
from gensight.geometry import image_to_model
from gensight.teachers.models.captions import CaptionTeacher
from gensight.teachers.models.depth import DepthTeacher
from gensight.teachers.models.detection import DetectionTeacher
from gensight.teachers.models.masks import SegmentAnything
from gensight.teachers.models.preprocessing import Preprocessing
from tests.teachers.samples import waves

SIZES = [(40, 60), (61, 37), (33, 100), (30, 30)]
CASES = {
    "detr": (DetrImageProcessorPil, {"size": {"shortest_edge": 48, "longest_edge": 80}}, DetectionTeacher, "detr"),
    "rt-detr": (RTDetrImageProcessorPil, {"size": {"height": 64, "width": 48}}, DetectionTeacher, "rt_detr"),
    "sam": (
        SamImageProcessorPil,
        {"size": {"longest_edge": 64}, "pad_size": {"height": 64, "width": 64}},
        SegmentAnything,
        "sam",
    ),
    "dpt": (DPTImageProcessorPil, {"size": {"height": 64, "width": 48}}, DepthTeacher, "dpt"),
    "depth-anything": (
        DPTImageProcessorPil,
        {"size": {"height": 56, "width": 56}, "keep_aspect_ratio": True, "ensure_multiple_of": 14},
        DepthTeacher,
        "depth_anything",
    ),
    "zoedepth": (
        ZoeDepthImageProcessorPil,
        {"size": {"height": 64, "width": 96}, "ensure_multiple_of": 32},
        DepthTeacher,
        "zoedepth",
    ),
    "blip": (BlipImageProcessorPil, {"size": {"height": 32, "width": 48}}, CaptionTeacher, "blip"),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("size", SIZES)
def test_pixels_are_those_of_the_libraries_own_processors(case, size, tmp_path):
    kind, options, teacher, family = CASES[case]
    processor = kind(**options)
    processor.save_pretrained(tmp_path)
    ours, view = Preprocessing.of(teacher.preprocessing_values(tmp_path, family), tmp_path)(waves(size))
    theirs = processor(waves(size), return_tensors="pt")["pixel_values"]
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert tuple(ours.shape[-2:]) == view.model_size
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=2e-5)


@pytest.mark.parametrize("case", ["detr", "sam", "depth-anything", "zoedepth"])
def test_the_view_maps_pixels_back(case, tmp_path):
    """A bright square's centre of mass lies where the view maps it to."""
    kind, options, teacher, family = CASES[case]
    if case == "zoedepth":  # it shrinks without smoothing, so only a grown picture keeps its centre of mass
        options = {**options, "size": {"height": 384, "width": 512}}
    kind(**options).save_pretrained(tmp_path)
    preprocessing = Preprocessing.of(teacher.preprocessing_values(tmp_path, family), tmp_path)
    image = np.zeros((120, 200, 3), np.uint8)
    dark, _ = preprocessing(image)
    image[40:60, 100:140] = 255
    values, view = preprocessing(image)
    mass = (values - dark).numpy()[0].sum(0)
    y, x = np.mgrid[0 : mass.shape[0], 0 : mass.shape[1]] + 0.5
    centre = [(mass * x).sum() / mass.sum(), (mass * y).sum() / mass.sum()]
    np.testing.assert_allclose(image_to_model(np.array([120.0, 50.0]), view), centre, atol=0.02)


def test_older_files_name_one_number(tmp_path):
    base = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    square = Preprocessing.of({**base, "size": 384}, tmp_path)
    assert square.target_size((100, 300)) == (384, 384)
    edges = Preprocessing.of({**base, "size": 800, "max_size": 1333}, tmp_path)
    assert edges.target_size((480, 640)) == (800, 1066)
    assert edges.target_size((100, 300)) == (444, 1333)


def test_newer_files_hold_it_under_the_processor(tmp_path):
    (tmp_path / "processor_config.json").write_text(json.dumps({"image_processor": {"size": {"longest_edge": 7}}}))
    assert read_preprocessing(tmp_path, {"resample": 3}) == {"resample": 3, "size": {"longest_edge": 7}}


def test_a_folder_without_a_file_takes_the_familys_values(tmp_path):
    assert read_preprocessing(tmp_path, {"size": 3}) == {"size": 3}


def test_what_cannot_be_followed_is_refused(tmp_path):
    with pytest.raises(RunError, match="can't be followed"):
        Preprocessing.of({"do_center_crop": True}, tmp_path)
    with pytest.raises(RunError, match="KeyError\\('size'\\)"):
        Preprocessing.of({"image_mean": [0.5] * 3, "image_std": [0.5] * 3}, tmp_path)
    (tmp_path / "preprocessor_config.json").write_text("{")
    with pytest.raises(RunError, match="not valid JSON"):
        read_preprocessing(Path(tmp_path), {})
