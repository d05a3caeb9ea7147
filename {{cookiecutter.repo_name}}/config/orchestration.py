"""The sections about many scripts: pipelines, sweeps, and where they run."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from .fields import Args, Component, Count, Seconds, Section, Text


class Launcher(Section):
    """Where scripts run: as processes of this machine, or as jobs of a SLURM cluster."""

    class_name: Literal["local", "slurm"] = Field(
        "local", alias="class", description="local: processes of this machine; slurm: jobs"
    )
    partition: Text | None = Field(None, description="the partition; null: the cluster's default")
    account: Text | None = Field(
        None, description="the account to charge; null: the cluster's default"
    )
    minutes: Count = Field(60, description="the time limit of a job")
    nodes: Count = Field(1, description="machines of a job")
    tasks_per_node: Count = Field(1, description="processes on each machine, for one training run")
    gpus_per_node: int = Field(0, ge=0, description="GPUs on each machine, one for each process")
    cpus_per_task: Count = Field(1, description="cores of each process")
    memory_gb: float | None = Field(
        None, gt=0, description="memory on each machine; null: the cluster's default"
    )
    requeue: bool = Field(
        True,
        description="requeue a training run that SIGTERM stopped: it resumes where it stopped",
    )
    options: dict[str, str | int | bool] = Field(
        default_factory=dict, description="other options of sbatch, {constraint: a100}"
    )


class Step(Section):
    """One script on one file."""

    script: Text = Field(description="a script by name: prepare, train, evaluate, ...")
    config: Text = Field(description="its file, a path from the project's folder")
    needs: list[Text] = Field(
        default_factory=list, description="steps that must have succeeded before it"
    )
    changes: Args = Field(
        default_factory=dict,
        alias="with",
        description="{dotted key: value} of what differs from the file",
    )
    launcher: Launcher | None = Field(
        None, description="where it runs; null: as in the section launcher"
    )


class Pipeline(Section):
    """Scripts in the order that they need each other."""

    steps: dict[str, Step] = Field(
        min_length=1, description="{name: {script: train, config: experiments/x.yml, needs: []}}"
    )
    parallel: Count = Field(1, description="how many steps may run at a time")
    plan: bool = Field(False, description="only report what would be done and why")


class Sweep(Section):
    """Training runs of one experiment with other values."""

    base: Text = Field(description="the experiment, a path from the project's folder")
    vary: dict[Text, Any] = Field(
        min_length=1,
        description="{dotted key: list of values, or a distribution such as "
        "{log_uniform: [1e-4, 1e-2]}}; 'a, b' ties keys: each value is a list of one for each",
    )
    goal: Text = Field(
        "val_loss", description="a column of history.csv (val_loss) or a score of evaluate (si_sdr)"
    )
    direction: Literal["minimize", "maximize"] | None = Field(
        None, description="what is best; null: the lowest of a column, the highest score"
    )
    trials: Count | None = Field(
        None, description="how many to sample; null: every combination of the lists once"
    )
    seeds: Count = Field(
        1, description="training runs of each trial, with the seeds info.seed, info.seed + 1, ..."
    )
    sampler: Component | None = Field(
        None,
        description="a class of optuna.samplers; null: the grid, or TPESampler for distributions",
    )
    pruner: Component | None = Field(
        None, description="a class of optuna.pruners that ends trials early; null: none"
    )
    workers: Count = Field(1, description="trials at a time that this command runs")
    storage: Text | None = Field(
        None,
        description="the database, postgresql+psycopg://user@host/name; null: study.db in "
        "info.output_folder",
    )
    heartbeat: Seconds = Field(
        20.0,
        description="seconds between the heartbeats of a worker; after three without one its "
        "trial is run again",
    )
