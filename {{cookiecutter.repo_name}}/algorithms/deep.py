"""What separation by a network shares: the model listens at its own rate, whatever the audio's."""

import numpy as np
import torch

import audio
import checkpoints
from compat import nussl
from files import UserError


class ModelRate:
    """Mixin: loads a model and brings a mixture to the rate, channels and STFT it was trained on.

    After `listen`, `self.original` is the mixture as it came, `self.model` and `self.metadata` are
    the checkpoint's.
    """

    def listen(self, signal, model_path, device, output):
        """The mixture as the model hears it: an AudioSignal.

        output: the key that the model must give ("embedding", "mask", "audio").

        Raises:
            UserError: the model gives no such output; the audio is silent, or shorter than one STFT
                frame of the model.
        """
        self.original = signal
        self.device = torch.device("cpu") if device is None else device
        self.model, self.loaded = checkpoints.load_model(model_path, self.device)
        if output not in self.model.output_keys:
            suited = {
                "embedding": "DeepClustering",
                "mask": "DeepMaskEstimation",
                "audio": "DeepAudioEstimation",
            }
            given = [suited[key] for key in self.model.output_keys if key in suited]
            raise UserError(
                f"{model_path}: gives {', '.join(self.model.output_keys)}, and no {output}, which "
                f"{type(self).__name__} needs; the algorithm for it is {' or '.join(given)}"
            )
        rate, params = self.loaded["sample_rate"], self.loaded["stft_params"]
        data = audio.convert(
            signal.audio_data, signal.sample_rate, rate, self.loaded["num_channels"]
        )
        if data.shape[1] < params.window_length:
            raise UserError(
                f"has {signal.signal_length} samples ({data.shape[1]} at the model's "
                f"{rate} Hz); at least {params.window_length} are needed, one frame"
            )
        if not np.any(signal.audio_data):
            raise UserError("is silent (every sample is 0); there is nothing to separate")
        return nussl.AudioSignal(audio_data_array=data, sample_rate=rate, stft_params=params)

    def run_model(self, signal):
        """The model's outputs for one AudioSignal, as tensors of a batch of one.

        What is fed to it is what `training.FrontEnd` makes, computed by nussl.
        """
        spectrum = torch.from_numpy(np.asarray(signal.stft(), np.complex64))
        spectrum = spectrum.transpose(0, 1)[None]  # (f, t, c) -> (1, t, f, c)
        features = {
            "mix_magnitude": spectrum.abs(),
            "mix_spectrum": torch.view_as_real(spectrum),
            "mix_audio": torch.from_numpy(np.asarray(signal.audio_data, np.float32))[None],
        }
        wanted = {key: features[key].to(self.device) for key in self.model.input if key in features}
        with torch.inference_mode():
            return self.model(wanted)
