"""scripts.export: trained models as files that need neither torch nor this project."""

import functools
import importlib.util
import json
import shutil
import subprocess
import sys
import types

import numpy as np
import pytest
import soundfile
import torch
from small_networks import put_clusters_in
from test_models import SMALL, build
from trainings import write

import checkpoints
import scripts.common
from algorithms import ALGORITHMS, DeepAudioEstimation, DeepClustering, DeepMaskEstimation
from compat import nussl
from errors import UserError
from exporting import checks, clusters, export, folder, page, separate
from exporting.checks import compare, difference, onnx_session, recording
from exporting.clusters import Clusters
from exporting.graphs import exported, onnx_bytes, pt2_bytes
from exporting.separation import BINARY_BOUND, ClusterSeparation, Separation, separation_of
from exporting.transforms import STFT, InverseSTFT
from features import FrontEnd
from model import BUILDERS

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")
torch.set_num_threads(1)
RATE = 8000
ABOUT = {"stft_params": nussl.STFTParams(64, 32, "sqrt_hann"), "sample_rate": RATE}
ONE_LAYER = {"num_layers": 1}
STFT_SIZES = {"window_length": 1024, "hop_length": 512, **ONE_LAYER}
FRAMES = {"filter_length": 160, "chunk_size": 50, **ONE_LAYER}
BANDS = {"bands": [[1000, 500], [4000, 1000]]}
FEW_STEPS = 4  # of k-means: each is operations of the graph, and clear clusters need no more
SMALLER = {  # few frames, so that a recording of a minute takes little time, layers and bands
    "band_split_rnn": {**STFT_SIZES, **BANDS},
    "band_split_roformer": {**STFT_SIZES, **BANDS},
    "deep_clustering": {**ONE_LAYER, "embedding_size": 4},
    "chimera": {**ONE_LAYER, "embedding_size": 4},
    "conv_tasnet": {"num_repeats": 1},
    "dual_path": FRAMES,
    "sepformer": {**FRAMES, "depth": 1},
    "tf_gridnet": STFT_SIZES,
}


def network(name, channels=1, **changes):
    """(a small network of random weights, its metadata)"""
    torch.manual_seed(0)
    sizes = {**SMALL[name], **SMALLER.get(name, {}), **changes}
    model = build(name, channels=channels, **sizes).eval()
    return model, {**ABOUT, "num_channels": channels}


def algorithm_for(model):
    """(the class that separates with a network, its args)"""
    if "embedding" in model.output_keys:
        return DeepClustering, {"num_sources": 2}
    return (DeepAudioEstimation if "audio" in model.output_keys else DeepMaskEstimation), {}


def translated(separation):
    """(ONNX, .pt2) of a `Separation`."""
    program = exported(separation, RATE)
    return onnx_bytes(program, {}), pt2_bytes(program)


@functools.cache
def masks_translated():
    """(ONNX, .pt2) of the small mask inference, which several tests use: it takes seconds."""
    model, about = network("mask_inference")
    return translated(separation_of(DeepMaskEstimation, model, about, {}))


def compared(model, about, seconds, files=None, **args):
    """The rows of `compare` for a network's files, with the algorithm that separates with it."""
    kind, own = algorithm_for(model)
    own = {**own, **args}
    separation = separation_of(kind, model, about, own)
    held = checkpoints.InMemory(model, about)
    return compare(
        separation,
        *(files or translated(separation)),
        seconds,
        RATE,
        lambda mix: kind(mix, model_path=held, **own),
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*BUILDERS} - {"deep_clustering", "chimera"}))
def test_every_network_separates_any_length_in_onnxruntime_as_here(name):
    files = masks_translated() if name == "mask_inference" else None
    rows = compared(*network(name), (0.01, 1.0, 7.0, 60.0), files)
    assert {row["seconds"] for row in rows} == {0.01, 1.0, 7.0, 60.0}
    for row in rows:  # a file that differs by more would have been refused
        assert row["onnx"] <= Separation.bound and row["pt2"] <= Separation.bound
        assert row.get("project", 0) <= Separation.bound


