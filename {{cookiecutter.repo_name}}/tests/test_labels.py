"""Layouts and mixtures of stem folders are recognised; sources are the same in all splits."""

import itertools
import logging

import numpy as np
import pytest
import soundfile
import yaml

import scripts.common
from algorithms import ALGORITHMS, SeparationBase
from compat import nussl
from dataset import StemFolder
from errors import UserError
from experiment.evaluation import by_label
from experiment.labels import file_names
from scripts import audit, dry_run, evaluate, train

RATE = 8000
PARAMS = nussl.STFTParams(256, 64, "sqrt_hann")


class Three(SeparationBase):
    """Three equal parts of the mixture."""

    def __init__(self, input_audio_signal, num_sources: int = 3):
        super().__init__(input_audio_signal)

    def run(self):
        return []

    def make_audio_signals(self):
        data = self.audio_signal.audio_data / 3
        return [self.audio_signal.make_copy_with_audio_data(data, verbose=False)] * 3


def save(folder, paths, seconds=0.5):
    """Noise at each of the paths, without ending; {path: seconds} for lengths of their own."""
    rng = np.random.default_rng([*str(paths).encode()])
    lengths = paths if isinstance(paths, dict) else dict.fromkeys(paths, seconds)
    for path, length in lengths.items():
        file = folder / f"{path}.wav"
        file.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(file, 0.1 * rng.standard_normal(int(length * RATE)), RATE)
    return folder


def build(folder, split="train", **args):
    return StemFolder(folder, split, RATE, 1, PARAMS, **args)


# ---- mixtures -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mix", "mixture", "Mixture", "MIX", "mixed", "mixtures"])
@pytest.mark.parametrize("layout", ["stems", "tracks"])
def test_a_mixture_by_any_of_its_names_is_no_source(tmp_path, name, layout):
    pairs = [(track, stem) for track in ("one", "two") for stem in ("vocals", "bass", name)]
    save(tmp_path, [f"{s}/{t}" if layout == "stems" else f"{t}/{s}" for t, s in pairs])
    for data in (build(tmp_path), build(tmp_path, layout=layout)):
        assert data.labels == ["bass", "vocals"] and data.mixture == "file"
        assert [track.mix.stem for track in data.tracks] == (
            ["one", "two"] if layout == "stems" else [name, name]
        )


def test_a_source_called_mixture_is_one_where_the_config_says_so(tmp_path):
    save(tmp_path, [f"{track}/{stem}" for track in "ab" for stem in ("mixture", "vocals", "all")])
    assert build(tmp_path, mix="all").labels == ["mixture", "vocals"]
    assert build(tmp_path, mix="").labels == ["all", "mixture", "vocals"]


def test_two_files_that_may_be_the_mixture_are_refused(tmp_path):
    save(tmp_path, [f"{track}/{stem}" for track in "ab" for stem in ("mixture", "vocals", "mix")])
    with pytest.raises(UserError, match="write mix: mix or mix: mixture"):
        build(tmp_path)


# ---- layouts ------------------------------------------------------------------------------------

STEMS = ("vocals", "drums", "bass", "other")
SONGS = ("Artist - Title", "Other - Song", "third")


@pytest.mark.parametrize("stems", [STEMS, ("Lead Synth", "Pad"), ("x", "y", "z")])
def test_a_folder_a_track_and_a_folder_a_source_are_distinguished(tmp_path, stems):
    """By the names of sources where they are known, else by lengths: tracks differ in them."""
    lengths = {song: 0.5 + 0.1 * number for number, song in enumerate(SONGS)}
    by_track = {f"{song}/{stem}": length for song, length in lengths.items() for stem in stems}
    by_stem = {f"{stem}/{song}": length for song, length in lengths.items() for stem in stems}
    for name, files in (("tracks", by_track), ("stems", by_stem)):
        data = build(save(tmp_path / name, files))
        assert data.labels == sorted(stems) and [t.name for t in data.tracks] == sorted(SONGS)
        assert data.found.startswith(f"layout: {name}, by ")


