"""Captioning models of the BLIP family as teachers: one sentence per image."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from transformers import AutoTokenizer

from gensight.errors import RunError
from gensight.samples import Sample
from gensight.teachers.base import Count, Labels
from gensight.teachers.models.preprocessing import BICUBIC
from gensight.teachers.models.pretrained import PretrainedTeacher

_CLIP_MEAN, _CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@dataclass(eq=False)
class CaptionTeacher(PretrainedTeacher):
    """A sentence about the image: at each word the likeliest one, so the same image always gets the same sentence.

    The confidence is the words' mean probability (geometric).

    Args:
        max_tokens: Longest sentence.
    """

    kind = "caption"
    default = "Salesforce/blip-image-captioning-large"
    families = {"blip": "BlipForConditionalGeneration", "blip-2": "Blip2ForConditionalGeneration"}  # noqa: RUF012
    preprocessing_defaults = {  # noqa: RUF012
        "": {
            "size": {"height": 384, "width": 384},
            "resample": BICUBIC,
            "image_mean": _CLIP_MEAN,
            "image_std": _CLIP_STD,
        },
        "blip-2": {"size": {"height": 224, "width": 224}},
    }
    labels = ("caption",)
    max_tokens: Count = 40

    @cached_property
    def tokenizer(self) -> Any:
        """The model's vocabulary. RunError if its files are missing."""
        names = ("tokenizer.json", "vocab.txt", "vocab.json")
        if not any((self.folder / name).is_file() for name in names):
            raise RunError(
                "the model has no vocabulary",
                where=self.folder,
                hint=f"copy its tokenizer_config.json and {names[0]} (or {names[1]}) there",
            )
        try:
            return AutoTokenizer.from_pretrained(self.folder, local_files_only=True, trust_remote_code=False)
        except (OSError, ValueError, KeyError, ImportError) as error:
            raise RunError(f"the model's vocabulary could not be read ({error})", where=self.folder) from error

    def load(self) -> Any:
        self.tokenizer  # noqa: B018  (missing files are reported before the first image)
        return super().load()

    def label_image(self, sample: Sample) -> Labels:
        values, _ = self.model_input(sample)
        answer = self.model.generate(
            pixel_values=values,
            max_new_tokens=self.max_tokens,
            do_sample=False,
            num_beams=1,
            return_dict_in_generate=True,
            output_logits=True,
        )
        words = answer.sequences[0][-len(answer.logits) :]  # what stands before them is the prompt
        chosen = [step[0].float().log_softmax(-1)[word] for step, word in zip(answer.logits, words, strict=True)]
        text = self.tokenizer.decode(words, skip_special_tokens=True)
        confidence = float(torch.stack(chosen).mean().exp())
        return Labels(caption=" ".join(text.split()), confidence=min(1.0, confidence))
