"""Faster gradients of some layers on a CPU, in fewer passes over memory than torch's.

Used by the stacks of blocks (convolutional, dual path, band-split, grid). On other devices, in half
precision, and when a network is compiled or exported, torch's own layers run; the results are the
same.
"""

import torch
from torch import nn
from torch.autograd.function import once_differentiable


def applies_to(data):
    """Can the functions here be used for `data`?"""
    return (
        data.device.type == "cpu"
        and data.dtype in (torch.float32, torch.float64)
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )


def applies_to_recurrent(rnn, data):
    """Can the functions here be used for `data` that goes through the layer `rnn`?"""
    return applies_to(data) and isinstance(rnn, nn.RNNBase)  # `exporting` replaces nn.LSTM


def activated_norm(data, activation, norm):
    """`norm(activation(data))` for nn.PReLU of one slope and a `GlobalLayerNorm`.

    data: (batch, channels, frames), the only tensor of this size that is saved for the gradient.
    """
    return _ActivatedNorm.apply(
        data.contiguous(), activation.weight, norm.weight, norm.bias, norm.eps
    )


def depthwise(data, convolution, before):
    """A depthwise convolution (each channel by itself), whose output has as many frames as `data`.

    Args:
        data: (batch, channels, frames).
        convolution: nn.Conv1d of stride 1, with a bias.
        before: zeros before the first frame; the end is padded to the same length.
    """
    (dilation,) = convolution.dilation
    shifts = [tap * dilation - before for tap in range(convolution.weight.shape[-1])]
    return _Depthwise.apply(data, convolution.weight, convolution.bias, shifts)


def linear_of_recurrent(data, rnn, dropout, weight, bias):
    """`linear(dropout(rnn(data)[0]), weight, bias)` of a bidirectional nn.LSTM or nn.GRU of one
    layer.

    Each direction is run and mapped by itself. Their outputs are not joined in a tensor that is
    saved for the gradient beside them.

    data: (steps, sequences, features).
    """
    run = {"LSTM": torch.lstm, "GRU": torch.gru}[rnn.mode]
    start = data.new_zeros(1, data.shape[1], rnn.hidden_size)
    state = (start, start) if rnn.mode == "LSTM" else start
    options = True, 1, 0.0, rnn.training, False, False  # bias, layers, dropout, ..., batch_first
    forth, back = rnn.all_weights
    ahead, reversed_back = (
        dropout(run(steps, state, weights, *options)[0])
        for steps, weights in ((data, forth), (data.flip(0), back))
    )
    of_ahead, of_back = weight.chunk(2, dim=1)
    out = nn.functional.linear(ahead, of_ahead, bias)
    return out + nn.functional.linear(reversed_back, of_back).flip(0)


def transposed_convolution_of_recurrent(data, rnn, convolution):
    """nn.ConvTranspose1d over the output of a bidirectional nn.LSTM of one layer, as a linear layer
    and the addition of windows that overlap.

    data: (windows, sequences, features) -> (steps, sequences, channels).
    """
    (size,), (stride,) = convolution.kernel_size, convolution.stride
    weight = convolution.weight.permute(2, 1, 0).flatten(0, 1)  # (2h, c, k) -> (k*c, 2h)
    windows = linear_of_recurrent(data, rnn, nn.Identity(), weight, None)
    return _OverlapAdd.apply(windows.unflatten(2, (size, -1)), convolution.bias, stride)


class _OverlapAdd(torch.autograd.Function):
    """(windows, sequences, size, channels) -> (steps, sequences, channels), with a bias"""

    @staticmethod
    def forward(ctx, windows, bias, stride):
        count, sequences, ctx.size, channels = windows.shape
        ctx.stride, steps = stride, (count - 1) * stride + ctx.size
        out = bias.expand(steps, sequences, channels).clone()
        for tap, part in enumerate(windows.unbind(2)):
            out[tap : steps - ctx.size + tap + 1 : stride] += part
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream):
        windows = upstream.unfold(0, ctx.size, ctx.stride)  # (w, s, c, k)
        return windows.permute(0, 1, 3, 2).contiguous(), upstream.sum(dim=(0, 1)), None


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
        grad, grad_weight, grad_bias = torch.ops.aten.native_group_norm_backward(
            upstream.contiguous(), active, mean, rstd, weight, *data.shape, 1, [True] * 3
        )
        # by hand: the backward pass of torch.prelu takes 6 times as long
        negative = torch.clamp(data, max=0, out=active)
        grad_slope = negative.mul_(grad).sum().reshape(slope.shape)
        torch.ops.aten.leaky_relu_backward(grad, data, slope.item(), False, grad_input=grad)
        return grad, grad_slope, grad_weight, grad_bias, None


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx, data, weight, bias, shifts):
        ctx.save_for_backward(data, weight)
        ctx.shifts = shifts
        out = torch.zeros_like(data).add_(bias[:, None])
        for tap, shift in zip(weight.unbind(-1), shifts, strict=True):
            outputs, inputs = _overlap(data.shape[-1], shift)
            out[..., outputs].addcmul_(data[..., inputs], tap)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream):
        data, weight = ctx.saved_tensors
        grad_data, product, grad_taps = torch.zeros_like(data), torch.empty_like(data), []
        for tap, shift in zip(weight.unbind(-1), ctx.shifts, strict=True):
            outputs, inputs = _overlap(data.shape[-1], shift)
            part = upstream[..., outputs]
            grad_data[..., inputs].addcmul_(part, tap)
            torch.mul(part, data[..., inputs], out=product[..., outputs])
            grad_taps.append(product[..., outputs].sum(dim=(0, 2)))
        grad_weight = torch.stack(grad_taps, dim=-1)[:, None]
        return grad_data, grad_weight, upstream.sum(dim=(0, 2)), None


def _overlap(frames, shift):
    """(output frames, input frames) of a tap, as slices: output frame t reads input frame
    t + shift, where there is one."""
    first, last = max(0, -shift), max(0, -shift, min(frames, frames - shift))
    return slice(first, last), slice(first + shift, last + shift)