@pytest.mark.slow
def test_deep_clustering_is_exported_with_its_clustering(monkeypatch):
    monkeypatch.setattr(clusters, "STEPS", FEW_STEPS)
    model, about = network("deep_clustering")
    put_clusters_in(model, bins=33)
    seconds = (1.0, 7.0, 60.0)
    rows = compared(model, about, seconds, percentile=0.0)
    assert {row["seconds"] for row in rows} == {*seconds}
    for row in rows:
        assert max(row["onnx"], row["pt2"], row.get("project", 0)) <= ClusterSeparation.bound


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, channels, changes, args",
    [
        ("conv_tasnet", 2, {"causal": True}, {"mixture_consistency": False}),
        ("mask_inference", 2, {"mask": "complex", **ONE_LAYER}, {}),
        ("mask_inference", 1, {"body": "convolutional"}, {"mask_type": "binary"}),
        ("mask_inference", 2, {"body": "band_split", "num_channels": 6, **ONE_LAYER, **BANDS}, {}),
    ],
)
def test_variants_are_exported_too(name, channels, changes, args):
    rows = compared(*network(name, channels, **changes), (0.05, 1.0, 3.0), **args)
    bound = BINARY_BOUND if args.get("mask_type") == "binary" else Separation.bound
    assert all(row["project"] <= bound for row in rows)


@pytest.mark.slow
def test_windows_that_fill_a_recording_exactly_are_exported_too():
    model, about = network("tf_gridnet", kernel_size=8, stride=8)
    separation = separation_of(DeepAudioEstimation, model, about, {})
    program = exported(separation, RATE).module()
    # 16 and 64 frames, where windows of 8 need no zeros at the end, and 33, where they do
    for frames in (16, 33, 64):
        mixture = 0.1 * torch.randn(1, (frames - 1) * STFT_SIZES["hop_length"])
        with torch.inference_mode():
            assert torch.allclose(program(mixture), separation(mixture), atol=1e-5)


def test_the_convolutions_are_the_stft_of_the_front_end_and_its_inverse():
    front_end = FrontEnd(64, 20, "sqrt_hann")
    audio = torch.randn(2, 1234)
    expected = front_end.stft(audio)
    window = front_end.window
    spectrum = STFT(window / window.sum(), 20)(audio)
    assert torch.allclose(torch.complex(spectrum[:, 0], spectrum[:, 1]), expected, atol=1e-6)
    back = InverseSTFT(window, 20)(STFT(window, 20)(audio), 1234)
    assert torch.allclose(back, audio, atol=1e-5)


def named_chimera(**changes):
    """A chimera whose clusters and masks are clear: the bins below and above the middle."""
    model, about = network("chimera", normalization="InstanceNorm", **changes)
    put_clusters_in(model, bins=33)
    with torch.no_grad():
        model.layers["mask"].linear.bias.view(33, 2)[:16] += torch.tensor([1.0, -1.0])
        model.layers["mask"].linear.bias.view(33, 2)[16:] += torch.tensor([-1.0, 1.0])
    return model, {**about, "labels": ["low", "high"], "ordered": True}


AS_IN_THE_PROJECT = [  # network, the channels that it reads, arguments of its algorithm
    ("mask_inference", 1, {}),
    ("mask_inference", 1, {"mask_type": "binary"}),
    ("mask_inference", 2, {}),
    ("conv_tasnet", 1, {}),
    ("conv_tasnet", 2, {"mixture_consistency": False}),
    ("chimera", 1, {}),
    ("chimera", 1, {"beta": 2.0, "percentile": 60, "mask_weight": 0.4}),
    ("chimera", 1, {"mask_weight": 0.2, "absent_db": -3.0, "shifts": 2}),
]


@pytest.mark.parametrize("level_db", [-50, -20, 5])
@pytest.mark.parametrize("name, channels, args", AS_IN_THE_PROJECT)
def test_what_is_exported_is_the_algorithm_at_every_level(name, channels, args, level_db):
    """In torch, before it is written to any file. Where one network reads mono, its masks are
    those of both channels."""
    if name == "chimera":
        (model, about), kind, args = named_chimera(), DeepClustering, {"num_sources": 2, **args}
    else:
        model, about = network(name, channels)
        kind, _ = algorithm_for(model)
    about |= dict(level_db={"mean": -20.0, "std": 4.0})
    mixture = recording(2.0, RATE, channels if name == "conv_tasnet" else 2)
    mixture *= np.float32(10 ** (level_db / 20) / np.sqrt(np.square(mixture).mean()))
    signal = nussl.AudioSignal(audio_data_array=mixture, sample_rate=RATE)
    algorithm = kind(signal, model_path=checkpoints.InMemory(model, about), **args)
    expected = np.stack([estimate.audio_data for estimate in algorithm()])
    separation = separation_of(kind, model, about, args)
    with torch.inference_mode():
        found = separation(torch.from_numpy(mixture)).numpy()
    assert difference(found, expected) <= separation.bound


