"""More templates of instructions, which a language model wrote."""

import json
from itertools import pairwise

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Replace
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from gensight.errors import ConfigError, DataError, RunError
from gensight.instructions.grammar import Instruction, filled, held_out, rephrased, templates
from gensight.instructions.paraphrase import Paraphraser
from gensight.instructions.templates import as_template, read_templates
from gensight.methods.instruct.method import rephrase_query
from gensight.samples import Item, Query, Sample
from gensight.verbs.data.paraphrase import paraphrase

PARAPHRASE = "kindly colour the zebra now"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A folder with a language model that answers every request with the same sentence.

    Its weights are set, not trained: each word names the next one, by a margin that no rounding reaches.
    """
    folder = tmp_path_factory.mktemp("model") / "one-sentence"
    words = ["<end>", "<unknown>", "<newline>", *PARAPHRASE.split()]
    numbers = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(WordLevel(numbers, unk_token="<unknown>"))
    tokenizer.normalizer = Replace("\n", " <newline> ")  # with which a request ends
    tokenizer.pre_tokenizer = WhitespaceSplit()
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unknown>", eos_token="<end>", pad_token="<end>"
    )
    gpt = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(words), n_positions=128, n_embd=len(words), n_layer=1, n_head=1, eos_token_id=0,
            bos_token_id=0, tie_word_embeddings=False,
        )
    )  # fmt: skip
    for name, parameter in gpt.named_parameters():
        if "ln" not in name:
            parameter.data.zero_()  # neither attention nor positions matter
    gpt.transformer.wte.weight.data.fill_diagonal_(1.0)
    for word, following in pairwise(["<newline>", *PARAPHRASE.split(), "<end>"]):
        gpt.lm_head.weight.data[numbers[following], numbers[word]] = 50.0
    gpt.save_pretrained(folder)
    wrapped.save_pretrained(folder)
    return folder


def test_a_model_rephrases_what_it_can_without_losing_the_class(model):
    paraphrased = Paraphraser(model)(Instruction("segment the zebra", "segment", ("zebra",)), tries=8)
    assert paraphrased == Instruction(PARAPHRASE, "segment", ("zebra",))
    other = Instruction("segment the owl", "segment", ("owl",))
    assert Paraphraser(model)(other) == other


def test_new_templates_are_written_read_and_used_in_training(model, tmp_path, monkeypatch):
    out = tmp_path / "templates.json"
    counts = paraphrase(model, out, ["segment"], times=2)
    more = read_templates(out)
    assert counts == {"segment": len(more["segment"])}
    assert "kindly colour {the} now" in more["segment"]
    texts = {rephrased("segment", ("owl",), seed, more=more).text.lower().rstrip(".") for seed in range(400)}
    assert "kindly colour the owl now" in texts
    assert not any("kindly" in rephrased("segment", ("owl",), n, part="held-out", more=more).text for n in range(200))
    item = Item((Sample("a", (8, 8), lambda: None),), query=Query("segment the owl", "segment", ("owl",)))
    assert any("kindly colour the owl" in (rephrase_query(item, seed, more) or "").lower() for seed in range(400))
    with pytest.raises(DataError, match="exists"):
        paraphrase(model, out)
    with pytest.raises(ConfigError, match="no task"):
        paraphrase(model, tmp_path / "other.json", ["sing"])
    with pytest.raises(RunError, match="language model"):
        paraphrase(tmp_path, tmp_path / "other.json")
    monkeypatch.setattr(Paraphraser, "__call__", lambda self, instruction, tries=3: instruction)
    with pytest.raises(DataError, match="nothing that keeps"):
        paraphrase(model, tmp_path / "other.json", ["depth"])


@pytest.mark.parametrize(
    "text", ["show the zebra and a zebra", "nothing", "the {thing} of the zebra", "", "zebra" * 60]
)
def test_what_is_no_template(text):
    assert as_template(text, "segment") is None


def test_forms_become_slots():
    assert as_template("Paint all zebras.", "detect") == "paint all {many}"
    assert as_template("where could the zebras be?", "detect") == "where could {the_many} be?"
    assert as_template("is that a zebra", "classify") == "is that {a}"
    assert as_template("tell me the depth", "depth") == "tell me the depth"
    for task in ("segment", "detect"):
        recovered = {as_template(filled(one, ("zebra",)), task) for one in templates(task) if one not in held_out(task)}
        assert not set(held_out(task)) & recovered


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ({"sing": []}, "no task"), ([], "by task"), ({"segment": "cut {the}"}, "no list"),
        ({"segment": ["cut it"]}, "one slot"), ({"depth": ["depth of {the}"]}, "no slot"),
        ({"detect": ["{the} {thing}"]}, "braces"), ({"detect": [7]}, "characters"),
    ],
)  # fmt: skip
def test_a_file_that_is_wrong_is_refused(content, what, tmp_path):
    path = tmp_path / "templates.json"
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=what):
        read_templates(path)
