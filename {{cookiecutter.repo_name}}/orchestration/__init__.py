"""Many scripts in the right order (pipelines), or side by side with other values (sweeps), on this
machine or a cluster. Nothing here imports torch: only the scripts that are started do."""