def test_the_names_that_all_splits_share_are_the_sources(tmp_path):
    for layout in ("stems", "tracks"):
        for split, songs in (("train", ("k", "l")), ("test", ("m", "n"))):
            pairs = [(song, stem) for song in songs for stem in ("x", "y")]
            save(
                tmp_path / layout / split,
                [f"{s}/{t}" if layout == "stems" else f"{t}/{s}" for t, s in pairs],
            )
        for split, songs in (("train", ["k", "l"]), ("test", ["m", "n"])):
            data = build(tmp_path / layout, split)
            assert data.labels == ["x", "y"] and [t.name for t in data.tracks] == songs


def test_what_may_be_either_layout_is_refused_and_the_message_says_what_to_write(tmp_path):
    save(tmp_path, [f"{a}/{b}" for a in ("p", "q") for b in ("r", "s")])
    with pytest.raises(
        UserError,
        match="has folders p, q, in each of them files r, s; write layout: stems .* layout: tracks",
    ):
        build(tmp_path)
    assert build(tmp_path, layout="stems").labels == ["p", "q"]
    assert build(tmp_path, layout="tracks").labels == ["r", "s"]


def test_labels_that_differ_in_capitals_only_are_refused(tmp_path):
    save(tmp_path, ["one/vocals", "one/bass", "two/Vocals", "two/bass"])
    for missing in ("error", "silence", "skip"):
        with pytest.raises(
            UserError,
            match="sources Vocals and vocals differ in capital letters "
            r"only \(Vocals in two, vocals in one\)",
        ):
            build(tmp_path, missing=missing)
    groups = {"vocals": ["Vocals", "vocals"], "bass": ["bass"]}
    assert build(tmp_path, groups=groups).labels == ["bass", "vocals"]


def test_a_group_that_is_null_is_taken_away(tmp_path):
    save(tmp_path, ["one/vocals", "one/bass", "one/drums"])
    groups = {"vocals": None, "voice": ["vocals"], "band": ["*"]}
    assert build(tmp_path, groups=groups).labels == ["band", "voice"]


@pytest.mark.parametrize(
    "groups, message",
    [
        ({}, "groups: has no source; remove it if every stem is a source"),
        ({"bass": None}, "groups: has no source"),
        ({"voice": "vocals"}, r"groups.voice: found the text 'vocals'; write \['vocals'\]"),
        ({"voice": []}, r"groups.voice: found \[\], expected a list of stems"),
        ({"voice": [["vocals"]]}, r"groups.voice: found \['vocals'\], expected the name of a stem"),
    ],
)
def test_groups_that_are_no_lists_of_stems_are_refused(tmp_path, groups, message):
    save(tmp_path, ["one/vocals", "one/bass"])
    with pytest.raises(UserError, match=message):
        build(tmp_path, groups=groups)


# ---- songs --------------------------------------------------------------------------------------


def test_a_pattern_says_which_song_a_file_is_of(tmp_path, caplog):
    names = [f"{song}_{number:02d}" for song in ("first", "second") for number in range(3)]
    save(tmp_path, [f"{stem}/{name}" for stem in ("vocals", "bass") for name in names])
    data = build(tmp_path, song=r"(.*)_\d+")
    assert [track.song for track in data.tracks] == ["first"] * 3 + ["second"] * 3
    assert data[4]["metadata"]["song"] == "second" and not caplog.text
    assert {track.song for track in build(tmp_path).tracks} == {""}
    assert "several files may be parts of one song (first_00, first_01, first_02)" in caplog.text


@pytest.mark.parametrize(
    "names",
    [
        ["track 1", "track 2", "track 3"],
        ["a", "b", "c1"],
        ["intro", "verse 1", "verse 2", "outro", "x"],
    ],
)
def test_numbered_songs_give_no_warning(tmp_path, caplog, names):
    build(save(tmp_path, [f"{stem}/{name}" for stem in ("vocals", "bass") for name in names]))
    assert not caplog.text


