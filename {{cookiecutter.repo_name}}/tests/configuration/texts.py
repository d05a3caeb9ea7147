"""Configurations as they should be, for tests to read and to spoil."""

INFO = "info: {name: a name, output_folder: artifacts/x}\n"
GOOD = """\
info:
  name: deep clustering, sample
  output_folder: ${ARTIFACTS_FOR_TEST:-artifacts}/deep_clustering
datasets:
  train: {class: Sample, args: {folder: "${DATA_FOR_TEST:-data}/sample", split: train}}
  val: {class: Sample, args: {folder: "${DATA_FOR_TEST:-data}/sample", split: val}}
  test: {class: Sample, args: {folder: "${DATA_FOR_TEST:-data}/sample", split: test}}
model:
  builder: deep_clustering
  args: {num_layers: 4, hidden_size: 300, num_features: 257}
train:
  optimizer:
    class: Adam
    args:
      lr: 1e-3
      eps: 1e-8
  scheduler: {class: ReduceLROnPlateau, args: {factor: 0.5, patience: 5}}
  gradient_clip: {percentile: 10}
  loss:
    deep_clustering: {class: DeepClusteringLoss, weight: 1}
algorithm:
  class: DeepClustering
  args: {model_path: artifacts/best.model.pth, num_sources: 2}
evaluate: {}
visualize: {item: a song}
separate: {files: [song.wav]}
"""
GRAPH = """\
info: {name: a graph, output_folder: artifacts/x}
model:
  name: mask inference
  modules:
    mix_magnitude: {}
    log_spectrogram: {class: AmplitudeToDB}
    stack: {class: RecurrentStack, args: {num_features: 257, num_layers: 2}}
    mask: {class: Embedding}
    estimates: {class: Mask}
  connections:
    - [log_spectrogram, [mix_magnitude]]
    - [stack, [log_spectrogram]]
    - [mask, ["stack:0", {activation: softmax}]]
    - [estimates, [mask, {magnitude: mix_magnitude}]]
  output: [mask, estimates]
"""
