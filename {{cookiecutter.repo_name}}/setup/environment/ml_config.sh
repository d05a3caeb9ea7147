# The folders of data, caches and results. Source it in bash or zsh, from any folder:
#
#     source setup/environment/ml_config.sh
#
# Variables that are already set keep their values. To use another disk, set them before:
#
#     export DATA_DIRECTORY=/mnt/audio
#
# Without it the YAML files use the same folders, relative to the current folder.

if [ -n "${BASH_SOURCE:-}" ]; then
    ml_config_file="${BASH_SOURCE[0]}"
else
    eval 'ml_config_file="${(%):-%x}"'  # zsh's word for the same; eval: bash cannot read it
fi
ml_config_project="$(cd "$(dirname "$ml_config_file")/../.." && pwd)"

export DATA_DIRECTORY="${DATA_DIRECTORY:-$ml_config_project/data}"  # datasets, downloaded or made
export CACHE_DIRECTORY="${CACHE_DIRECTORY:-$ml_config_project/cache}"  # what can be made again
export ARTIFACTS_DIRECTORY="${ARTIFACTS_DIRECTORY:-$ml_config_project/artifacts}"  # models, results

unset ml_config_file ml_config_project
