"""Queries of a sample: visible classes, some absent ones, and for scoring all classes."""

import pytest

from gensight.encodings.painted.boxes import PaintedBoxes
from gensight.encodings.painted.instructed import Instructed
from gensight.encodings.painted.masks import PaintedMask
from gensight.errors import ConfigError
from tests.methods.instruct import small


@pytest.fixture(scope="module")
def sample():
    return small.reader(1)[0]


def queries(encoding, sample):
    found = {}
    for item in encoding.items(sample):
        found.setdefault(item.query.task, []).append(item.query.options)
    return found


def test_visible_classes_and_the_given_number_of_absent_ones_are_queried(sample):
    for negatives in (0, 2):
        tasks = queries(small.encoding(negatives), sample)
        assert len(tasks["segment"]) == len(tasks["detect"]) == 1 + negatives
        assert tasks["depth"] == [()]
        assert (sample.label,) in tasks["segment"]
        assert len(tasks["classify"]) == 2 + negatives
    once = small.encoding()
    assert queries(once, sample) == queries(once, sample)


def test_queries_are_repeated_in_training_but_yes_or_no_is_not(sample):
    plain = small.encoding()
    often = Instructed(plain.tasks, plain.categories, plain.labels, repeats={"depth": 2, "classify": 3})
    once, more = queries(plain, sample), queries(often, sample)
    assert more["segment"] == once["segment"]
    assert more["depth"] == 2 * once["depth"]
    among = [options for options in once["classify"] if len(options) > 1]
    yes_or_no = [options for options in once["classify"] if len(options) == 1]
    assert more["classify"] == 3 * among + yes_or_no
    assert queries(often.for_scoring(), sample) == queries(plain.for_scoring(), sample)


def test_a_share_has_queries_of_several_classes_in_the_order_of_the_vocabulary(sample):
    plain = small.encoding()
    every = Instructed(plain.tasks, plain.categories, plain.labels, several=1.0)
    for index in range(6):
        one = small.reader(6)[index]
        tasks = queries(every, one)
        for task in ("segment", "detect"):
            assert tasks[task][:-1] == queries(plain, one)[task]  # beside the usual queries
            together = tasks[task][-1]
            assert 2 <= len(together) <= 3
            assert together == tuple(name for name in plain.categories if name in together)
            assert one.label in together
    assert queries(every.for_scoring(), sample) == queries(plain.for_scoring(), sample)
    outlines = {"detect": PaintedBoxes(style="outlines")}
    assert all(len(one) == 1 for one in queries(Instructed(outlines, plain.categories, several=1.0), sample)["detect"])


def test_for_scoring_every_class_is_queried_on_every_image(sample):
    encoding = small.encoding().for_scoring()
    tasks = queries(encoding, sample)
    assert tasks["segment"] == tasks["detect"] == [(name,) for name in encoding.categories]
    assert tasks["classify"] == [encoding.labels]
    assert small.encoding().asking == "sampled"


def test_absent_classes_are_black(sample):
    encoding = small.encoding(negatives=3)
    item = next(one for one in encoding.items(sample) if one.query.options not in ((sample.label,), ()))
    view = small.cases(1).policy.view(item)
    targets = encoding.encode(item, (view,))
    assert float(targets["painted"].max()) == 0
    assert float(targets["painted_weight"].min()) == 1


def test_a_task_without_a_vocabulary_is_refused():
    with pytest.raises(ConfigError, match="`segment` needs names of classes"):
        Instructed({"segment": PaintedMask()})


def test_an_unlabelled_image_has_no_queries(sample):
    from dataclasses import replace

    bare = replace(sample, instances=None, depth=None, label=None, extras={})
    assert small.encoding().items(bare) == []
