"""Nets to and from other libraries: PyTorch, Keras, scikit-learn; and to ONNX.

Each function imports its library when it is called, and says how to install it where it is missing. The nets predict
the same, but for rounding; what the other side cannot express is refused by name.
"""

from fastnn.interop.keras_models import from_keras, to_keras
from fastnn.interop.onnx_models import to_onnx
from fastnn.interop.scikit import from_sklearn, to_sklearn
from fastnn.interop.torch_modules import from_torch, to_torch

__all__ = ["from_keras", "from_sklearn", "from_torch", "to_keras", "to_onnx", "to_sklearn", "to_torch"]