@pytest.mark.parametrize("wrong", [1e-3, np.nan])
@pytest.mark.parametrize("spoiled", ["onnx", "pt2"])
def test_a_file_that_differs_in_one_sample_or_gives_nan_is_refused(monkeypatch, spoiled, wrong):
    def gives(name):
        def separated(mixture):
            sources = np.stack([mixture, mixture])
            sources[1, 0, 50] += wrong if name == spoiled else 0
            return sources

        return separated

    session = types.SimpleNamespace(run=lambda _, given: [gives("onnx")(*given.values())])
    program = types.SimpleNamespace(
        module=lambda: lambda mixture: torch.from_numpy(gives("pt2")(mixture.numpy()))
    )
    monkeypatch.setattr(checks, "onnx_session", lambda content: session)
    monkeypatch.setattr(torch.export, "load", lambda file: program)

    class Twice(torch.nn.Module):
        any_channels, num_channels, bound = False, 1, 1e-4

        def forward(self, mixture):
            return torch.stack([mixture, mixture])

    with pytest.raises(UserError, match=rf"differ from torch \({spoiled} by [^;]* over 1 s\), at"):
        compare(Twice(), b"", b"", [1.0], RATE)


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    """A small chimera whose masks have names."""
    path = tmp_path_factory.mktemp("model") / "chimera.pth"
    model, about = network("chimera", normalization="InstanceNorm")
    about |= {"labels": ["accompaniment", "vocals"], "ordered": True}
    checkpoints.save_model(path, model, about)
    return path


def plan(model_file, output, **changes):
    args = {"num_sources": 2, "mask_weight": 0.5, "absent_db": -3.0, "chunk": 4.0, "shifts": 2}
    args["model_path"] = str(model_file)
    return {
        "info": {"name": "a small chimera", "output_folder": "output"},
        "algorithm": {"class": "DeepClustering", "args": args},
        "export": {"output_folder": str(output), "license": "MIT", "check_seconds": [1.0, 20.0]}
        | changes,
    }


def run(path):
    from scripts import export as script

    return scripts.common.run(script.main, "", script.NEEDS, ["-p", str(path)])


@pytest.fixture(scope="module")
def written(model_file, tmp_path_factory):
    """The folder of an exported chimera, with a page where npm can fetch what that needs."""
    place = tmp_path_factory.mktemp("export")
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(clusters, "STEPS", FEW_STEPS)
        try:
            run(write(place / "export.yml", plan(model_file, place / "out", page=True)))
        except SystemExit as error:
            assert "npm" in str(error)
            run(write(place / "export.yml", plan(model_file, place / "out")))
    return place / "out"


@pytest.mark.slow
def test_the_folder_holds_models_weights_card_example_and_the_checks(written):
    facts = json.loads((written / "model.json").read_text())
    assert facts["sources"] == ["accompaniment", "vocals"] and facts["license"] == "MIT"
    held = onnx_session((written / "model.onnx").read_bytes()).get_modelmeta().custom_metadata_map
    assert held == {
        "sample_rate": "8000",
        "num_channels": "any",
        "sources": "accompaniment\nvocals",
        "chunk": "4",
        "license": "MIT",
    }
    most = ClusterSeparation.bound
    assert all(row["onnx"] <= most and row["pt2"] <= most for row in facts["checks"])
    card = (written / "README.md").read_text()
    for text in ("license: MIT", "8000 Hz", "accompaniment, vocals", "Embedding", "onnxruntime"):
        assert text in card
    safetensors = pytest.importorskip("safetensors.torch")
    weights = safetensors.load_file(written / "model.safetensors")
    assert sum(value.numel() for value in weights.values()) == sum(
        block["parameters"] for block in facts["blocks"]
    )
    assert not [path for path in written.parent.iterdir() if path.name.startswith(".")]


