"""LSTMs in a form that torch.export keeps as one operation: it would unroll nn.LSTM, for as many
steps as its example has."""

import torch
from torch import nn


class LSTM(nn.Module):
    """What a torch.nn.LSTM computes, layer by layer and direction by direction, on the CPU.

    Args:
        module: the nn.LSTM whose weights are used.
    """

    def __init__(self, module):
        super().__init__()
        self.num_layers, self.hidden_size = module.num_layers, module.hidden_size
        self.batch_first = module.batch_first
        self.directions = ("", "_reverse") if module.bidirectional else ("",)
        for name, weights in module.named_parameters():
            self.register_buffer(name, weights.detach())

    def flatten_parameters(self):
        """There is nothing to do; nussl's modules call it."""

    def forward(self, data):
        """(batch, steps, features) -> ((batch, steps, hidden_size * directions), None), or the
        steps first in both, as in the nn.LSTM"""
        if self.batch_first:
            data = data.transpose(0, 1)
        for layer in range(self.num_layers):
            outs = [self._layer(data, f"l{layer}{direction}") for direction in self.directions]
            data = torch.cat(outs, dim=-1)
        return data.transpose(0, 1) if self.batch_first else data, None

    def _layer(self, data, name):
        zeros = data.new_zeros(1, data.shape[1], self.hidden_size)
        weights = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        return torch.ops.aten.mkldnn_rnn_layer(
            data.contiguous(),
            *(getattr(self, f"{kind}_{name}") for kind in weights),
            zeros,
            zeros,
            reverse=name.endswith("_reverse"),
            batch_sizes=[],
            mode=2,  # LSTM
            hidden_size=self.hidden_size,
            num_layers=1,
            has_biases=True,
            bidirectional=False,
            batch_first=False,
            train=False,
        )[0]
