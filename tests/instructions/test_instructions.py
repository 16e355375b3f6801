"""The grammar of instructions, the rule for tasks, and paraphrases."""

import pytest

from gensight.errors import ConfigError, RunError
from gensight.instructions.class_lists import several_classes
from gensight.instructions.classes import named_classes
from gensight.instructions.grammar import (
    TASKS,
    article,
    filled,
    fixed,
    held_out,
    joined,
    plural,
    rephrased,
    templates,
)
from gensight.instructions.paraphrase import Paraphraser, acceptable, tidy
from gensight.instructions.tasks import InferredTask, infer_task


@pytest.mark.parametrize(("task", "least"), [("segment", 40), ("detect", 40), ("depth", 20), ("classify", 10)])
def test_there_are_enough_templates_and_each_is_one_of_its_kind(task, least):
    assert len(set(templates(task))) == len(templates(task)) >= least
    assert len(held_out(task)) == len(templates(task)) // 5
    assert len(templates("classify", several=True)) >= 10


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("names", [("cat",), ("umbrella",), ("stairs",), ("person", "dog"), ("cat", "dog", "bird")])
def test_every_template_is_filled(task, names):
    for template in templates(task):
        text = filled(template, names)
        assert "{" not in text
        assert "  " not in text
        assert "a umbrella" not in text
        assert "a stairs" not in text
        if "{" in template:
            assert all(name in text or plural(name) in text for name in names)


def test_english():
    assert [article(word) for word in ("cat", "apple", "hour", "unicorn", "umbrella")] == ["a", "an", "an", "a", "an"]
    pairs = {"cat": "cats", "person": "people", "bus": "buses", "box": "boxes", "berry": "berries", "boy": "boys",
             "wine glass": "wine glasses", "sheep": "sheep", "glasses": "glasses", "bench": "benches"}  # fmt: skip
    assert {name: plural(name) for name in pairs} == pairs
    assert joined(["a", "b", "c"]) == "a, b and c"
    assert filled("put a box around {a}", ("cat", "owl")) == "put a box around a cat and an owl"
    assert filled("where are {the_many}?", ("mouse",)) == "where are the mice?"


def test_verbs_agree_with_their_subjects():
    where = "where {is} {the}, and what area {does} {the} cover?"
    assert filled(where, ("cat",)) == "where is the cat, and what area does the cat cover?"
    assert filled(where, ("stairs",)) == "where are the stairs, and what area do the stairs cover?"
    assert "{is}" in "".join(templates("detect"))
    for task in ("segment", "detect"):
        texts = "\n".join(filled(one, ("cat", "dog")) for one in templates(task))
        assert not any(wrong in texts for wrong in ("dog is", "dog covers", "is the cat", "does the cat", "is a cat"))


def test_fixed():
    assert fixed("segment", ("cat",)).text == "segment the cat"
    assert fixed("detect", ("cat", "dog")).text == "detect the cat and the dog"
    assert fixed("depth").text == "estimate the depth"
    assert fixed("classify", ("cat",)).text == "is there a cat?"
    assert fixed("classify", ("cat", "dog")).text == "classify the image"


def test_rephrased_is_deterministic_and_never_uses_held_out_templates():
    for task in TASKS:
        kept = {filled(one, ("cat",)).lower() for one in held_out(task)}
        texts = {rephrased(task, ("cat",), seed).text.lower().rstrip(".") for seed in range(400)}
        assert not texts & {one.rstrip(".") for one in kept}
        assert len(texts) == len(templates(task)) - len(kept)
        assert rephrased(task, ("cat",), 7) == rephrased(task, ("cat",), 7)
        tested = {rephrased(task, ("cat",), seed, part="held-out").text.lower().rstrip(".") for seed in range(100)}
        assert tested == {one.rstrip(".") for one in kept}


def test_several_classes_are_named_in_any_order_and_keep_their_own():
    texts = {rephrased("segment", ("cat", "dog"), seed).text.lower() for seed in range(300)}
    assert {"segment the cat and the dog", "segment the dog and the cat"} <= {text.rstrip(".") for text in texts}
    assert not any("white" in text for text in texts)  # one class is white, several are not
    assert rephrased("detect", ("cat", "dog"), 5).classes == ("cat", "dog")


def test_queries_of_several_classes():
    names = ("cat", "dog", "bird", "cow")
    drawn = [several_classes(names, {"dog"}, 0.25, f"seed {number}") for number in range(400)]
    found = [one for one in drawn if one is not None]
    assert 70 <= len(found) <= 130
    assert {len(one) for one in found} == {2, 3}
    assert all("dog" in one and list(one) == sorted(one, key=names.index) for one in found)
    assert {name for one in found for name in one} == set(names)
    assert several_classes(names, {"dog", "cow"}, 1.0, "a") == several_classes(names, {"dog", "cow"}, 1.0, "a")
    assert several_classes(names, (), 1.0, "a") is not None
    assert several_classes(names[:1], {"cat"}, 1.0, "a") is None


def test_synonyms_appear_in_the_text_and_classes_are_kept():
    one = rephrased("segment", ("couch",), 3, synonyms={"couch": ("sofa", "settee")})
    assert one.classes == ("couch",)
    assert "couch" not in one.text
    assert "sofa" in one.text or "settee" in one.text


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("several", [False, True])
def test_the_rule_finds_the_task_of_every_template(task, several):
    texts = [filled(one, ("cat",), ("purple", "green")) for one in templates(task, several)]
    assert [text for text in texts if infer_task(text).task != task] == []


@pytest.mark.parametrize(
    ("text", "task", "word"),
    [
        ("detect the cat near the sofa", "detect", "detect"),
        ("segment the dog far away", "segment", "segment"),
        ("find the dog in the background", "detect", "find"),
        ("is there a cat near the door?", "classify", "is there"),
        ("where is the dog in the distance?", "detect", "where"),
        ("highlight the far dog", "segment", "highlight"),
        ("how far is the dog?", "depth", "how far"),
        ("show what is near", "depth", "near"),
        ("find the depth of the scene", "depth", "depth"),
    ],
)
def test_words_that_name_a_task_precede_words_of_place(text, task, word):
    assert infer_task(text) == InferredTask(task, word)


_EVERYTHING = [
    ("segment", "segment everything"),
    ("segment", "segment all classes"),
    ("segment", "colour every thing by its class"),
    ("segment", "label every pixel"),
    ("segment", "do a full segmentation"),
    ("detect", "detect everything"),
    ("detect", "find all objects"),
    ("detect", "box every object"),
    ("detect", "locate everything you know"),
    ("detect", "draw boxes around all objects"),
]


@pytest.mark.parametrize(("task", "text"), _EVERYTHING)
def test_everything_is_understood(task, text):
    assert infer_task(text).task == task
    assert named_classes(text, ("cat", "dog", "bear")) == ("cat", "dog", "bear")


def test_the_rule_reports_its_keyword():
    assert str(infer_task("Please SEGMENT the cat.")) == (
        "task: segment (because of `segment`; choose another with --task)"
    )
    assert infer_task("how far is the cat?").word == "how far"
    with pytest.raises(ConfigError, match="the instruction names no task: `cat`"):
        infer_task("cat")


def test_paraphrases():
    assert tidy('\n  "Show  me the cat."\nmore') == "Show me the cat."
    assert acceptable("where is the Cat", ("cat",))
    assert not acceptable("where is it", ("cat",))
    assert not acceptable("", ())
    with pytest.raises(RunError, match="no language model"):
        Paraphraser("/nowhere")
