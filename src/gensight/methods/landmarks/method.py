"""Landmarks without labels, as a Method: one or two optimizer groups."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from gensight.backbones.base import Backbone
from gensight.diffusion.sampling import Sampling
from gensight.errors import ConfigError
from gensight.methods.base import Method
from gensight.methods.landmarks.jitter import JitterRange, jitter, uniform_draws
from gensight.methods.landmarks.model import Background, FeatureShape, Found, ImageShape, LandmarkModel, Redrawn
from gensight.methods.landmarks.networks import PatchDiscriminator
from gensight.methods.landmarks.parts import Landmarks as Parts
from gensight.methods.landmarks.parts import render
from gensight.methods.landmarks.perception import Vgg19, compare, perceptual_space
from gensight.methods.landmarks.separation_loss import (
    REACH,
    Adversary,
    critic_loss,
    equivariance_loss,
    separation_loss,
    verdict_loss,
)
from gensight.methods.loss import Loss
from gensight.samples import Batch
from gensight.transforms.thin_plate_spline import Warp, WarpRange, draw_warp

_USUAL_WARP, _USUAL_JITTER, _NO_ADVERSARY = WarpRange(), JitterRange(), Adversary()
_JITTER, _WARP, _CHOICE, _FLIP, _CHECK = range(5)  # streams of chance


@dataclass(frozen=True, eq=False)
class Pair:
    """Sources of the pose and the appearance, the frame to reconstruct, and its recorded background, if any."""

    pose: Tensor
    target: Tensor
    looks: Tensor
    behind: Tensor | None = None


class Landmarks(Method):
    """Finds a subject's parts by redrawing one image in the pose of another (Dundar et al., arXiv 2001.09518).

    Images are `batch.images[0]`, which gives the pose, and `batch.images[1]`, which gives the appearance; where
    there is only one, or by `warp_share`, the appearance comes from a warp of the first. The last image of a batch is
    the background, where that is recorded. All random numbers come from the batch's keys.

    Losses: `reconstruction`, and by choice `equivariance`, `separation`, `adversarial`; `floored`, the share of
    covariances at their floor, is logged alone. The discriminator's is `verdict`.

    Args:
        backbone: Of the perceptual loss, or of the `backbone` encoder; frozen. Not kept where neither needs it.
        num_landmarks: K.
        flip: Probability of a left-right flip of both images.
        warp_share: Of pairs that could be either, how many are warped.

    The other arguments are fields of `config.landmarks.LandmarksConfig`, which describes them.

    Raises:
        ConfigError: If the backbone is one that has learned nothing.
        RunError: If VGG-19's weights cannot be read.
    """

    def __init__(
        self,
        backbone: Backbone,
        num_landmarks: int = 30,
        *,
        encoder: Literal["u-net", "backbone"] = "u-net",
        shape_widths: tuple[int, ...] = (64, 128, 256, 512),
        appearance_channels: int = 32,
        appearance_width: int = 64,
        decoder_widths: tuple[int, ...] = (256, 256, 128, 64),
        spade_width: int = 64,
        covariance: float | Literal["fitted"] = 0.008,
        formulas: Literal["own", "published"] = "own",
        background: Background = "full",
        background_width: int = 32,
        perceptual: Literal["backbone", "vgg19", "pixels"] = "backbone",
        vgg_weights: Path | None = None,
        level_weights: Literal["reduced", "uniform"] = "reduced",
        perceptual_weight: float = 5.0,
        equivariance: float = 0.0,
        separation: float = 0.0,
        warp: WarpRange = _USUAL_WARP,
        flip: float = 0.0,
        warp_share: float = 0.5,
        jitter: JitterRange = _USUAL_JITTER,
        adversary: Adversary = _NO_ADVERSARY,
    ) -> None:
        super().__init__()
        self.published = formulas == "published"
        if "backbone" in (encoder, perceptual) and backbone.trainable:
            raise ConfigError(
                "landmarks compare or read the features of a frozen backbone, and this one is trained",
                where="backbone",
                hint="take a pretrained, frozen one, or set method.perceptual=pixels",
            )
        self.num_landmarks, self.reduced, self.adversary = num_landmarks, level_weights == "reduced", adversary
        self.perceptual_weight, self.equivariance, self.separation = perceptual_weight, equivariance, separation
        self.warp, self.flip, self.warp_share, self.jitter = warp, flip, warp_share, jitter
        self.model = LandmarkModel(
            FeatureShape(backbone, num_landmarks, shape_widths[0])
            if encoder == "backbone"
            else ImageShape(num_landmarks, shape_widths),
            num_landmarks,
            appearance_channels=appearance_channels,
            appearance_width=appearance_width,
            decoder_widths=decoder_widths,
            spade_width=spade_width,
            variance=None if covariance == "fitted" else covariance,
            background=background,
            background_width=background_width,
            pools_softmax=self.published,
        )
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
        space = "pixels" if encoder == "backbone" else perceptual
        self.space = perceptual_space(space, backbone, vgg_weights, self.published)
        if adversary.weight:
            self.optimizer_groups = ("model", "discriminator")
            self.discriminator = PatchDiscriminator(num_landmarks, adversary)
        # Frames, their reconstructions and maps, for the discriminator's turn with the same batch; gone when that is.
        self._redrawn: WeakKeyDictionary[Batch, tuple[Tensor, Tensor, Tensor]] = WeakKeyDictionary()

    # --- Method ---

    def losses(self, batch: Batch, group: str = "model") -> dict[str, Loss]:
        count = len(batch)
        if group == "discriminator":
            if batch not in self._redrawn:
                with torch.no_grad():
                    self.losses(batch)
            target, drawn, maps = self._redrawn.pop(batch)
            real, generated = self.discriminator(target, maps), self.discriminator(drawn, maps)
            return {"verdict": Loss.of_mean(critic_loss(real, generated, self.adversary), count)}
        pair = self.pair(batch)
        warp = self._warp(batch.keys, pair.target, _CHECK) if self.equivariance else None
        extra = [] if warp is None else [warp.image(pair.target)]
        found = self.model.find(torch.cat([pair.pose, pair.looks, *extra]))  # one pass for all of them
        pose = found[:count]
        redrawn = self.model.redraw(pose, found[count : 2 * count], pair.looks, pair.behind)
        losses = {"reconstruction": Loss.of_mean(self._compare(redrawn, pair, pose), count, self.perceptual_weight)}
        if warp is not None:
            distance = equivariance_loss(found[2 * count :].landmarks, pose.landmarks, warp)
            losses["equivariance"] = Loss.of_mean(distance, count, self.equivariance)
        if self.separation and self.num_landmarks > 1:
            losses["separation"] = Loss.of_mean(separation_loss(pose.landmarks, REACH), count, self.separation)
        if self.adversary.weight:
            maps = render(pose.landmarks, *pair.target.shape[-2:]).detach()
            self._redrawn[batch] = pair.target, redrawn.image.detach(), maps
            verdict = verdict_loss(self.discriminator(redrawn.image, maps), True, self.adversary)
            losses["adversarial"] = Loss.of_mean(verdict, count, self.adversary.weight)
        losses["floored"] = Loss.of_mean(found.landmarks.floored.float().mean(), count, weight=0.0)
        return losses

    @torch.no_grad()
    def predict(self, batch: Batch, sampling: Sampling | None = None) -> dict[str, Tensor]:
        """`landmarks` (B, 3K): places as shares of the view, then confidence; `covariances` (B, K, 2, 2), sides 2."""
        found = self.model.find(batch.image).landmarks
        places = (found.mean + 1) / 2
        return {
            "landmarks": torch.cat([places.flatten(1), found.concentration], dim=1),
            "covariances": found.covariance,
        }

    def parameter_groups(self, group: str = "model") -> list[dict[str, Any]]:
        module = self.discriminator if group == "discriminator" else self.model
        return [{"params": [p for p in module.parameters() if p.requires_grad], "lr_scale": 1.0}]

    def trained_state(self) -> dict[str, Tensor]:
        """All but what is frozen: spectral normalisation keeps vectors of its own, and resuming needs them."""
        frozen = ("space.", "model.shape.backbone.")
        return {name: tensor for name, tensor in self.state_dict().items() if not name.startswith(frozen)}

    # --- Pairs ---

    @torch.no_grad()
    def pair(self, batch: Batch) -> Pair:
        """The images of a training step, warped and coloured by the batch's keys."""
        frame, keys = batch.image, batch.keys
        images = batch.images[:-1] if self.model.background_is_recorded else batch.images
        other = images[1] if len(images) > 1 else frame
        behind = batch.images[-1] if self.model.background_is_recorded else frame
        if self.flip:
            flipped = (uniform_draws(keys, 1, _FLIP)[:, 0] < self.flip).to(frame.device)[:, None, None, None]
            frame, other, behind = (torch.where(flipped, image.flip(-1), image) for image in (frame, other, behind))
        if len(images) == 1:
            other = self._warp(keys, frame, _WARP).image(frame)
        elif self.warp_share:
            same = torch.tensor([one.samples[0] is one.samples[1] for one in batch.items])
            warped = same | (uniform_draws(keys, 1, _CHOICE)[:, 0] < self.warp_share)
            chosen = warped.to(frame.device)[:, None, None, None]
            other = torch.where(chosen, self._warp(keys, frame, _WARP).image(frame), other)
        draws = uniform_draws(keys, JitterRange.num_draws, _JITTER)
        coloured = jitter(frame, draws, self.jitter)
        target = coloured if self.jitter.targets else frame
        if self.jitter.targets:
            other, behind = (jitter(image, draws, self.jitter) for image in (other, behind))
        return Pair(coloured, target, other, behind if self.model.background_is_recorded else None)

    def _warp(self, keys: Tensor, images: Tensor, stream: int) -> Warp:
        return draw_warp(uniform_draws(keys, self.warp.num_draws, stream).to(images.device), self.warp)

    def _compare(self, redrawn: Redrawn, pair: Pair, pose: Found) -> Tensor:
        if isinstance(self.model.shape, FeatureShape):
            target = pose.features if self.jitter.targets else self.model.shape.read(pair.target)
            return nn.functional.mse_loss(redrawn.image, target)
        pixels = nn.functional.mse_loss(redrawn.image, pair.target) * (4 if self.published else 1)  # sides of length 2
        if self.space is None:
            return pixels
        with torch.no_grad():
            theirs = self.space(pair.target)
        return pixels + compare(self.space(redrawn.image), theirs, self.reduced, not isinstance(self.space, Vgg19))

    # --- For reports ---

    @torch.no_grad()
    def transfer(self, pose: Tensor, looks: Tensor, behind: Tensor | None = None) -> Redrawn:
        """The subject of `looks` (B, 3, height, width) in the pose of `pose`, before the background of `looks`.

        Args:
            pose: (B, 3, height, width).
            looks: Of the same shape.
            behind: The background, for landmarks that learned from recorded ones; None: black.

        Raises:
            ConfigError: If the landmarks redraw features.
        """
        if self.model.redraws_features:
            raise ConfigError("landmarks of a frozen backbone redraw features, not pictures", where="method.encoder")
        if self.model.background_is_recorded and behind is None:
            behind = torch.zeros_like(pose)
        return self.model.redraw(self.model.find(pose), self.model.find(looks), looks, behind)

    @torch.no_grad()
    def find(self, images: Tensor) -> Found:
        """Landmarks and part maps of images (B, 3, height, width)."""
        return self.model.find(images)

    @torch.no_grad()
    def masks(self, landmarks: Parts, height: int, width: int) -> Tensor | None:
        """(B, 1, height, width) foreground; None where there is no background factorisation."""
        return self.model.masks(landmarks, height, width) if self.model.has_background else None

    @torch.no_grad()
    def equivariance_error(self, images: Tensor, keys: Tensor) -> Tensor:
        """(B, K): how far each landmark of a warped image lies from the warped landmark; sides are 2."""
        warp = self._warp(keys, images, _CHECK)
        found = self.model.find(torch.cat([images, warp.image(images)])).landmarks
        straight, warped = found.mean[: len(images)], found.mean[len(images) :]
        return (warp(warped) - straight).norm(dim=-1)
