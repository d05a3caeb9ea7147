"""Sections about several scripts: pipelines, sweeps, and where they run."""

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
    nodes: Count = Field(1, description="the number of machines of a job")
    tasks_per_node: Count = Field(1, description="processes on each machine, for one training run")
    gpus_per_node: int = Field(0, ge=0, description="GPUs on each machine, one for each process")
    cpus_per_task: Count = Field(1, description="cores of each process")
    memory_gb: float | None = Field(
        None, gt=0, description="memory on each machine; null: the cluster's default"
    )
    requeue: bool = Field(
        True,
        description="requeue a training run that was stopped by SIGTERM: it resumes",
    )
    options: dict[str, str | int | bool] = Field(
        default_factory=dict, description="other options of sbatch, {constraint: a100}"
    )


class Step(Section):
    """One script with its config."""

    script: Text = Field(description="the name of the script: prepare, train, evaluate, ...")
    config: Text = Field(description="its YAML file, a path from the project's folder")
    needs: list[Text] = Field(
        default_factory=list, description="steps that must have succeeded before it"
    )
    changes: Args = Field(
        default_factory=dict,
        alias="with",
        description="{dotted key: value}: values that replace those of the file",
    )
    launcher: Launcher | None = Field(
        None, description="where it runs; null: as in the section launcher"
    )


class Pipeline(Section):
    """Scripts that run in the order of their dependencies."""

    steps: dict[str, Step] = Field(
        min_length=1, description="{name: {script: train, config: experiments/x.yml, needs: []}}"
    )
    parallel: Count = Field(1, description="the number of steps that may run at the same time")
    plan: bool = Field(False, description="only report which steps would run, and why")


class Sweep(Section):
    """Training runs of one experiment with different values."""

    base: Text = Field(description="the experiment, a path from the project's folder")
    vary: dict[Text, Any] = Field(
        min_length=1,
        description="{dotted key: list of values, or a distribution such as "
        "{log_uniform: [1e-4, 1e-2]}}; 'a, b' varies keys together: each value is a list with one "
        "for each key",
    )
    goal: Text = Field(
        "val_loss", description="a column of history.csv (val_loss) or a score of evaluate (si_sdr)"
    )
    direction: Literal["minimize", "maximize"] | None = Field(
        None, description="which value is the best; null: the lowest of a column, the highest score"
    )
    trials: Count | None = Field(
        None, description="the number of trials; null: every combination of the lists once"
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
    workers: Count = Field(
        1, description="the number of trials that this command runs at the same time"
    )
    storage: Text | None = Field(
        None,
        description="the database, postgresql+psycopg://user@host/name; null: study.db in "
        "info.output_folder",
    )
    heartbeat: Seconds = Field(
        20.0,
        description="seconds between the heartbeats of a worker; if three are missing, its trial "
        "is run again",
    )