@pytest.mark.parametrize(
    ("song", "message"),
    [
        ("(", "is not a regular expression"),
        (".*", "has 0 groups"),
        (r"(\w)_(\d)", "has 2 groups"),
        (r"(song)\d", "a: song: .* does not match"),
    ],
)
def test_a_pattern_that_does_not_work_is_refused(tmp_path, song, message):
    save(tmp_path, ["vocals/a", "bass/a"])
    with pytest.raises(UserError, match=message):
        build(tmp_path, song=song)


# ---- splits -------------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path, caplog, capsys):
    """run(script, {split: stems}, algorithm=...) -> (exit status, what was printed)."""

    def call(script, stems, **sections):
        folder = tmp_path / "data"
        for number, (split, names) in enumerate(stems.items()):
            save(folder / split, [f"{name}/song{number}{k}" for name in names for k in range(2)], 2)
        plain = {
            "info": {"name": "small", "output_folder": str(tmp_path / "out")},
            "signal": {"sample_rate": RATE, "window_length": 256, "hop_length": 64},
            "datasets": {
                split: {"class": "StemFolder", "args": {"folder": str(folder), "split": split}}
                for split in stems
            },
            "model": {
                "builder": "deep_clustering",
                "args": {"num_layers": 1, "hidden_size": 4, "embedding_size": 4},
            },
            "train": {
                "epochs": 1,
                "batch_size": 2,
                "segment": 0.152,
                "device": "cpu",
                "loss": {"dc": {"class": "DeepClusteringLoss"}},
            },
            "algorithm": {"class": "HPSS"},
            "evaluate": {"page_items": 0},
            "audit": {},
        }
        path = tmp_path / "config.yml"
        path.write_text(yaml.safe_dump({**plain, **sections}))
        module = {"train": train, "dry_run": dry_run, "audit": audit, "evaluate": evaluate}[script]
        logging.getLogger("train").setLevel(logging.INFO)
        try:
            with caplog.at_level("INFO"):
                scripts.common.run(module.main, module.__doc__, (), ["-p", str(path)])
            status = 0
        except SystemExit as leaving:
            status = leaving.code
        return status, capsys.readouterr().out + caplog.text

    return call


@pytest.mark.parametrize("script", ["train", "dry_run", "audit", "evaluate"])
def test_the_sources_are_printed_once(run, script):
    splits = dict.fromkeys(("train", "val", "test"), ("vocals", "bass"))
    status, said = run(script, splits)
    assert status == 0, said
    assert said.count("2 sources: bass, vocals (layout: stems, by names of sources)") == 1


def test_a_source_called_as_the_mean_over_all_sources_is_refused(run):
    status, said = run("evaluate", dict.fromkeys(("train", "test"), ("all sources", "bass")))
    assert "datasets.test: has a source 'all sources', as tables call the mean over" in str(status)


@pytest.mark.parametrize("script", ["train", "dry_run", "audit", "evaluate"])
@pytest.mark.parametrize("split", ["val", "test"])
def test_a_stem_of_one_split_only_or_in_another_case_is_one_clear_error(
    run, tmp_path, script, split
):
    splits = dict.fromkeys(("train", "val", "test"), ("vocals", "bass"))
    for stems, more in (
        (("Vocals", "bass"), "Vocals and vocals differ in capital letters only"),
        (("drums", "bass", "vocals"), "3 sources: bass, drums, vocals"),
    ):
        status, said = run(script, {**splits, split: stems})
        assert f"datasets.{split}: has " in str(status) and more in str(status)
        assert "train has 2 sources: bass, vocals" in str(status)
        assert "epoch" not in said and "scored" not in said
        for left in (tmp_path / "data").iterdir():
            left.rename(tmp_path / f"{left.name}{len(list(tmp_path.iterdir()))}")
        (tmp_path / "data").rmdir()


