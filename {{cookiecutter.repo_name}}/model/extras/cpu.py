"""Layers whose gradients torch computes slowly on a CPU, computed in fewer passes over memory.

Used by `ConvolutionalStack`. Elsewhere (on a GPU, on the meta device, in half precision, compiled,
exported) torch's own layers run; the results are the same.
"""

import torch
from torch.autograd.function import once_differentiable


def applies_to(data):
    """Is `data` what the functions here are for?"""
    return (
        data.device.type == "cpu"
        and data.dtype in (torch.float32, torch.float64)
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )


def activated_norm(data, activation, norm):
    """`norm(activation(data))` for nn.PReLU of one slope and a `GlobalLayerNorm`.

    data: (batch, channels, frames), which is all that is kept for the gradient.
    """
    return _ActivatedNorm.apply(
        data.contiguous(), activation.weight, norm.weight, norm.bias, norm.eps
    )


def depthwise(data, convolution, before):
    """A convolution of each channel by itself, as many frames long as its input.

    data: (batch, channels, frames). convolution: nn.Conv1d of stride 1, with a bias. before: zeros
    before the first frame; what is missing at the end is padded with zeros, too.
    """
    (dilation,) = convolution.dilation
    shifts = [tap * dilation - before for tap in range(convolution.weight.shape[-1])]
    return _Depthwise.apply(data, convolution.weight, convolution.bias, shifts)


class _ActivatedNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, data, slope, weight, bias, eps):
        active = torch.prelu(data, slope)
        out, mean, rstd = torch.native_group_norm(active, weight, bias, *data.shape, 1, eps)
        ctx.save_for_backward(data, slope, weight, mean, rstd)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream):
        data, slope, weight, mean, rstd = ctx.saved_tensors
        active = torch.prelu(data, slope)
        upstream, *of_norm = torch.ops.aten.native_group_norm_backward(
            upstream.contiguous(), active, mean, rstd, weight, *data.shape, 1, [True] * 3
        )
        negative = torch.clamp(data, max=0, out=active)  # prelu's own backward pass takes 6 times
        of_slope = negative.mul_(upstream).sum().reshape(slope.shape)
        in_place = {"grad_input": upstream}
        torch.ops.aten.leaky_relu_backward(upstream, data, slope.item(), False, **in_place)
        return upstream, of_slope, *of_norm, None


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx, data, weight, bias, shifts):
        ctx.save_for_backward(data, weight)
        ctx.shifts = shifts
        out = torch.zeros_like(data).add_(bias[:, None])
        for tap, shift in zip(weight.unbind(-1), shifts, strict=True):
            here, there = _overlap(data.shape[-1], shift)
            out[..., here].addcmul_(data[..., there], tap)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream):
        data, weight = ctx.saved_tensors
        of_data, product, of_taps = torch.zeros_like(data), torch.empty_like(data), []
        for tap, shift in zip(weight.unbind(-1), ctx.shifts, strict=True):
            here, there = _overlap(data.shape[-1], shift)
            part = upstream[..., here]
            of_data[..., there].addcmul_(part, tap)
            torch.mul(part, data[..., there], out=product[..., here])
            of_taps.append(product[..., here].sum(dim=(0, 2)))
        of_weight = torch.stack(of_taps, dim=-1)[:, None]
        return of_data, of_weight, upstream.sum(dim=(0, 2)), None


def _overlap(frames, shift):
    """The frames, as slices, that have another one `shift` frames later, and those others."""
    first, last = max(0, -shift), max(0, -shift, min(frames, frames - shift))
    return slice(first, last), slice(first + shift, last + shift)
