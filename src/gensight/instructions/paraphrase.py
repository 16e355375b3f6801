"""Rephrases instructions with a language model: optional, from a local folder, through transformers."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gensight.errors import RunError
from gensight.instructions.grammar import Instruction

REQUEST = "Say this request in other words, in one short sentence, and keep the words {names}: {text}\n"
LONGEST = 120  # characters


class Paraphraser:
    """Rephrases instructions with a text-generation model; outputs that lose a class's name are rejected and retried.

    Args:
        folder: A transformers model that generates text (config.json, safetensors, tokenizer).
        seed: Seeds sampling.
        max_new_tokens: Of one paraphrase.

    Raises:
        RunError: The folder holds no such model.
    """

    def __init__(self, folder: str | Path, seed: int = 0, max_new_tokens: int = 30) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        if not (Path(folder) / "config.json").is_file():
            raise RunError("no language model", where=folder, hint="name a folder that transformers can load")
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
            self._model: Any = AutoModelForCausalLM.from_pretrained(
                str(folder), local_files_only=True, use_safetensors=True
            ).eval()
        except (OSError, ValueError, KeyError) as error:
            raise RunError(f"cannot be loaded as a language model: {error}", where=folder) from error
        self.seed, self.max_new_tokens = seed, max_new_tokens

    def __call__(self, instruction: Instruction, tries: int = 3) -> Instruction:
        """The instruction in other words; unchanged where no try keeps the names of its classes."""
        import torch

        request = REQUEST.format(names=", ".join(instruction.classes) or "of the request", text=instruction.text)
        tokens = self._tokenizer(request, return_tensors="pt")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            for _ in range(tries):
                with torch.no_grad():
                    output = self._model.generate(**tokens, do_sample=True, max_new_tokens=self.max_new_tokens)
                text = tidy(self._tokenizer.decode(output[0, tokens["input_ids"].shape[1] :], skip_special_tokens=True))
                if acceptable(text, instruction.classes):
                    return replace(instruction, text=text)
        return instruction


def tidy(text: str) -> str:
    """The first line of what a model wrote, without quotes and doubled spaces."""
    line = next((line for line in text.strip().splitlines() if line.strip()), "")
    return re.sub(r"\s+", " ", line).strip().strip("\"'` ")


def acceptable(text: str, classes: Sequence[str]) -> bool:
    """Whether a paraphrase is no longer than an instruction should be and still names every class."""
    return 0 < len(text) <= LONGEST and all(name.lower() in text.lower() for name in classes)
