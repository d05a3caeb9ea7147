"""run.json, what a run records of itself, and scripts.replay, which runs it once more."""

import json
import shutil
from importlib.metadata import version

import numpy as np
import pytest
import torch
import yaml
from trainings import write

import provenance
import scripts.common
from experiment import replay
from provenance.energy import Energy
from scripts import evaluate, train
from scripts import replay as replay_script

torch.set_num_threads(1)


def call(module, path):
    """(exit status, 0 or a message) of a script on a file or folder."""
    try:
        scripts.common.run(module.main, module.__doc__, (), ["-p", str(path)])
    except SystemExit as leaving:
        return leaving.code
    return 0


@pytest.fixture(scope="module")
def ran(tmp_path_factory, sample_folder):
    """The folder of a training run that was evaluated."""
    from trainings import plain_config

    folder = tmp_path_factory.mktemp("ran")
    plain = plain_config(folder, sample_folder, epochs=2)
    plain["algorithm"] = {"class": "DeepClustering", "args": {"num_sources": 2}}
    plain["evaluate"] = {"split": "val", "num_items": 2, "page_items": 0}
    path = write(folder / "a.yml", plain)
    assert call(train, path) == call(evaluate, path) == 0
    return folder / "small"


@pytest.fixture
def edited(ran):
    """A function that changes run.json until the test ends."""
    path = ran / "run.json"
    before = path.read_text()

    def edit(change):
        content = json.loads(before)
        change(content["sessions"][0])
        path.write_text(json.dumps(content))

    yield edit
    path.write_text(before)


def test_a_run_records_what_it_ran_on_and_what_came_of_it(ran):
    training, evaluation = json.loads((ran / "run.json").read_text())["sessions"]
    assert (training["script"], evaluation["script"]) == ("train", "evaluate")
    assert training["outcome"] == "done" and training["started"] < training["ended"]
    assert (training["seed"], training["device"], training["processes"]) == (3, "cpu", 1)
    assert training["versions"]["torch"] == version("torch")
    assert training["code"] == provenance.code() and len(training["code"]["digest"]) == 64
    assert {*training["data"]} == {"train", "val"} and training["data"]["val"]["tracks"] == 10
    assert training["seconds"] > 0 and training["cpu_seconds"] > 0
    result = training["result"]
    assert (result["epochs"], result["steps"], result["best_by"]) == (2, 4, "val_loss")
    assert result["best_model"] == evaluation["checkpoint"]
    assert all(training[key] for key in ("command", "host", "processor", "python", "platform"))


def test_a_run_is_reproduced_to_the_last_bit_and_a_second_replay_has_its_own_folder(ran, caplog):
    with caplog.at_level("INFO"):
        assert call(replay_script, ran) == 0
    assert "0 differences from" in caplog.text and "to the last bit" in caplog.text
    assert "weights of the best model: differ by 0 at most" in caplog.text
    report = json.loads((ran / "replay" / "replay.json").read_text())
    assert report["agrees"] and report["exact"] and report["differences"] == []
    assert any("val, DeepClustering, mean si_sdr" in line for line in report["compared"])
    assert replay.next_folder(ran).name == "replay-2"


def test_every_difference_is_said_and_bounds_replace_the_bits(ran, edited):
    import config

    def change(session):
        session["versions"]["torch"], session["host"] = "1.0", "elsewhere"
        session["data"]["train"]["digest"] = "another"

    edited(change)
    settings = config.load(ran / "config.yml")
    lines = replay.differences(settings, ran, replay.recorded_run(ran))
    assert [line.partition(":")[0] for line in lines] == [
        "host",
        "versions.torch",
        "data.train.digest",
    ]
    assert not replay.is_exact(replay.recorded_run(ran), lines)
    assert f"versions.torch: was 1.0, is {version('torch')}" in lines


