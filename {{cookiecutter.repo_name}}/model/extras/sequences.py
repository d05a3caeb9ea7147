"""What modules that run over frames share."""


def as_sequences(data):
    """(batch, frames, ...features) -> (batch, frames, features)"""
    return data.reshape(data.shape[0], data.shape[1], -1)
