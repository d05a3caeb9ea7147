"""What the section `train` can say, each setting by its effect."""

import copy
import functools
import math
import re
import types

import forks
import numpy as np
import pytest
import torch
import yaml
from test_models import SMALL, build
from trainings import MODELS, close, fit, rows, same, trainer_of, weights, write

import checkpoints
import config
import experiment
from errors import UserError
from features import FrontEnd
from training.cuda_graphs import Graphs, with_graphs
from training.gradients import Clipping
from training.precision import choose
from training.sampling import Curriculum, SameBatches

torch.set_num_threads(1)

SGD = {"class": "SGD", "args": {"lr": 0.1}}
PLAIN = {"optimizer": SGD, "gradient_clip": None, "scheduler": None}
# no batch normalisation, whose statistics are of the parts that it sees; no dropout
STEADY = {"dropout": 0.0, "normalization": "InstanceNorm"}


@pytest.mark.parametrize("builder", MODELS)
def test_every_model_trains_and_is_kept_as_it_was_at_its_best(write_config, builder):
    trainer = fit(write_config(builder=builder, epochs=2))
    losses = [float(row["val_loss"]) for row in rows(trainer)]
    assert all(map(math.isfinite, losses))
    trainer.model.load_state_dict(checkpoints.load_model(trainer.best)[0].state_dict())
    assert trainer.validate()["val_loss"] == pytest.approx(min(losses), rel=1e-6)


BANDS = {"body": "band_split", "num_channels": 4}


@pytest.mark.parametrize(
    ("builder", "steady"),
    [
        ("deep_clustering", STEADY),
        ("chimera", STEADY),
        ("chimera", {**STEADY, **BANDS}),
        ("conv_tasnet", {}),
    ],
)
def test_heads_computed_item_by_item_give_the_same_weights(write_config, builder, steady):
    whole = fit(write_config("whole", builder=builder, args=steady, head_items=4, **PLAIN))
    split = fit(write_config("split", builder=builder, args=steady, head_items=1, **PLAIN))
    unequal = fit(write_config("unequal", builder=builder, args=steady, head_items=3, **PLAIN))
    for other in (split, unequal):
        assert close(weights(whole), weights(other), 1e-5)
        assert other.history.best_value == pytest.approx(whole.history.best_value, rel=1e-4)


def test_a_network_that_gives_what_comes_before_its_heads_trains(write_config):
    path = write_config(builder="mask_inference", epochs=1)
    plain = yaml.safe_load(path.read_text())
    graph = experiment.training.build_graph(config.load(path))
    plain["model"] = {**graph, "output": [*graph["output"], "recurrent_stack"]}
    assert fit(write(path, plain)).trunk_and_heads is None


def test_a_graph_without_heads_cannot_be_cut(write_config):
    path = write_config(head_items=1)
    plain = yaml.safe_load(path.read_text())
    plain["model"] = {
        "name": "no head",
        "modules": {
            "mix_magnitude": {},
            "mask": {"class": "BatchNorm"},
            "estimates": {"class": "BatchNorm"},
        },
        "connections": [["mask", ["mix_magnitude"]], ["estimates", ["mask"]]],
        "output": ["estimates"],
    }
    plain["train"]["loss"] = {"l1": {"class": "L1Loss"}}
    with pytest.raises(UserError, match="do not fit|ends with heads"):
        trainer_of(write(path, plain))


@pytest.mark.parametrize("parts", [2, 4])
def test_a_batch_in_parts_is_the_same_step(write_config, parts):
    whole = fit(write_config("whole", args=STEADY, **PLAIN))
    divided = fit(write_config("divided", args=STEADY, accumulate=parts, **PLAIN))
    assert close(weights(whole), weights(divided), 1e-6)
    assert whole.history.rows[-1]["train_loss"] == pytest.approx(
        divided.history.rows[-1]["train_loss"], rel=1e-5
    )


