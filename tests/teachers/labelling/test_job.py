"""The labelling job: never twice, the same bytes however it was interrupted or divided, and labels that add up."""

import errno
import os
import random
import signal
import subprocess
import sys
import time
from itertools import pairwise

import numpy as np
import pytest

from gensight.errors import ConfigError, DataError, ResourceError
from gensight.files.images import write_image
from gensight.files.shards import Shard, WorkFile
from gensight.files.videos.writing import VideoWriter
from gensight.readers.annotated.reader import AnnotatedReader
from gensight.samples import Provenance
from gensight.teachers.labelling.job import run_job
from gensight.teachers.labelling.sources import DataSource, open_source
from gensight.teachers.models.edges import EdgeTeacher
from gensight.teachers.models.tracks import TrackTeacher
from tests.teachers.samples import (
    Killed,
    ListReader,
    PoseOfBoxes,
    QuickTeacher,
    frames,
    moving,
    picture,
    pictures,
    tree,
)

# A job in a process of its own.
ALONE = """
import sys
from pathlib import Path
from gensight.teachers.models.edges import EdgeTeacher
from gensight.teachers.labelling.job import run_job
from gensight.teachers.labelling.sources import open_source
run_job(open_source(Path(sys.argv[1])), EdgeTeacher(), Path(sys.argv[2]), batch_size=1)
"""


@pytest.fixture
def images(tmp_path):
    return pictures(tmp_path / "images")


def job(images, out, teacher=None, **options):
    source = open_source(images, frames=options.pop("frames", False))
    return run_job(source, teacher or QuickTeacher(), out, **{"batch_size": 2} | options)


