"""A complex mask, which changes phases too."""

import torch
from torch import nn


class ComplexMask(nn.Module):
    """Multiply a complex spectrum by complex masks, one a source.

    Williamson, Wang and Wang, "Complex ratio masking for monaural speech separation", TASLP 2016,
    equation (6), with real and imaginary parts in a dimension of their own.

    Args:
        num_sources: how many masks there are.
        bound: the real and imaginary parts of a mask lie within +-bound (K in equation (10)); None:
            they are not bounded.
    """

    is_head = True
    looks_ahead = False

    def __init__(self, num_sources: int, bound: float | None = 2.0):
        super().__init__()
        self.num_sources, self.bound = num_sources, bound

    def forward(self, data, spectrum):
        """Unbounded numbers, and the mixture's spectrum.

        data: (batch, frames, bins, channels, 2 * sources); spectrum: (batch, frames, bins,
        channels, 2).

        Returns:
            {"mask", "estimates"}, both (batch, frames, bins, channels, 2, sources)
        """
        mask = data if self.bound is None else self.bound * torch.tanh(data / self.bound)
        mask = mask.reshape(*data.shape[:-1], 2, self.num_sources)
        real, imaginary = mask.unbind(-2)
        re, im = spectrum[..., 0, None], spectrum[..., 1, None]
        product = (real * re - imaginary * im, real * im + imaginary * re)
        return {"mask": mask, "estimates": torch.stack(product, dim=-2)}
