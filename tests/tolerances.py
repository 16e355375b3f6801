"""How far float32 results may lie apart that two ways lead to.

Equal bits are asked only of one computation repeated on one machine: a resumed run, a seed, a cache. Another batch
size, another implementation or another processor sums in another order, and is off by about eps = 1.2e-7 of the terms.
"""

PICTURES = 1e-4
"""Of samplers' pixels in 0..1: eps, times 20 layers, times 4 steps, times 11 = 2 * 5 + 1 by guidance of scale 5."""

MATCHED_PX = 1e-3
"""Of matched points, in pixels: similarities are off by 4e-6 (30 eps), a softmax of temperature 0.02 makes 2e-4 of it,
and a mean over cells up to 5 pixels away 1e-3."""
