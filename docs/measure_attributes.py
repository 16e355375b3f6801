"""Whether samples of a text-to-image model show what their captions name: the subject's class, the clothes' colour.

python docs/measure_attributes.py [PIPELINE] OUT       # the packaged `tiny`; writes OUT/attributes.json and sheets

The independent classifier is a small convolutional network on frozen EfficientNet-Lite0 maps and the image's own
colours, trained on 6,000 renders; its input holds the garment whose colour is the query, and nothing else of the
caption. It is scored on 1,000 other renders and on samples (seeds 0 to 199, 50 DDIM steps, guidance 4) of 200 captions
of yet other scenes, and of 200 that name what people wear.
"""

import json
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from torch import Tensor, nn
from torch.nn import functional as F

import gensight
from gensight.backbones.imagenet import CHANNELS, ImagenetEncoder
from gensight.drawing import contact_sheet
from gensight.files.images import write_image
from gensight.metrics.bootstrap import interval
from gensight.puppets.bodies.species import SPECIES
from gensight.puppets.scenery.palette import COLOURS
from gensight.readers.puppets import PuppetsReader

SIDE, SAMPLES, RENDERS, HELD_OUT = 128, 200, 6000, 1000
SAMPLE_SEED, RENDER_SEED = 9_090_909, 7_070_707
CLASSES = ("person", *SPECIES)
COLOUR_NAMES = tuple(COLOURS)
GARMENTS = ("shirt", "sweater", "jacket", "dress", "trousers", "shorts", "skirt")
PEOPLE = {"person", "man", "woman", "boy", "girl"}


def attributes(caption: str) -> tuple[int, int, int]:
    """Class, garment and its first colour that the caption names first; -1 where it names none."""
    words = caption.replace(",", "").split()
    first = next(i for i, word in enumerate(words) if word in PEOPLE or word in SPECIES)
    kind = "person" if words[first] in PEOPLE else words[first]
    dressed = kind == "person" and words[first + 1 : first + 2] == ["in"] and words[first + 2] in ("a", "an")
    if not dressed:
        return CLASSES.index(kind), -1, -1
    colour = next(word for word in words[first + 2 :] if word in COLOURS)
    garment = next(word for word in words[first + 2 :] if word in GARMENTS)
    return CLASSES.index(kind), GARMENTS.index(garment), COLOUR_NAMES.index(colour)


class Classifier(nn.Module):
    """Class of the first subject, and the colour of one of its garments."""

    def __init__(self) -> None:
        super().__init__()
        channels = CHANNELS[8] + CHANNELS[16] + 3 * 16
        self.maps = nn.Sequential(
            *(nn.Conv2d(channels, 128, 1), nn.BatchNorm2d(128), nn.ReLU()),
            *(nn.Conv2d(128, 128, 3, padding=1), nn.BatchNorm2d(128), nn.ReLU()),
            *(nn.Conv2d(128, 128, 3, padding=1), nn.BatchNorm2d(128), nn.ReLU()),
        )
        self.garments = nn.Linear(len(GARMENTS), 4)  # where each garment is looked for: maps of attention
        self.attention = nn.Conv2d(128, 4, 1)
        self.kinds = nn.Sequential(nn.Dropout(0.3), nn.Linear(256, len(CLASSES)))
        self.colours = nn.Sequential(nn.Dropout(0.3), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, len(COLOURS)))

    def forward(self, maps: Tensor, garments: Tensor) -> tuple[Tensor, Tensor]:
        features = self.maps(maps.float())
        pooled = torch.cat([features.mean((2, 3)), features.amax((2, 3))], 1)
        query = self.garments(F.one_hot(garments.clamp(min=0), len(GARMENTS)).float())
        weights = (self.attention(features) * query[..., None, None]).sum(1).flatten(1).softmax(1)
        read = torch.einsum("bn,bcn->bc", weights, features.flatten(2))
        return self.kinds(pooled), self.colours(torch.cat([read, features.mean((2, 3))], 1))


