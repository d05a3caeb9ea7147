"""Repet, which says what it needs of a recording that is too short for it."""

from compat import nussl
from errors import UserError, WrongArgument


class Repet(nussl.separation.primitive.Repet):
    """nussl's Repet: what repeats over what does not."""

    def _calculate_repeating_period(self):
        """The period, in frames.

        Raises:
            UserError: the recording is shorter than three of the least periods.
            WrongArgument: `max_period` is below `min_period`.
        """
        try:
            return super()._calculate_repeating_period()
        except nussl.separation.SeparationException as error:
            hop = self.stft_params.hop_length / self.audio_signal.sample_rate
            least, length = self.min_period * hop, self.audio_signal.signal_duration
            if length >= 3 * least:
                raise WrongArgument("algorithm.args: max_period is below min_period") from error
            raise UserError(
                f"has {length:.3g} s, and Repet needs {3 * least:.3g} s, three of its least period "
                f"(min_period, {least:.3g} s); leave it out, or lower min_period"
            ) from error