def test_a_run_whose_latest_state_was_removed_has_its_settings_in_the_best_model(ran):
    import config

    latest = ran / "checkpoints" / "latest.pth"
    settings, kept = config.load(ran / "config.yml"), latest.read_bytes()
    try:
        latest.unlink()
        assert replay.differences(settings, ran, replay.recorded_run(ran)) == []
    finally:
        latest.write_bytes(kept)


def test_a_config_that_was_edited_since_is_a_difference(ran):
    import config

    text = (ran / "config.yml").read_text()
    try:
        (ran / "config.yml").write_text(text.replace("batch_size: 4", "batch_size: 5"))
        lines = replay.differences(config.load(ran / "config.yml"), ran, replay.recorded_run(ran))
    finally:
        (ran / "config.yml").write_text(text)
    assert lines == ["config train.batch_size: was 4, is 5"]


def test_a_commit_that_leaves_the_code_as_it_is_keeps_the_bits(ran):
    session = replay.recorded_run(ran)
    assert replay.is_exact(session, ["code.commit: was a, is b", "cores: was 2, is 4"])
    assert not replay.is_exact(session, ["code.digest: was a, is b"])
    assert not replay.is_exact({**session, "precision": "bfloat16"}, [])


def test_another_result_is_an_error_that_names_it(ran, edited, tmp_path):
    def change(session):
        session["result"]["best"] *= 1.2

    edited(change)
    if not (ran / "replay" / "replay.json").exists():
        pytest.skip("the replay above did not end")
    found, fine = replay.compare(ran, ran / "replay", exact=False)
    assert not fine and any(line.startswith("val_loss:") for line in found)
    assert replay.compare(ran / "replay", ran / "replay", exact=True)[1]


def test_a_history_that_differs_in_its_last_bit_is_said_with_its_epoch(ran, tmp_path):
    copy = shutil.copytree(ran, tmp_path / "copy", ignore=shutil.ignore_patterns("replay*"))
    assert replay.compare(ran, copy, exact=True)[1]
    header, first, second = (copy / "history.csv").read_text().splitlines()
    *others, last = second.split(",")
    spoilt = ",".join([*others, repr(np.nextafter(float(last), 1).item())])
    (copy / "history.csv").write_text("\n".join([header, first, spoilt]) + "\n")
    found, fine = replay.compare(ran, copy, exact=True)
    assert not fine and "history.csv: differs from epoch 2 on" in found
    assert replay.compare(ran, copy, exact=False)[1]


def test_scores_that_cannot_be_read_are_not_reproduced(ran, tmp_path):
    copy = shutil.copytree(ran, tmp_path / "copy", ignore=shutil.ignore_patterns("replay*"))
    (copy / "evaluation" / "val" / "scores.csv").write_text("")
    found, fine = replay.compare(copy, ran, exact=False)
    assert not fine and f"scores on val: none that can be read in {copy}" in found


@pytest.mark.parametrize("name", ["checkpoints/best.model.pth", "history.csv"])
@pytest.mark.parametrize("content", [None, b"\xff"], ids=["gone", "damaged"])
def test_what_a_replay_cannot_be_compared_with_is_said_before_it_trains(
    ran, tmp_path, name, content
):
    copy = shutil.copytree(ran, tmp_path / "copy", ignore=shutil.ignore_patterns("replay*"))
    (copy / name).unlink()
    if content is not None:
        (copy / name).write_bytes(content)
    assert str(copy / name) in call(replay_script, copy)
    assert not (copy / "replay").exists()


def test_a_folder_without_a_finished_training_is_one_message(tmp_path, write_config):
    path = write_config()
    assert "has no run.json with a completed training run" in call(replay_script, path)


