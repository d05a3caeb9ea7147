"""compat/bugs.py: nussl's own bugs."""

import itertools
import warnings

import numpy as np
import pytest
import scipy.io.wavfile
import torch
from signals import RATE, needed, tone, transforms

from compat import bugs, nussl
from errors import UserError

modules = nussl.ml.networks.modules


def brute_force(criterion, estimates, targets):
    """The mean over examples of the lowest loss over choices of estimates and orders of targets."""
    best = []
    for estimate, target in zip(estimates.double(), targets.double(), strict=True):
        best.append(
            min(
                criterion(estimate[..., list(order)], target).item()
                for order in itertools.permutations(range(estimate.shape[-1]), target.shape[-1])
            )
        )
    return sum(best) / len(best)


@pytest.mark.parametrize("elementwise", ["L1Loss", "MSELoss"])
def test_the_permutation_is_chosen_once_for_each_example(plain, elementwise):
    needed(plain["permutation_invariant"] == [0.0, 0.0], "bugs.permutation_per_example")
    loss = nussl.ml.train.loss
    criterion = getattr(torch.nn, elementwise)()
    targets = torch.rand(3, 4, 5, 1, 2)
    swapped = targets.clone()
    swapped[:, :1] = targets[:, :1].flip(-1)  # a quarter of the frames
    found = loss.PermutationInvariantLoss(getattr(loss, elementwise)())(swapped, targets)
    best = [
        min(criterion(order, target).item() for order in (estimate, estimate.flip(-1)))
        for estimate, target in zip(swapped, targets, strict=True)
    ]
    assert found.item() == pytest.approx(np.mean(best), rel=1e-5)
    assert found.item() > 0.01

    estimates = torch.rand(3, 4, 5, 1, 4)
    found = loss.CombinationInvariantLoss(getattr(loss, elementwise)())(estimates, targets)
    assert found.item() == pytest.approx(brute_force(criterion, estimates, targets), rel=1e-5)
    found = loss.PermutationInvariantLoss(getattr(loss, elementwise)())(estimates[..., :2], targets)
    expected = brute_force(criterion, estimates[..., :2], targets)
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_the_permutation_of_a_loss_of_whole_sources_is_as_it_was():
    loss = nussl.ml.train.loss
    targets = torch.rand(2, 50, 2)
    estimates = targets.flip(-1) + 0.1 * torch.rand(2, 50, 2)
    found = loss.PermutationInvariantLoss(loss.SISDRLoss())(estimates, targets)
    assert found.item() == pytest.approx(
        loss.SISDRLoss()(estimates.flip(-1), targets).item(), rel=1e-5
    )


def test_unequal_numbers_of_estimates_and_sources_are_refused():
    loss = nussl.ml.train.loss
    with pytest.raises(ValueError, match="3 estimates of 2 sources.*CombinationInvariantLoss"):
        loss.PermutationInvariantLoss(loss.L1Loss())(torch.rand(1, 4, 3), torch.rand(1, 4, 2))


def test_samples_of_1_and_more_are_clipped_in_written_files(plain, tmp_path):
    needed(plain["wrapped_samples"] == [16384, -32768], "bugs.clipped_files")
    loud = np.array([[0.5, 1.0, 7.0, -1.0, -7.0]])
    signal = nussl.AudioSignal(audio_data_array=loud.copy(), sample_rate=RATE)
    signal.write_audio_to_file(str(tmp_path / "loud.wav"))
    rate, samples = scipy.io.wavfile.read(tmp_path / "loud.wav")
    assert rate == RATE and samples.tolist() == [16384, 32767, 32767, -32768, -32768]
    assert np.array_equal(signal.audio_data, loud)


def test_a_signal_shorter_than_a_frame_is_refused_by_both_lengths(plain):
    said = "ValueError: window is longer than input signal"
    needed(plain["shorter_than_a_frame"] == said, "bugs.short_signals")
    signal = nussl.AudioSignal(audio_data_array=np.ones((1, 2)), sample_rate=RATE)
    with pytest.raises(UserError, match="has 2 samples, at least 64 are needed, one frame of"):
        signal.stft(64, 16, "hann")