def test_a_batch_that_cannot_be_divided_is_refused(write_config):
    with pytest.raises(UserError, match="train.batch_size is 4, .* a multiple of 3"):
        trainer_of(write_config(accumulate=3))


def test_the_average_of_the_weights_is_what_is_kept(write_config):
    path = write_config(ema_decay=0.75, epochs=1, **PLAIN)
    trainer = trainer_of(path)
    seen = []
    step = trainer.train_step

    def train_step(batch):
        values = step(batch)
        seen.append({k: p.detach().clone() for k, p in trainer.model.named_parameters()})
        return values

    trainer.train_step = train_step
    trainer.fit()
    expected = seen[0]  # the first step's weights begin the average
    for later in seen[1:]:
        expected = {k: 0.75 * expected[k] + 0.25 * later[k] for k in expected}
    model, _ = checkpoints.load_model(trainer.best)
    kept = dict(model.named_parameters())
    assert close(kept, expected, 1e-7)
    assert not close(kept, seen[-1], 1e-7)
    assert same(dict(model.named_buffers()), dict(trainer.model.named_buffers()))  # not averaged


def test_short_excerpts_come_first(write_config):
    trainer = trainer_of(
        write_config(curriculum=[{"epochs": 1, "segment": 0.072}, {"epochs": 1, "segment": 0.152}])
    )
    lengths = []
    step = trainer.train_step
    trainer.train_step = lambda batch: (lengths.append(batch["mix"].shape[-1]), step(batch))[1]
    trainer.fit()
    frames = [10, 10, 20, 20, 30, 30]
    assert lengths == [(count - 1) * 128 for count in frames]
    seconds = sum(lengths) * trainer.settings.batch_size / 16000
    assert f"6 steps, {seconds:.3g} s" in trainer.describe()


def test_a_curriculum_that_is_longer_than_the_run_is_noted(write_config, caplog):
    stages = [{"epochs": 2, "segment": 0.072}, {"epochs": 3, "segment": 0.152}]
    trainer_of(write_config(curriculum=stages, epochs=3))
    assert "train.curriculum lasts 5 epochs, longer than the run (train.epochs: 3)" in caplog.text
    caplog.clear()
    trainer_of(write_config(curriculum=stages, epochs=5))
    assert "train.curriculum" not in caplog.text


def test_a_warm_up_that_is_longer_than_the_run_is_noted(write_config, caplog):
    trainer = trainer_of(write_config(warmup_steps=5, epochs=2))  # of two steps
    assert "train.warmup_steps is 5, longer than the run of 4 steps" in caplog.text
    caplog.clear()
    trainer = trainer_of(write_config(warmup_steps=4, epochs=2))
    assert trainer.plan.steps_per_epoch == 2 and "warmup_steps" not in caplog.text


def test_a_curriculum_lasts_as_long_as_its_stages():
    length = Curriculum([(2, 100), (1, 200)], 400)
    assert [length(epoch) for epoch in range(5)] == [100, 100, 200, 400, 400]
    assert [length.total(epochs) for epochs in range(6)] == [0, 100, 200, 400, 800, 1200]


def test_any_number_of_epochs_may_be_asked_for(write_config):
    trainer = fit(write_config(epochs=10**12, max_minutes=0.001))
    assert "1000000000000 epochs" in trainer.describe()


def test_the_best_models_are_kept_and_no_others(write_config):
    trainer = fit(write_config(epochs=6, keep_best=2))
    losses = [float(row["val_loss"]) for row in rows(trainer)]
    best = sorted(range(6), key=losses.__getitem__)[:2]
    folder = trainer.best.parent
    assert {path.name for path in folder.iterdir()} == {
        "latest.pth",
        "best.model.pth",
        *(f"epoch{i + 1:04d}.model.pth" for i in best),
    }
    first = checkpoints.load_model(trainer.best)[0].state_dict()
    again = checkpoints.load_model(folder / f"epoch{best[0] + 1:04d}.model.pth")[0].state_dict()
    assert same(first, again)


