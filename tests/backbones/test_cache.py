import multiprocessing
import pickle
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from gensight.backbones import cache as module
from gensight.backbones.cache import FeatureCache, cached_features
from gensight.backbones.diffusion import load_diffusion
from gensight.backbones.scratch import ScratchEncoder
from gensight.encodings.base import Encoding
from gensight.errors import ConfigError, ResourceError, RunError
from gensight.loading.cases import Cases, stack_images
from gensight.loading.draw_order import Draw, DrawOrder
from gensight.loading.stream import CaseBatches, each_once
from gensight.loading.views import ViewPolicy
from gensight.readers.base import Reader, Summary
from gensight.samples import Item, Sample
from gensight.transforms.augmentation import Augmentation
from tests.pipelines import save_pipeline

AUGMENTATION = Augmentation(rotation=30.0, scale=(0.8, 1.2), brightness=0.3)


def _pixels(seed):
    return np.random.default_rng(seed).integers(0, 256, (40, 60, 3), dtype=np.uint8)


class _Noise(Reader):
    name = "noise"

    def __init__(self, count=5, shift=0):
        self.count, self.shift = count, shift

    def __len__(self):
        return self.count

    def sample(self, index):
        return Sample(str(index), (40, 60), partial(_pixels, index + self.shift))

    def check(self):
        return Summary(self.count, 0, ())


class _Nothing(Encoding):
    name = "nothing"

    @property
    def outputs(self):
        return {}

    def items(self, sample):
        return [Item((sample,))]

    def grid_size(self, model_size):
        return model_size

    def encode(self, item, views):
        return {}

    def decode(self, outputs, item, views):
        raise NotImplementedError


