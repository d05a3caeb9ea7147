"""Starting from weights: what is taken, what is frozen, which modules learn at which rate."""

import pytest
import torch
import yaml
from trainings import fit, same, trainer_of, weights, write

import checkpoints
import config
import experiment
from training.parameters import Frozen, groups_of, trainable

torch.set_num_threads(1)
BODY, HEAD = "recurrent_stack", "embedding"


@pytest.fixture(scope="module")
def trained(tmp_path_factory, sample_folder):
    """The best model of a training run of one epoch: its path."""
    from trainings import plain_config

    folder = tmp_path_factory.mktemp("before")
    return fit(write(folder / "a.yml", plain_config(folder, sample_folder, epochs=1))).best


def tensors_of(path_or_trainer):
    if hasattr(path_or_trainer, "model"):
        return {k: v.clone() for k, v in path_or_trainer.model.state_dict().items()}
    return checkpoints.load_model(path_or_trainer)[0].state_dict()


def below(tensors, module):
    return {k: v for k, v in tensors.items() if k.startswith(f"layers.{module}.")}


def initial(path, **more):
    return {"initial": {"checkpoint": str(path), **more}}


def problems_of(path):
    """What `experiment.check` says of a config, line by line."""
    with pytest.raises(config.ConfigError) as caught:
        experiment.check(config.load(path))
    return str(caught.value).splitlines()


# ---- initial weights --------------------------------------------------------------------------


def test_a_training_starts_from_the_whole_model_and_says_so(write_config, trained, caplog):
    path = write_config(**initial(trained))
    experiment.check(config.load(path))
    trainer = trainer_of(path)
    assert same(tensors_of(trainer), tensors_of(trained))
    text = trainer.describe()
    assert f"initial weights of {trained}" in text and "randomly initialised" not in text
    with caplog.at_level("INFO"):
        trainer.fit()
    assert text in caplog.text


def test_modules_are_taken_by_name_and_the_others_are_drawn_as_without(write_config, trained):
    drawn = tensors_of(trainer_of(write_config()))
    path = write_config(**initial(trained, modules={BODY: BODY}))
    experiment.check(config.load(path))
    trainer = trainer_of(path)
    here, there = tensors_of(trainer), tensors_of(trained)
    assert same(below(here, BODY), below(there, BODY)) and not same(here, there)
    assert same(below(here, HEAD), below(drawn, HEAD))
    lines = trainer.describe().splitlines()[-2:]
    others = f"normalization (5 tensors), {HEAD} (2 tensors)"
    assert lines == [f"  randomly initialised: {others}", f"  not loaded: {others}"]


def test_a_module_is_taken_into_one_of_another_name(write_config, trained, tmp_path):
    path = write_config(args={"normalization": "InstanceNorm"})
    plain = yaml.safe_load(path.read_text())
    graph = experiment.build_graph(config.load(path))
    graph["modules"]["body"] = graph["modules"].pop(BODY)
    graph["connections"] = [
        ["body" if name == BODY else name, ["body" if i == BODY else i for i in inputs]]
        for name, inputs in graph["connections"]
    ]
    plain["model"] = graph
    plain["train"] |= initial(trained, modules={"body": BODY})
    write(path, plain)
    experiment.check(config.load(path))
    here, there = tensors_of(trainer_of(path)), tensors_of(trained)
    renamed = {k.replace(BODY, "body"): v for k, v in below(there, BODY).items()}
    assert same(below(here, "body"), renamed)


def test_the_averaged_weights_start_there_too(write_config, trained):
    trainer = trainer_of(write_config(ema_decay=0.9, **initial(trained)))
    assert same(trainer.eval_model.state_dict(), tensors_of(trained))


def test_strict_false_takes_what_fits(write_config, trained):
    smaller = {"args": {"num_layers": 1}}
    (line,) = problems_of(write_config(**smaller, **initial(trained)))
    assert "train.initial.checkpoint" in line and f"it also has {BODY}.rnn" in line
    assert "num_layers: 2 (here 1)" in line and "strict: false" in line
    path = write_config(**smaller, **initial(trained, strict=False))
    experiment.check(config.load(path))
    here, there = tensors_of(trainer_of(path)), tensors_of(trained)
    assert all(torch.equal(here[key], there[key]) for key in here)