@pytest.mark.parametrize("script", ["train", "evaluate"])
def test_more_sources_than_the_algorithm_gives_are_refused_before_the_work(run, script):
    splits = dict.fromkeys(("train", "val", "test"), ("vocals", "bass", "drums"))
    algorithm = {"class": "DeepClustering", "args": {"model_path": "x.pth", "num_sources": 2}}
    if script == "evaluate":
        algorithm = {"class": "HPSS"}
    status, said = run(script, splits, algorithm=algorithm)
    assert {
        "train": "algorithm.args.num_sources: DeepClustering gives 2 sources, and train has 3",
        "evaluate": "HPSS gives 2 estimates, and there are 3 sources",
    }[script] in status
    assert "epoch" not in said


def test_an_algorithm_that_counts_the_sources_itself_is_refused_where_there_are_more_than_two(run):
    splits = dict.fromkeys(("train", "val", "test"), ("vocals", "bass", "drums"))
    algorithm = {"class": "DeepClustering", "args": {"model_path": "x.pth", "num_sources": None}}
    status, _ = run("train", splits, algorithm=algorithm)
    assert "algorithm.args.num_sources: is null" in status and "write 3" in status


@pytest.mark.parametrize("script", ["train", "dry_run", "evaluate"])
def test_an_algorithm_that_gives_more_sources_than_there_are_is_warned_of(run, script):
    splits = dict.fromkeys(("train", "val", "test"), ("vocals", "bass"))
    class_name = "DeepClustering" if script != "evaluate" else "Three"
    algorithm = {"class": class_name, "args": {"num_sources": 3}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ALGORITHMS, "Three", Three)
        status, said = run(script, splits, algorithm=algorithm)
    assert status == 0, said
    assert f"algorithm: {class_name} gives 3 sources, and " in said
    assert "has 2 sources: bass, vocals; only the 2 estimates that fit best are scored" in said


@pytest.mark.parametrize("script", ["train", "dry_run", "evaluate"])
def test_splits_that_read_the_same_files_are_warned_of(run, tmp_path, script):
    save(tmp_path / "flat", ["vocals/a", "vocals/b", "bass/a", "bass/b"], 2)
    data = {"class": "StemFolder", "args": {"folder": str(tmp_path / "flat")}}
    status, said = run(script, {}, datasets=dict.fromkeys(("train", "val", "test"), data))
    assert status == 0, said
    assert "datasets.train and datasets.val share 4 files" in said
    assert "datasets.train and datasets.test share 4 files" in said


def test_mixtures_that_are_files_in_one_split_only_are_warned_of(run, tmp_path):
    splits = dict.fromkeys(("train", "val", "test"), ("vocals", "bass"))
    status, said = run("dry_run", {**splits, "train": ("vocals", "bass", "mix")})
    assert status == 0, said
    assert "train has mixture: file, val has mixture: sum, test has mixture: sum" in said


# ---- names of files -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["bass", "vocals"], ["bass", "vocals"]),
        (["Gesang (links)", "übrige"], ["Gesang (links)", "übrige"]),
        (None, ["source0", "source1"]),
        (["a/b", "c"], ["source0", "source1"]),
        (["mixture", "vocals"], ["source0", "source1"]),
        (["vocals", "Separation"], ["source0", "source1"]),  # beside separation.json
        (["Vocals", "vocals"], ["source0", "source1"]),
        (["..", "vocals"], ["source0", "source1"]),
        (["a\nb", "vocals"], ["source0", "source1"]),
        (["<!--<script>", "vocals"], ["source0", "source1"]),
        (["x" * 300, "vocals"], ["source0", "source1"]),
    ],
)
def test_files_are_called_by_labels_that_can_be_names_of_files(labels, names):
    assert file_names(labels, 2) == names


def test_estimates_are_scored_in_the_order_of_their_sorted_labels():
    for labels in itertools.permutations(("bass", "drums", "vocals")):
        assert by_label(list(labels), [f"the {label}" for label in labels]) == [
            "the bass",
            "the drums",
            "the vocals",
        ]