def test_summing_sources_leaves_the_datasets_labels_alone(plain):
    needed(plain["growing_labels"] == ["a", "b", "both"], "bugs.sum_sources")
    labels = ["a", "b"]
    for _ in range(2):
        data = {"sources": {name: tone() for name in labels}, "metadata": {"labels": labels}}
        summed = transforms.SumSources([["a", "b"]], ["both"])(data)
        assert summed["metadata"]["labels"] == ["a", "b", "both"] and labels == ["a", "b"]
        assert np.allclose(summed["sources"]["both"].audio_data, 2 * tone().audio_data)


def test_a_source_in_two_groups_is_refused_by_name(plain):
    needed(plain["source_in_two_groups"] == "KeyError: 'a'", "bugs.sum_sources")
    with pytest.raises(transforms.TransformException, match="a appears more than once"):
        transforms.SumSources([["a", "b"], ["a"]])


def test_a_group_without_sources_is_refused_by_name(plain):
    needed("AttributeError" in plain["empty_group"], "bugs.sum_sources")
    with pytest.raises(
        transforms.TransformException, match=r"none of the group \['c'\] .* \['a'\]"
    ):
        transforms.SumSources([["c"]])({"sources": {"a": tone()}})


@pytest.mark.parametrize("data", [{"mix": 0}, {"no_sources"}], ids=["dict", "set"])
def test_an_item_without_sources_is_refused_as_by_nussl(data):
    with pytest.raises(transforms.TransformException, match="Expected sources"):
        transforms.SumSources([["a", "b"]])(data)


