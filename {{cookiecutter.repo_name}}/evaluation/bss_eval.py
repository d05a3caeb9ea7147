"""BSS Eval: version 4 by museval's definition, in a fraction of its time; the SDR of version 3."""

import math

import numpy as np
import scipy.fft
import scipy.linalg

NAMES = ("sdr", "isr", "sir", "sar")


class BSSEval:
    """SDR, ISR, SIR and SAR, window by window, of any number of estimates of the same references.

    What each estimate holds of the references, delayed by 0 to `taps` - 1 samples, is found by
    least squares over the whole signal; then each window is decomposed into true source, spatial
    distortion, interference and artefacts. Vincent, Sawada, Bofill, Makino and Rosca, "First stereo
    audio source separation evaluation campaign", ICA 2007; Stoeter, Liutkus and Ito, "The 2018
    signal separation evaluation campaign", LVA/ICA 2018 (version 4).

    Equal to `museval.metrics.bss_eval` (tested to 0.01 dB). The correlations of the references, a
    block-Toeplitz matrix, are factored once for all estimates (Cholesky), and filters are applied
    to all references at once, in the frequency domain.

    Args:
        references: (sources, channels, samples), none of them silent in all channels.
        window, hop: samples of a window, and between windows.
        taps: of the distortion filters.
    """

    def __init__(self, references, window, hop, taps=512):
        self.references = np.asarray(references, dtype=np.float64)
        self.taps = taps
        self.sources, self.channels, length = self.references.shape
        self.size = scipy.fft.next_fast_len(length + taps - 1, real=True)
        self.spectra = scipy.fft.rfft(self.references, self.size)
        self.solve_all, self.solve_one = self._factored()
        window, hop = min(int(window), length), int(hop)
        count = max(1, math.floor((length - window + hop) / hop))
        self.windows = [slice(k * hop, min(k * hop + window, length)) for k in range(count)]
        self.window_size = scipy.fft.next_fast_len(window + taps - 1, real=True)
        self.window_spectra = [
            scipy.fft.rfft(self.references[..., part], self.window_size) for part in self.windows
        ]

    def _factored(self):
        """Solvers of the normal equations: for all references together, and for each alone."""
        order, taps = self.sources * self.channels, self.taps
        spectra = self.spectra.reshape(order, -1)
        gram = np.empty((order, taps, order, taps))
        for i in range(order):
            for j in range(i, order):
                lags = scipy.fft.irfft(spectra[j] * spectra[i].conj(), self.size)
                block = scipy.linalg.toeplitz(
                    np.concatenate([lags[:1], lags[:-taps:-1]]), lags[:taps]
                )
                # <delayed by a, delayed by b>: row j, a and column i, b
                gram[j, :, i], gram[i, :, j] = block, block.T
        gram = gram.reshape(order * taps, order * taps)
        # regularised as in museval: an empty band or a repeated channel makes the matrix singular
        gram[np.diag_indices_from(gram)] += np.finfo(float).eps
        own = self.channels * taps
        alone = [
            _solver(gram[k * own : (k + 1) * own, k * own : (k + 1) * own])
            for k in range(self.sources)
        ]
        return _solver(gram), alone

    def score(self, estimate, index):
        """The ratios of one estimate, in dB: (4, windows), in the order of `NAMES`.

        Args:
            estimate: (channels, samples).
            index: of its reference.

        Returns:
            NaN in windows where a reference or the estimate is silent, as in museval; inf where an
            error is 0.
        """
        estimate = np.asarray(estimate, dtype=np.float64)
        spectrum = scipy.fft.rfft(estimate, self.size)
        lags = scipy.fft.irfft(self.spectra[:, :, None] * spectrum.conj(), self.size)
        # (s, c, d, n) -> (s, c, taps, d): <reference delayed, channel d of the estimate>
        lags = np.concatenate([lags[..., :1], lags[..., : -self.taps : -1]], axis=-1)
        right = np.moveaxis(lags, -1, 2)
        shape = (self.sources, self.channels, self.taps, self.channels)
        whole = self.solve_all(right.reshape(-1, self.channels)).reshape(shape)
        alone = self.solve_one[index](right[index].reshape(-1, self.channels))
        filters = scipy.fft.rfft(whole, self.window_size, axis=2)
        own = scipy.fft.rfft(alone.reshape(shape[1:]), self.window_size, axis=1)
        ratios = [
            self._window(part, spectra, estimate, index, filters, own)
            for part, spectra in zip(self.windows, self.window_spectra, strict=True)
        ]
        return np.array(ratios).T

    def _window(self, part, spectra, estimate, index, filters, own):
        """[SDR, ISR, SIR, SAR] of the samples in the slice `part`.

        filters: spectra of the distortion filters of all references, (sources, channels, bins,
        channels of the estimate); own: of the reference alone, (channels, bins, channels).
        """
        if not np.abs(self.references[..., part]).max(axis=(1, 2)).all():
            return [np.nan] * 4
        if not estimate[:, part].any():
            return [np.nan] * 4
        length = part.stop - part.start + self.taps - 1
        projected = scipy.fft.irfft(np.einsum("scf,scfd->df", spectra, filters), self.window_size)
        spatial = scipy.fft.irfft(np.einsum("cf,cfd->df", spectra[index], own), self.window_size)
        projected, spatial = projected[:, :length], spatial[:, :length]
        # padded to the length of what was filtered
        source, estimated = np.zeros_like(projected), np.zeros_like(projected)
        source[:, : part.stop - part.start] = self.references[index, :, part]
        estimated[:, : part.stop - part.start] = estimate[:, part]
        energy = np.square(source).sum()
        return [
            _decibels(energy, estimated - source),  # SDR
            _decibels(energy, spatial - source),  # ISR
            _decibels(np.square(spatial).sum(), projected - spatial),  # SIR
            _decibels(np.square(projected).sum(), estimated - projected),  # SAR
        ]


