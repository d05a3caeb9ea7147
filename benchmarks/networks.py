"""The cost of a training step of networks, compared with the same networks of other packages.

    pip install bs-roformer
    pip install --no-deps asteroid asteroid-filterbanks huggingface_hub julius
    pip install --no-deps espnet torch-complex typeguard==2.13.3 humanfriendly
    python -m benchmarks.networks [--quick] [--json FILE]
    python -m benchmarks.networks --sizes     # each published size alone, for one second of audio

Forward and backward passes of networks of the same sizes on the same noise, on one thread, each in
a process of its own, in turn. Memory is the peak of a step above what the process used before its
first step. Packages that are not installed are left out.
"""

import functools
import importlib
import importlib.util
import multiprocessing
import sys

from benchmarks import PROJECT, common
from benchmarks.steps import compare_steps, measure, measure_in_turn, memory_used

CONV = {"num_filters": 512, "filter_length": 16, "num_channels": 128, "hidden_size": 512}
ROFORMER = {"num_channels": 64, "num_layers": 2, "num_heads": 4, "head_size": 16}
# name: (ours, their class and arguments, shape of the input, goal for time and for memory)
PAIRS = {
    "Conv-TasNet": (
        ("conv_tasnet", {**CONV, "num_layers": 8, "num_repeats": 3}),
        (
            "asteroid.models.ConvTasNet",
            {"n_src": 2, "n_filters": 512, "kernel_size": 16, "n_blocks": 8, "n_repeats": 3}
            | {"bn_chan": 128, "hid_chan": 512, "skip_chan": 128},
        ),
        (2, 1, 16000),
        0.6,
    ),
    "dual path": (
        ("dual_path", {"num_filters": 64, "filter_length": 16, "chunk_size": 100}),
        (
            "asteroid.models.DPRNNTasNet",
            {"n_src": 2, "n_filters": 64, "kernel_size": 16, "bn_chan": 64, "hid_size": 128}
            | {"chunk_size": 100, "n_repeats": 6, "use_mulcat": False},
        ),
        (1, 1, 16000),
        0.8,
    ),
    "BS-RoFormer": (
        ("band_split_roformer", ROFORMER),
        (
            "bs_roformer.BSRoformer",
            {"dim": 64, "depth": 2, "heads": 4, "dim_head": 16, "stereo": True, "num_stems": 2}
            | {"time_transformer_depth": 1, "freq_transformer_depth": 1, "flash_attn": True}
            | {"stft_hop_length": 441, "num_residual_streams": 1},
        ),
        (1, 2, 88200),
        1.0,
    ),
    "TF-GridNet": (
        ("tf_gridnet", {"num_channels": 48, "hidden_size": 192, "num_layers": 1}),
        (
            "espnet2.enh.separator.tfgridnetv2_separator.TFGridNetV2",
            {"input_dim": None, "n_srcs": 2, "n_fft": 256, "stride": 64, "n_layers": 1}
            | {"lstm_hidden_units": 192, "emb_dim": 48},
        ),
        (1, 1, 8000),
        1.0,
    ),
}
PUBLISHED = {  # network: its experiment
    "mask_inference": "mask_inference.yml",
    "deep_clustering": "deep_clustering.yml",
    "chimera": "chimera_plus_plus.yml",
    "tasnet": "tasnet.yml",
    "conv_tasnet": "conv_tasnet.yml",
    "dual_path": "dual_path.yml",
    "sepformer": "speech/wsj0_2mix_sepformer.yml",
    "band_split_rnn": "music/musdb18_four_stems_band_split_rnn.yml",
    "band_split_roformer": "music/musdb18_four_stems_band_split_roformer.yml",
    "tf_gridnet": "speech/wsj0_2mix_tf_gridnet.yml",
}
CHECKPOINTED = "BS-RoFormer"  # the network that is measured with train.checkpointing too


def noise(name):
    import torch

    return 0.1 * torch.randn(PAIRS[name][2])


def our_network(name):
    """The network of this project: (network, function(audio) -> (batch, ..., sources), audio)."""
    import inspect

    from compat import nussl
    from model import BUILDERS

    (builder, args), _, shape, _ = PAIRS[name]
    given = {"num_audio_channels": shape[1], "sample_rate": 44100}
    takes = inspect.signature(BUILDERS[builder]).parameters
    given = {key: value for key, value in given.items() if key in takes}
    network = nussl.ml.SeparationModel(BUILDERS[builder](**given, **args))
    return network, lambda audio: network({"mix_audio": audio})["audio"], noise(name)


def checkpointed_network(name):
    from training.weights import checkpoint_activations

    network, call, audio = our_network(name)
    checkpoint_activations(network)
    return network, call, audio


def their_network(name):
    _, (path, args), *_ = PAIRS[name]
    module, _, kind = path.rpartition(".")
    network = getattr(importlib.import_module(module), kind)(**args)
    if name != "TF-GridNet":
        return network, network, noise(name)
    import torch

    def call(audio):  # of one channel
        sources, _, _ = network(audio[:, 0], torch.tensor([audio.shape[-1]]))
        return torch.stack(sources)

    return network, call, noise(name)


