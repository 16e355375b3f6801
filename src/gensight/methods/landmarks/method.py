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
from gensight.methods.landmarks.model import FeatureShape, Found, ImageShape, LandmarkModel, Redrawn, Scene
from gensight.methods.landmarks.networks import PatchDiscriminator
from gensight.methods.landmarks.parts import Landmarks as Parts
from gensight.methods.landmarks.parts import render
from gensight.methods.landmarks.perception import BackboneSpace, Vgg19, compare, level_weights
from gensight.methods.landmarks.separation_loss import (
    AdversarialLoss,
    critic_loss,
    equivariance_loss,
    generator_loss,
    separation_loss,
)
from gensight.methods.loss import Loss
from gensight.samples import Batch
from gensight.transforms.thin_plate_spline import Warp, WarpRange, draw_warp

_USUAL_WARP, _USUAL_JITTER = WarpRange(), JitterRange()
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
    there is only one, or by `warp_share`, the appearance comes from a warp of the first. All random numbers come from
    the batch's keys.

    Losses: `reconstruction`, and by choice `equivariance`, `separation`, `adversarial`; `floored`, the share of
    covariances at their floor, is logged alone. The discriminator's is `verdict`.

    Args:
        backbone: Of the perceptual loss, or of the `backbone` encoder; frozen. Not kept where neither needs it.
        num_landmarks: K.
        encoder: `u-net`, or `backbone`: a small head on its features, which then redraws features.
        shape_widths: Of the u-net, finest scale (1/2) first.
        appearance_channels: Length of a part's appearance vector.
        appearance_width: Channels of the appearance encoder.
        decoder_widths: Coarsest scale first.
        spade_width: Channels inside each SPADE.
        covariance: `fixed` (isotropic, `variance`) or `fitted` to the maps.
        variance: The image's sides run from -1 to 1.
        variance_floor: Least variance of a fitted landmark.
        background: `none`, `full` or `low-resolution`: painted from the source of the appearance, behind a mask of that
            resolution; `recorded`: given, as the last image of a batch.
        background_width: Channels of the mask's and the background's networks.
        perceptual: `backbone`, `vgg19` or `pixels`.
        vgg_weights: File of VGG-19's weights.
        level_weights: `reduced` or `uniform`.
        perceptual_weight: Factor on the reconstruction's loss.
        equivariance: Weight of the distance between a warped image's landmarks and the warped landmarks.
        separation: Weight of the penalty on landmarks that lie close together.
        separation_reach: How close that is; the image's sides run from -1 to 1.
        warp: How far images are warped.
        flip: Probability of a left-right flip of both images.
        warp_share: Of pairs that could be either, how many are warped.
        jitter: How far colours are changed.
        jitter_targets: Whether the image to reconstruct has the changed colours too.
        adversary: Weight of the adversarial loss; 0: no discriminator.
        adversary_scales: Number of discriminators.
        adversary_layers: Strided convolutions of each.
        adversary_width: Channels of its first convolution.
        adversary_loss: `least-squares` or `cross-entropy`.

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
        covariance: Literal["fixed", "fitted"] = "fixed",
        variance: float = 0.008,
        variance_floor: float = 5e-4,
        background: Literal["none", "full", "low-resolution", "recorded"] = "full",
        background_width: int = 32,
        perceptual: Literal["backbone", "vgg19", "pixels"] = "backbone",
        vgg_weights: Path | None = None,
        level_weights: Literal["reduced", "uniform"] = "reduced",
        perceptual_weight: float = 5.0,
        equivariance: float = 0.0,
        separation: float = 0.0,
        separation_reach: float = 0.2,
        warp: WarpRange = _USUAL_WARP,
        flip: float = 0.0,
        warp_share: float = 0.5,
        jitter: JitterRange = _USUAL_JITTER,
        jitter_targets: bool = False,
        adversary: float = 0.0,
        adversary_scales: int = 2,
        adversary_layers: int = 3,
        adversary_width: int = 64,
        adversary_loss: AdversarialLoss = "least-squares",
    ) -> None:
        super().__init__()
        _check_frozen(backbone, needed="backbone" in (encoder, perceptual))
        self.num_landmarks, self.reduced = num_landmarks, level_weights == "reduced"
        self.perceptual_weight, self.equivariance, self.separation = perceptual_weight, equivariance, separation
        self.separation_reach = separation_reach
        self.warp, self.flip, self.warp_share, self.jitter = warp, flip, warp_share, jitter
        self.jitter_targets, self.adversary, self.adversary_loss = jitter_targets, adversary, adversary_loss
        self.model = LandmarkModel(
            _shape(encoder, backbone, num_landmarks, shape_widths),
            num_landmarks,
            appearance_channels=appearance_channels,
            appearance_width=appearance_width,
            decoder_widths=decoder_widths,
            spade_width=spade_width,
            variance=variance if covariance == "fixed" else None,
            variance_floor=variance_floor,
            background=background,
            background_width=background_width,
        )
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
        self.space = _space(encoder, perceptual, backbone, vgg_weights)
        if adversary:
            self.optimizer_groups = ("model", "discriminator")
            self.discriminator = PatchDiscriminator(num_landmarks, adversary_scales, adversary_layers, adversary_width)
        # The generator's images of a batch, for the discriminator's turn with the same batch; gone when that is.
        self._redrawn: WeakKeyDictionary[Batch, tuple[Tensor, Tensor]] = WeakKeyDictionary()

    # --- Method ---

    def losses(self, batch: Batch, group: str = "model") -> dict[str, Loss]:
        pair = self.pair(batch)
        if group == "discriminator":
            return {"verdict": Loss.of_mean(self._judge(batch, pair), len(batch))}
        extra, warp = [], None
        if self.equivariance:
            warp = self._warp(batch, _CHECK)
            extra = [warp.image(pair.target)]
        count = len(batch)
        found = self.model.find(torch.cat([pair.pose, pair.looks, *extra]))  # one pass for all of them
        pose, looks = found[:count], found[count : 2 * count]
        redrawn = self._redraw(pose, looks, pair)
        losses = {"reconstruction": Loss.of_mean(self._compare(redrawn, pair, pose), count, self.perceptual_weight)}
        if warp is not None:
            distance = equivariance_loss(found[2 * count :].landmarks, pose.landmarks, warp)
            losses["equivariance"] = Loss.of_mean(distance, count, self.equivariance)
        if self.separation and self.num_landmarks > 1:
            crowding = separation_loss(pose.landmarks, self.separation_reach)
            losses["separation"] = Loss.of_mean(crowding, count, self.separation)
        if self.adversary:
            maps = render(pose.landmarks, *pair.target.shape[-2:])
            self._redrawn[batch] = redrawn.image.detach(), maps.detach()
            verdict = generator_loss(self.discriminator(redrawn.image, maps.detach()), self.adversary_loss)
            losses["adversarial"] = Loss.of_mean(verdict, count, self.adversary)
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
            other = self._warp(batch, _WARP).image(frame)
        elif self.warp_share:
            same = torch.tensor([one.samples[0] is one.samples[1] for one in batch.items])
            warped = same | (uniform_draws(keys, 1, _CHOICE)[:, 0] < self.warp_share)
            chosen = warped.to(frame.device)[:, None, None, None]
            other = torch.where(chosen, self._warp(batch, _WARP).image(frame), other)
        draws = uniform_draws(keys, JitterRange.num_draws, _JITTER)
        coloured = jitter(frame, draws, self.jitter)
        target = coloured if self.jitter_targets else frame
        if self.jitter_targets:
            other, behind = (jitter(image, draws, self.jitter) for image in (other, behind))
        return Pair(coloured, target, other, behind if self.model.background_is_recorded else None)

    def _warp(self, batch: Batch, stream: int) -> Warp:
        draws = uniform_draws(batch.keys, self.warp.num_draws, stream)
        return draw_warp(draws.to(batch.image.device), self.warp)

    # --- Parts of the losses ---

    def _redraw(self, pose: Found, looks: Found, pair: Pair) -> Redrawn:
        size = pose.features.shape[-2:] if self.model.redraws_features else pair.target.shape[-2:]
        vectors = self.model.describe(looks)
        scene = Scene(pair.looks, looks.landmarks, pair.behind)
        return self.model.redraw(pose.landmarks, vectors, size[0], size[1], scene)

    def _compare(self, redrawn: Redrawn, pair: Pair, pose: Found) -> Tensor:
        if self.model.redraws_features:
            shape = self.model.shape
            assert isinstance(shape, FeatureShape)
            target = pose.features if self.jitter_targets else shape.read(pair.target)
            return nn.functional.mse_loss(redrawn.image, target)
        pixels = nn.functional.mse_loss(redrawn.image, pair.target)
        if self.space is None:
            return pixels
        with torch.no_grad():
            theirs = self.space(pair.target)
        ours = self.space(redrawn.image)
        return pixels + compare(ours, theirs, level_weights(len(ours), self.reduced), not isinstance(self.space, Vgg19))

    def _judge(self, batch: Batch, pair: Pair) -> Tensor:
        redrawn = self._redrawn.pop(batch, None)
        if redrawn is None:
            with torch.no_grad():
                found = self.model.find(torch.cat([pair.pose, pair.looks]))
                pose, looks = found[: len(batch)], found[len(batch) :]
                maps = render(pose.landmarks, *pair.target.shape[-2:])
                redrawn = self._redraw(pose, looks, pair).image, maps
        drawn, maps = redrawn
        return critic_loss(self.discriminator(pair.target, maps), self.discriminator(drawn, maps), self.adversary_loss)

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
        pose_found, looks_found = self.model.find(pose), self.model.find(looks)
        if self.model.background_is_recorded and behind is None:
            behind = torch.zeros_like(pose)
        return self._redraw(pose_found, looks_found, Pair(pose, pose, looks, behind))

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
        warp = draw_warp(uniform_draws(keys, self.warp.num_draws, _CHECK).to(images.device), self.warp)
        found = self.model.find(torch.cat([images, warp.image(images)])).landmarks
        straight, warped = found.mean[: len(images)], found.mean[len(images) :]
        return (warp(warped) - straight).norm(dim=-1)


def _shape(encoder: str, backbone: Backbone, num_landmarks: int, widths: tuple[int, ...]) -> ImageShape | FeatureShape:
    if encoder == "backbone":
        return FeatureShape(backbone, num_landmarks, widths[0])
    return ImageShape(num_landmarks, widths)


def _check_frozen(backbone: Backbone, needed: bool) -> None:
    if needed and backbone.trainable:
        raise ConfigError(
            "landmarks compare or read the features of a frozen backbone, and this one is trained",
            where="backbone",
            hint="take a pretrained, frozen one, or set method.perceptual=pixels",
        )


def _space(encoder: str, perceptual: str, backbone: Backbone, vgg_weights: Path | None) -> nn.Module | None:
    if encoder == "backbone" or perceptual == "pixels":
        return None
    if perceptual == "backbone":
        return BackboneSpace(backbone).requires_grad_(False)
    assert vgg_weights is not None  # the schema refuses vgg19 without
    return Vgg19.load(vgg_weights).requires_grad_(False).eval()
