"""What a pretraining learns from."""

from gensight.assembly.pretraining import build_images
from gensight.config.pretrain import PretrainConfig
from gensight.readers.puppets import PuppetsReader


def test_puppets_are_those_of_the_data_section() -> None:
    data = {"kind": "puppets", "num_train": 6, "size": [32, 48], "num_subjects": [2, 2], "num_frames": 3, "seed": 5}
    images = build_images(PretrainConfig.model_validate({"name": "p", "description": "", "data": data}))
    assert isinstance(images, PuppetsReader)
    assert (len(images), images.size, images.num_subjects, images.num_frames) == (6, (32, 48), (2, 2), 3)
    assert images.truths == ("caption",)
