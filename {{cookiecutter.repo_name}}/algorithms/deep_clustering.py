"""Deep clustering for audio of any rate and length."""

from typing import Literal

import numpy as np
import torch
from sklearn.metrics import silhouette_score

from compat import nussl

from .deep import BATCH, ModelRate, one_hot
from .masks import apply_masks

MOST_SOURCES = 5  # that are looked for where nobody says how many there are
COMPARED = 3000  # loud points by which numbers of clusters are compared
MOST_POINTS = 50_000  # loud time-frequency points that clusters are fitted to; more change nothing


class DeepClustering(ModelRate, nussl.separation.deep.DeepClustering):
    """Cluster the embedding that a network gives to every time-frequency bin; clusters are masks.

    As nussl's class of that name, whose clustering and masks these are, but for audio of any rate,
    length and number of channels: the model listens at its own rate (to a mono mixture, if it was
    trained on mono), its masks are carried over to the input's own STFT. The sources have the
    input's length, rate and channels, and add up to it. The same input gives the same sources.

    Audio longer than a chunk (`deep.CHUNK`) is heard in chunks. Clusters are fitted once, to loud
    points of chunks from the whole of it, and their centres serve every chunk: a source keeps its
    number from beginning to end. `features` is then not kept (`result` shows the loudest chunk).

    Hershey, Chen, Le Roux and Watanabe, "Deep clustering: discriminative embeddings for
    segmentation and separation", ICASSP 2016 (https://arxiv.org/abs/1508.04306).

    Args:
        input_audio_signal: the mixture: an AudioSignal, or a recording as in `streams`.
        num_sources: clusters to look for; None: 2 to 5, the number with the best silhouette of the
            loud points (Rousseeuw, "Silhouettes: a graphical aid to the interpretation and
            validation of cluster analysis", J. Comput. Appl. Math. 1987).
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

    model_output = "embedding"
    keeps_order = False  # clusters have none

    def __init__(
        self,
        input_audio_signal,
        num_sources: int | None,
        model_path: str,
        device=None,
        clustering_type: Literal["KMeans", "GaussianMixture", "MiniBatchKMeans"] = "KMeans",
        percentile: float = 90,
        beta: float = 5.0,
        mask_type: Literal["soft", "binary"] = "soft",
        random_state: int = 0,
    ):
        heard = self.listen(input_audio_signal, model_path, device, also=("mix_magnitude",))
        super().__init__(
            heard,
            num_sources or 2,
            random_state=random_state,
            clustering_type=clustering_type,
            percentile=percentile,
            beta=beta,
            mask_type=mask_type,
        )
        self.counted = num_sources is None
        self.random_state = random_state
        self.channel_dim = -1
        self.metadata.update(self.loaded)
        self.loud_points = None  # (points, dims), (points,): what clusters were fitted to, how loud

    def extract_features(self):
        """The embedding of the mixture: float32 (bins, frames, channels, dims)."""
        embedding = self.run_model(self.audio_signal)["embedding"]
        return embedding[0].transpose(0, 1).cpu().numpy()

    def run(self, features=None):
        """nussl's masks; of audio longer than a chunk, chunk by chunk."""
        if features is not None or self.chunks.count == 1:
            return super().run(features)
        masks = np.concatenate(list(self.mask_blocks()), axis=2)
        self.result_masks = [self.mask_type(mask) for mask in masks]
        return self.result_masks

    def cluster_features(self, features, clusterer):
        """Responsibilities (bins, frames, channels, sources), each bin's adding up to 1."""
        loud = self.tf_point_over_cutoff
        self._fit(features[loud], np.abs(self.stft)[loud])
        return self._responsibilities(torch.from_numpy(features)).numpy()

    def chunk_masks(self):
        """The masks of each chunk: (sources, bins, frames, channels)."""
        chosen = self.loudest(BATCH)
        kept = list(self.batches(chosen))
        self._fit(*self._loud(kept))
        if len(chosen) < self.chunks.count:
            kept.clear()  # an embedding is large: one batch of them at a time
        for masks in map(self._masks, kept or self.batches()):
            yield from masks

    def _masks(self, batch):
        """(batch, sources, bins, frames, channels)"""
        # (b, t, f, c, s) -> (b, s, f, t, c)
        return self._responsibilities(batch[-1]["embedding"]).permute(0, 4, 2, 1, 3).numpy()

    def result(self, estimates):
        """Of what was separated chunk by chunk, the embedding shown is that of the loudest."""
        result = super().result(estimates)
        if result.embedding is not None:
            return result
        number = int(self.energies().argmax())
        ((_, features, outputs),) = self.batches([number])
        embedding = outputs["embedding"]
        # (1, t, f, c, x) -> (f, t, x)
        clusters = self._responsibilities(embedding)[0].mean(dim=2).argmax(dim=-1).T
        magnitudes = features["mix_magnitude"][0].cpu().numpy()
        loud = magnitudes >= np.percentile(magnitudes, self.percentile)
        start = self.chunks.starts[number]
        frame = self.loaded["stft_params"].hop_length / self.loaded["sample_rate"]
        end = (start + self.chunks.length - 1) * frame
        return result._replace(
            embedding=embedding[0].mean(dim=2).transpose(0, 1).cpu().numpy(),
            loud=loud.any(axis=-1).T,
            clusters=clusters.numpy(),
            stretch=(start * frame, min(end, self.heard.length / self.heard.sample_rate)),
        )

    def finished(self, masks):
        return one_hot(masks) if self.mask_type == self.MASKS["binary"] else masks

    def _loud(self, batches):
        """The points over the percentile of these chunks: (points, dims), (points,)."""
        magnitudes = torch.cat([features["mix_magnitude"] for _, features, _ in batches])
        magnitudes = magnitudes.cpu().numpy()
        loud = magnitudes >= np.percentile(magnitudes, self.percentile)
        embedding = torch.cat([outputs["embedding"] for _, _, outputs in batches])
        points = embedding[torch.from_numpy(loud).to(embedding.device)]
        return points.cpu().numpy(), magnitudes[loud]

    def _fit(self, points, loudness):
        if len(points) > MOST_POINTS:
            rng = np.random.default_rng(self.random_state)
            some = rng.choice(len(points), MOST_POINTS, replace=False)
            points, loudness = points[some], loudness[some]
        if self.counted:
            self._count(points)
        self.clusterer.fit(points)
        self.loud_points = points, loudness

    def _count(self, points):
        """Set the number of clusters to the one that parts the points best."""
        rng = np.random.default_rng(self.random_state)
        some = points[rng.permutation(len(points))[:COMPARED]]
        name = "n_components" if self.clustering_type == "GaussianMixture" else "n_clusters"
        worth = {}
        for count in range(2, min(MOST_SOURCES, len(some) - 1) + 1):
            labels = self.clusterer.set_params(**{name: count}).fit(some).predict(some)
            worth[count] = silhouette_score(some, labels) if len(set(labels)) > 1 else -1.0
        self.num_sources = max(worth, key=worth.get)
        self.clusterer.set_params(**{name: self.num_sources})

    def _responsibilities(self, features):
        """nussl's, of a tensor (..., dims): float32 (..., sources) on the CPU."""
        points = features.reshape(-1, features.shape[-1])
        if self.clustering_type == "GaussianMixture":
            # in parts: in float64 the points of a batch take more memory than all the rest
            parts = (part.cpu().numpy() for part in points.split(MOST_POINTS))
            shares = np.concatenate([self.clusterer.predict_proba(part) for part in parts])
            shares = torch.from_numpy(shares).float()
        else:
            centres = torch.as_tensor(self.clusterer.cluster_centers_).to(points)
            # by differences: the quicker |x|^2 + |c|^2 - 2 xc loses what lies near a centre
            exact = "donot_use_mm_for_euclid_dist"
            closeness = torch.cdist(points, centres, compute_mode=exact)
            closeness = closeness.mul_(-self.beta).exp_().add_(1e-8)
            shares = (closeness / closeness.sum(dim=-1, keepdim=True)).cpu()
        return shares.reshape(*features.shape[:-1], -1)

    def make_audio_signals(self):
        """The sources as AudioSignals of the input's length, rate and channels; their sum is it."""
        masks = np.stack([mask.mask for mask in self.result_masks]).astype(np.float32)
        return apply_masks(
            self.original, masks, self.metadata["sample_rate"], self.metadata["stft_params"]
        )