def _decibels(energy, error):
    """10 log10 of an energy over that of the signal `error`."""
    noise = np.square(error).sum()
    if energy == 0:
        return -math.inf
    return 10 * math.log10(energy / noise) if noise > 0 else math.inf


def _solver(matrix):
    """function(right side) -> solution, for a symmetric matrix."""
    try:
        # the transpose, which is the same, has LAPACK's order in memory: no copy of a copy
        factor = scipy.linalg.cho_factor(matrix.T, check_finite=False)
    except np.linalg.LinAlgError:  # not positive definite, by rounding: as museval solves all
        return lambda right: np.linalg.solve(matrix, right)
    return lambda right: scipy.linalg.cho_solve(factor, right, check_finite=False)


def sdr_v3(estimate, reference, taps=512):
    """The SDR of BSS Eval version 3 over the whole signal, in dB: the SDR (and with the mixture's
    subtracted the SDRi) of papers on speech separation.

    The reference is filtered by `taps` samples to fit the estimate best, t; the score is
    |t|^2 / |e - t|^2. Vincent, Gribonval and Fevotte, "Performance measurement in blind audio
    source separation", IEEE TASLP 2006; `mir_eval.separation.bss_eval_sources`. In float64.

    Args:
        estimate, reference: (channels, samples), of the same shape.

    Returns:
        the mean over the channels in which the reference sounds; NaN if there is none; -inf for a
        silent estimate.
    """
    pairs = zip(np.asarray(estimate, float), np.asarray(reference, float), strict=True)
    ratios = [_filtered_ratio(e, r, taps) for e, r in pairs if r.any()]
    return float(np.mean(ratios)) if ratios else math.nan


def _filtered_ratio(estimate, reference, taps):
    """`sdr_v3` of one channel: (samples,) both."""
    length = len(reference) + taps - 1
    size = scipy.fft.next_fast_len(length, real=True)
    spectra = scipy.fft.rfft(np.stack([reference, estimate]), size)
    lags = scipy.fft.irfft(spectra * spectra[0].conj(), size)[:, :taps]
    gram = scipy.linalg.toeplitz(lags[0])
    try:
        weights = scipy.linalg.solve(gram, lags[1], assume_a="pos")
    except np.linalg.LinAlgError:  # an empty band: the minimum-norm solution
        weights = np.linalg.lstsq(gram, lags[1], rcond=None)[0]
    target = scipy.fft.irfft(spectra[0] * scipy.fft.rfft(weights, size), size)[:length]
    error = -target
    error[: len(estimate)] += estimate
    return _decibels(np.square(target).sum(), error)