def maps_of(images: np.ndarray, encoder: ImagenetEncoder) -> Tensor:
    """Images (batch, height, width, 3) as uint8 -> the classifier's input (batch, channels, 16, 16), float16."""
    rgb = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        maps = encoder.maps(rgb, (8, 16))
    side = maps[8].shape[-2:]
    coarse = F.interpolate(maps[16], size=side, mode="bilinear")
    colours = F.pixel_unshuffle(F.interpolate(rgb, scale_factor=0.5, mode="area"), SIDE // 2 // side[0])
    return torch.cat([maps[8], coarse, colours * 4], 1).half()


def rendered(number: int, seed: int, encoder: ImagenetEncoder) -> tuple[Tensor, Tensor]:
    """Maps and attributes (number, 3) of rendered scenes."""
    reader = PuppetsReader(number, seed, (SIDE, SIDE), ("caption",), subjects="all", style="clean")
    maps, found = [], []
    for begin in range(0, number, 100):
        samples = [reader.sample(i) for i in range(begin, min(begin + 100, number))]
        maps.append(maps_of(np.stack([sample.image() for sample in samples]), encoder))
        found += [attributes(str(sample.caption)) for sample in samples]
    return torch.cat(maps), torch.tensor(found)


def train(maps: Tensor, wanted: Tensor, epochs: int = 10) -> Classifier:
    torch.manual_seed(0)
    network = Classifier()
    batches = len(maps) // 50
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=epochs * batches)
    for _ in range(epochs):
        for rows in torch.randperm(len(maps))[: batches * 50].reshape(batches, 50):
            batch = maps[rows]
            kinds, colours = network(batch.flip(-1) if torch.rand(()) < 0.5 else batch, wanted[rows, 1])
            loss = F.cross_entropy(kinds, wanted[rows, 0])
            dressed = wanted[rows, 2] >= 0
            if dressed.any():
                loss = loss + F.cross_entropy(colours[dressed], wanted[rows, 2][dressed])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def agreement(network: Classifier, maps: Tensor, wanted: Tensor) -> dict[str, dict[str, object]]:
    """Share of the images in which the classifier finds the class, and the colour; and the most frequent one's."""
    with torch.inference_mode():
        answers = [
            network(part, garments) for part, garments in zip(maps.split(100), wanted[:, 1].split(100), strict=True)
        ]
    kinds, colours = (torch.cat(logits).argmax(1) for logits in zip(*answers, strict=True))
    parts = {
        "class": (kinds, wanted[:, 0], wanted[:, 0] >= 0),
        "class, animals": (kinds, wanted[:, 0], wanted[:, 0] > 0),
        "colour": (colours, wanted[:, 2], wanted[:, 2] >= 0),
    }
    scores = {}
    for name, (found, targets, counted) in parts.items():
        if counted.any():
            right = (found == targets)[counted].double().numpy()
            counts = np.stack([right, np.ones(len(right))], 1)
            ends = interval(counts, lambda sums: sums[..., 0] / sums[..., 1], [str(i) for i in range(len(right))])
            chance = float(targets[counted].bincount().max() / len(right))
            scores[name] = {"share": float(right.mean()), "interval": ends, "n": len(right), "chance": chance}
    return scores


def captions_of(subjects: str, number: int, dressed: bool) -> list[str]:
    """Captions of held-out scenes, in order; of those only that name a garment's colour, where `dressed`."""
    reader = PuppetsReader(4 * number, SAMPLE_SEED, (SIDE, SIDE), ("caption",), subjects=subjects, style="clean")
    captions = (str(reader.sample(index).caption) for index in range(len(reader)))
    return list(islice((text for text in captions if not dressed or attributes(text)[2] >= 0), number))


def sampled(pipeline: StableDiffusionPipeline, captions: list[str]) -> np.ndarray:
    images = []
    for seed, caption in enumerate(captions):
        generator = torch.Generator().manual_seed(seed)
        result = pipeline(
            caption, num_inference_steps=50, guidance_scale=4.0, height=SIDE, width=SIDE, generator=generator
        )
        images.append(np.asarray(result.images[0]))
        print(f"sampled {seed + 1}/{len(captions)}", end="\r", file=sys.stderr)
    return np.stack(images)


def main(folder: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    encoder = ImagenetEncoder()
    network = train(*rendered(RENDERS, RENDER_SEED, encoder))
    scores = {"renders": agreement(network, *rendered(HELD_OUT, RENDER_SEED + 1, encoder))}
    print("renders", json.dumps(scores["renders"]))
    pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
    pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    for subjects, dressed in (("all", False), ("people", True)):
        captions = captions_of(subjects, SAMPLES, dressed)
        images = sampled(pipeline, captions)
        write_image(out / f"{subjects}.png", np.asarray(contact_sheet(list(images[:24]), 6, tile=(SIDE, SIDE))))
        maps = torch.cat([maps_of(part, encoder) for part in np.array_split(images, 4)])
        scores[subjects] = agreement(network, maps, torch.tensor([attributes(caption) for caption in captions]))
        print(subjects, json.dumps(scores[subjects]), flush=True)
    (out / "attributes.json").write_text(json.dumps(scores, indent=1))


if __name__ == "__main__":
    packaged = Path(gensight.__file__).parent / "backbones" / "tiny"
    main(Path(sys.argv[-2]) if len(sys.argv) > 2 else packaged, Path(sys.argv[-1]))
