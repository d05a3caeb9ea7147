"""nussl's Repet, with error messages for recordings that are too short for it."""

from compat import nussl
from errors import UserError, WrongArgument


class Repet(nussl.separation.primitive.Repet):
    """Separate the repeating background from the foreground, as nussl's class of that name."""

    def _calculate_repeating_period(self):
        """The period, in frames.

        Raises:
            UserError: the recording is shorter than three times `min_period`.
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
