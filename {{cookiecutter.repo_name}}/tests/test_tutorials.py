"""docs/: each YAML block is what the schema takes, each command names what is there, and the
commands of the tutorials do what their pages say, with quick settings."""

import re
import shutil
from pathlib import Path

import forks
import numpy as np
import pytest
import soundfile
import yaml

import config
from scripts.common import names

PROJECT = Path(__file__).parents[1]
DOCS = PROJECT / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
TUTORIALS = [name for name in PAGES if name.startswith("tutorials/")]
BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.M | re.S)
COMMAND = re.compile(r"python -m scripts\.(\w+)\s+-p ([\w./-]+\w)")
LINE = re.compile(r"^    (?:\w+=\S+ )*python -m scripts\.(\w+)\s+-p (\S+)", re.M)
NAMED = re.compile(r"# ([\w/]+\.yml)\n")
ELSEWHERE = {
    "configuration.md": "a first try",  # wrong on purpose: tests/configuration shows how
}
# what makes a training run a matter of a second; a script ignores other sections
QUICK = {
    "train": {
        "device": "cpu",
        "epochs": 1,
        "excerpts_per_epoch": 4,
        "validation_excerpts": 2,
        "batch_size": 2,
        "segment": 0.5,
        "warmup_steps": None,
    },
    "evaluate": {"num_items": 2, "page_items": 1, "baselines": []},
}


def text_of(name):
    return (DOCS / name).read_text(encoding="utf-8")


def blocks(name):
    return BLOCK.findall(text_of(name))


def written_by(name):
    """{path: text} of the files that a page asks its reader to write."""
    named = [(NAMED.match(block), block) for block in blocks(name)]
    return {match[1]: block for match, block in named if match}


def is_whole(block):
    """Whether a block is a file of its own, not an excerpt of one."""
    plain = yaml.safe_load(block)
    return isinstance(plain, dict) and ("info" in plain or "include" in plain)


EVERY_BLOCK = [
    pytest.param(name, block, id=f"{name}-{number}")
    for name in PAGES
    for number, block in enumerate(blocks(name))
    if ELSEWHERE.get(name, "\0") not in block
]


@pytest.mark.parametrize(("name", "block"), EVERY_BLOCK)
def test_every_yaml_block_is_what_the_schema_takes(name, block, tmp_path, monkeypatch):
    for variable in re.findall(r"\$\{(\w+)\}", block):
        monkeypatch.setenv(variable, "text")
    path = tmp_path / "block.yml"
    if is_whole(block):
        path.write_text(from_here(block, tmp_path))
    else:  # an excerpt: what else a file has comes from an experiment that is whole
        base = PROJECT / "experiments" / "demo.yml"
        path.write_text(f"include: {base}\n{block}")
    config.load(path)


def from_here(block, folder):
    """A block that includes shipped experiments, for a file in another folder."""
    return re.sub(
        r"(?m)^include: (.*?)( +#.*)?$",
        lambda found: (
            "include: " + re.sub(r"[\w./]+\.yml", lambda one: place(one[0], folder), found[1])
        ),
        block,
    )


def place(name, folder):
    """An included file: one that the page wrote into the folder, or a shipped one."""
    return f"'{folder / name if (folder / name).exists() else PROJECT / 'experiments' / name}'"


@pytest.mark.parametrize("name", PAGES)
def test_every_command_names_a_script_and_a_file(name):
    wrong = []
    for script, file in COMMAND.findall(text_of(name)):
        made = file.startswith(("artifacts/", "output/", "..")) or file in written_by(name)
        if script not in names() or not (made or (PROJECT / file).exists()):
            wrong.append((script, file))
    assert wrong == []


