"""A run's card, `model/card.json`: what was trained, on which backbone, how its outputs are read, and what it cost."""

from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from gensight.config.schema import RunConfig
from gensight.errors import RunError, UserError
from gensight.skeletons import Skeleton

FORMAT_VERSION = 2


def package_versions() -> dict[str, str]:
    """Versions of what trains and runs models."""
    return {name: version(name) for name in ("gensight", "torch", "diffusers", "lightning")}


@dataclass(frozen=True)
class BackboneIdentity:
    """The backbone that a run needs.

    Attributes:
        kind: As in the recipe.
        id: Hub id or folder; the kind where it has none.
        fingerprint: Hash of its weights.
    """

    kind: str
    id: str
    fingerprint: str

    @classmethod
    def of(cls, config: RunConfig, fingerprint: str) -> "BackboneIdentity":
        """The backbone of a recipe."""
        return cls(config.backbone.kind, getattr(config.backbone, "id", config.backbone.kind), fingerprint)


@dataclass(frozen=True)
class Origin:
    """Where imported weights come from.

    Attributes:
        source: Who published them.
        file: Name of their file.
        sha256: Of it.
        backbone: The backbone that it was trained on, by the file.
        head: Its output.
        notes: What a user must know.
    """

    source: str
    file: str
    sha256: str
    backbone: str
    head: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Card:
    """The description of a run's model.

    Attributes:
        name: Of the recipe.
        method: Its kind.
        backbone: What the weights need.
        skeleton: The keypoints that it predicts; None where it predicts none.
        calibration: (slope, offset) of keypoints' confidence.
        threshold: From which brightness, as a share, a painted pixel counts.
        num_parameters_trained: How many numbers were trained.
        steps: Optimiser steps; None where nobody knows.
        best_step: The step whose weights are kept.
        training_minutes: Of training and caching; None where nobody knows.
        hardware: What it was trained on.
        versions: Package -> version.
        num_labels: Labelled frames that keypoints were fitted to; None in other runs.
        imported: Where the weights come from; None where gensight trained them.
        data: Part -> number of samples and a fingerprint, by which moved data is recognised; empty where there are no
            files, or nobody noted it.
    """

    name: str
    method: str
    backbone: BackboneIdentity
    skeleton: Skeleton | None = None
    calibration: tuple[float, float] = (1.0, 0.0)
    threshold: float
    num_parameters_trained: int
    steps: int | None = None
    best_step: int | None = None
    training_minutes: float | None = None
    hardware: str | None = None
    versions: dict[str, str] = field(default_factory=package_versions)
    num_labels: int | None = None
    imported: Origin | None = None
    data: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As `model/card.json` has it."""
        values: dict[str, Any] = msgspec.to_builtins(self)
        return {"format_version": FORMAT_VERSION, **values}

    @classmethod
    def from_json(cls, value: object, where: str | Path = "card.json") -> "Card":
        """The card that `to_json` gave.

        Args:
            value: What the file holds.
            where: The file, for messages.

        Raises:
            RunError: It is no mapping, of another version, lacks a field, or has one of a wrong type.
        """
        found = value.get("format_version") if isinstance(value, dict) else FORMAT_VERSION
        if found != FORMAT_VERSION:
            raise RunError(
                f"this run has format version {found}, this gensight reads version {FORMAT_VERSION}",
                where=where,
                hint="use the version of gensight that wrote it, or train again",
            )
        try:
            return msgspec.convert(value, cls)
        except (msgspec.ValidationError, UserError) as error:
            hint = "the file was edited or cut short: restore it, or train again"
            raise RunError(f"this is no run's card: {error}", where=where, hint=hint) from error
