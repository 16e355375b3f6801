"""Contract tests of readers: inherit `ReaderContract`, give it a `reader` fixture, and get these tests.

A reader's test class gives:
- `reader`: a fixture with a small data set of at least two samples.
- `write`: where a writer of the format exists, a method that writes samples into a folder and opens them again.
"""

import pickle
from pathlib import Path

import numpy as np
import pytest

from gensight.readers.base import Reader, Summary
from gensight.samples import Instance, Keypoints, Sample, Visibility


class ReaderContract:
    """Ten tests that every reader inherits."""

    @pytest.fixture
    def reader(self) -> Reader:
        raise NotImplementedError("a reader's test class gives a `reader` fixture")

    def write(self, samples: list[Sample], root: Path) -> Reader | None:
        """The samples, written in the format and opened again; None where the format has no writer."""
        return None

    def test_its_metadata(self, reader):
        assert reader.name
        assert isinstance(reader.categories, tuple)
        assert reader.folder is None or reader.folder.is_dir()

    def test_length_and_indexing_agree(self, reader):
        assert len(reader) >= 2
        keys = [sample.key for sample in reader]
        assert len(keys) == len(reader)
        assert reader[0].key == keys[0]
        assert reader[-1].key == keys[-1]
        assert [sample.key for sample in reader[:2]] == keys[:2]
        assert [sample.key for sample in reader[::-1]] == keys[::-1]

    @pytest.mark.parametrize("beyond", [0, -1])
    def test_an_index_outside_is_refused(self, reader, beyond):
        index = len(reader) if beyond == 0 else -len(reader) - 1
        with pytest.raises(IndexError):
            reader[index]

    def test_keys_are_unique_and_stable(self, reader):
        keys = [sample.key for sample in reader]
        assert len(set(keys)) == len(keys)
        assert keys == [sample.key for sample in reader]

    def test_groups_agree_with_the_samples(self, reader):
        assert reader.groups == [sample.group for sample in reader]

    def test_images_are_upright_uint8_rgb_of_the_stated_size(self, reader):
        for sample in (reader[0], reader[-1]):
            image = sample.image()
            assert image.dtype == np.uint8
            assert image.shape == (*sample.size, 3)
            np.testing.assert_array_equal(image, sample.image())

    def test_building_a_sample_reads_no_pixels(self, reader, monkeypatch):
        def fail(*_: object) -> None:
            raise AssertionError("pixels were read")

        monkeypatch.setattr("PIL.Image.Image.load", fail)
        monkeypatch.setattr("av.VideoFrame.to_ndarray", fail)
        assert reader[0].key

    def test_labels_keep_to_the_conventions(self, reader):
        for sample in reader:
            assert sample.instances is None or isinstance(sample.instances, tuple)
            for instance in sample.instances or ():
                self.check_instance(instance, reader, sample)

    def check_instance(self, instance: Instance, reader: Reader, sample: Sample) -> None:
        assert instance.category in reader.categories
        if instance.box is not None:
            assert instance.box.shape == (4,)
            assert instance.box.dtype == np.float64
            assert np.isfinite(instance.box).all()
        if instance.mask is not None:
            mask = instance.mask()
            assert mask.dtype == bool
            assert mask.shape == sample.size
        if instance.keypoints is not None:
            keypoints = instance.keypoints
            assert reader.skeleton is not None
            assert keypoints.skeleton.keypoints == reader.skeleton.keypoints
            assert keypoints.points.shape == (len(reader.skeleton), 2)
            assert keypoints.points.dtype == np.float64
            assert keypoints.visibility.dtype == np.int8
            assert set(keypoints.visibility.tolist()) <= set(Visibility)
            assert keypoints.confidence.dtype == np.float32
            np.testing.assert_array_equal(np.isfinite(keypoints.points).all(1), keypoints.located)

    def test_readers_and_samples_can_be_pickled(self, reader):
        copy = pickle.loads(pickle.dumps(reader))
        assert [sample.key for sample in copy] == [sample.key for sample in reader]
        sample = pickle.loads(pickle.dumps(reader[-1]))
        np.testing.assert_array_equal(sample.image(), reader[-1].image())

    def test_check_reports_what_is_there(self, reader):
        summary = reader.check()
        assert isinstance(summary, Summary)
        assert summary.num_samples == len(reader)
        assert summary.num_instances == sum(len(sample.instances or ()) for sample in reader)
        assert not [finding for finding in summary.findings if finding.level == "error"]

    def test_written_samples_read_back_the_same(self, reader, tmp_path):
        samples = list(reader)[:4]
        again = self.write(samples, tmp_path / "written")
        if again is None:
            pytest.skip("this format has no writer")
        assert len(again) == len(samples)
        for sample in samples:
            other = next(found for found in again if found.key.removesuffix(".png") == sample.key.removesuffix(".png"))
            np.testing.assert_array_equal(other.image(), sample.image())
            self.compare(sample, other)

    def compare(self, sample: Sample, other: Sample) -> None:
        """What the format keeps of a sample's labels; a reader whose format keeps less overrides it."""
        assert sample.instances is not None
        assert other.instances is not None
        assert len(sample.instances) == len(other.instances)
        for a, b in zip(sample.instances, other.instances, strict=True):
            assert (a.category, a.identity, a.is_crowd, a.id) == (b.category, b.identity, b.is_crowd, b.id)
            assert (a.box is None) == (b.box is None)
            if a.box is not None and b.box is not None:
                np.testing.assert_allclose(a.box, b.box, atol=1e-9)
            if a.area is not None:
                assert b.area == pytest.approx(a.area)
            if a.mask is not None and b.mask is not None:
                np.testing.assert_array_equal(a.mask(), b.mask())
            assert (a.keypoints is None) == (b.keypoints is None)
            if a.keypoints is not None and b.keypoints is not None:
                self.compare_keypoints(a.keypoints, b.keypoints)

    def compare_keypoints(self, a: Keypoints, b: Keypoints) -> None:
        assert a.skeleton == b.skeleton
        np.testing.assert_array_equal(a.visibility, b.visibility)
        np.testing.assert_allclose(a.points, b.points, atol=1e-9)