def published_network(name):
    """The network of an experiment, its mean output and a second of audio, as `our_network`."""
    import config
    import torch
    from compat import nussl
    from experiment.training import build_front_end, build_graph

    settings = config.load(PROJECT / "experiments" / PUBLISHED[name])
    network = nussl.ml.SeparationModel(build_graph(settings))
    front_end = build_front_end(settings, network.input)

    def call(audio):
        features = front_end.to(audio.device)({"mix": audio})
        outputs = network({key: features[key] for key in network.input})
        return sum(output.abs().mean() for output in outputs.values())

    signal = settings.signal
    return network, call, 0.1 * torch.randn(1, signal.num_channels, signal.sample_rate)


def multiply_adds(name):
    """(multiply-adds of a published network for a second of audio, the shape of the audio).

    On the meta device, an LSTM would be a loop over its steps: those of LSTMs are counted here.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    network, call, audio = published_network(name)
    network.to("meta").requires_grad_(False)
    in_lstms = []

    def counted(rnn, data, state=None):
        weights = sum(weight.numel() for weight in rnn.parameters() if weight.ndim == 2)
        in_lstms.append(data[..., 0].numel() * weights)
        return data.new_empty(*data.shape[:-1], (1 + rnn.bidirectional) * rnn.hidden_size), None

    for module in network.modules():
        if isinstance(module, torch.nn.LSTM):
            module.forward = functools.partial(counted, module)
    with FlopCounterMode(display=False) as counter:
        call(audio.to("meta"))
    return counter.get_total_flops() // 2 + sum(in_lstms), tuple(audio.shape)


def step_of(make, name):
    """A function that takes a step with the network that make(name) returns."""
    network, call, audio = make(name)
    return functools.partial(take_step, network, call, audio)


def take_step(network, call, audio):
    """A forward pass, and a backward pass if weights require gradients."""
    network.zero_grad()
    output = call(audio)
    if output.requires_grad:
        output.abs().mean().backward()


def compare(results, name, rounds):
    """Add the comparison of one network to the results, if the other package is installed."""
    _, (path, _), _, bound = PAIRS[name]
    package = path.partition(".")[0]
    if importlib.util.find_spec(package) is None:
        print(f"{name}: {package} is not installed, and left out")
        return
    makers = {"ours": our_network, "theirs": their_network}
    if name == CHECKPOINTED:
        makers["checkpointed"] = checkpointed_network
    found = measure_in_turn(
        {key: functools.partial(step_of, make, name) for key, make in makers.items()},
        rounds,
        as_scripts=("ours", "checkpointed"),
    )
    title = f"networks: a step of {name}, compared with {package}'s"
    compare_steps(results, title, found["ours"], found["theirs"], [("<=", bound)] * 2)
    if name == CHECKPOINTED:
        title = f"networks: {name} with checkpointing, compared with {name} without"
        compare_steps(results, title, found["checkpointed"], found["ours"])


def print_sizes(name):
    """Print a row of the table in docs/models.md: what a second of audio costs."""
    from memory import keep_freed_memory

    keep_freed_memory()
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    counted, (_, channels, rate) = multiply_adds(name)
    network, call, audio = published_network(name)
    size = sum(parameter.numel() for parameter in network.parameters())
    columns = [f"`{name}`", f"{rate / 1000:g} kHz, {channels}", f"{size / 1e6:.1f}"]
    columns.append(f"{counted / 1e9:.1f}")
    _, before = memory_used()
    for training in (False, True):  # in this order: freed memory is kept
        network.train(training).requires_grad_(training)
        take_step(network, call, audio[..., : rate // 5])  # the first pass takes longer
        step = functools.partial(take_step, network, call, audio)
        seconds, used = measure(step, before)
        columns += [f"{seconds:.2f}", f"{used / 1e6:.0f}"]
    print(f"| {' | '.join(columns)} |", flush=True)


def main():
    parser = common.parser(__doc__, quick="3 steps of each instead of 9")
    parser.add_argument("--sizes", action="store_true", help="the cost of each published size")
    args = common.parse(parser)
    if args.sizes:
        titles = ("network", "audio", "parameters (M)", "multiply-adds (G)")
        titles += ("separation (s)", "(MB)", "step (s)", "(MB)")
        print(f"| {' | '.join(titles)} |\n{'|---' * len(titles)}|")
        for name in PUBLISHED:  # in a process each, whose memory is its own
            process = multiprocessing.get_context("spawn").Process(target=print_sizes, args=(name,))
            process.start()
            process.join()
        return 0
    results = common.Results(args.json)
    for name in PAIRS:
        compare(results, name, 3 if args.quick else 9)
    return results.status()


if __name__ == "__main__":
    sys.exit(main())
