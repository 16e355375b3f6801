"""A CLIP tokenizer with a vocabulary of our own: every known word is one token, every other one falls back to bytes."""

from collections.abc import Iterable, Sequence
from importlib.resources import files
from itertools import pairwise

from tokenizers import pre_tokenizers
from transformers import CLIPTokenizer

from gensight.errors import ConfigError

BEGIN, END = "<|startoftext|>", "<|endoftext|>"
_WORD_END = "</w>"


def instruction_words() -> set[str]:
    """The words of instructions, `words.txt`: they never occur in the captions of pretraining, but each has a token of
    its own, so that a method that speaks to the backbone later learns a meaning for a word, not for a chain of letters.
    """
    lines = (files("gensight.methods.pretrain") / "words.txt").read_text(encoding="utf-8").splitlines()
    return {word for line in lines if not line.startswith("# ") for word in line.split()}


def split_words(words: Iterable[str]) -> list[str]:
    """The pieces that a CLIP tokenizer looks up one by one: `t-shirt` becomes `t`, `-`, `shirt`. Sorted, lower case."""
    probe = CLIPTokenizer(vocab={BEGIN: 0, END: 1}, merges=[])
    normalizer, splitter = probe.backend_tokenizer.normalizer, probe.backend_tokenizer.pre_tokenizer
    pieces: set[str] = set()
    for word in words:
        pieces.update(piece for piece, _ in splitter.pre_tokenize_str(normalizer.normalize_str(word)))
    return sorted(pieces)


def learn_merges(pieces: Sequence[str]) -> list[tuple[str, str]]:
    """Byte-pair merges, best first, that make each of `pieces` (in CLIP's byte letters) one token.

    A piece is first merged by what earlier pieces taught; what is left over is joined from the left by new merges of
    lower rank. Those never come before a merge that an earlier piece needs, so earlier pieces stay whole.
    """
    ranks: dict[tuple[str, str], int] = {}
    for piece in pieces:
        symbols = _apply([*piece[:-1], piece[-1] + _WORD_END], ranks)
        while len(symbols) > 1:
            ranks[(symbols[0], symbols[1])] = len(ranks)
            symbols = _apply(symbols, ranks)
    return list(ranks)


def _apply(symbols: list[str], ranks: dict[tuple[str, str], int]) -> list[str]:
    """Byte-pair encoding of one word: the pair of best rank is joined, wherever it stands, until none is known."""
    while len(symbols) > 1:
        known = [pair for pair in pairwise(symbols) if pair in ranks]
        if not known:
            break
        best = min(known, key=lambda pair: ranks[pair])
        joined: list[str] = []
        for symbol in symbols:
            if joined and (joined[-1], symbol) == best:
                joined[-1] += symbol
            else:
                joined.append(symbol)
        symbols = joined
    return symbols


def build_tokenizer(words: Iterable[str], length: int) -> CLIPTokenizer:
    """A tokenizer in which each of `words` is one token (or one token per piece, for words such as `t-shirt`).

    Args:
        words: Any case; split as CLIP splits text.
        length: Longest sequence, begin and end tokens included.

    Raises:
        ConfigError: If a sequence has no room for a word.
    """
    if length < 3:
        raise ConfigError(f"a text of {length} tokens has no room between its begin and its end", where="text.length")
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = learn_merges(split_words(words))
    symbols = [*letters, *(letter + _WORD_END for letter in letters), *(left + right for left, right in merges)]
    # Different merges may give the same token; dict.fromkeys keeps the first.
    vocabulary = {symbol: index for index, symbol in enumerate(dict.fromkeys([*symbols, BEGIN, END]))}
    return CLIPTokenizer(
        vocab=vocabulary, merges=merges, bos_token=BEGIN, eos_token=END, unk_token=END, pad_token=END,
        model_max_length=length,
    )  # fmt: skip
