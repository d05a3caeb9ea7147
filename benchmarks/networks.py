"""What a step of each network costs, beside the same network of another package.

    pip install bs-roformer
    pip install --no-deps asteroid asteroid-filterbanks huggingface_hub julius
    python -m benchmarks.networks [--quick] [--json FILE]
    python -m benchmarks.networks --sizes     # each published size alone, for one second of audio

Forward and backward pass of one network each, of the same sizes on the same noise, one thread, in
one process each, in turn. CPU seconds are those of the process; memory is the peak of a step above
what the process held before the first (Linux). A package that is not installed is left out.
"""

import argparse
import functools
import importlib
import importlib.util
import json
import multiprocessing
import os
import statistics
import sys
import time
from pathlib import Path

from benchmarks.training import forget_the_peak, held

os.environ["OMP_NUM_THREADS"] = "1"
PROJECT = Path(__file__).parents[1] / "{{cookiecutter.repo_name}}"
sys.path.insert(0, str(PROJECT))

CONV = {"num_filters": 512, "filter_length": 16, "num_channels": 128, "hidden_size": 512}
ROFORMER = {"num_channels": 64, "num_layers": 2, "num_heads": 4, "head_size": 16}
# name: (ours, their class and arguments, shape of the input, goal)
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
    return network, network, noise(name)


def published_network(name):
    """That of an experiment, from a second of audio to the mean of its outputs."""
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
    """(Those of a published network in a second of audio, the audio's shape), on the meta device.

    There an LSTM would be a loop over its steps; its products are counted here instead.
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


def take(network, call, audio):
    """A step, or a pass without gradients where no weight requires one: CPU seconds."""
    network.zero_grad()
    forget_the_peak()
    start = time.process_time()
    output = call(audio)
    if output.requires_grad:
        output.abs().mean().backward()
    return time.process_time() - start


def serve(make, name, pipe):
    """Take a step whenever asked; answer with (CPU seconds, bytes)."""
    if make is not their_network:  # as scripts.train does
        from memory import keep_freed_memory

        keep_freed_memory()
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    network, call, audio = make(name)
    pipe.send(sum(parameter.numel() for parameter in network.parameters()))
    _, before = held()
    while pipe.recv():
        seconds = take(network, call, audio)
        pipe.send((seconds, held()[0] - before))


def measure(name, makers, rounds):
    """{maker: (parameters, [(seconds, bytes)])}, steps in turn, the first of each left out."""
    context, pipes, found = multiprocessing.get_context("spawn"), {}, {}
    for key, make in makers.items():
        mine, theirs = context.Pipe()
        context.Process(target=serve, args=(make, name, theirs), daemon=True).start()
        pipes[key] = mine
        found[key] = (mine.recv(), [])
    for number in range(rounds + 1):
        for key, pipe in pipes.items():
            pipe.send(True)
            measured = pipe.recv()
            if number:
                found[key][1].append(measured)
    for pipe in pipes.values():
        pipe.send(False)
    return found


def row(title, ours, theirs, unit, goal):
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    return {
        "name": title,
        "ours": round(statistics.median(ours) / unit, 3),
        "theirs": round(statistics.median(theirs) / unit, 3),
        "ratio": round(ratio, 3),
        "goal": None if goal is None else f"<= {goal}",
        "holds": None if goal is None else ratio <= goal,
    }


def compare(name, rounds):
    """The rows of one network; an empty list without the other package."""
    _, (path, _), _, goal = PAIRS[name]
    package = path.partition(".")[0]
    if importlib.util.find_spec(package) is None:
        print(f"{name}: {package} is not installed, and left out")
        return []
    makers = {"ours": our_network, "theirs": their_network}
    if name == CHECKPOINTED:
        makers["checkpointed"] = checkpointed_network
    found = measure(name, makers, rounds)
    sizes = ", ".join(f"{key} {size}" for key, (size, _) in found.items() if key != "checkpointed")
    print(f"{name}: parameters: {sizes}")
    steps = {key: list(zip(*each, strict=True)) for key, (_, each) in found.items()}
    rows = []
    for number, (what, unit) in enumerate((("CPU time (s)", 1), ("peak memory (MB)", 1e6))):
        ours, theirs = steps["ours"][number], steps["theirs"][number]
        rows.append(row(f"networks: a {name} step, {what}", ours, theirs, unit, goal))
        if name == CHECKPOINTED:
            title = f"networks: {name} with checkpointing beside without, {what}"
            rows.append(row(title, steps["checkpointed"][number], ours, unit, None))
    return rows


def print_sizes(name):
    """A row of the table in docs/models.md: what a second of audio costs a published network."""
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
    _, before = held()
    for training in (False, True):  # in this order: freed memory is kept
        network.train(training).requires_grad_(training)
        take(network, call, audio[..., : rate // 5])  # the first pass takes longer
        seconds = take(network, call, audio)
        columns += [f"{seconds:.2f}", f"{(held()[0] - before) / 1e6:.0f}"]
    print(f"| {' | '.join(columns)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="3 steps of each instead of 9")
    parser.add_argument("--sizes", action="store_true", help="the cost of each published size")
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    if args.sizes:
        titles = ("network", "audio", "parameters (M)", "multiply-adds (G)")
        titles += ("separation (s)", "(MB)", "step (s)", "(MB)")
        print(f"| {' | '.join(titles)} |\n{'|---' * len(titles)}|")
        for name in PUBLISHED:  # in a process each, whose memory is its own
            process = multiprocessing.get_context("spawn").Process(target=print_sizes, args=(name,))
            process.start()
            process.join()
        return 0
    rows = [line for name in PAIRS for line in compare(name, 3 if args.quick else 9)]
    for line in rows:
        verdict = {True: "holds", False: "MISSED", None: ""}[line["holds"]]
        goal = f", goal {line['goal']}: {verdict}" if line["goal"] else ""
        print(
            f"{line['name']}: ours {line['ours']:.2f}, theirs {line['theirs']:.2f}, "
            f"ratio {line['ratio']:.2f}{goal}"
        )
    if args.json:
        args.json.write_text(json.dumps(rows, indent=2) + "\n")
    return int(any(line["holds"] is False for line in rows))


if __name__ == "__main__":
    sys.exit(main())
