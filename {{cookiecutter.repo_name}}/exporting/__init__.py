"""Trained models for use without this project: ONNX, torch.export's .pt2, weights, a page.

onnx, onnxruntime and onnxscript are imported when a model is exported, and needed by nothing else.
"""

from .folder import check_packages, export

__all__ = ["check_packages", "export"]