def test_an_error_is_the_outcome_of_a_session_and_one_that_was_killed_has_no_end(tmp_path):
    with pytest.raises(ValueError), provenance.recorded(tmp_path, "train", seed=1):
        (session,) = provenance.sessions(tmp_path)
        assert session["ended"] is None and session["seed"] == 1  # what kill -9 leaves
        raise ValueError("no")
    (session,) = provenance.sessions(tmp_path)
    assert session["outcome"] == "ValueError: no" and session["ended"]
    with provenance.recorded(tmp_path, "train"):
        pass
    assert [one["outcome"] for one in provenance.sessions(tmp_path)] == ["ValueError: no", "done"]


def test_energy_is_the_sum_of_all_processors_over_their_counters_ends(tmp_path):
    def package(number, name, microjoules):
        folder = tmp_path / f"intel-rapl:{number}"
        folder.mkdir(exist_ok=True)
        for file, text in (("name", name), ("energy_uj", microjoules)):
            (folder / file).write_text(f"{text}\n")
        (folder / "max_energy_range_uj").write_text("10000000\n")

    package(0, "package-0", 1_000_000)
    package(1, "package-1", 9_000_000)
    package("0:0", "core", 0)
    package(2, "psys", 0)
    energy = Energy(tmp_path, every=None)
    package(0, "package-0", 3_500_000)
    package(1, "package-1", 500_000)  # begun anew after 10 J
    package(2, "psys", 9_000_000)
    assert energy.joules == 4.0
    package(0, "package-0", 4_500_000)
    assert energy.joules == 5.0
    assert Energy(tmp_path / "nothing", every=None).joules is None


def test_the_config_of_a_replay_trains_elsewhere_and_without_a_clock(ran):
    import config

    plain = config.load(ran / "config.yml").to_dict()
    plain["train"]["max_minutes"] = 1.0
    plain["algorithm"]["args"]["model_path"] = str(ran / "checkpoints" / "best.model.pth")
    again = replay.replay_config(config.Config.model_validate(plain), ran, ran / "x")
    assert again.info.output_folder == str(ran / "x") and again.train.max_minutes is None
    assert "model_path" not in again.algorithm.args
    assert yaml.safe_load(yaml.safe_dump(again.to_dict()))["train"]["epochs"] == 2


@pytest.mark.parametrize(
    ("best_by", "was", "now", "agrees"),
    [
        ("val_loss", 0.2, 0.209, True),  # 5 % of the loss
        ("val_loss", 0.2, 0.211, False),
        ("val_loss", -20.0, -20.9, True),
        ("val_si_sdr", 2.0, 2.4, True),  # half a dB of a score
        ("val_si_sdr", 2.0, 2.6, False),
        ("val_si_sdr", 20.0, 20.6, False),
    ],
)
def test_the_number_that_decided_agrees_within_what_is_said(monkeypatch, best_by, was, now, agrees):
    length = {"epochs": 3, "steps": 6, "best_epoch": 2, "best_by": best_by}
    results = {"run": dict(length, best=was), "again": dict(length, best=now)}
    monkeypatch.setattr(replay, "recorded_run", lambda folder: {"result": results[folder]})
    ((line, found),) = replay._compare_training("run", "again", exact=False)
    assert found == agrees and line.startswith(f"{best_by}: {was:g}, now {now:g} (at most ")


def test_the_digest_of_code_is_of_names_and_contents_of_what_a_result_depends_on(
    monkeypatch, tmp_path
):
    monkeypatch.setitem(provenance.digest_of.__globals__, "PROJECT", tmp_path)
    for name in ("one", "tests"):
        (tmp_path / "part" / name).mkdir(parents=True)
    code, test = (tmp_path / "part" / name / "code.py" for name in ("one", "tests"))
    code.write_text("a = 1")
    digests = [provenance.digest_of(["part"])]
    test.write_text("assert True")
    (tmp_path / "part" / "readme.md").write_text("")
    assert provenance.digest_of(["part", "missing.py"]) == digests[0]
    code.write_text("a = 2")
    digests.append(provenance.digest_of(["part"]))
    code.rename(code.with_name("renamed.py"))
    digests.append(provenance.digest_of(["part"]))
    assert len({*digests}) == 3