@pytest.mark.parametrize(
    "change, expected",
    [
        ({"signal": {"sample_rate": 8000}}, "signal.sample_rate: 16000 (here 8000)"),
        ({"signal": {"num_channels": 2}}, "signal.num_channels: 1 (here 2)"),
        ({"signal": {"window_length": 256, "hop_length": 64}}, "signal.window_length: 512"),
        ({"signal": {"window_type": "hann"}}, "signal.window_type: sqrt_hann (here hann)"),
    ],
)
def test_another_signal_is_refused_with_what_would_have_to_change(
    write_config, trained, change, expected
):
    path = write_config(**initial(trained))
    plain = yaml.safe_load(path.read_text())
    write(path, {**plain, **change})
    (line,) = problems_of(path)
    assert expected in line and "write its values" in line


def test_another_number_of_sources_is_refused_with_the_sizes(write_config, tmp_path):
    before = fit(write_config("two", builder="tasnet", epochs=1)).best
    path = write_config("three", builder="tasnet", args={"num_sources": 3}, **initial(before))
    (line,) = problems_of(path)
    assert "trained on 2 sources: accompaniment, vocals" in line
    assert "there and" in line and "num_sources: None (here 3)" in line


def test_wrong_names_are_refused_with_the_modules_that_exist(write_config, trained):
    path = write_config(
        freeze=["recurent_stack"],
        optimizer={"class": "Adam", "groups": [{"modules": ["head"], "args": {"rate": 1}}]},
        **initial(trained, modules={"body": BODY, HEAD: "mask"}),
    )
    text = "\n".join(problems_of(path))
    assert (
        "train.initial.modules.body: there is no module 'body' with weights; the model has" in text
    )
    assert (
        f"train.initial.modules.{HEAD}: there is no module 'mask' with weights; {trained}" in text
    )
    assert "train.freeze[0]: there is no module 'recurent_stack' with weights; did you mean" in text
    path = write_config(
        optimizer={"class": "Adam", "groups": [{"modules": ["head"], "args": {"rate": 1}}]}
    )
    text = "\n".join(problems_of(path))
    assert "train.optimizer.groups[0].modules[0]: there is no module 'head'" in text
    assert "groups[0].args.rate: Adam has no argument 'rate'" in text


def test_a_pattern_is_no_name_of_a_module_to_take(write_config, trained):
    (line,) = problems_of(write_config(**initial(trained, modules={"rec*": "rec*"})))
    assert "train.initial.modules.rec*: there is no module 'rec*' with weights" in line


def test_a_checkpoint_that_is_missing_or_no_model_is_one_message(write_config, trained):
    (line,) = problems_of(write_config(**initial(trained.with_name("gone.pth"))))
    assert "train.initial.checkpoint" in line and "no such checkpoint" in line
    (line,) = problems_of(write_config(**initial(trained.with_name("latest.pth"))))
    assert "holds no model" in line


def test_a_training_that_is_resumed_does_not_load_the_initial_weights_again(
    write_config, trained, tmp_path
):
    copy = tmp_path / "copy.model.pth"
    copy.write_bytes(trained.read_bytes())
    whole = fit(write_config("whole", epochs=2, **initial(copy)))
    path = write_config("parts", epochs=1, **initial(copy))
    fit(path)
    copy.unlink()
    path.write_text(path.read_text().replace("epochs: 1", "epochs: 2"))
    experiment.check(config.load(path))
    assert same(weights(fit(path)), weights(whole))


# ---- frozen modules ---------------------------------------------------------------------------


@pytest.mark.parametrize("builder, frozen", [("deep_clustering", BODY), ("deep_clustering", HEAD)])
def test_frozen_weights_stay_and_the_others_move(write_config, builder, frozen):
    path = write_config(builder=builder, freeze=[frozen], ema_decay=0.5, epochs=1)
    experiment.check(config.load(path))
    trainer = trainer_of(path)
    before = tensors_of(trainer)
    trainer.fit()
    after = tensors_of(trainer)
    moved = {key for key in before if not torch.equal(before[key], after[key])}
    assert moved and not {*below(before, frozen)} & moved
    assert same(below(before, frozen), below(trainer.eval_model.state_dict(), frozen))
    parameters = [p for group in trainer.optimizer.param_groups for p in group["params"]]
    assert len(parameters) == sum(p.requires_grad for p in trainer.model.parameters())
    assert all(p.grad is None for p in trainer.model.parameters() if not p.requires_grad)
    assert f"of them frozen ({frozen})" in trainer.describe()


def test_the_gradient_of_a_step_with_a_frozen_body_is_that_of_the_whole_step(write_config):
    """One excerpt at a time or the whole batch: the head's gradient is the same."""
    moved = []
    for items in (1, 4):
        trainer = trainer_of(write_config(f"items{items}", freeze=[BODY], head_items=items))
        trainer.fit()
        moved.append(weights(trainer))
    assert all(torch.allclose(moved[0][k], moved[1][k], atol=1e-5) for k in moved[0])


