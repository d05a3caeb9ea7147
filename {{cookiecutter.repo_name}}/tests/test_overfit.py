"""Every model can learn one batch by heart: between that and a result stand data and time."""

import numpy as np
import pytest
import torch
import yaml
from sklearn.cluster import KMeans
from trainings import trainer_of, write

from evaluation import best_permutation, si_sdr

torch.set_num_threads(1)
MASKS = {"num_layers": 1, "hidden_size": 96, "dropout": 0.0, "normalization": "InstanceNorm"}
L1 = {"mask_inference": {"class": "L1Loss", "args": {"permutation_invariant": False}}}
SI_SDR = {"si_sdr": {"class": "SISDRLoss", "args": {"permutation_invariant": False}}}
DEEP = {"deep_clustering": {"class": "DeepClusteringLoss"}}
BANK = {"num_filters": 128, "filter_length": 16, "stride": 8}
STFT = {"window_length": 256, "hop_length": 128}
BANDS = [[1000, 125], [4000, 500]]
CASES = {  # builder: its sizes, its loss, steps, learning rate
    "mask_inference": (MASKS, L1, 150, 1e-2),
    "deep_clustering": ({**MASKS, "embedding_size": 10}, DEEP, 100, 5e-3),
    "chimera": (
        MASKS,
        {**L1, "whitened_k_means": {"class": "WhitenedKMeansLoss", "weight": 1e-5}},
        150,
        1e-2,
    ),
    "tasnet": ({**BANK, "num_layers": 2, "hidden_size": 96}, SI_SDR, 120, 3e-3),
    "conv_tasnet": (
        {**BANK, "num_channels": 64, "hidden_size": 128, "num_layers": 5, "num_repeats": 1},
        SI_SDR,
        80,
        3e-3,
    ),
    "dual_path": (
        {**BANK, "num_channels": 48, "hidden_size": 48, "num_layers": 2, "chunk_size": 32},
        SI_SDR,
        100,
        3e-3,
    ),
    "sepformer": (
        {**BANK, "num_channels": 64, "hidden_size": 128, "num_layers": 1, "depth": 2}
        | {"num_heads": 4, "chunk_size": 32},
        SI_SDR,
        130,
        2e-3,
    ),
    "band_split_rnn": (
        {**STFT, "bands": BANDS, "num_channels": 32, "hidden_size": 48, "num_layers": 2},
        SI_SDR,
        65,
        4e-3,
    ),
    "band_split_roformer": (
        {**STFT, "bands": BANDS, "num_channels": 48, "num_layers": 2, "num_heads": 4}
        | {"head_size": 12},
        SI_SDR,
        70,
        3e-3,
    ),
    "tf_gridnet": (
        {**STFT, "num_channels": 16, "hidden_size": 32, "num_layers": 1, "attention_size": 129}
        | {"kernel_size": 4, "stride": 2},
        SI_SDR,
        100,
        4e-3,
    ),
}


def overfitted(write_config, builder):
    """(trainer, its one batch with features, the model's outputs for it)"""
    sizes, loss, steps, rate = CASES[builder]
    path = write_config(
        builder="conv_tasnet",  # in whose place the network is put
        overfit=1,
        batch_size=1,
        segment=0.256,
        epochs=steps,
        validate_every=steps,
        gradient_clip={"max_norm": 5.0},
        loss=loss,
        optimizer={"class": "Adam", "args": {"lr": rate}},
        scheduler_every="step",
        scheduler={"class": "CosineAnnealingLR", "args": {"T_max": steps}},
    )
    plain = yaml.safe_load(path.read_text())
    plain["model"] = {"builder": builder, "args": sizes}
    plain["signal"] = {"sample_rate": 8000, "window_length": 256, "hop_length": 64}
    trainer = trainer_of(write(path, plain))
    # an epoch is a step, too little to write a checkpoint and a history for
    trainer.checkpoints.save = trainer._log = lambda _: None
    trainer.fit()
    batch = next(iter(trainer.training_batches()))
    everything = type(trainer.front_end)(256, 64, "sqrt_hann")(batch)
    trainer.model.eval()
    with torch.no_grad():
        return trainer, everything, trainer.forward(everything, trainer.model)


def scores(estimates, batch):
    """SI-SDR of (batch, channels, samples, sources), the best order of each excerpt."""
    found = []
    for estimate, sources in zip(estimates, batch["sources"], strict=True):
        table = np.array(
            [
                [si_sdr(estimate[..., e].numpy(), r.numpy()) for r in sources]
                for e in range(estimate.shape[-1])
            ]
        )
        found += [table[e, r] for r, e in enumerate(best_permutation(table))]
    return np.mean(found)


def masked(trainer, batch, masks):
    """The mixture through masks (batch, frames, bins, channels, sources), as waveforms."""
    spectrum = torch.view_as_complex(batch["mix_spectrum"].contiguous())[..., None]
    spectra = (spectrum * masks).permute(0, 3, 4, 2, 1)  # -> (b, c, s, f, t)
    audio = trainer.front_end.istft(spectra, batch["mix"].shape[-1])
    return audio.permute(0, 1, 3, 2)


@pytest.mark.slow
@pytest.mark.parametrize("builder", ["mask_inference", "chimera"])
def test_masks_come_within_one_decibel_of_the_ideal_ones(write_config, builder):
    trainer, batch, outputs = overfitted(write_config, builder)
    magnitude = batch["mix_magnitude"][..., None].clamp_min(1e-9)
    ideal = scores(masked(trainer, batch, batch["source_magnitudes"] / magnitude), batch)
    reached = scores(masked(trainer, batch, outputs["mask"]), batch)
    assert ideal > 8 and reached > ideal - 1, (reached, ideal)


@pytest.mark.slow
def test_clusters_come_within_one_decibel_of_the_ideal_binary_masks(write_config):
    trainer, batch, outputs = overfitted(write_config, "deep_clustering")
    found = []
    for points in outputs["embedding"].flatten(1, -2):
        means = KMeans(2, n_init=10, random_state=0).fit(points.numpy())
        found.append(torch.nn.functional.one_hot(torch.from_numpy(means.labels_).long(), 2))
    masks = torch.stack(found).reshape(batch["ideal_binary_mask"].shape).float()
    ideal = scores(masked(trainer, batch, batch["ideal_binary_mask"]), batch)
    reached = scores(masked(trainer, batch, masks), batch)
    assert ideal > 8 and reached > ideal - 1, (reached, ideal)


@pytest.mark.slow
@pytest.mark.parametrize(
    "builder",
    [
        "tasnet",
        "conv_tasnet",
        "dual_path",
        "sepformer",
        "band_split_rnn",
        "band_split_roformer",
        "tf_gridnet",
    ],
)
def test_waveforms_come_out_above_twenty_decibels(write_config, builder):
    _, batch, outputs = overfitted(write_config, builder)
    assert scores(outputs["audio"], batch) > 20