def cases(count=5, shift=0, size=(32, 48), **options):
    return Cases(_Noise(count, shift), _Nothing(), ViewPolicy(size), **options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_pipeline(tmp_path_factory.mktemp("pipeline") / "sd")


@pytest.fixture(scope="module")
def backbone(folder):
    return load_diffusion(folder)


@pytest.fixture
def counted(backbone, monkeypatch):
    """Images that the backbone has seen."""
    seen, real = [], backbone.features

    def features(images, **options):
        seen.extend(images)
        return real(images, **options)

    monkeypatch.setattr(backbone, "features", features)
    return seen


def fill(root, backbone, its_cases, num_views=1, **options):
    return cached_features(FeatureCache(root, backbone), its_cases, num_views, batch_size=2, **options)


def test_what_comes_back_is_what_the_backbone_says(tmp_path, backbone):
    its_cases = cases()
    source = fill(tmp_path, backbone, its_cases)
    for index in range(5):
        images = stack_images([its_cases[Draw(index, 0, 0)].images[0]])
        expected, cached = backbone.features(images), source(index, 0)
        assert list(cached) == [*expected.maps, "time_embedding"]
        for name, maps in expected.maps.items():
            assert cached[name].dtype == torch.float16
            torch.testing.assert_close(cached[name].float(), maps[0], rtol=2e-3, atol=2e-4)
        torch.testing.assert_close(cached["time_embedding"].float(), expected.time_embedding[0], rtol=2e-3, atol=2e-4)


def test_a_second_filling_runs_nothing(tmp_path, backbone, counted):
    fill(tmp_path, backbone, cases())
    assert len(counted) == 5
    fill(tmp_path, backbone, cases())
    fill(tmp_path, backbone, cases(3))
    assert len(counted) == 5
    fill(tmp_path, backbone, cases(7))
    assert len(counted) == 7


def test_fixed_augmented_views(tmp_path, backbone, counted):
    its_cases = cases(augmentation=AUGMENTATION, num_views=3, seed=1)
    source = fill(tmp_path, backbone, its_cases, 3)
    assert len(counted) == 15
    for index, view in [(0, 0), (0, 2), (4, 1)]:
        # The key of a draw changes at each step; the fixed view must not.
        images = stack_images([its_cases[Draw(index, view, 99 + index)].images[0]])
        expected = backbone.features(images).maps["up_blocks.3.resnets.2"][0]
        torch.testing.assert_close(source(index, view)["up_blocks.3.resnets.2"].float(), expected, rtol=2e-3, atol=2e-4)
    assert not torch.equal(source(0, 0)["up_blocks.0.resnets.0"], source(0, 1)["up_blocks.0.resnets.0"])


@pytest.mark.parametrize(
    "other",
    [
        {"shift": 100},
        {"augmentation": AUGMENTATION, "num_views": 1},
        {"augmentation": AUGMENTATION, "num_views": 1, "seed": 1},
        {"augmentation": replace(AUGMENTATION, rotation=31.0), "num_views": 1},
        {"size": (32, 40)},
    ],
)
def test_everything_that_features_depend_on_is_in_the_key(tmp_path, backbone, counted, other):
    fill(tmp_path, backbone, cases(2))
    fill(tmp_path, backbone, cases(2, augmentation=AUGMENTATION, num_views=1, seed=2))
    assert len(counted) == 4
    fill(tmp_path, backbone, cases(2, **other))
    assert len(counted) == 6


def test_other_backbones_have_other_records(tmp_path, folder, backbone):
    others = [{"timestep": 2}, {"layers": ["up_blocks.1.resnets.0"]}, {"random_weights": True, "seed": 5}]
    caches = [FeatureCache(tmp_path, b) for b in (backbone, *(load_diffusion(folder, **o) for o in others))]
    assert len({cache.folder for cache in caches}) == 4


def test_the_files_content_is_in_the_key(tmp_path, backbone, counted):
    file = tmp_path / "image"
    its_cases = cases(1)
    sample = replace(its_cases.reader.sample(0), path=str(file))
    its_cases.reader.sample = lambda index: sample
    for content in (b"one", b"two", b"one"):
        file.write_bytes(content)
        fill(tmp_path / "cache", backbone, its_cases)
    assert len(counted) == 2


def test_an_interrupted_filling_goes_on(tmp_path, backbone, monkeypatch):
    real, calls = backbone.features, []

    def interrupted(images, **options):
        calls.append(len(images))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(images, **options)

    monkeypatch.setattr(backbone, "features", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path, backbone, cases())
    fill(tmp_path, backbone, cases())
    assert calls == [2, 2, 2, 1]


def test_size_is_told_before_filling(tmp_path, backbone, monkeypatch, capsys):
    cache = FeatureCache(tmp_path, backbone)
    values = sum(c * h * w for _, c, (h, w) in backbone.layer_table((32, 48))) + backbone.time_channels
    assert 0 <= cache.num_bytes((32, 48), 10) - 10 * 2 * values < 10 * 64 * 13
    fill(tmp_path, backbone, cases())
    total = sum(file.stat().st_size for file in cache.folder.rglob("*.data"))
    assert total == cache.num_bytes((32, 48), 5)
    assert f"cache features ({total / 1e6:.2f} MB)" in capsys.readouterr().err


def test_a_disk_without_room_is_found_first(tmp_path, backbone, counted, monkeypatch):
    monkeypatch.setattr(FeatureCache, "num_bytes", lambda self, size, count: 10**16)
    with pytest.raises(ResourceError, match="are needed on disk"):
        fill(tmp_path, backbone, cases())
    assert not counted


def test_a_trained_backbone_is_refused(tmp_path, folder):
    for trained in (ScratchEncoder((8, 8, 8)), load_diffusion(folder, trainable="lora")):
        with pytest.raises(ConfigError, match="features of a backbone that is trained change at every step"):
            FeatureCache(tmp_path, trained)


def test_unfixed_augmentation_is_refused(tmp_path, backbone):
    with pytest.raises(ConfigError, match="views that are augmented anew at each draw can't be cached"):
        fill(tmp_path, backbone, cases(augmentation=AUGMENTATION))


def test_features_beyond_half_precision_are_refused(tmp_path, backbone, monkeypatch):
    real = backbone.features

    def huge(images, **options):
        features = real(images, **options)
        features.maps["up_blocks.0.resnets.0"].mul_(1e9)
        return features

    monkeypatch.setattr(backbone, "features", huge)
    with pytest.raises(RunError, match=r"exceed half precision and can't be cached: up_blocks\.0\.resnets\.0\n"):
        fill(tmp_path, backbone, cases())


def test_damage_is_named(tmp_path, backbone):
    source = fill(tmp_path, backbone, cases(1))
    [data] = tmp_path.rglob("*.data")
    data.write_bytes(b"\1" * data.stat().st_size)
    with pytest.raises(RunError, match="lacks a record, or it was damaged"):
        pickle.loads(pickle.dumps(source))(0, 0)


def test_filling_leaves_the_backbone_differentiable(tmp_path, folder):
    backbone = load_diffusion(folder)
    with torch.inference_mode():
        backbone.features(torch.rand(1, 3, 32, 48))
    images = torch.rand(1, 3, 32, 48, requires_grad=True)
    backbone.features(images).maps["up_blocks.3.resnets.2"].mean().backward()
    assert images.grad.abs().sum() > 0


@pytest.mark.parametrize("num_workers", [0, 2])
def test_batches_carry_cached_features(tmp_path, backbone, num_workers):
    source = fill(tmp_path, backbone, cases())
    its_cases = cases(features=source)
    [first, *_] = each_once(its_cases, batch_size=4, num_workers=num_workers)
    assert first.images == ()
    assert first.features[0]["up_blocks.3.resnets.2"].shape == (4, 8, 4, 6)
    batch = next(iter(CaseBatches(its_cases, DrawOrder(5, 3, 0)).from_step(0, num_workers=num_workers)))
    assert batch.features[0]["time_embedding"].shape == (3, backbone.time_channels)


def _fill_in_a_process(root, folder):
    torch.set_num_threads(1)
    fill(root, load_diffusion(folder), cases(12))


def test_several_processes_fill_one_cache(tmp_path, folder, backbone):
    context = multiprocessing.get_context("spawn" if torch.cuda.is_available() else "fork")
    processes = [context.Process(target=_fill_in_a_process, args=(tmp_path, folder)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    cache = FeatureCache(tmp_path, backbone)
    assert len(cache.store((32, 48))) == 12
    total = sum(file.stat().st_size for file in cache.folder.rglob("*.data"))
    assert total == cache.num_bytes((32, 48), 12)  # nothing was computed twice


def test_version_is_in_the_key(tmp_path, backbone, counted, monkeypatch):
    fill(tmp_path, backbone, cases(1))
    monkeypatch.setattr(module, "VERSION", 0)
    fill(tmp_path, backbone, cases(1))
    assert len(counted) == 2