def test_a_silent_reference_scores_nan_and_the_others_as_without_it(plain):
    needed("LinAlgError" in plain["silent_reference"], "bugs.silent_references")
    noise = nussl.AudioSignal(
        audio_data_array=0.1 * np.random.RandomState(0).randn(1, RATE // 2), sample_rate=RATE
    )
    sources = [tone(frequency=440.0), tone() * 0.0, tone(frequency=1000.0)]
    estimates = [sources[0] + noise, noise, sources[2] + noise]
    evaluate = nussl.evaluation.BSSEvalScale
    scores = evaluate(sources, estimates, ["a", "silent", "c"]).evaluate()
    without = evaluate(sources[::2], estimates[::2], ["a", "c"]).evaluate()
    assert all(np.isnan(value) for value in itertools.chain(*scores["silent"].values()))
    for label in ("a", "c"):
        assert scores[label]["SI-SDR"][0] == pytest.approx(without[label]["SI-SDR"][0])
        assert scores[label]["SI-SIR"][0] == pytest.approx(without[label]["SI-SIR"][0])

    shuffled = [estimates[2], estimates[1], estimates[0]]
    best = evaluate(sources, shuffled, ["a", "silent", "c"], compute_permutation=True).evaluate()
    assert best["permutation"] == (2, 1, 0)
    for label in ("a", "c"):
        assert best[label]["SI-SDR"][0] == pytest.approx(scores[label]["SI-SDR"][0])


def test_the_builders_connect_the_mix_key_they_are_given(plain):
    needed("mine" not in str(plain["mix_key"]), "bugs.mix_key_in_builders")
    builders = nussl.ml.networks.builders
    dpcl = builders.build_recurrent_dpcl(5, 4, 1, False, 0.0, 3, ["tanh"], mix_key="mine")
    chimera = builders.build_recurrent_chimera(
        5, 4, 1, False, 0.0, 3, ["tanh"], 2, ["sigmoid"], mix_key="mine"
    )
    for config in (dpcl, chimera):
        assert "mix_magnitude" not in str(config)
        output = nussl.ml.SeparationModel(config)({"mine": torch.rand(1, 6, 5, 1)})
        assert output["embedding"].shape == (1, 6, 5, 1, 3)
    assert ["log_spectrogram", ["mix_magnitude"]] in builders.build_recurrent_dpcl(
        5, 4, 1, False, 0.0, 3, ["tanh"]
    )["connections"]


def test_the_forget_gates_bias_is_1_in_all_and_a_gru_has_none(plain):
    needed(max(plain["forget_gate"]["lstm"]) == 2.0, "bugs.forget_gate_bias")
    needed(max(plain["forget_gate"]["gru"]) == 2.0, "bugs.forget_gate_bias")
    lstm = modules.RecurrentStack(3, 4, 2, True, 0.0).rnn
    for name, bias in lstm.named_parameters():
        if "bias" in name:
            expected = [0.0] * 4 + [1.0 if "_ih_" in name else 0.0] * 4 + [0.0] * 8
            assert bias.tolist() == expected and bias.requires_grad
    gru = modules.RecurrentStack(3, 4, 1, True, 0.0, "gru").rnn
    assert not any(bias.any() for name, bias in gru.named_parameters() if "bias" in name)
    left = modules.RecurrentStack(3, 4, 1, False, 0.0, init_forget=False).rnn
    assert left.bias_ih_l0.any() and left.bias_hh_l0.any()  # torch's own, drawn at random


def test_residuals_can_be_trained_and_add_up(plain):
    needed("inplace operation" in plain["residual_backward"], "bugs.residuals")
    layers = modules.ConvolutionalStack2D(1, [2, 2, 2], [1] * 3, [3] * 3, [True] * 3)
    data = torch.rand(1, 4, 4, 1)
    found = layers(data)
    found.sum().backward()
    assert all(parameter.grad is not None for parameter in layers.parameters())
    first, second, third = layers.layers
    a = first(data.permute(0, 3, 1, 2))
    b = second(a) + a
    assert torch.allclose(found, (third(b) + b).permute(0, 2, 3, 1), atol=1e-6)


def dual_path():
    torch.manual_seed(0)
    arguments = dict(num_features=4, hidden_size=5, num_layers=1, bidirectional=True, dropout=0.0)
    processor = {"class": "RecurrentStack", "args": arguments}
    return modules.DualPath(
        1, 4, 2, 3, 4, hidden_size=10, intra_processor=processor, inter_processor=processor
    )


def test_a_dual_path_puts_out_every_frame(plain):
    eleven = torch.tensor(plain["trailing_frames"]["11 frames"])
    needed(
        not eleven[:, -1].any() and "RuntimeError" in plain["less_than_a_chunk"],
        "bugs.trailing_frames",
    )
    data = torch.rand(1, 11, 3, 1, generator=torch.Generator().manual_seed(1))
    model = dual_path()
    with torch.no_grad():
        found = model(data)
        assert found.shape == data.shape and found[:, -1].all()
        assert model(data[:, :3]).shape == (1, 3, 3, 1)


def test_a_dual_path_whose_frames_fill_their_chunks_is_as_it_was(plain):
    data = torch.rand(1, 11, 3, 1, generator=torch.Generator().manual_seed(1))[:, :10]
    expected = torch.tensor(plain["trailing_frames"]["10 frames"])
    model = dual_path()
    for name, parameter in model.named_parameters():  # the biases as plain nussl starts them
        if "rnn.bias" in name:
            torch.nn.init.zeros_(parameter)
            torch.nn.init.ones_(parameter.data[5:10])
    with torch.no_grad():
        assert torch.allclose(model(data), expected, atol=1e-6)


@pytest.mark.parametrize(("frames", "chunk", "hop"), [(11, 4, 2), (10, 4, 2), (3, 4, 2), (7, 3, 3)])
def test_folding_undoes_unfolding_up_to_the_number_of_chunks_over_a_frame(frames, chunk, hop):
    data = torch.rand(2, 5, 1, frames)
    columns = bugs._PaddedUnfold((1, chunk), stride=(1, hop))(data)
    fold = bugs._CroppedFold((1, frames), (1, chunk), stride=(1, hop))
    over = [
        sum(
            start <= t < start + chunk
            for start in range(0, frames, hop)
            if start == 0 or start + chunk - hop < frames
        )
        for t in range(frames)
    ]
    assert torch.allclose(fold(columns), data * torch.tensor(over))


def test_a_learned_representation_learns_through_its_product_with_the_mask(plain):
    needed(plain["mask_gradient"] is True, "bugs.mask_gradient")
    representation = torch.rand(1, 2, 3, 1, requires_grad=True)
    mask = torch.rand(1, 2, 3, 1, 2)
    estimates = modules.Mask()(mask, representation)
    estimates.sum().backward()
    assert torch.allclose(estimates, mask * representation.unsqueeze(-1))
    assert torch.allclose(representation.grad, mask.sum(-1))


def test_gated_tanh_as_a_string_is_warned_of_and_as_a_list_is_not(plain):
    needed(plain["gated_tanh"] is False, "bugs.gated_tanh_as_a_string")
    with pytest.warns(UserWarning, match=r"give the list \[gated_tanh\]"):
        modules.Embedding(1, 3, 2, "gated_tanh")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        modules.Embedding(1, 3, 2, ["gated_tanh"])
        modules.Embedding(1, 3, 2, "tanh")


def test_an_absent_device_is_an_error_when_separating(plain, checkpoints):
    needed(plain["absent_device"] == "cpu", "bugs.absent_device")
    with pytest.raises(ValueError, match="'cuda:99' is not available"):
        nussl.separation.deep.DeepMaskEstimation(
            tone(), checkpoints / "repaired.pth", device="cuda:99"
        )
    needed(plain["absent_device_of_projet"] == "cpu", "bugs.absent_device")
    with pytest.raises(ValueError, match="cuda:99"):
        nussl.separation.spatial.Projet(tone(channels=2), 2, device="cuda:99")


def test_an_absent_device_is_an_error_when_training(plain):
    needed(plain["absent_device_of_an_engine"] is None, "bugs.absent_device")
    for create in (
        nussl.ml.train.create_train_and_validation_engines,
        nussl.ml.train.trainer.create_train_and_validation_engines,
    ):
        with pytest.raises(ValueError, match="'cuda:99' is not available"):
            create(lambda engine, batch: {"loss": 0.0}, device="cuda:99")


def test_a_device_that_is_there_is_used(checkpoints):
    """'meta' is a device of torch's that holds shapes only; plain nussl takes the CPU for it."""
    seen = []
    trainer, _ = nussl.ml.train.create_train_and_validation_engines(
        lambda engine, batch: seen.append(batch["mix"].device.type) or {"loss": 0.0}, device="meta"
    )
    trainer.run([{"mix": torch.zeros(1)}], max_epochs=1)
    assert seen == ["meta"]
    separator = nussl.separation.deep.DeepMaskEstimation(
        tone(), checkpoints / "repaired.pth", device="meta"
    )
    assert next(separator.model.parameters()).device.type == "meta"


def test_a_checkpoint_without_training_data_says_what_is_missing(plain, checkpoints):
    needed("cannot separate" not in plain["without_train_data"], "bugs.checkpoints")
    lacks = "lack sample_rate, stft_params, train_dataset.transforms.*train_data=dataset"
    with pytest.raises(nussl.separation.SeparationException, match=lacks):
        nussl.separation.deep.DeepMaskEstimation(tone(), checkpoints / "bare.pth")
    model, _ = nussl.ml.SeparationModel.load(checkpoints / "bare.pth")
    assert isinstance(model, nussl.ml.SeparationModel)


def test_a_checkpoint_of_a_dataset_with_a_single_transform_loads(plain, checkpoints):
    needed("Expected type" in plain["single_transform"], "bugs.checkpoints")
    _, metadata = nussl.ml.SeparationModel.load(checkpoints / "single.pth")
    loaded = metadata["train_dataset"]["transforms"]
    assert isinstance(loaded, transforms.Compose)
    assert isinstance(loaded.transforms[0], transforms.PhaseSensitiveSpectrumApproximation)