def test_validation_can_be_every_few_epochs(write_config):
    trainer = fit(write_config(epochs=5, validate_every=2, early_stopping=4))
    validated = [row["epoch"] for row in rows(trainer) if row["val_loss"]]
    assert validated == ["2", "4", "5"]  # and the last one
    assert trainer.history.best_value == min(
        float(row["val_loss"]) for row in rows(trainer) if row["val_loss"]
    )


def test_overfitting_sees_the_same_excerpts_again_and_again(write_config):
    still = {"optimizer": {"class": "SGD", "args": {"lr": 0.0}}, "scheduler": None}
    trainer = fit(write_config(overfit=1, args=STEADY, **still))
    assert [row["step"] for row in rows(trainer)] == ["1", "2", "3"]
    losses = {row[key] for row in rows(trainer) for key in ("train_loss", "val_loss")}
    assert max(map(float, losses)) == pytest.approx(min(map(float, losses)), rel=1e-5)
    batches = iter(SameBatches([1] * 16, 4, num_batches=2))
    first = [next(batches) for _ in range(2)]
    tracks = [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert first == [[(0, track, 0) for track in batch] for batch in tracks]
    assert [next(batches) for _ in range(2)] == first


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("body", ["convolutional", "recurrent"])
def test_half_precision_trains_to_nearly_the_same_losses(write_config, precision, body):
    args = {**STEADY, "body": body}
    model = {"builder": "mask_inference", "args": args}
    path = write_config(precision, **model, precision=precision)
    try:
        low = fit(path)
    except UserError as error:
        assert body == "recurrent"  # convolutions run in half precision on every processor
        pytest.skip(str(error))
    exact = fit(write_config("float32", **model))
    assert low.scaler.is_enabled() == (precision == "float16")
    assert all(p.dtype == torch.float32 for p in low.model.parameters())
    for a, b in zip(exact.history.rows, low.history.rows, strict=True):
        assert b["train_loss"] == pytest.approx(a["train_loss"], rel=0.03)


# oneDNN, which asks for this when it computes for the first time, as without AVX-512
AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2"}


def test_a_network_is_tried_in_half_precision_on_a_copy():
    model = build("mask_inference", body="convolutional", **SMALL["mask_inference"]).eval()
    before, drawn = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    trainer = types.SimpleNamespace(
        model=model,
        front_end=FrontEnd(64, 32, "hann"),
        train_data=types.SimpleNamespace(labels=["a", "b"], num_channels=1),
        device=torch.device("cpu"),
    )
    assert choose(trainer, "bfloat16") == "bfloat16"
    assert same(model.state_dict(), before) and not model.training
    assert all(p.grad is None for p in model.parameters())
    assert torch.equal(torch.get_rng_state(), drawn)


def test_a_precision_that_the_processor_lacks_is_refused_with_those_that_work(write_config):
    path = write_config(precision="bfloat16")
    done = forks.run("scripts.train", "-p", path, **AVX2)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert re.match(
        r"error: train.precision is bfloat16, in which cpu cannot compute this network \(could not "
        r"create a primitive descriptor .*\); write auto or float32\n",
        done.stderr,
    )
    assert not (path.parent / "small").exists()


def test_auto_trains_on_a_processor_without_bfloat16(write_config):
    done = forks.run("scripts.train", "-p", write_config(precision="auto"), **AVX2)
    assert done.returncode == 0, done.stderr
    assert "in float32" in done.stdout


def test_auto_takes_bfloat16_where_the_device_is_made_for_it(write_config, monkeypatch):
    model = {"builder": "mask_inference", "args": {"body": "convolutional"}}
    for native, chosen in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr("training.precision.computes_bfloat16", lambda _, native=native: native)
        assert trainer_of(write_config(precision="auto", **model)).precision == chosen


def test_asking_for_the_precision_draws_no_random_number(write_config):
    model = {"builder": "mask_inference", "args": {"body": "convolutional", "dropout": 0.5}}
    states = []
    for precision in ("float32", "bfloat16"):
        trainer_of(write_config(precision=precision, **model))
        states.append(torch.get_rng_state())
    assert torch.equal(*states)


def test_a_gradient_that_overflowed_is_no_memory_of_autoclip():
    clipping = Clipping(types.SimpleNamespace(percentile=50, max_norm=None))
    parameter = torch.nn.Parameter(torch.zeros(2))
    for norm in (1.0, math.inf, 3.0):
        parameter.grad = torch.full((2,), norm)
        clipping([parameter], torch.tensor(norm))
    assert clipping.norms.tolist() == [1.0, 3.0]


def test_checkpointed_activations_train_the_same_network(write_config):
    changes = {"builder": "conv_tasnet", "epochs": 1, **PLAIN}
    plain = fit(write_config("plain", **changes))
    trainer = fit(write_config("checkpointed", checkpointing=True, **changes))
    assert any(getattr(module, "checkpointing", False) for module in trainer.model.modules())
    assert close(weights(plain), weights(trainer), 1e-6)


def test_checkpointing_is_refused_where_there_are_no_blocks(write_config):
    with pytest.raises(UserError, match="train.checkpointing: no module of this model"):
        trainer_of(write_config(checkpointing=True))


def test_graphs_are_refused_without_a_cuda_device(write_config):
    with pytest.raises(UserError, match="train.cuda_graphs needs a CUDA device, .* on cpu; write"):
        trainer_of(write_config(cuda_graphs=True))


def test_graphs_are_refused_beside_what_they_do_not_go_with(write_config):
    trainer = trainer_of(write_config(accumulate=2, compile=True))
    settings = trainer.settings.model_copy(update={"cuda_graphs": True})
    trainer = types.SimpleNamespace(
        settings=settings, device=torch.device("cuda"), model=trainer.model
    )
    found = "does not go with train.compile: true, train.accumulate above 1; write"
    with pytest.raises(UserError, match=found):
        with_graphs(trainer)


def stale(network, tensors, **_):
    return copy.deepcopy(network)  # as a graph that reads weights where they no longer are


def test_what_is_recorded_is_compared_with_the_network(write_config, monkeypatch):
    trainer = trainer_of(write_config(args=STEADY))
    batch = next(trainer.training_batches())
    inputs = {key: trainer.front_end(batch)[key] for key in trainer.model.input}
    monkeypatch.setattr(torch.cuda, "make_graphed_callables", lambda network, *_, **__: network)
    network = Graphs(trainer.model)
    for name, value in network(inputs).items():
        assert torch.equal(value, trainer.model(inputs)[name])
    assert len(network.recorded) == 1
    next(trainer.model.parameters()).requires_grad_(False)  # train.freeze
    assert Graphs(trainer.model)(inputs).keys() == trainer.model(inputs).keys()
    network = Graphs(trainer_of(write_config("again", args=STEADY)).model)
    before = {name: value.clone() for name, value in network.model.state_dict().items()}
    monkeypatch.setattr(torch.cuda, "make_graphed_callables", stale)
    with pytest.raises(
        UserError, match="gives other outputs or gradients than the network itself; write false"
    ):
        network(inputs)
    assert all(torch.equal(before[k], value) for k, value in network.model.state_dict().items())


def test_what_cannot_be_recorded_is_one_message(write_config, monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("operation not permitted\nwhen stream is capturing")

    trainer = trainer_of(write_config())
    monkeypatch.setattr(torch.cuda, "make_graphed_callables", refuse)
    trainer.network, trainer.trunk_and_heads = Graphs(trainer.model), None
    found = r"cannot be recorded \(operation not permitted when stream is capturing\); write false"
    with pytest.raises(UserError, match=found):
        trainer.fit()


def test_what_cannot_be_compiled_is_one_message(write_config):
    class InvalidCxxCompiler(RuntimeError):
        __module__ = "torch._inductor.exc"

    class Uncompilable(torch.nn.Module):
        def forward(self, data):
            raise InvalidCxxCompiler("No working C++ compiler found\n\nSet TORCHDYNAMO_VERBOSE=1")

    trainer = trainer_of(write_config())
    trainer.network, trainer.trunk_and_heads = Uncompilable(), None
    with pytest.raises(UserError, match=r"cannot compile .* \(No working .* found\); write false"):
        trainer.fit()


@pytest.mark.slow
def test_a_compiled_network_is_the_same_network(write_config, monkeypatch):
    """By torch's tracer alone: its C++ would be a minute of the compiler's."""
    compiled_by = functools.partial(torch.compile, backend="aot_eager")
    monkeypatch.setattr(torch, "compile", compiled_by)
    small = {"builder": "conv_tasnet", "args": {"num_layers": 1}, "epochs": 1, **PLAIN}
    plain = fit(write_config("plain", **small))
    path = write_config("compiled", compile=True, **small)
    fit(path)
    assert torch._dynamo.utils.counters["frames"]["ok"] > 0
    latest = path.parent / "compiled" / "checkpoints" / "latest.pth"
    compiled = torch.load(latest, weights_only=True)["model"]
    assert set(weights(plain)) == set(compiled)
    assert close(weights(plain), compiled, 1e-4)


def test_a_dry_run_shows_shapes_sizes_memory_and_time_and_writes_nothing(write_config, capsys):
    import scripts.common
    from scripts import dry_run

    path = write_config(builder="conv_tasnet", accumulate=2)
    there = set(path.parent.iterdir())
    scripts.common.run(dry_run.main, dry_run.__doc__, ("train",), ["-p", str(path)])
    logged = capsys.readouterr().out
    assert "batches of 4 (in 2 parts of 2)" in logged
    assert re.search(r"mix_audio +\(2, 1, 3712\)", logged)  # 29 hops of 128
    assert re.search(r"audio +\(2, 1, 3712, 2\)", logged)
    assert re.search(r"encoder +256  Encoder", logged)  # 16 filters of 16 samples
    assert re.search(r"a step on cpu: [\d.e-]+ s", logged) and "an epoch of 2 steps" in logged
    assert re.search(r"8 GB card +batch_size up to \d+", logged)
    assert set(path.parent.iterdir()) == there


# ---- what does not fit -------------------------------------------------------------------------


def test_a_model_of_other_sources_than_the_data_is_refused_before_training(write_config):
    path = write_config(
        builder="mask_inference",
        args={"num_sources": 3},
        loss={"l1": {"class": "L1Loss", "args": {"permutation_invariant": False}}},
    )
    with pytest.raises(UserError, match="do not fit .*3.*; the data have 2 sources: accompaniment"):
        trainer_of(path)
    assert not (path.parent / "small").exists()


def test_excerpts_much_longer_than_the_tracks_are_warned_of(write_config, caplog):
    """Of 8 s the snippets fill 4."""
    trainer_of(write_config(segment=4.0))
    assert caplog.text == ""
    trainer_of(write_config(segment=8.0))
    assert "an excerpt has 8 s, and 10 of 10 tracks are shorter, 10000000 (4 s)" in caplog.text
    assert "50 % of the training data is padding; lower train.segment" in caplog.text


def test_a_head_that_no_loss_reaches_is_reported(write_config, caplog):
    with caplog.at_level("WARNING"):
        trainer_of(write_config(builder="chimera", loss={"l1": {"class": "L1Loss"}}))
    assert "no loss reaches layers.embedding.linear.weight" in caplog.text


def test_samples_that_are_no_numbers_stop_the_training_with_the_names_of_their_files(write_config):
    trainer = trainer_of(write_config(builder="tasnet"))
    read = trainer.train_data.excerpt

    def spoilt(index, start=0, length=None):
        sources = read(index, start, length)
        if index == 4:
            sources[0, 0, 7] = np.nan
        return sources

    trainer.train_data.excerpt = spoilt
    name = trainer.train_data.tracks[4].name
    with pytest.raises(UserError, match=f"the loss is nan.* The audio of {name} holds NaN"):
        trainer.fit()
