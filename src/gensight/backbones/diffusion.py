"""Text-to-image diffusion models of the SD 1.x, 2.x and XL families as backbones: unpatched diffusers, through hooks.

What a `DiffusionBackbone` returns for a 512 x 512 image, with default settings:
- SD 1.5 and 2.x: 12 maps `up_blocks.{0..3}.resnets.{0..2}` of 1280 x6, 640 x3 and 320 x3 channels, 8, 8, 8, 16, 16, 16,
  32, 32, 32, 64, 64, 64 cells wide, and a time embedding of 1280.
- SDXL: 9 maps of 1280 x3, 640 x3 and 320 x3 channels, 16, 32 and 64 cells wide (32, 64 and 128 at its 1024 px).
Any height and width that the autoencoder's stride (8) divides will do."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gensight.backbones.base import Backbone, Features, Layer, weights_hash
from gensight.backbones.capture import (
    ENCODER,
    capture,
    choose_layers,
    encoder_layers,
    encoder_modules,
    unet_layers,
    watching,
)
from gensight.backbones.presets import tiny_folder
from gensight.backbones.pretrained import PipelineParts, check_family, load_any_parts, pipeline_folder
from gensight.backbones.text import TextEmbedding, embed_prompts
from gensight.errors import ConfigError, RunError
from gensight.samples import Size

Trainable = Literal["frozen", "lora", "full"]
TimeEmbedding = Literal["network", "reversed", "plain"]
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
ATTENTION = ["to_q", "to_k", "to_v", "to_out.0"]


class DiffusionBackbone(Backbone):
    """A latent diffusion model's decoder features, and its other parts behind one face.

    Perception is deterministic: the mode of the latent, the empty prompt, a fixed timestep and no noise, by default.
    Differentiable with respect to images, latents, noise and whatever is trained.

    Args:
        parts: The pipeline's parts. The family is read from the U-Net's config, never from a name.
        layers: Names such as `up_blocks.1.resnets.0`, `mid_block.resnets.1` or `down_blocks.0.resnets.0`, and of the
            autoencoder's encoder `vae.down_blocks.0.resnets.0`, which is finer and sees the image without noise; all
            decoder layers of the U-Net if None. Computing stops after the last of them.
        timestep: Default training index 0..T-1.
        trainable: `frozen`, `lora` (adapters on the U-Net's attention) or `full` (the whole U-Net).
        lora_rank: Rank of the adapters.
        seed: Of the adapters' initial weights.
        time_embedding: What heads are given: `network`, the embedding that the U-Net used; `reversed`, that of
            T - timestep by the U-Net's own layers and without what it adds (SDXL), as the heads that Luo et al.
            ("Readout Guidance", CVPR 2024) released were trained with.

    Raises:
        ConfigError: For an unknown layer, a timestep out of range, or full training in half precision.
        RunError: For a U-Net outside the three families.

    Attributes:
        unet, vae, text_encoders, tokenizers, scheduler: The parts; `scheduler` is the training schedule.
        is_xl: Whether the U-Net is conditioned on pooled text and sizes (SDXL).
        latent_channels: Channels of a latent.
    """

    def __init__(
        self,
        parts: PipelineParts,
        *,
        layers: Sequence[str] | None = None,
        timestep: int = 1,
        trainable: Trainable = "frozen",
        lora_rank: int = 8,
        seed: int = 0,
        time_embedding: TimeEmbedding = "network",
    ) -> None:
        super().__init__()
        self.unet = parts.unet
        self.vae = parts.vae
        self.text_encoders = nn.ModuleList(parts.text_encoders)
        self.tokenizers = parts.tokenizers
        self._stored_prompt = parts.empty_prompt
        self.scheduler = parts.scheduler
        self.is_xl = check_family(parts)
        self.latent_channels: int = self.unet.config.out_channels
        self.stride = parts.stride
        self.layers = choose_layers(self.every_layer, layers)
        self.time_channels = self.unet.time_embedding.linear_2.out_features
        self.timestep = self._check_timestep(timestep)
        self.time_embedding: TimeEmbedding = time_embedding
        self.tuning: Trainable = trainable
        self.trainable, self.rate_scale = trainable != "frozen", 0.1
        self._empty_prompt: TextEmbedding | None = None
        self._weights_hash: str | None = None
        self.requires_grad_(False)
        if trainable == "lora":
            _add_adapters(self.unet, lora_rank, seed)
        elif trainable == "full":
            if self.unet.dtype != torch.float32:
                raise ConfigError(
                    f"a U-Net in {self.unet.dtype} can't be trained whole: small updates are rounded away",
                    where="backbone.dtype",
                    hint="use dtype float32 with training.precision=bfloat16, or backbone.trainable=lora",
                )
            self.unet.requires_grad_(True)
        self.train(False)

    # --- The parts ---

    def encode_image(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch channels h w"]:
        """Images in [0, 1] -> the mode of their scaled latents, in float32 whatever the U-Net's precision."""
        self.checked_size(images)
        latents = self.raw_latents(images)
        mean, deviation = self._latent_moments(latents)
        return (latents - mean) / deviation

    def raw_latents(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch channels h w"]:
        """Images in [0, 1] -> the mode of their latents as the autoencoder gives them."""
        with torch.autocast(images.device.type, enabled=False):
            encoded = self.vae.encode(images.float() * 2 - 1)
            latents: Tensor = encoded.latent_dist.mode() if hasattr(encoded, "latent_dist") else encoded.latents
            return latents

    def decode_latent(self, latents: Float[Tensor, "batch channels h w"]) -> Float[Tensor, "batch 3 height width"]:
        """Scaled latents -> images, about in [0, 1] and not clamped, so that gradients flow."""
        with torch.autocast(latents.device.type, enabled=False):
            mean, deviation = self._latent_moments(latents)
            if isinstance(deviation, float):  # divided as diffusers does, so that pictures agree to the bit
                raw = latents.float() / self.vae.config.scaling_factor + mean
            else:
                raw = latents.float() * deviation + mean
            decoded: Tensor = self.vae.decode(raw).sample
            return decoded / 2 + 0.5

    def _latent_moments(self, like: Tensor) -> tuple[Tensor | float, Tensor | float]:
        """What a raw latent is normalised by: per channel where the autoencoder says so, else by one factor."""
        config = self.vae.config
        mean, deviation = config.get("latents_mean"), config.get("latents_std")
        if mean is not None and deviation is not None:
            shape = (1, -1, 1, 1)
            deviations = torch.tensor(deviation, device=like.device).view(shape) / config.scaling_factor
            return torch.tensor(mean, device=like.device).view(shape), deviations
        return config.get("shift_factor") or 0.0, 1 / config.scaling_factor

    def latent_shape(self, image_size: Size) -> tuple[int, ...]:
        """(channels, height, width) of the latent, and of the noise, for one image of this size."""
        return self.latent_channels, image_size[0] // self.stride, image_size[1] // self.stride

    def embed_text(self, prompts: Sequence[str]) -> TextEmbedding:
        """Prompts -> what `denoise` takes; embedded without gradients."""
        # Never an inference tensor: it may be kept, and used again where gradients are wanted.
        with torch.inference_mode(False), torch.no_grad():
            return embed_prompts(prompts, self.tokenizers, list(self.text_encoders), self.device)

    def denoise(
        self,
        x_t: Float[Tensor, "batch channels h w"],
        timestep: int | Tensor,
        text: TextEmbedding | Sequence[str] | None = None,
    ) -> tuple[Float[Tensor, "batch channels h w"], Features, Tensor]:
        """One pass of the whole U-Net: its output (`scheduler.config.prediction_type`), features, their time embedding.

        Args:
            x_t: Scaled latents, noised to `timestep`.
            timestep: Training index 0..T-1, one for all or (batch,).
            text: One prompt per image, or their embedding; empty prompts if None.
        """
        self._check_latents_suffice()
        output, features = self._run(x_t, timestep, text, stop=False)
        assert output is not None and features.time_embedding is not None
        return output, features, features.time_embedding

    def read_latents(
        self,
        x_t: Float[Tensor, "batch channels h w"],
        timestep: int | Tensor,
        text: TextEmbedding | Sequence[str] | None = None,
        time: TimeEmbedding | None = None,
    ) -> Features:
        """The features of noisy latents; computing stops after the last layer. Arguments as for `denoise`; `time`
        replaces the backbone's `time_embedding` for this pass (`plain`: as `reversed`, of the timestep itself).

        Raises:
            ConfigError: Where layers of the autoencoder's encoder are read: they need an image.
        """
        self._check_latents_suffice()
        return self._run(x_t, timestep, text, stop=True, time=time)[1]

    def _check_latents_suffice(self) -> None:
        encoder = self._layer_names(encoder=True)
        if encoder:
            raise ConfigError(
                f"{encoder[0]} is read from an image, and noisy latents have none", where="backbone.layers",
                hint="steer with a head that reads layers of the U-Net only",
            )  # fmt: skip

    @property
    def every_layer(self) -> tuple[Layer, ...]:
        """All layers that can be read: the autoencoder's encoder, then the U-Net, in the order of computing."""
        return encoder_layers(self.vae) + unet_layers(self.unet, self.stride)

    @contextmanager
    def checkpointed(self, active: bool = True) -> Iterator[None]:
        """Inside the block, backward passes compute the U-Net's blocks a second time instead of keeping them."""
        if active:
            self.unet.enable_gradient_checkpointing()
        try:
            yield
        finally:
            if active:
                self.unet.disable_gradient_checkpointing()

    def add_noise(self, latents: Tensor, noise: Tensor, timestep: int | Tensor) -> Tensor:
        """sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) epsilon."""
        return self.scheduler.add_noise(latents, noise, self._timesteps(timestep, latents))

    # --- Perception ---

    def features(
        self,
        images: Float[Tensor, "batch 3 height width"],
        timestep: int | Tensor | None = None,
        text: Sequence[str] | None = None,
        noise: Float[Tensor, "batch channels h w"] | None = None,
    ) -> Features:
        """See `Backbone.features`. Maps come in the U-Net's precision, the time embedding too."""
        timestep = self.timestep if timestep is None else timestep
        with watching(encoder_modules(self.vae, self._layer_names(encoder=True))) as encoded:
            latents = self.encode_image(images)
        if noise is not None:
            latents = self.add_noise(latents, noise, timestep)
        found = self._run(latents, timestep, text, stop=True)[1]
        return replace(found, maps={name: maps.to(self.unet.dtype) for name, maps in encoded.items()} | found.maps)

    def _layer_names(self, encoder: bool) -> list[str]:
        return [layer.name for layer in self.layers if layer.name.startswith(ENCODER) == encoder]

    def _run(
        self,
        x_t: Tensor,
        timestep: int | Tensor,
        text: TextEmbedding | Sequence[str] | None,
        *,
        stop: bool,
        time: TimeEmbedding | None = None,
    ) -> tuple[Tensor | None, Features]:
        dtype, batch = self.unet.dtype, x_t.shape[0]
        if self.unet.config.in_channels == 2 * x_t.shape[1]:
            hint = "use it with method.kind=instruct, or name the text-to-image model that it was made from"
            raise RunError("this U-Net edits: it takes an image's latent beside the noisy one", hint=hint)
        if text is None:
            text = self._embed_nothing().expand(batch)
        elif not isinstance(text, TextEmbedding):
            text = self.embed_text(text)
        conditions: dict[str, Any] = {"encoder_hidden_states": text.tokens.to(dtype)}
        if self.is_xl:
            size = [side * self.stride for side in x_t.shape[-2:]]
            # Original size, crop's top left corner, target size (Podell et al., "SDXL", section 2.2).
            time_ids = torch.tensor([[*size, 0, 0, *size]], dtype=dtype, device=x_t.device).expand(batch, -1)
            conditions["added_cond_kwargs"] = {"text_embeds": text.pooled, "time_ids": time_ids}
        output, timesteps = None, self._timesteps(timestep, x_t)
        with capture(self.unet, self._layer_names(encoder=False), stop) as captured:
            output = self.unet(x_t.to(dtype), timesteps, return_dict=False, **conditions)[0]
        kind = time or self.time_embedding
        if kind == "network":
            return output, Features(captured.maps, captured.time_embedding)
        embedded = timesteps if kind == "plain" else self.scheduler.config.num_train_timesteps - timesteps
        return output, Features(captured.maps, self.unet.time_embedding(self.unet.time_proj(embedded).to(dtype)))

    def _embed_nothing(self) -> TextEmbedding:
        if self._empty_prompt is None:
            stored = self._stored_prompt
            self._empty_prompt = self.embed_text([""]) if stored is None else TextEmbedding(stored.to(self.device))
        return self._empty_prompt

    def _timesteps(self, timestep: int | Tensor, like: Tensor) -> Tensor:
        value = torch.as_tensor(timestep, device=like.device)  # some samplers stand between two indices
        return (value if value.is_floating_point() else value.long()).expand(like.shape[0])

    def _check_timestep(self, timestep: int) -> int:
        last = self.scheduler.config.num_train_timesteps - 1
        if not 0 <= timestep <= last:
            raise ConfigError(f"timestep {timestep} lies outside 0..{last}", where="backbone.timestep")
        return timestep

    # --- State ---

    @property
    def device(self) -> torch.device:
        """Where the parts are."""
        return next(self.parameters()).device

    def train(self, mode: bool = True) -> "DiffusionBackbone":
        """Only what is trained ever leaves evaluation mode: the U-Net, unless frozen."""
        super().train(False)
        self.training = mode
        self.unet.train(mode and self.trainable)
        return self

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "DiffusionBackbone":
        # `.to(dtype)`, `.half()` and their like reach the VAE as moves only: in half precision it gives black images.
        for name, part in self.named_children():
            part._apply(_keeping_dtype(fn) if name == "vae" else fn)
        self._empty_prompt = None
        return self

    def fingerprint(self) -> str:
        """Hash of all weights, layers, timestep and precision. Frozen weights are hashed once."""
        settings = {
            "layers": [layer.name for layer in self.layers],
            "timestep": self.timestep,
            "dtype": str(self.unet.dtype),
            "scheduler": {k: v for k, v in self.scheduler.config.items() if not k.startswith("_")},
        }
        if self.time_embedding != "network":
            settings["time_embedding"] = self.time_embedding
        described = json.dumps(settings, sort_keys=True, default=str)
        return hashlib.sha256(f"{self.weights_hash()} {described}".encode()).hexdigest()

    def weights_hash(self) -> str:
        """Hash of every part's weights, in the precision in which they are held."""
        if self._weights_hash is None or self.trainable:
            self._weights_hash = weights_hash(self.state_dict())
        return self._weights_hash


def _add_adapters(unet: Any, rank: int, seed: int) -> None:
    from peft import LoraConfig

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=ATTENTION))
    for parameter in unet.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()  # adapters learn in float32 on a U-Net in half precision


