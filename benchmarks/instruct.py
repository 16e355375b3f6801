"""One call of an editing U-Net against 100 Euler steps with three branches: time of each part.

    python benchmarks/instruct.py [--images 1] [--side 128] [--steps 100] [--repeat 3] [--sd15]

On `tiny` both ways run end to end, from pixels and words to a painted answer. Weights play no part in the times, so
untrained editors are measured. With `--sd15` the parts of a model shaped like SD 1.5 (random weights, 512 px; some
minutes and 6 GB on a CPU) are timed one by one, and its 300 calls are counted, not run. Times are CPU times.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from gensight.backbones.diffusion import DiffusionBackbone, load_diffusion, load_tiny
from gensight.methods.instruct.editor import Editor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1)
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--sd15", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    _compare(load_tiny(trainable="lora"), options.images, options.side, options.steps, options.repeat)
    if options.sd15:
        _count(_sd15(), options.steps)


@torch.no_grad()
def _compare(backbone: DiffusionBackbone, images: int, side: int, steps: int, repeat: int) -> None:
    editor = Editor(backbone).eval()
    pixels, texts = torch.rand(images, 3, side, side), ["segment the dog"] * images
    one, many = _times(editor, pixels, texts, repeat), 0.0
    print(f"tiny, {images} image(s) of {side} px, milliseconds of CPU time")
    for name, seconds in one.items():
        print(f"  {name:10s} {1e3 * seconds:9.2f}")
    editor.calls = 0
    noise = torch.randn(images, *backbone.latent_shape((side, side)))

    def sampled() -> None:
        latents = editor.sample(noise, editor.image_latents(pixels), texts, steps, "euler", 7.5, 1.5)
        backbone.decode_latent(latents)

    many = _time(sampled, 1)
    print(f"one-step, end to end    {1e3 * one['one-step']:9.2f}   1 U-Net call an image")
    print(f"{steps} steps, end to end   {1e3 * many:9.2f}   {editor.calls // images} U-Net calls an image")
    print(f"ratio                   {many / one['one-step']:9.1f}")


def _times(editor: Editor, pixels: torch.Tensor, texts: list[str], repeat: int) -> dict[str, float]:
    backbone = editor.backbone
    latents, text = editor.image_latents(pixels), editor.embed(texts)
    last = torch.full((len(pixels),), 999)
    zeros = torch.zeros_like(latents)

    def words() -> None:
        editor._texts = {}
        editor.embed(texts)

    def one_step() -> None:
        editor._texts = {}
        output = editor.denoise(zeros, last, editor.image_latents(pixels), editor.embed(texts))
        backbone.decode_latent(-output)

    parts: dict[str, Callable[[], object]] = {
        "text": words,
        "encoder": lambda: editor.image_latents(pixels),
        "U-Net": lambda: editor.denoise(zeros, last, latents, text),
        "decoder": lambda: backbone.decode_latent(latents),
        "one-step": one_step,
    }
    return {name: _time(part, repeat) for name, part in parts.items()}


@torch.no_grad()
def _count(backbone: DiffusionBackbone, steps: int) -> None:
    editor = Editor(backbone).eval()
    times = _times(editor, torch.rand(1, 3, 512, 512), ["segment the dog"], 1)
    print("shaped like SD 1.5, one image of 512 px, seconds of CPU time")
    for name, seconds in times.items():
        print(f"  {name:10s} {seconds:9.2f}")
    others = times["text"] + times["encoder"] + times["decoder"]
    calls = 3 * steps
    print(f"U-Net: 1 call {times['U-Net']:.2f} s, {calls} calls {calls * times['U-Net']:.0f} s: {calls} x")
    print(f"end to end, counted: {(others + calls * times['U-Net']) / (others + times['U-Net']):.1f} x")


def _sd15() -> DiffusionBackbone:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from tests.pipelines import save_pipeline

    with tempfile.TemporaryDirectory() as folder:
        return load_diffusion(save_pipeline(Path(folder) / "sd15", full_size=True), trainable="lora")


def _time(run: Callable[[], object], repeat: int) -> float:
    if repeat > 1:
        run()  # warm
    begun = time.process_time()
    for _ in range(repeat):
        run()
    return (time.process_time() - begun) / repeat


if __name__ == "__main__":
    main()
