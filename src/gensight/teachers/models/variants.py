"""Other pictures with the same layout: each image half-way noised and denoised again, by a diffusion backbone."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import cv2
import numpy as np
import torch
from diffusers import DDIMScheduler
from pydantic import Field
from torch import Tensor

from gensight.assembly.devices import choose_device
from gensight.backbones.diffusion import DiffusionBackbone, load_diffusion, load_tiny
from gensight.backbones.presets import tiny_folder
from gensight.backbones.pretrained import pipeline_folder
from gensight.diffusion.noise import item_noise
from gensight.diffusion.sampling import run_sampler
from gensight.files.hashing import file_hash, value_hash
from gensight.geometry import warp_image
from gensight.samples import Array, Sample, Size
from gensight.teachers.base import Count, Labels, ModelTeacher
from gensight.transforms.views import stretched_frame


@dataclass(eq=False)
class VariantTeacher(ModelTeacher):
    """SDEdit (Meng et al., ICLR 2022): other images with the same coarse layout.

    The image is encoded, noised to `strength` of the schedule, and denoised by DDIM (Song et al., ICLR 2021, eta 0)
    towards its caption, with classifier-free guidance; without a caption towards the empty prompt. The noise belongs to
    the image's key, and images pass one at a time, so a variant depends on nothing else.

    Args:
        weights: `tiny`, a diffusers folder or a hub id.
        strength: Share of the noise levels that are gone through, in (0, 1]: 0 changes nothing, 1 all.
        guidance: Weight of the text; 1 is none.
        num_steps: Noise levels of the whole schedule.
        resolution: The longer side is made this many pixels, and both sides multiples of what the backbone can take;
            None: the side that it was trained at.
        num_variants: Pictures per image.
        seed: Of the noise.
    """

    kind = "variants"
    default = "tiny"
    labels = ("variants",)
    uses = ("caption",)
    strength: Annotated[float, Field(gt=0, le=1)] = 0.5
    guidance: float = 3.5
    num_steps: Count = 50
    resolution: Count | None = None
    num_variants: Count = 1
    seed: int = 0

    @cached_property
    def version(self) -> str:  # type: ignore[override]  # known at first use: it needs the files
        """The first 12 digits of a hash over the backbone's weights."""
        folder = tiny_folder() if self.weights == "tiny" else pipeline_folder(self.weights)
        weights = sorted(folder.rglob("*.safetensors"))
        return value_hash([[path.relative_to(folder).as_posix(), file_hash(path)] for path in weights])[:12]

    def load(self) -> DiffusionBackbone:
        backbone = load_tiny() if self.weights == "tiny" else load_diffusion(self.weights)
        return backbone.to(choose_device(self.device)).eval()

    def label_image(self, sample: Sample) -> Labels:
        size = self._working_size(sample.size)
        image = _resized(sample.image(), size)
        pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float().to(self.model.device) / 255
        latent = self.model.encode_image(pixels)
        prompts = ["", sample.caption or ""]
        keys = [int(value_hash([self.seed, sample.key, number])[:15], 16) for number in range(self.num_variants)]
        found = []
        for key in keys:
            noise = item_noise(torch.tensor([key]), latent.shape[1:]).to(latent)
            decoded = self.model.decode_latent(self._edit(latent, noise, prompts))[0]
            levels = (decoded.float().clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
            found.append(_resized(np.ascontiguousarray(levels), sample.size))
        return Labels(variants=tuple(found))

    def _edit(self, latent: Tensor, noise: Tensor, prompts: list[str]) -> Tensor:
        """Noised to `strength`, and denoised."""
        backbone = self.model
        scheduler = DDIMScheduler.from_config(backbone.scheduler.config, clip_sample=False, set_alpha_to_one=False)
        scheduler.set_timesteps(self.num_steps)
        first_step = len(scheduler.timesteps) - max(1, round(self.num_steps * self.strength))
        text = backbone.embed_text(prompts)

        def denoise(x_t: Tensor, timestep: Tensor) -> Tensor:
            output = backbone.denoise(x_t.expand(2, -1, -1, -1), int(timestep), text)[0].float()
            without, towards = output[:1], output[1:]
            return without + self.guidance * (towards - without)

        start = backbone.add_noise(latent, noise, int(scheduler.timesteps[first_step]))
        return run_sampler(denoise, scheduler, start, first_step=first_step)

    def _working_size(self, size: Size) -> Size:
        """The size at which the backbone sees an image: near the aspect, sides that its U-Net can halve and double."""
        unet = self.model.unet.config
        step = self.model.stride * 2 ** (len(unet.block_out_channels) - 1)
        longest = self.resolution or unet.sample_size * self.model.stride
        scale = longest / max(size)
        height, width = (max(step, round(side * scale / step) * step) for side in size)
        return height, width


def _resized(image: Array, size: Size) -> Array:
    height, width = image.shape[:2]
    if (height, width) == size:
        return image
    if height * width < size[0] * size[1]:
        return cv2.resize(image, size[::-1], interpolation=cv2.INTER_CUBIC)
    return warp_image(image, stretched_frame((height, width), size))
