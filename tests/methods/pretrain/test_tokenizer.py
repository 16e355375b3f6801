import pytest
from transformers import CLIPTokenizer

from gensight.backbones.pipeline_folder import vocabulary_files
from gensight.errors import ConfigError
from gensight.methods.pretrain.tokenizer import build_tokenizer, instruction_words, learn_merges, split_words
from gensight.puppets.captions import CAPTION_WORDS

WORDS = sorted({*instruction_words(), *CAPTION_WORDS})


@pytest.fixture(scope="module")
def tokenizer() -> CLIPTokenizer:
    return build_tokenizer(WORDS, 32)


def test_every_known_word_is_one_token_of_its_own(tokenizer):
    pieces = split_words(WORDS)
    tokens = [tokenizer(piece).input_ids[1:-1] for piece in pieces]
    assert [piece for piece, ids in zip(pieces, tokens, strict=True) if len(ids) != 1] == []
    assert len({ids[0] for ids in tokens}) == len(pieces)


def test_instructions_are_covered(tokenizer):
    sentence = (
        "Segment every dog left of the red chair . Is there a person ? Estimate depth , detect keypoints and edges"
    )
    assert len(tokenizer(sentence).input_ids) == len(sentence.split()) + 2


@pytest.mark.parametrize("text", ["xylophone", "éà", "中文", "🙂", "", " ", "t-shirt's", "\x00", "A" * 300])
def test_anything_else_falls_back_to_bytes(tokenizer, text):
    encoded = tokenizer(text, padding="max_length", max_length=32, truncation=True).input_ids
    assert len(encoded) == 32
    assert (encoded[0], encoded[-1]) == (tokenizer.bos_token_id, tokenizer.eos_token_id)
    assert max(encoded) < len(tokenizer)


def test_unknown_words_differ(tokenizer):
    assert tokenizer("xylophone").input_ids != tokenizer("xylophones").input_ids


def test_saved_and_read_back_it_is_the_same(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    again = CLIPTokenizer.from_pretrained(tmp_path)
    text = "a spotted dog behind the sofa, zzz"
    assert again(text).input_ids == tokenizer(text).input_ids
    assert again.model_max_length == 32


def test_vocabulary_files_make_the_same_tokenizer(tokenizer):
    vocabulary, merges = vocabulary_files(tokenizer)
    pairs = [tuple(line.split(" ")) for line in merges.splitlines()[1:]]
    again = CLIPTokenizer(vocab=vocabulary, merges=pairs)
    text = "two people walking left of a zebra, qwerty"
    assert again(text).input_ids == tokenizer(text).input_ids


def test_a_later_word_never_breaks_an_earlier_one():
    # `pen` teaches p+e; `open` must then be joined from what that leaves.
    merges = learn_merges(["pen", "open", "opens"])
    assert merges[:2] == [("p", "e"), ("pe", "n</w>")]
    assert learn_merges(["pen"]) == merges[:2]


def test_too_short_a_text_is_refused():
    with pytest.raises(ConfigError, match="a text of 2 tokens has no room"):
        build_tokenizer(["dog"], 2)