def load_diffusion(
    source: str | Path,
    *,
    dtype: str = "float32",
    random_weights: bool = False,
    seed: int = 0,
    local_files_only: bool = False,
    perception_only: bool = False,
    **options: Any,
) -> DiffusionBackbone:
    """A backbone from a diffusers folder or a hub id.

    Args:
        source: A folder with `model_index.json`, or an id such as `stabilityai/stable-diffusion-xl-base-1.0`.
        dtype: Of the U-Net and the text encoders: `float32`, `bfloat16` or `float16`. The VAE stays in float32.
        random_weights: The same architecture with random weights throughout: the random-weights baseline.
        seed: Of fresh weights, and of adapters.
        local_files_only: Never reach for the network.
        perception_only: Opens faster, in a process that only reads images by frozen backbones.
        options: `layers`, `timestep`, `trainable`, `lora_rank`, `time_embedding`: see `DiffusionBackbone`.

    Raises:
        RunError, ConfigError: A part is missing, damaged or of another family; an unknown layer, dtype or timestep.
    """
    if dtype not in DTYPES:
        raise ConfigError(f"unknown dtype {dtype!r}", where="backbone.dtype", choices=DTYPES)
    folder = pipeline_folder(source, local_files_only)
    quick = perception_only and options.get("trainable", "frozen") == "frozen"
    return DiffusionBackbone(load_any_parts(folder, DTYPES[dtype], random_weights, seed, quick), seed=seed, **options)


def load_tiny(**options: Any) -> DiffusionBackbone:
    """`tiny`, the diffusion model that comes with the package; options as for `load_diffusion`.

    Raises:
        RunError: If the package was built without its weights.
    """
    folder = tiny_folder()
    if not (folder / "model_index.json").is_file():
        raise RunError(
            "this installation lacks the weights of `tiny`",
            where=folder,
            hint="reinstall the package, or train them with `gensight pretrain tiny` and copy its pipeline there",
        )
    return load_diffusion(folder, **options)


def _keeping_dtype(fn: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def moved(tensor: Tensor) -> Tensor:
        result = fn(tensor)
        return result if result.dtype == tensor.dtype else tensor.to(result.device)

    return moved