@pytest.fixture
def reader(tmp_path, sample_folder):
    """Follows a page: a function (its name) -> {command: what it printed}. The reader has stems of
    his own, and writes what the page asks for into a folder of the test."""
    data, folder = tmp_path / "data", tmp_path / "experiments"
    data.mkdir()
    (data / "sample").symlink_to(sample_folder)
    rng = np.random.default_rng(0)
    for split in ("train", "val", "test"):
        for label, level in (("vocals", 0.1), ("accompaniment", 0.2)):
            (data / "stems" / split / label).mkdir(parents=True)
            for number in range(2):
                noise = level * rng.standard_normal(16000).cumsum() / 100
                path = data / "stems" / split / label / f"{split}{number}.wav"
                soundfile.write(path, noise.clip(-1, 1), 8000)
    shutil.copytree(data / "stems" / "test" / "accompaniment", data / "songs")
    where = {"DATA_DIRECTORY": str(data), "ARTIFACTS_DIRECTORY": str(tmp_path / "artifacts")}

    def follow(name):
        files = written_by(name)
        for file, text in files.items():
            path = tmp_path / file
            path.parent.mkdir(exist_ok=True)
            for other in files:  # a file that another names by its path from the project's folder
                text = text.replace(f": {other}\n", f": {tmp_path / 'quick' / other}\n")
            path.write_text(from_here(text, folder))
        for file in {file for _, file in LINE.findall(text_of(name))} | set(files):
            source = tmp_path / file if file in files else PROJECT / file
            quick(source, tmp_path / "quick" / file, tmp_path)
        said = {}
        for script, file in LINE.findall(text_of(name)):
            done = forks.run(f"scripts.{script}", "-p", tmp_path / "quick" / file, **where)
            assert done.returncode == 0, f"{script} {file}: {done.stdout}{done.stderr}"
            said[script, file] = done.stdout + done.stderr
        return said

    return follow


def quick(source, path, folder):
    """Write a file that includes another and costs next to nothing."""
    plain = config.load(source).to_dict()
    changes = {"include": str(source)}
    if plain.get("train"):
        changes |= QUICK
        changes["datasets"] = {
            split: {"args": {"num_songs": 1}}
            for split, data in plain["datasets"].items()
            if data["class"] == "Sample"
        }
        if not plain["train"]["initial"]:
            changes["model"] = {"args": {"hidden_size": 8}}
        changes["visualize"] = {"output_folder": str(folder / "viz"), "seed": 0}
    if plain.get("sweep"):
        changes["sweep"] = {"trials": 2}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(changes))


@pytest.mark.slow
def test_the_first_model_is_trained_scored_and_shown(reader, tmp_path):
    said = reader("tutorials/first-model.md")
    run = tmp_path / "artifacts" / "first_model"
    assert (run / "checkpoints" / "best.model.pth").exists() and (run / "history.csv").exists()
    assert (run / "evaluation" / "test" / "index.html").exists()
    assert "parameters" in said["dry_run", "experiments/first_model.yml"]
    assert list((tmp_path / "viz").rglob("mixture.wav"))


@pytest.mark.slow
def test_stems_of_your_own_become_a_model_that_is_published(reader, tmp_path):
    reader("tutorials/own-stems.md")
    artifacts = tmp_path / "artifacts"
    assert (artifacts / "my_stems" / "audit").is_dir()
    assert (artifacts / "my_stems" / "evaluation" / "test" / "scores.csv").exists()
    assert len(list((artifacts / "separated").rglob("vocals.wav"))) == 2
    reader("tutorials/publish.md")
    published = {path.name for path in (artifacts / "my_export").iterdir()}
    assert published >= {"model.onnx", "model.pt2", "separate.py", "README.md"}


@pytest.mark.slow
def test_the_shipped_model_is_tuned_and_scored_beside_itself(reader, tmp_path):
    reader("tutorials/fine-tune.md")
    for run in ("fine_tune", "not_tuned"):
        assert (tmp_path / "artifacts" / run / "evaluation" / "test" / "scores.csv").exists()


@pytest.mark.slow
def test_two_networks_are_trained_scored_and_compared(reader, tmp_path):
    reader("tutorials/compare-networks.md")
    assert list((tmp_path / "artifacts" / "compare" / "result").rglob("si_sdr.md"))


@pytest.mark.slow
def test_a_sweep_leaves_its_table_and_the_best_experiment(reader, tmp_path):
    reader("tutorials/sweep.md")
    folder = tmp_path / "artifacts" / "sweeps" / "my_sweep"
    assert (folder / "table.md").exists() and (folder / "best.yml").exists()


def test_every_tutorial_but_that_of_the_cluster_is_followed_above():
    text = Path(__file__).read_text(encoding="utf-8")
    followed = {name for name in TUTORIALS if f'reader("{name}")' in text}
    assert {*followed, "tutorials/cluster.md"} == set(TUTORIALS)  # that one needs a SLURM
