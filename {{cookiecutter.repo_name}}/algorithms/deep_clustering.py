"""Deep clustering for audio of any rate and length."""

from typing import Literal

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import silhouette_score

from compat import nussl
from errors import UserError, WrongArgument, amount

from .masks import apply_masks, one_hot
from .network import BATCH, NetworkSeparation
from .presence import blended

MOST_SOURCES = 5  # clusters that are tried if num_sources is null
COMPARED = 3000  # loud points on which numbers of clusters are compared
FITTED = 80.0  # seconds of chunks from the whole, to whose loud points clusters are fitted
MOST_POINTS = 50_000  # loud time-frequency points to which clusters are fitted; more change nothing


class DeepClustering(NetworkSeparation, nussl.separation.deep.DeepClustering):
    """Cluster the embedding that a network gives to every time-frequency bin; clusters are masks.

    nussl's class of that name, with its clustering and masks, for audio of any rate, length and
    number of channels: see `NetworkSeparation`. The sources add up to the input. The same input
    gives the same sources.

    Audio longer than a chunk is processed in chunks. Clusters are fitted once, to loud points of
    chunks from the whole recording, and the same centres are used for all chunks, so that a source
    keeps its number from beginning to end. The embedding (`features`) is then not stored, and
    `result` has that of the loudest chunk.

    Clusters have no order, unless the model is a chimera whose masks were trained with one
    (`permutation_invariant: false`): then each cluster is the source whose mask it agrees with.

    Hershey, Chen, Le Roux and Watanabe, "Deep clustering: discriminative embeddings for
    segmentation and separation", ICASSP 2016 (https://arxiv.org/abs/1508.04306).

    Args:
        input_audio_signal: the mixture: an AudioSignal, or a recording as in `streams`.
        num_sources: number of clusters. None: as many as the model has masks, if these have an
            order; otherwise 2 to 5, the number with the best silhouette of the loud points
            (Rousseeuw, "Silhouettes: a graphical aid to the interpretation and validation of
            cluster analysis", J. Comput. Appl. Math. 1987).
        model_path: a model whose output has an "embedding".
        device: where the network runs; a torch.device.
        clustering_type: how the embedding is clustered.
        percentile: clusters are fitted to points louder than this percentile of the mixture.
        beta: how hard the masks of k-means are: exp(-beta * distance to the centre), normalised.
        mask_type: "soft", or "binary" for 0 and 1.
        random_state: seed of the clustering.
        mask_weight: weight of the network's own masks in the result, where they name the clusters:
            0 for clusters alone, 1 for the network's masks alone. The two make different mistakes.
        chunk: seconds that the network reads at once; None: 10. A network that normalises each
            excerpt (`InstanceNorm`) does best with chunks no longer than its training excerpts: a
            soft passage is then not read at the level of a loud one.
        shifts: how many times the network reads the mixture, each time a part of a hop later, 2
            for half a hop. The masks have so many times the frames, which overlap more, and the
            errors of each reading are averaged; the network takes so many times as long.
        tuning: frequency in Hz of the A4 that the music of the training data is tuned to, such as
            440: a mixture that is tuned higher or lower is read slower or faster, so that its notes
            are at the same pitches. None: every mixture is read as it is.
        absent_db: where the network's masks give one of the sources less than this part of the
            energy around, in dB, such as -10, it counts as absent, and the weight of the masks
            rises, to 1 where it is 10 dB less: clusters divide an instrumental passage among all
            sources, masks need not. None: the weight is the same everywhere.

    Raises:
        WrongArgument: a number out of its range.
        UserError: the audio is silent, or shorter than one STFT frame of the model, or has fewer
            loud points than clusters; `chunk` is shorter than three frames; the hop is no multiple
            of `shifts`; the model is not for deep clustering, or has no masks to weigh.
    """

    output_key = "embedding"
    keeps_order = False  # clusters have none; see `labels_of`

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
        mask_weight: float = 0.0,
        chunk: float | None = None,
        shifts: int = 1,
        tuning: float | None = None,
        absent_db: float | None = None,
    ):
        _check(percentile, beta, random_state, mask_weight, absent_db)
        also = ("mix_magnitude",)
        signal = self.set_up(input_audio_signal, model_path, device, chunk, also, shifts, tuning)
        labels = self.source_labels
        if labels and num_sources not in (None, len(labels)):
            raise WrongArgument(
                f"{model_path}: its masks name {amount(len(labels), 'source')} "
                f"({', '.join(labels)}), and num_sources is {num_sources}; write "
                f"{len(labels)}, or null"
            )
        for name, value, none in (("mask_weight", mask_weight, 0), ("absent_db", absent_db, None)):
            if value != none and not labels:
                raise WrongArgument(
                    f"{model_path}: {name} is {value}, and it has no masks that were "
                    f"trained with an order; write {'null' if none is None else none}"
                )
        super().__init__(
            signal,
            num_sources or (len(labels) if labels else 2),
            random_state=random_state,
            clustering_type=clustering_type,
            percentile=percentile,
            beta=beta,
            mask_type=mask_type,
        )
        self.estimates_count = num_sources is None and not labels
        self.masks_of_network = None  # (bins, frames, channels, sources), if they have an order
        self.order = None  # [cluster of each source], if the masks of the network have an order
        self.random_state, self.mask_weight = random_state, mask_weight
        self.absent_db = absent_db
        self.channel_dim = -1
        self.metadata.update(self.model_metadata)
        self.loud_points = None  # (points, dims), (points,): fitted points, their magnitudes

    @classmethod
    def labels_of(cls, model, metadata):
        """Labels of the clusters, if the model has masks whose order is known; else None."""
        named = "mask" in model.output_keys and metadata.get("ordered")
        return metadata["labels"] if named else None

    def extract_features(self):
        """The embedding of the mixture: float32 (bins, frames, channels, dims)."""
        outputs = self.run_model(self.audio_signal)
        if self.source_labels:
            masks = _magnitudes(outputs["mask"])
            self.masks_of_network = masks[0].transpose(0, 1).cpu().numpy()
        return outputs["embedding"][0].transpose(0, 1).cpu().numpy()

    def run(self, features=None):
        """The masks as nussl's objects; of audio longer than a chunk, chunk by chunk."""
        if features is not None or self.input.chunks.count == 1:
            return super().run(features)
        masks = np.concatenate(list(self.mask_blocks()), axis=2)
        self.result_masks = [self.mask_type(mask) for mask in masks]
        return self.result_masks

    def cluster_features(self, features, clusterer):
        """Responsibilities (bins, frames, channels, sources), each bin's adding up to 1."""
        loud, magnitudes = self.tf_point_over_cutoff, np.abs(self.stft)
        masks = self.masks_of_network
        self._fit(features[loud], magnitudes[loud], None if masks is None else masks[loud])
        shares = self._responsibilities(torch.from_numpy(features))
        if masks is None:
            return shares.numpy()
        masks, magnitudes = torch.from_numpy(masks), torch.from_numpy(magnitudes)
        # (f, t, ...) -> (t, f, ...), and back
        parts = (part.transpose(0, 1) for part in (shares, masks, magnitudes))
        return self._blended(*parts).transpose(0, 1).numpy()

    def chunk_masks(self):
        """The masks of each chunk: (sources, bins, frames, channels)."""
        chosen = self.input.loudest(max(BATCH, round(FITTED / self.input.chunk_seconds)))
        batches = list(self.batches(chosen))
        self._fit(*self._loud(batches))
        if len(chosen) < self.input.chunks.count:
            batches = self.batches()  # embeddings are large: the network runs once more
        for batch in batches:
            yield from self._masks(batch)

    def _masks(self, batch):
        """(batch, sources, bins, frames, channels)"""
        _, features, outputs = batch
        shares = self._responsibilities(outputs["embedding"])
        if self.source_labels:
            masks = _magnitudes(outputs["mask"]).cpu()
            shares = self._blended(shares, masks, features["mix_magnitude"].cpu())
        return shares.permute(0, 4, 2, 1, 3).numpy()  # (b, t, f, c, s) -> (b, s, f, t, c)

    def _blended(self, shares, masks, magnitudes):
        """Responsibilities and masks of the network, both (..., frames, bins, channels, sources),
        averaged by `mask_weight` and `absent_db`; magnitudes: of the mixture."""
        rate = self.input.audio.sample_rate / self.input.stft_params.hop_length
        return blended(shares, masks, magnitudes, self.mask_weight, self.absent_db, rate)

    def result(self, estimates):
        """The `Result` of a run; of long audio, with the embedding of its loudest chunk."""
        result = super().result(estimates)
        if result.embedding is not None:
            return result
        number = int(self.input.energies.argmax())
        ((_, features, outputs),) = self.batches([number])
        embedding = outputs["embedding"]
        # (1, t, f, c, x) -> (f, t, x)
        clusters = self._responsibilities(embedding)[0].mean(dim=2).argmax(dim=-1).T
        magnitudes = features["mix_magnitude"][0].cpu().numpy()
        loud = magnitudes >= np.percentile(magnitudes, self.percentile)
        rate, hop = self.input.audio.sample_rate, self.input.stft_params.hop_length
        start = self.input.chunks.starts[number] * hop / rate
        end = min(start + self.input.chunk_seconds, self.input.audio.length / rate)
        return result._replace(
            embedding=embedding[0].mean(dim=2).transpose(0, 1).cpu().numpy(),
            loud=loud.any(axis=-1).T,
            clusters=clusters.numpy(),
            span=(start, end),
        )

    def postprocess(self, masks):
        return one_hot(masks) if self.mask_type == self.MASKS["binary"] else masks

    def _loud(self, batches):
        """The points of these chunks above the percentile: embeddings (points, dims), magnitudes
        (points,), and masks of the network (points, sources), or None if these have no order."""
        magnitudes = torch.cat([features["mix_magnitude"] for _, features, _ in batches])
        magnitudes = magnitudes.cpu().numpy()
        loud = magnitudes >= np.percentile(magnitudes, self.percentile)
        embedding = torch.cat([outputs["embedding"] for _, _, outputs in batches])
        chosen = torch.from_numpy(loud).to(embedding.device)
        points, masks = embedding[chosen].cpu().numpy(), None
        if self.source_labels:
            masks = torch.cat([_magnitudes(outputs["mask"]) for _, _, outputs in batches])
            masks = masks[chosen].cpu().numpy()
        return points, magnitudes[loud], masks

    def _fit(self, points, loudness, masks=None):
        """Fit the clusters to loud points, and find their order; arguments as `_loud` returns."""
        if len(points) < self.num_sources:
            raise UserError(
                f"has {amount(len(points), 'point')} above percentile {self.percentile:g}, too few "
                f"for {self.num_sources} clusters; write a lower one"
            )
        if len(points) > MOST_POINTS:
            rng = np.random.default_rng(self.random_state)
            some = rng.choice(len(points), MOST_POINTS, replace=False)
            points, loudness = points[some], loudness[some]
            masks = None if masks is None else masks[some]
        if self.estimates_count:
            self._estimate_count(points)
        self.clusterer.fit(points)
        self.loud_points = points, loudness
        if masks is not None:
            self.order = self._order_by(points, loudness, masks)

    def _order_by(self, points, loudness, masks):
        """[cluster of each source]: those that agree best with the network's masks (points,
        sources), weighted by loudness."""
        shares = self._responsibilities(torch.from_numpy(points)).numpy()
        agreement = (masks * loudness[:, None]).T @ shares
        return linear_sum_assignment(-agreement)[1]

    def _estimate_count(self, points):
        """Set the number of clusters to the one with the best silhouette."""
        rng = np.random.default_rng(self.random_state)
        some = points[rng.permutation(len(points))[:COMPARED]]
        name = "n_components" if self.clustering_type == "GaussianMixture" else "n_clusters"
        silhouettes = {}
        for count in range(2, min(MOST_SOURCES, len(some) - 1) + 1):
            labels = self.clusterer.set_params(**{name: count}).fit(some).predict(some)
            silhouettes[count] = silhouette_score(some, labels) if len(set(labels)) > 1 else -1.0
        self.num_sources = max(silhouettes, key=silhouettes.get)
        self.clusterer.set_params(**{name: self.num_sources})

    def _responsibilities(self, features):
        """The share of each cluster in each point, as nussl computes it.

        (..., dims) -> float32 (..., sources) on the CPU, in `self.order`, adding up to 1
        """
        points = features.reshape(-1, features.shape[-1])
        if self.clustering_type == "GaussianMixture":
            # in parts, as scikit-learn computes in float64, which takes much memory
            parts = (part.cpu().numpy() for part in points.split(MOST_POINTS))
            shares = np.concatenate([self.clusterer.predict_proba(part) for part in parts])
            shares = torch.from_numpy(shares).float()
        else:
            centres = torch.as_tensor(self.clusterer.cluster_centers_).to(points)
            # from differences: the faster |x|^2 + |c|^2 - 2 xc loses precision near a centre
            exact = "donot_use_mm_for_euclid_dist"
            closeness = torch.cdist(points, centres, compute_mode=exact)
            closeness = closeness.mul_(-self.beta).exp_().add_(1e-8)
            shares = (closeness / closeness.sum(dim=-1, keepdim=True)).cpu()
        if self.order is not None:
            shares = shares[:, self.order]
        return shares.reshape(*features.shape[:-1], -1)

    def make_audio_signals(self):
        """The sources as AudioSignals of the input's length, rate and channels."""
        masks = np.stack([mask.mask for mask in self.result_masks]).astype(np.float32)
        return apply_masks(
            self.input.signal, masks, self.metadata["sample_rate"], self.metadata["stft_params"]
        )


def _check(percentile, beta, random_state, mask_weight, absent_db):
    """Raise WrongArgument for numbers that are out of range."""
    wrong = [
        f"{name} is {value}; expected {expected}"
        for name, value, is_right, expected in (
            ("percentile", percentile, 0 <= percentile < 100, "at least 0 and below 100"),
            ("beta", beta, beta >= 0, "a number from 0 up"),
            ("random_state", random_state, 0 <= random_state < 2**32, "a seed, from 0 to 2^32-1"),
            ("mask_weight", mask_weight, 0 <= mask_weight <= 1, "a weight, from 0 to 1"),
            ("absent_db", absent_db, absent_db is None or absent_db < 0, "dB below 0, or null"),
        )
        if not is_right
    ]
    if wrong:
        raise WrongArgument("algorithm.args: " + ", ".join(wrong))


def _magnitudes(masks):
    """Masks (batch, frames, bins, channels, [2,] sources), the magnitudes of complex ones."""
    return masks.norm(dim=-2) if masks.ndim == 6 else masks