class TestResuming:
    @pytest.mark.parametrize("killed_after", range(7))
    def test_killed_and_resumed_is_uninterrupted(self, images, tmp_path, killed_after):
        job(images, tmp_path / "whole")
        first = QuickTeacher(kill_after=killed_after)
        with pytest.raises(Killed):
            job(images, tmp_path / "out", first)
        second = QuickTeacher()
        job(images, tmp_path / "out", second)
        assert tree(tmp_path / "out") == tree(tmp_path / "whole")
        # What a finished batch holds is never labelled again.
        assert second.seen == [f"{number:02d}.png" for number in range(killed_after // 2 * 2, 7)]

    @pytest.mark.parametrize("seed", range(4))
    def test_a_line_cut_short_anywhere_is_done_again(self, images, tmp_path, seed):
        job(images, tmp_path / "whole")
        with pytest.raises(Killed):
            job(images, tmp_path / "out", QuickTeacher(kill_after=6))
        [work] = (tmp_path / "out" / "work").rglob("*.jsonl")
        data = work.read_bytes()
        work.write_bytes(data[: random.Random(seed).randrange(len(data))])
        job(images, tmp_path / "out")
        assert tree(tmp_path / "out") == tree(tmp_path / "whole")

    def test_killed_between_the_new_data_set_and_tidying_up(self, images, tmp_path, monkeypatch):
        job(images, tmp_path / "whole")

        def die(*_):
            raise Killed

        with monkeypatch.context() as patched:
            patched.setattr("gensight.teachers.labelling.dataset._remove_work", die)
            with pytest.raises(Killed):
                job(images, tmp_path / "out")
        teacher = QuickTeacher()
        job(images, tmp_path / "out", teacher)
        assert teacher.seen == []
        assert tree(tmp_path / "out") == tree(tmp_path / "whole")

    def test_what_killed_writers_left_is_swept(self, images, tmp_path):
        job(images, tmp_path / "whole")
        with pytest.raises(Killed):
            job(images, tmp_path / "out", QuickTeacher(kill_after=3))
        maps = next((tmp_path / "out" / "maps").iterdir())
        (maps / ".05.png.depth.0a1b2c3d.png").write_bytes(b"half")
        job(images, tmp_path / "out")
        assert tree(tmp_path / "out") == tree(tmp_path / "whole")

    def test_a_process_that_was_killed(self, tmp_path):
        images = pictures(tmp_path / "images", 40)
        process = subprocess.Popen([sys.executable, "-c", ALONE, images, tmp_path / "out"], stderr=subprocess.DEVNULL)
        work = tmp_path / "out" / "work"
        while process.poll() is None and not any(path.stat().st_size for path in work.rglob("*.jsonl")):
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert not (tmp_path / "out" / "dataset.json").exists()
        done = job(images, tmp_path / "out", EdgeTeacher(), batch_size=1)
        assert 0 < done.num_labelled < 40
        job(images, tmp_path / "whole", EdgeTeacher(), batch_size=1)
        assert tree(tmp_path / "out") == tree(tmp_path / "whole")

    def test_a_full_disk_loses_nothing(self, images, tmp_path, monkeypatch):
        job(images, tmp_path / "whole")
        write, calls = os.write, []

        def full(file, data):
            calls.append(len(data))
            if len(calls) == 3:
                write(file, data[: len(data) // 2])
                raise OSError(errno.ENOSPC, "No space left on device")
            return write(file, data)

        with monkeypatch.context() as patched:
            patched.setattr("gensight.files.shards.os.write", full)
            with pytest.raises(ResourceError, match=r"the disk is full.*\n.*\n.*resumes where it stopped"):
                job(images, tmp_path / "out")
        second = QuickTeacher()
        job(images, tmp_path / "out", second)
        assert second.seen[0] == "04.png"
        assert tree(tmp_path / "out") == tree(tmp_path / "whole")


class TestNeverTwice:
    def test_a_second_run_labels_nothing(self, images, tmp_path):
        job(images, tmp_path / "out")
        before = tree(tmp_path / "out")
        teacher = QuickTeacher()
        done = job(images, tmp_path / "out", teacher)
        assert (teacher.seen, done.num_labelled, done.num_images) == ([], 0, 7)
        assert tree(tmp_path / "out") == before

    def test_only_new_and_changed_images_are_labelled(self, images, tmp_path):
        job(images, tmp_path / "out")
        write_image(images / "03.png", picture(77))
        write_image(images / "zz.png", picture(78))
        (images / "05.png").unlink()
        teacher = QuickTeacher()
        job(images, tmp_path / "out", teacher)
        assert teacher.seen == ["03.png", "zz.png"]
        job(images, tmp_path / "whole")
        assert tree(tmp_path / "out") == tree(tmp_path / "whole")

    def test_a_touched_file_is_the_same_image(self, images, tmp_path):
        job(images, tmp_path / "out")
        os.utime(images / "02.png", (1, 1))
        teacher = QuickTeacher()
        job(images, tmp_path / "out", teacher)
        assert teacher.seen == []

    def test_another_version_replaces_the_labels(self, images, tmp_path):
        job(images, tmp_path / "out")
        job(images, tmp_path / "out", QuickTeacher("2"))
        job(images, tmp_path / "whole", QuickTeacher("2"))
        assert tree(tmp_path / "out") == tree(tmp_path / "whole")
        assert AnnotatedReader(tmp_path / "out")[0].extras["provenance"]["caption"] == Provenance("quick@2", 0.5)


class TestShards:
    @pytest.mark.parametrize("total", [2, 3, 9])
    def test_shards_are_one_run(self, images, tmp_path, total):
        job(images, tmp_path / "whole")
        order = list(range(1, total + 1))
        random.Random(total).shuffle(order)
        left = [job(images, tmp_path / "out", shard=Shard(number, total)).num_left for number in order]
        assert left[-1] == 0
        assert all(a >= b for a, b in pairwise(left))
        assert tree(tmp_path / "out") == tree(tmp_path / "whole")

    def test_shards_cover_everything_once(self):
        for num_tasks in (0, 1, 5, 17):
            for total in (1, 2, 4, 20):
                parts = [task for number in range(1, total + 1) for task in Shard(number, total).of(num_tasks)]
                assert parts == list(range(num_tasks))

    def test_the_whole_job_takes_over_what_shards_did(self, images, tmp_path):
        job(images, tmp_path / "out", shard=Shard(1, 3))
        teacher = QuickTeacher()
        assert job(images, tmp_path / "out", teacher).num_left == 0
        assert teacher.seen == [f"{number:02d}.png" for number in range(2, 7)]

    @pytest.mark.parametrize("text", ["", "2", "0/2", "3/2", "1/0", "a/b", "-1/2"])
    def test_what_is_no_shard(self, text):
        with pytest.raises(ConfigError, match=r"is no part of the work\n.*--shard\n.*I/N with I from 1 to N"):
            Shard.parse(text)

    def test_two_processes_with_the_same_part(self, images, tmp_path):
        with pytest.raises(Killed):
            job(images, tmp_path / "out", QuickTeacher(kill_after=3))
        [work] = (tmp_path / "out" / "work").rglob("*.jsonl")
        with WorkFile(work), pytest.raises(ConfigError, match="another process is doing this part"):
            job(images, tmp_path / "out")

    def test_another_teacher_at_work_keeps_its_files(self, images, tmp_path):
        job(images, tmp_path / "out", EdgeTeacher(), shard=Shard(1, 2))
        job(images, tmp_path / "out")
        done = job(images, tmp_path / "out", EdgeTeacher(), shard=Shard(2, 2))
        assert done.num_left == 0
        reader = AnnotatedReader(tmp_path / "out")
        assert all(sample.edges().shape == sample.size and sample.depth is not None for sample in reader)


class TestAddingUp:
    def test_labels_of_two_teachers(self, images, tmp_path):
        job(images, tmp_path / "out")
        job(images, tmp_path / "out", EdgeTeacher())
        sample = AnnotatedReader(tmp_path / "out")[2]
        assert sample.caption.startswith("picture ")
        assert sample.edges().shape == sample.size
        assert sample.instances[0].provenance.source == "quick@1"
        assert sample.extras["provenance"].keys() == {"caption", "depth", "edges"}

    def test_a_pose_completes_the_boxes_it_was_shown(self, images, tmp_path):
        job(images, tmp_path / "out")
        done = job(images, tmp_path / "out", PoseOfBoxes())
        assert done.num_labelled == 7
        [only] = AnnotatedReader(tmp_path / "out")[0].instances
        assert only.keypoints is not None
        np.testing.assert_array_equal(only.keypoints.points[0], only.box[:2])
        assert only.provenance == Provenance("posed@1", 0.9)
        assert job(images, tmp_path / "out", PoseOfBoxes()).num_labelled == 0

    def test_labels_made_from_labels_that_changed_are_left_out(self, images, tmp_path):
        job(images, tmp_path / "out")
        job(images, tmp_path / "out", PoseOfBoxes())
        done = job(images, tmp_path / "out", QuickTeacher("2"))
        # The boxes are the same, but they are another teacher's now.
        assert done.num_stale == 7
        assert AnnotatedReader(tmp_path / "out")[0].instances[0].keypoints is None
        assert job(images, tmp_path / "out", PoseOfBoxes()).num_labelled == 7
        assert AnnotatedReader(tmp_path / "out")[0].instances[0].keypoints is not None

    def test_an_annotated_data_set_is_a_source(self, images, tmp_path):
        job(images, tmp_path / "out")
        job(tmp_path / "out", tmp_path / "out", EdgeTeacher())
        job(images, tmp_path / "both")
        job(images, tmp_path / "both", EdgeTeacher())
        assert tree(tmp_path / "out") == tree(tmp_path / "both")

    def test_a_readers_own_labels_are_taken_over(self, images, tmp_path):
        first = job(images, tmp_path / "first").folder
        samples = list(AnnotatedReader(first))
        for out in ("a", "b"):
            run_job(DataSource([ListReader(samples)]), EdgeTeacher(), tmp_path / out, batch_size=3)
        assert tree(tmp_path / "a") == tree(tmp_path / "b")
        sample = AnnotatedReader(tmp_path / "a")[1]
        assert (sample.caption, len(sample.instances)) == (samples[1].caption, 1)
        np.testing.assert_allclose(sample.depth().values, samples[1].depth().values, atol=1e-4)
        assert AnnotatedReader(tmp_path / "a").row(0)["image"]["file"] == "00.png"
        job(tmp_path / "a", tmp_path / "a", PoseOfBoxes())
        assert AnnotatedReader(tmp_path / "a")[1].instances[0].keypoints is not None


class TestVideos:
    def test_frames_in_folders(self, tmp_path):
        folder = frames(tmp_path / "frames")
        job(folder, tmp_path / "whole", TrackTeacher(grid=4), frames=True)
        reader = AnnotatedReader(tmp_path / "whole")
        assert sorted(set(reader.groups)) == ["v0", "v1", "v2"]
        relation = reader.relation(5, 8)
        assert relation.tracks.shape[1] > 4
        np.testing.assert_allclose(np.median(relation.tracks[1] - relation.tracks[0], axis=0), [-6, -3], atol=0.3)
        for number in (2, 1, 3):
            job(folder, tmp_path / "out", TrackTeacher(grid=4), frames=True, shard=Shard(number, 3))
        assert tree(tmp_path / "out") == tree(tmp_path / "whole")
        assert job(folder, tmp_path / "out", TrackTeacher(grid=4), frames=True).num_labelled == 0
        job(folder, tmp_path / "out", EdgeTeacher(), frames=True)
        assert AnnotatedReader(tmp_path / "out").relation(5, 8) is not None

    def test_only_a_changed_video_is_followed_again(self, tmp_path):
        folder = frames(tmp_path / "frames")
        job(folder, tmp_path / "out", TrackTeacher(grid=3), frames=True)
        (folder / "v1" / "004.png").unlink()
        assert job(folder, tmp_path / "out", TrackTeacher(grid=3), frames=True).num_labelled == 4
        job(folder, tmp_path / "whole", TrackTeacher(grid=3), frames=True)
        assert tree(tmp_path / "out") == tree(tmp_path / "whole")

    def test_an_unreadable_frame_is_left_out(self, tmp_path):
        folder = frames(tmp_path / "frames", num_videos=1)
        broken = folder / "v0" / "002.png"
        broken.write_bytes(broken.read_bytes()[:-200])
        done = job(folder, tmp_path / "out", TrackTeacher(grid=3), frames=True)
        assert [skipped["key"] for skipped in done.skipped] == ["v0/002.png"]
        reader = AnnotatedReader(tmp_path / "out")
        assert len(reader) == 4
        assert reader.relation(0, 3) is not None
        assert job(folder, tmp_path / "out", TrackTeacher(grid=3), frames=True).num_labelled == 0

    def test_a_video_file(self, tmp_path):
        with VideoWriter(tmp_path / "clip.mp4") as writer:
            for frame in moving(5):
                writer.write(frame)
        job(tmp_path / "clip.mp4", tmp_path / "out", TrackTeacher(grid=4))
        job(tmp_path / "out", tmp_path / "out")
        reader = AnnotatedReader(tmp_path / "out")
        assert [sample.key for sample in reader][1] == "clip.mp4#000001"
        assert reader.relation(0, 4).tracks.shape[1] > 0
        assert reader[3].caption
        assert not [finding for finding in reader.check().findings if finding.level != "note"]

    def test_single_images_are_no_video(self, images, tmp_path):
        with pytest.raises(ConfigError, match=r"these are single images\n.*\n.*pass --frames"):
            job(images, tmp_path / "out", TrackTeacher())


class TestBadInput:
    def test_unreadable_images_are_skipped_and_counted(self, images, tmp_path):
        (images / "01.png").write_bytes((images / "01.png").read_bytes()[:-300])
        (images / "04.png").write_text("no image")
        done = job(images, tmp_path / "out")
        assert [(entry["key"], entry["problem"][:12]) for entry in done.skipped] == [
            ("01.png", "cannot be re"),
            ("04.png", "not an image"),
        ]
        reader = AnnotatedReader(tmp_path / "out")
        assert len(reader) == 5
        assert len([finding for finding in reader.check().findings if "skipped" in finding.what]) == 2
        teacher = QuickTeacher()
        assert job(images, tmp_path / "out", teacher).skipped == done.skipped
        assert teacher.seen == []
        write_image(images / "04.png", picture(4))
        assert job(images, tmp_path / "out", teacher).num_labelled == 1
        assert len(AnnotatedReader(tmp_path / "out")) == 6

    def test_no_readable_image(self, tmp_path):
        (tmp_path / "images").mkdir()
        (tmp_path / "images" / "a.png").write_text("no image")
        with pytest.raises(DataError, match="none of the 1 images can be read"):
            job(tmp_path / "images", tmp_path / "out")

    def test_a_folder_without_images(self, tmp_path):
        (tmp_path / "images").mkdir()
        with pytest.raises(DataError, match="the folder holds no images"):
            job(tmp_path / "images", tmp_path / "out")

    def test_nothing_there(self, tmp_path):
        with pytest.raises(DataError, match="there is no such image, folder or video"):
            job(tmp_path / "images", tmp_path / "out")

    def test_another_source(self, images, tmp_path):
        job(images, tmp_path / "out")
        with pytest.raises(DataError, match=r"another source: images in \.\./images, not images in \.\./other"):
            job(pictures(tmp_path / "other"), tmp_path / "out")

    def test_a_folder_of_something_else(self, images, tmp_path):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "thesis.tex").write_text("precious")
        with pytest.raises(DataError, match="holds something other than a data set"):
            job(images, tmp_path / "out")