def test_frozen_statistics_of_batches_stay_as_they_are(write_config):
    norm = {"normalization": "BatchNorm"}
    for name, freeze in (("named", ["normalization"]), ("weights", ["*batch_norm.*"])):
        trainer = trainer_of(write_config(name, args=norm, freeze=freeze, epochs=1))
        before = below(tensors_of(trainer), "normalization")
        assert any("running_mean" in key for key in before)
        trainer.fit()
        assert same(before, below(tensors_of(trainer), "normalization"))
    trainer = trainer_of(write_config("free", args=norm, freeze=[HEAD], epochs=1))
    before = below(tensors_of(trainer), "normalization")
    trainer.fit()
    after = below(tensors_of(trainer), "normalization")
    assert not any(torch.equal(before[k], after[k]) for k in before if "running" in k)


def test_a_frozen_batch_norm_normalises_by_its_running_statistics_and_dropout_stays_active():
    model = torch.nn.Sequential(
        torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3), torch.nn.Dropout(0.5)
    )
    frozen = Frozen(model, ["1"])
    frozen.train_mode(model)
    assert [module.training for module in model] == [True, False, True]
    assert [*trainable(model)] == ["0.weight", "0.bias"]
    assert Frozen(torch.nn.BatchNorm1d(3), ["weight"]).norms == []  # its bias is trained


def test_to_freeze_everything_is_refused(write_config):
    (line,) = problems_of(write_config(freeze=["*"]))
    assert "train.freeze: leaves nothing to train" in line


# ---- groups of the optimizer ------------------------------------------------------------------


def grouped(*groups):
    groups = [{"modules": modules, "args": args} for modules, args in groups]
    return {"optimizer": {"class": "SGD", "args": {"lr": 0.1}, "groups": groups}}


def test_a_group_learns_at_its_own_rate(write_config):
    """A step of SGD is the rate times the gradient: of a tenth of the rate, a tenth as long."""
    moves = []
    for name, args in (("same", {"lr": 0.1}), ("slow", {"lr": 0.01})):
        settings = grouped(([BODY], args)) | {"gradient_clip": None, "scheduler": None}
        path = write_config(name, args={"dropout": 0.0}, **settings)
        experiment.check(config.load(path))
        trainer = trainer_of(path)
        before = tensors_of(trainer)
        trainer.fit(steps=1)
        moves.append({k: v - before[k] for k, v in tensors_of(trainer).items()})
        assert trainer.history.rows[0]["learning_rate"] == 0.1  # of the modules in no group
        assert trainer.engine.state.iteration == 1
    for key, move in moves[0].items():
        factor = 0.1 if BODY in key else 1.0
        if not move.is_floating_point():
            continue  # how many batches the normalisation has seen
        torch.testing.assert_close(moves[1][key], factor * move, rtol=1e-3, atol=1e-7)


def test_a_parameter_is_of_the_first_group_that_names_it():
    named = [type("Group", (), {"modules": m})() for m in (["a.bias"], ["a", "*.bias"])]
    names = ["a.weight", "a.bias", "b.weight", "b.bias"]
    assert groups_of(names, named) == [["b.weight"], ["a.bias"], ["a.weight", "b.bias"]]


def test_a_value_that_the_optimizer_refuses_is_refused_in_a_group_too(write_config):
    (line,) = problems_of(write_config(**grouped(([BODY], {"lr": -1.0}))))
    assert "train.optimizer.groups[0].args: refused: Invalid learning rate: -1.0" in line


def test_a_group_of_which_nothing_is_left_is_refused(write_config):
    (line,) = problems_of(write_config(freeze=[BODY], **grouped(([BODY], {"lr": 0.01}))))
    assert "train.optimizer.groups[0].modules: what it names is frozen" in line


def test_all_of_it_together_is_resumed_to_the_last_bit(write_config, trained):
    settings = grouped(([HEAD], {"lr": 0.01}), (["*bias*"], {"momentum": 0.5}))
    settings |= {"freeze": [f"{BODY}.rnn.*l0*"], "ema_decay": 0.9, "warmup_steps": 3}
    settings |= initial(trained)
    whole = fit(write_config("whole", epochs=3, **settings))
    path = write_config("parts", epochs=1, **settings)
    for epochs in (1, 2, 3):
        path.write_text(path.read_text().replace(f"epochs: {epochs - 1}\n", f"epochs: {epochs}\n"))
        parts = fit(path)
    assert same(weights(whole), weights(parts))
    assert same(whole.eval_model.state_dict(), parts.eval_model.state_dict())
