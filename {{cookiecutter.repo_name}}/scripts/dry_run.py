"""What a training would take, before it begins: python -m scripts.dry_run -p experiments/x.yml"""

from scripts.common import run


def main(config):
    import experiment
    import labels
    from training import rehearsal

    experiment.check(config)
    trainer = experiment.build_trainer(config)
    print(trainer.describe())
    print(labels.announcement(trainer.train_data))
    batch = trainer.batches.batch_size // (trainer.share[1] * config.train.accumulate)
    features, outputs, _, _ = rehearsal.shapes(trainer, batch)
    print(f"\nshapes of a batch{' (a part of it)' if config.train.accumulate > 1 else ''}")
    for title, tensors in (("data and features", features), ("the model gives", outputs)):
        print(f"  {title}")
        for name, tensor in tensors.items():
            print(f"    {name:20} {tuple(tensor.shape)}")
    print("\nparameters")
    for name, layer in trainer.model.layers.items():
        size = sum(p.numel() for p in layer.parameters())
        if size:
            print(f"    {name:20} {size:>12,}  {type(layer).__name__}")
    took = rehearsal.measure(trainer)
    step = max(took["seconds"], took["loading"] / max(config.train.num_workers, 1))
    steps = trainer.batches.steps_per_epoch
    print(
        f"\na step on {trainer.device}: {took['seconds']:.3g} s (the first one {took['first']:.3g} "
        f"s), its data {took['loading']:.3g} s\n"
        f"memory above that of the idle program: {took['memory'] / 1e6:.0f} MB\n"
        f"an epoch of {steps} steps: about {steps * step / 60:.3g} min without validation; "
        f"{config.train.epochs} epochs, {config.train.epochs * steps} steps: "
        f"{config.train.epochs * steps * step / 3600:.3g} h\n"
        "nothing was written"
    )


if __name__ == "__main__":
    run(main, __doc__, needs=("datasets.train", "model", "train"))
