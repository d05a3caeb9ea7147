"""The section `train`: how a model is trained."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .fields import Args, Component, Count, Device, Seconds, Section, Text, Workers


class Initial(Section):
    """The weights that a training run starts from."""

    checkpoint: Text = Field(description="a model that was trained before: *.model.pth")
    modules: dict[str, Text] | None = Field(
        None,
        min_length=1,
        description="what to load from it, {module of this model: module of that model}; null: all",
    )
    strict: bool = Field(
        True,
        description="false: take what fits by name and shape, and keep the random initialisation "
        "of the rest",
    )


class ParameterGroup(Section):
    """Modules for which the optimizer has other arguments."""

    modules: list[Text] = Field(
        min_length=1, description="names of modules or parameters, or patterns (*.bias)"
    )
    args: Args = Field(
        min_length=1, description="arguments of the optimizer for them, {lr: 1.0e-4}"
    )


class Optimizer(Component):
    """A class of torch.optim, with other arguments for some modules."""

    class_name: Text = Field("Adam", alias="class", description="the name of the class")
    groups: list[ParameterGroup] | None = Field(
        None,
        min_length=1,
        description="[{modules, args}]: other arguments for some modules; null: none",
    )


class BestBy(Section):
    """The score of separated validation items that determines the best model."""

    score: Text = Field(
        "si_sdr_improvement",
        description="a column of scores.csv: si_sdr, si_sdr_improvement, snr, usdr, sdr, ...",
    )
    num_items: Count = Field(
        20, description="the number of items, spread evenly over the validation data"
    )


class GradientClip(Section):
    """Gradient clipping by norm: one of the two keys."""

    percentile: float | None = Field(
        None,
        gt=0,
        le=100,
        description="AutoClip (Seetharaman 2020): clip at this percentile of the norms so far",
    )
    max_norm: float | None = Field(None, gt=0, description="clip at this norm")


class Loss(Section):
    """One term of the loss."""

    class_name: Text = Field(alias="class", description="the name of the loss")
    weight: float = Field(1.0, ge=0, description="factor of this term in the sum")
    args: Args = Field(default_factory=dict, description="arguments of the class, by name")
    keys: dict[str, Text] | None = Field(
        None,
        min_length=1,
        description="its inputs, {output or feature: argument of the loss}; null: DEFAULT_KEYS of "
        "its class",
    )


class Stage(Section):
    """A stage of the curriculum; the stages follow each other from the first epoch on."""

    epochs: Count = Field(description="the length of the stage")
    segment: Seconds = Field(description="seconds in a training excerpt of this stage")


class Train(Section):
    """How the model is trained."""

    class_name: Text = Field("Trainer", alias="class", description="the trainer")
    args: Args = Field(default_factory=dict, description="arguments of a trainer of your own")
    device: Device = "auto"
    epochs: Count = Field(100, description="the length of the run; see excerpts_per_epoch")
    excerpts_per_epoch: Count | None = Field(
        None,
        description="excerpts in an epoch, spread evenly over the training data; null: as many as "
        "cover its audio once",
    )
    validation_excerpts: Count | None = Field(
        None,
        description="excerpts in a validation, spread evenly over the validation data and the same "
        "each time; null: as many as cover its audio once",
    )
    batch_size: Count = Field(
        8, description="excerpts in a step, over all processes and parts of a batch"
    )
    accumulate: Count = Field(
        1,
        description="gradient accumulation: the number of parts of a batch that are computed one "
        "after the other, to save memory",
    )
    head_items: Count | None = Field(
        None,
        description="excerpts whose heads and losses are computed at once, to save memory; "
        "null: one on a CPU, which saves time too, if all losses are means over items; else all",
    )
    segment: Seconds = Field(
        4.0, description="seconds in a training excerpt, rounded to whole hops of the STFT"
    )
    curriculum: list[Stage] = Field(
        default_factory=list,
        description="[{epochs, segment}]: first stages with excerpts of another length",
    )
    num_workers: Workers = 0
    target: Literal["phase_sensitive", "magnitude"] = Field(
        "phase_sensitive",
        description="how source_magnitudes and ideal_binary_mask are computed",
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "float32",
        description="the network's arithmetic; weights and losses stay float32; auto: bfloat16 on "
        "devices that support it in hardware, else float32",
    )
    checkpointing: bool = Field(
        False,
        description="recompute activations inside blocks in the backward pass instead of storing "
        "them (activation checkpointing): saves memory, costs time",
    )
    compile: bool = Field(False, description="run the network through torch.compile")
    cuda_graphs: bool = Field(
        False,
        description="record the network's forward and backward pass and replay it in each step: "
        "saves time where Python starts kernels more slowly than the GPU runs them",
    )
    initial: Initial | None = Field(
        None,
        description="the weights to start from, {checkpoint, modules}; null: random initialisation",
    )
    freeze: list[Text] | None = Field(
        None,
        min_length=1,
        description="modules or parameters that are not trained: names or patterns; null: none",
    )
    optimizer: Optimizer = Field(
        default_factory=lambda: Optimizer.model_validate({"class": "Adam", "args": {"lr": 1e-3}}),
        description="a class of torch.optim, {class: Adam, args: {lr: 1.0e-3}}",
    )
    scheduler: Component | None = Field(
        None, description="a class of torch.optim.lr_scheduler; null: a constant rate"
    )
    scheduler_every: Literal["epoch", "step"] = Field(
        "epoch", description="how often the scheduler changes the learning rate"
    )
    warmup_steps: Count | None = Field(
        None, description="the steps over which the learning rate rises to its value; null: none"
    )
    gradient_clip: GradientClip | None = Field(
        None, description="{percentile: 10} or {max_norm: 5.0}; null: none"
    )
    loss: dict[str, Loss] = Field(
        min_length=1, description="the terms of the loss, {name: {class: ..., weight: 1.0}}"
    )
    ema_decay: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="the decay, such as 0.999, of an exponential moving average of the weights, "
        "which is validated and saved; null: the weights themselves",
    )
    validate_every: Count = Field(1, description="epochs from one validation to the next")
    best_by: BestBy | None = Field(
        None,
        description="{score, num_items}: choose the best model by a score of separated validation "
        "items; null: by the validation loss",
    )
    keep_best: Count = Field(1, description="the number of best models that are kept")
    early_stopping: Count | None = Field(
        None, description="stop after this many validations without improvement; null: never"
    )
    checkpoint_every: Count | None = Field(
        None,
        description="steps between additional checkpoints; null: only at the end of each epoch",
    )
    max_minutes: float | None = Field(
        None, gt=0, description="stop after the step that exceeds this time; null: no limit"
    )
    overfit: Count | None = Field(
        None,
        description="train and validate on this number of batches only, to see whether the model "
        "learns",
    )
    loggers: list[Component] = Field(
        default_factory=list, description="additional loggers: TensorBoard, WandB, MLflow"
    )
