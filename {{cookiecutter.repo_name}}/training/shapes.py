"""Do model, losses and data fit? A training step on the meta device, which computes nothing."""

import contextlib
import copy
import functools

import torch

from errors import UserError, amount

from .losses.model import inputs_of

ITEMS = 3  # in the batch: another number than that of the sources, often 2, shows swapped axes
SHAPE_ERRORS = (ValueError, RuntimeError, KeyError, IndexError, AssertionError, TypeError)


def meta_step(trainer, items=ITEMS):
    """The tensors of a training step, on the meta device.

    A network or loss that needs values (`.item()`, a condition on a tensor) runs on the trainer's
    device instead, on noise.

    Returns:
        (features, outputs, total loss, the model).
    """
    try:
        return _step(trainer, items, "meta")
    except (RuntimeError, NotImplementedError, TypeError) as error:
        if "meta" not in str(error).lower():
            raise
    devices = [trainer.device] if trainer.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):  # the run's random numbers stay as they are
        return _step(trainer, items, trainer.device)


def _step(trainer, items, device):
    model = copy.deepcopy(trainer.model).to(device).train()
    if device == "meta":
        _shorten(model)
    front_end = copy.deepcopy(trainer.front_end).to(device)
    data = trainer.train_data
    samples = trainer.front_end.segment_length(trainer.settings.segment, data.sample_rate)
    size = (items, len(data.labels), data.num_channels, samples)
    sources = torch.rand(size, device=device) - 0.5
    features = front_end({"mix": sources.sum(dim=1), "sources": sources})
    with _naming_modules(model):
        outputs = model(inputs_of(model.input, features, trainer.losses))
    losses = trainer.compute_losses(outputs, features)
    if not (isinstance(losses, tuple) and len(losses) == 2):
        raise UserError(
            f"{type(trainer).__name__}.compute_losses returns a {type(losses).__name__}; it has to "
            "return two things: the loss, and a dict of its terms"
        )
    return features, outputs, losses[0], model


@contextlib.contextmanager
def _naming_modules(model):
    """A context in which exceptions of a graph get a note with the module that was called last, and
    a module that returns None raises one."""
    called = []

    def refuse_none(module, _, output):
        if output is None:
            raise ValueError("forward returns None")

    for name, module in model.layers.items():
        module.register_forward_hook(refuse_none)
        module.register_forward_pre_hook(lambda module, _, name=name: called.append((name, module)))
    try:
        yield
    except Exception as error:
        for name, module in called[-1:]:
            error.add_note(f"in the module {name}, {type(module).__name__}")
        raise


def _shorten(model):
    """Let recurrent layers compute only the first frame and repeat it, as each frame takes
    milliseconds on the meta device. Shapes and the autograd graph stay the same."""

    def first_frame(rnn, forward, data, *state):
        if not torch.is_tensor(data):  # a packed sequence
            return forward(data, *state)
        time = 1 if rnn.batch_first and data.dim() == 3 else 0
        output, state = forward(data.narrow(time, 0, 1), *state)
        sizes = list(output.shape)
        sizes[time] = data.shape[time]
        return output.expand(sizes).contiguous(), state

    for module in model.modules():
        if isinstance(module, torch.nn.RNNBase):
            module.forward = functools.partial(first_frame, module, module.forward)


def check_shapes(trainer):
    """Compute the loss on the meta device, and look for the parameters in its graph.

    Returns:
        the names of the unused parameters: trainable ones, on which no loss depends.

    Raises:
        UserError: the shapes of data, model and losses do not agree, a loss has no gradient, or
            depends on weights that are neither trained nor saved.
    """
    try:
        _, _, total, model = meta_step(trainer)
    except SHAPE_ERRORS as error:
        if isinstance(error, TypeError) and "forward()" not in str(error):
            raise  # a bug in a module, not an input that its `forward` does not take
        labels = trainer.train_data.labels
        raise UserError(
            f"the model, the losses and the data do not fit ({_reason(error, trainer.model)}); "
            f"the data have {amount(len(labels), 'source')}: {', '.join(labels)}"
        ) from error
    if not total.requires_grad:
        raise UserError(
            "train.loss: has no gradient; a loss has to be computed by torch alone, "
            "without detach(), item() or numpy()"
        )
    used = _leaves(total)
    _check_saved(trainer, model, used)
    return [name for name, p in model.named_parameters() if p.requires_grad and p not in used]


def _reason(error, model):
    """What went wrong in a step, and where in the graph, as text."""
    if isinstance(error, KeyError) and error.args[0] in model.layers:
        name = error.args[0]
        return f"{name} returns several things; connect {name}:0 of a tuple, {name}:key of a dict"
    text = str(error) or type(error).__name__  # an assert may have no message
    return "; ".join([text.splitlines()[0], *getattr(error, "__notes__", ())])


def _check_saved(trainer, model, used):
    """Raise a UserError if the loss depends on weights that are neither trained nor saved:
    parameters of a loss, or of layers that the model holds in a plain list.

    used: the leaf tensors that the loss depends on.
    """
    saved = [part for part in trainer.state.values() if isinstance(part, torch.nn.Module)]
    known = {parameter for part in (model, *saved) for parameter in part.parameters()}
    known |= {one for group in trainer.optimizer.param_groups for one in group["params"]}
    of_losses = {
        parameter: f"{key} of train.loss.{name}"
        for name, term in trainer.losses.items()
        for key, parameter in term.loss.named_parameters()
    }
    unknown = sorted(of_losses.get(p, f"a tensor {(*p.shape,)}") for p in used - known)
    if unknown:
        raise UserError(
            f"the loss depends on weights that are no part of the model: {', '.join(unknown)}; "
            "they would be neither trained nor saved. Keep layers in a torch.nn.ModuleList, not in "
            "a list; freeze weights that are not to be trained by requires_grad_(False); to train "
            "those of a loss, register it in a trainer of your own and give them to the optimizer"
        )


def _leaves(tensor):
    """The leaf tensors that `tensor` depends on, found in its autograd graph.

    `tensor.backward()` would find them too, but takes seconds on the meta device.
    """
    leaves, seen, rest = set(), set(), [tensor.grad_fn]
    while rest:
        node = rest.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if type(node).__name__ == "AccumulateGrad":
            leaves.add(node.variable)
        rest.extend(before for before, _ in node.next_functions)
    return leaves