@pytest.mark.slow
def test_the_example_separates_without_torch_and_without_the_project(written, tmp_path):
    audio = recording(2.0, 16000, 2)
    soundfile.write(tmp_path / "song.wav", audio.T, 16000, subtype="FLOAT")
    code = (
        "import sys, runpy; sys.modules['torch'] = None; sys.argv = sys.argv[1:]; "
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    command = [sys.executable, "-I", "-c", code, str(written / "separate.py"), "song.wav"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    sources = [
        soundfile.read(tmp_path / f"song.{name}.wav")[0].T for name in ("accompaniment", "vocals")
    ]
    assert sources[0].shape == audio.shape
    halved = np.fft.rfft(audio)
    halved[:, halved.shape[1] // 2 + 1 :] = 0  # the model's rate is half of the recording's
    assert np.abs(sum(sources) - np.fft.irfft(halved, audio.shape[1])).max() < 1e-2


@pytest.mark.slow
def test_the_example_separates_what_it_can_of_several_files(written, tmp_path):
    soundfile.write(tmp_path / "b.wav", recording(1.0, RATE, 1).T, RATE)
    command = [sys.executable, str(written / "separate.py"), "a.wav", "b.wav"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and "error: a.wav: cannot be separated" in done.stderr
    assert done.stdout.split() == ["b.accompaniment.wav", "b.vocals.wav"]


@pytest.mark.slow
def test_the_code_of_the_card_runs_and_audio_as_soundfile_gives_it_is_refused(
    written, tmp_path, monkeypatch
):
    soundfile.write(tmp_path / "song.wav", recording(1.0, RATE, 2).T, RATE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(written)
    monkeypatch.delitem(sys.modules, "separate", raising=False)
    code = (written / "README.md").read_text().split("```python\n")[1].split("```")[0]
    names = {}
    exec(code, names)
    shapes = {key: sound.shape for key, sound in names["sources"].items()}
    assert shapes == {"accompaniment": (2, RATE), "vocals": (2, RATE)}
    with pytest.raises(ValueError, match=r"shape \(8000, 2\), .*channels come first: transpose it"):
        names["separate"](names["audio"], RATE)


@pytest.mark.slow
def test_the_example_reads_long_recordings_in_chunks(written):
    """Of 4 s: each is what the graph makes of it, but where it is faded into another."""
    mixture = recording(11.0, RATE, 1)
    found = separate.load(written / "model.onnx")(mixture, RATE)
    session = onnx_session((written / "model.onnx").read_bytes())
    starts, length = [0, 18667, 37333, 56000], 4 * RATE  # evenly over 11 s
    ends = [0, *(start + length for start in starts)]  # of the chunk before
    for start, alone, until in zip(starts, ends, [*starts[1:], 11 * RATE], strict=False):
        expected = session.run(None, {"mixture": mixture[:, start : start + length]})[0]
        for number, name in enumerate(("accompaniment", "vocals")):
            part = expected[number][:, alone - start : until - start]
            assert np.abs(found[name][:, alone:until] - part).max() < 1e-5
    assert np.abs(sum(found.values()) - mixture).max() < 1e-3


@pytest.mark.parametrize("percentile", [0, 33.3, 50, 90, 99.3])
def test_an_exported_percentile_leaves_as_many_points_as_numpys(percentile):
    clusters = Clusters(2, percentile, 5.0)
    for count in (1, 2, 10, 11, 1001):
        values = np.arange(count)
        expected = (values >= np.percentile(values, percentile)).sum()
        assert clusters._above(count) == expected


def test_exported_clusters_are_named_by_what_is_loud():
    """In each cluster a mask names one loud point rightly and three soft ones wrongly."""
    embedding = torch.eye(2).repeat_interleave(4, dim=0)
    masks = torch.tensor([[1.0, 0.0]] + 3 * [[0.2, 0.8]] + [[0.0, 1.0]] + 3 * [[0.8, 0.2]])
    loudness = torch.tensor([9.0, 1.0, 1.0, 1.0, 9.0, 1.0, 1.0, 1.0])
    for order in ([0, 1], [1, 0]):
        shares = Clusters(2, 0, 5.0)(embedding, loudness, masks[:, order])
        assert torch.allclose(shares[:, order], embedding, atol=0.01)


def test_the_card_says_the_levels_that_the_network_is_given():
    model, about = network("mask_inference")
    about |= dict(level_db={"mean": -20.0, "std": 3.0})
    separation = separation_of(DeepMaskEstimation, model, about, {})
    facts = folder.facts_of(separation, about, 2, "a", "", settings("out"))
    assert (facts["low"], facts["high"]) == (-23, -17)
    card = folder.model_card(facts | {"checks": []})
    assert "between -23 and -17 dB of full scale" in " ".join(card.split())


def test_chunks_are_for_sources_that_keep_their_order():
    model, about = network("mask_inference")
    named = {**about, "labels": ["a", "b"], "ordered": True}
    kind, args = DeepMaskEstimation, {"chunk": 4.0}
    chunks = [separation_of(kind, model, one, args).chunk for one in (about, named)]
    assert chunks == [0, 4]


def settings(output):
    return types.SimpleNamespace(
        output_folder=str(output), license="MIT", check_seconds=[1.0], page=False
    )


@pytest.mark.slow
def test_a_failed_check_leaves_nothing_and_an_export_replaces_one(written, tmp_path, monkeypatch):
    onnx, pt2 = masks_translated()
    monkeypatch.setattr(folder, "exported", lambda *_: None)
    monkeypatch.setattr(folder, "onnx_bytes", lambda *_: onnx)
    monkeypatch.setattr(folder, "pt2_bytes", lambda *_: pt2)
    model = network("mask_inference")
    with monkeypatch.context() as strict:
        strict.setattr(Separation, "bound", -1.0)
        with pytest.raises(UserError, match=r"differ from torch \(onnx by .* nothing is written"):
            export(model, DeepMaskEstimation, {}, settings(tmp_path / "out"), "a")
    assert list(tmp_path.iterdir()) == []
    copied = tmp_path / "out"
    shutil.copytree(written, copied, ignore=shutil.ignore_patterns("page"))
    (copied / "old.txt").write_text("")
    export(model, DeepMaskEstimation, {}, settings(copied), "another")
    assert not (copied / "old.txt").exists()
    assert "# another" in (copied / "README.md").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_broken_off_export_leaves_nothing_half_written(tmp_path):
    with pytest.raises(KeyboardInterrupt), folder._replaced(tmp_path / "out") as unfinished:
        (unfinished / "model.onnx").write_text("half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_the_folder_can_be_read_by_whom_any_other_folder_can(tmp_path):
    (tmp_path / "plain").mkdir()
    with folder._replaced(tmp_path / "out") as unfinished:
        (unfinished / "model.onnx").write_text("")
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_what_cannot_be_exported_is_one_clear_error(model_file, tmp_path, monkeypatch):
    model, about = network("mask_inference")
    named = checkpoints.load_model(model_file)

    def refused(message, kind, one, args):
        with pytest.raises(UserError, match=message):
            export(one, kind, args, settings(tmp_path / "out"), "a")

    refused("GRUs, which cannot", DeepMaskEstimation, network("mask_inference", rnn_type="gru"), {})
    refused("HPSS cannot be exported", ALGORITHMS["HPSS"], (model, about), {})
    args, twice = {"num_sources": 2, "clustering_type": "GaussianMixture"}, {"shifts": 2}
    refused("shifts is 2, and the model's sources have", DeepMaskEstimation, (model, about), twice)
    refused(
        "shifts is 2, and its network reads", DeepMaskEstimation, network("band_split_rnn"), twice
    )
    refused("GaussianMixture cannot be exported; KMeans can", DeepClustering, named, args)
    odd = {**about, "stft_params": nussl.STFTParams(65, 16, "sqrt_hann")}
    refused("window_length is odd", DeepMaskEstimation, (model, odd), {})
    (tmp_path / "full").mkdir()
    (tmp_path / "full/thesis.txt").write_text("")
    with pytest.raises(UserError, match="holds other files than an exported model's"):
        export((model, about), DeepMaskEstimation, {}, settings(tmp_path / "full"), "a")
    with pytest.raises(UserError, match="thesis.txt: is a file; choose another export.output"):
        export((model, about), DeepMaskEstimation, {}, settings(tmp_path / "full/thesis.txt"), "a")
    there = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else there(name)
    )
    refused("needs onnxruntime, not installed", DeepMaskEstimation, (model, about), {})
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


def test_a_checkpoint_that_is_not_there_and_a_missing_license_are_one_error_each(tmp_path):
    path = write(tmp_path / "export.yml", plan(tmp_path / "none.pth", tmp_path / "out"))
    with pytest.raises(SystemExit, match=r"none.pth: no such checkpoint"):
        run(path)
    plain = plan(tmp_path / "none.pth", tmp_path / "out")
    del plain["export"]["license"]
    with pytest.raises(SystemExit, match="license"):
        run(write(tmp_path / "export.yml", plain))


def test_an_algorithm_without_a_model_is_refused(tmp_path):
    classical = plan(tmp_path / "none.pth", tmp_path / "out") | {"algorithm": {"class": "HPSS"}}
    with pytest.raises(SystemExit, match="algorithm.class HPSS cannot be exported; Deep"):
        run(write(tmp_path / "export.yml", classical))


def test_a_length_that_the_exported_program_refuses_is_one_error(monkeypatch):
    model, about = network("mask_inference")
    separation = separation_of(DeepMaskEstimation, model, about, {})

    def program(mixture):
        raise AssertionError("Guard failed: mixture.size()[1] > 1")

    monkeypatch.setattr("exporting.checks.onnx_session", lambda content: None)
    loaded = types.SimpleNamespace(module=lambda: program)
    monkeypatch.setattr(torch.export, "load", lambda file: loaded)
    with pytest.raises(UserError, match=r"model.pt2 cannot separate 0.5 s \(Guard failed: mix"):
        compare(separation, b"", b"", [0.5], RATE)


def test_a_page_without_npm_is_one_error(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(UserError, match=r"export.page needs npm, .* or write page: false"):
        page.check_npm()


@pytest.mark.slow
def test_a_page_from_the_disk_separates_in_a_browser_as_onnxruntime_does(written, tmp_path):
    from webdriver import Browser

    if not (written / "page").exists():
        pytest.skip("no npm here (apt-get install npm), or no network")
    mixture = recording(10.0, RATE, 2)
    soundfile.write(tmp_path / "song.wav", mixture.T, RATE, subtype="FLOAT")
    expected = separate.load(written / "model.onnx")(mixture, RATE)
    browser = Browser()
    try:
        browser.appear(400, 900, "light")
        browser.open(written / "page/index.html")
        wide = "return document.documentElement.scrollWidth - innerWidth"
        assert browser.run(wide) <= 0
        browser.press("#file", str(tmp_path / "song.wav"))
        state = "return document.getElementById('state').textContent"
        done = (" separated in ", "cannot be")
        browser.wait(lambda: any(text in browser.run(state) for text in done), "the page", 120)
        assert "song.wav: 10.0 s separated in" in browser.run(state)
        for name in ("accompaniment", "vocals"):
            every = "return Array.from(window.separated[arguments[0]]).filter((_, i) => i % 7 == 0)"
            found = np.array(browser.run(every, name), dtype=np.float32)
            wanted = expected[name].reshape(-1)[::7]
            assert np.abs(found - wanted).max() < 1e-3 * np.abs(wanted).max()
        assert browser.run("return document.querySelectorAll('audio').length") == 2
        assert browser.run(wide) <= 0
        links = browser.run("return [...document.querySelectorAll('a')].map((a) => a.download)")
        assert links == ["song.accompaniment.wav", "song.vocals.wav"]
        wrong = {"nan": np.where(np.arange(mixture.shape[1]) == 99, np.nan, mixture)}
        wrong["opposite"] = np.stack([mixture[0], -mixture[0]])
        for name, message in (("nan", "NaN or infinite"), ("opposite", "2 channels cancel")):
            sound = wrong[name].astype(np.float32)
            soundfile.write(tmp_path / f"{name}.wav", sound.T, RATE, subtype="FLOAT")
            browser.press("#file", str(tmp_path / f"{name}.wav"))
            refused = f"{name}.wav: cannot be separated"
            browser.wait(lambda text=refused: text in browser.run(state), "the page", 60)
            assert message in browser.run(state)
    finally:
        browser.close()
