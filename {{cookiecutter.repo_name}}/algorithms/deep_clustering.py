"""Deep clustering for any audio: the model's rate is its own affair."""

from typing import Literal

import numpy as np

from compat import nussl

from .deep import ModelRate
from .masks import apply_masks

MOST_POINTS = 50_000  # loud time-frequency points that clusters are fitted to; more change nothing


class DeepClustering(ModelRate, nussl.separation.deep.DeepClustering):
    """Cluster the embedding that a network gives to every time-frequency bin; clusters are masks.

    As nussl's class of that name, whose clustering and masks these are, but for audio of any rate
    and number of channels: the model listens at its own rate (to a mono mixture, if it was trained
    on mono), its masks are carried over to the input's own STFT. The sources have the input's
    length, rate and channels, and add up to it. The same input gives the same sources.

    Hershey, Chen, Le Roux and Watanabe, "Deep clustering: discriminative embeddings for
    segmentation and separation", ICASSP 2016 (https://arxiv.org/abs/1508.04306).

    Args:
        input_audio_signal: the mixture.
        num_sources: clusters to look for.
        model_path: a model whose output has an "embedding".
        device: where the network runs; a torch.device.
        clustering_type: how the embedding is clustered.
        percentile: only points louder than this percentile of the mixture are fitted to.
        beta: how hard the masks of k-means are: exp(-beta * distance to the centre), normalised.
        mask_type: "soft", or "binary" for 0 and 1.
        random_state: seed of the clustering.

    Raises:
        UserError: the audio is silent, or shorter than one STFT frame of the model; the model is
            not for deep clustering.
    """

    def __init__(
        self,
        input_audio_signal,
        num_sources: int,
        model_path: str,
        device=None,
        clustering_type: Literal["KMeans", "GaussianMixture", "MiniBatchKMeans"] = "KMeans",
        percentile: float = 90,
        beta: float = 5.0,
        mask_type: Literal["soft", "binary"] = "soft",
        random_state: int = 0,
    ):
        heard = self.listen(input_audio_signal, model_path, device, "embedding")
        super().__init__(
            heard,
            num_sources,
            random_state=random_state,
            clustering_type=clustering_type,
            percentile=percentile,
            beta=beta,
            mask_type=mask_type,
        )
        self.random_state = random_state
        self.channel_dim = -1
        self.metadata.update(self.loaded)

    def extract_features(self):
        """The embedding of the mixture: float32 (bins, frames, channels, dims)."""
        embedding = self.run_model(self.audio_signal)["embedding"]
        return embedding[0].transpose(0, 1).cpu().numpy()

    def cluster_features(self, features, clusterer):
        """Responsibilities (bins, frames, channels, sources), each bin's adding up to 1."""
        loud = features[self.tf_point_over_cutoff]
        if len(loud) > MOST_POINTS:
            rng = np.random.default_rng(self.random_state)
            loud = loud[rng.choice(len(loud), MOST_POINTS, replace=False)]
        clusterer.fit(loud)
        self.fit_clusterer = False  # nussl's own fit would take all the loud points
        return super().cluster_features(features, clusterer)

    def make_audio_signals(self):
        """The sources as AudioSignals of the input's length, rate and channels; their sum is it."""
        masks = np.stack([mask.mask for mask in self.result_masks]).astype(np.float32)
        return apply_masks(
            self.original, masks, self.metadata["sample_rate"], self.metadata["stft_params"]
        )
