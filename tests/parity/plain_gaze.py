"""The field's definitions of gaze scores, pair by pair and cell by cell."""

import numpy as np
import torch
from PIL import Image
from torch.nn import functional


def plain_auc(values, mask):
    """Every positive against every negative."""
    positives, negatives = values[mask][:, None], values[~mask][None]
    return float(((positives > negatives) + 0.5 * (positives == negatives)).mean())


def plain_image_auc(heatmap, points, size, quantised=False):
    if quantised:
        low, high = heatmap.min(), heatmap.max()
        bytes_ = np.array([[int((v - low) * 255 / (high - low) + 0.5) for v in row] for row in heatmap], np.uint8)
        big = np.asarray(Image.fromarray(bytes_).resize((size[1], size[0]), Image.Resampling.BILINEAR)).astype(float)
    else:
        tensor = torch.from_numpy(heatmap.astype(np.float64))[None, None]
        big = functional.interpolate(tensor, size, mode="bilinear", align_corners=False)[0, 0].numpy()
    mask = np.zeros(size, bool)
    for x, y in points:
        mask[min(int(y * size[0]), size[0] - 1), min(int(x * size[1]), size[1] - 1)] = True
    return plain_auc(big, mask)


def plain_rectangle_auc(heatmap, point, last_included=True):
    """The support of the kernel, drawn cell by cell."""
    cx, cy = point[0] * 64, point[1] * 64
    left, up, right, down = int(cx - 9), int(cy - 9), int(cx + 10), int(cy + 10)
    last = 64 if last_included else 63
    mask = np.zeros((64, 64), bool)
    for y in range(64):
        for x in range(64):
            mask[y, x] = left <= x < min(right, last) and up <= y < min(down, last)
    return plain_auc(heatmap, mask)
