"""Losses of descriptors: alike for the same point in both images, and for the same thing; unlike for another thing.

After Luo et al., "Readout Guidance", CVPR 2024, section 3.3 and appendix; unlike the released code, a point's place is
not rounded to a cell, and a pair without a common point adds nothing.
"""

import torch
from torch import Tensor

from gensight.encodings.pairs.appearance import region_similarities
from gensight.encodings.pairs.matching import TEMPERATURE, nearest_cells, sample_descriptors
from gensight.samples import Size


def matching_loss(
    descriptors: Tensor,
    points: Tensor,
    weights: Tensor,
    model_size: Size,
) -> tuple[Tensor, Tensor]:
    """Symmetric cross-entropy of points against all cells of the other image, and the number of points.

    A point's descriptor is compared with every cell of the other image; softmax(cosine / temperature) is the
    probability of each cell. A point is shared between the four cells around it, so that places between cells are
    taught. Both directions weigh half.

    Args:
        descriptors: (batch, 2, channels, height, width), cells of unit length.
        points: (batch, 2, num_points, 2), the same points in pixels of both model frames; finite.
        weights: (batch, num_points), 0 where a point is not to be compared.
        model_size: (height, width) of the model frame.

    Returns:
        (sum over points, sum of weights), both scalars.
    """
    height, width = descriptors.shape[-2:]
    descriptors, weights = descriptors.float(), weights.float()
    scale = points.new_tensor([width / model_size[1], height / model_size[0]])
    places = (points * scale).float()
    total = descriptors.new_zeros(())
    for here, there in ((0, 1), (1, 0)):
        queries = sample_descriptors(descriptors[:, here], places[:, here])
        logits = queries @ descriptors[:, there].flatten(2) / TEMPERATURE
        cells, shares = nearest_cells(places[:, there], height, width)
        errors = logits.logsumexp(-1) - (logits.gather(-1, cells) * shares).sum(-1)
        total = total + (errors * weights).sum() / 2
    return total, weights.sum()


def appearance_loss(
    descriptors: Tensor, regions: Tensor, weights: Tensor, margin: float = 0.5
) -> tuple[Tensor, Tensor]:
    """Hinge of triplets, and their number: the positive must be nearer than the negative by `margin`.

    max(0, margin + d(anchor, positive) - d(anchor, negative)), with the distance d = 1 - similarity.

    Args:
        descriptors: (batch, 3, channels, height, width) of anchor, positive and negative.
        regions: (batch, 1 or 3, height, width) in [0, 1]; one region means cell by cell, three mean region by region.
            See `region_similarities`.
        weights: (batch, 1), 0 for triplets that are left out.
        margin: In units of cosine.

    Returns:
        (sum over triplets, sum of weights), both scalars.
    """
    positive, negative = region_similarities(descriptors, regions).unbind(1)
    weights = weights.float().squeeze(1)
    return (torch.relu(margin - positive + negative) * weights).sum(), weights.sum()
