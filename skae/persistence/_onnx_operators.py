"""Operators of torch in those of ONNX, where onnxruntime has none in float64."""

from collections.abc import Callable
from math import sqrt
from typing import Any

import numpy as np

FLOAT32 = 1
"""The code of the type in ONNX."""

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def translations() -> dict[Callable, Callable]:
    """What ``torch.onnx.export`` is to take in the place of its own.

    Returns
    -------
    table : dict of operators to functions
        Each with the arguments of the operator that it stands for.

    Raises
    ------
    ImportError
        If onnx or onnxscript is not installed.
    """
    try:
        from onnx.numpy_helper import from_array
        from onnxscript import opset18
    except ImportError as error:
        raise ImportError(
            "An ONNX model takes onnx and onnxscript: pip install 'skae[onnx]'."
        ) from error
    import torch

    op: Any = opset18

    def number(value: float, like: Any) -> Any:
        return op.CastLike(op.Constant(value=from_array(np.array(value))), like)

    def where_positive(x: Any, yes: Any, no: Any) -> Any:
        return op.Where(op.Greater(x, number(0.0, x)), yes, no)

    def leaky_relu(x, negative_slope=0.01):
        return where_positive(x, x, op.Mul(x, number(negative_slope, x)))

    def elu(x, alpha=1.0, scale=1.0, input_scale=1.0):
        below = op.Min(op.Mul(x, number(input_scale, x)), number(0.0, x))  # exp of no large number
        below = op.Mul(op.Sub(op.Exp(below), number(1.0, x)), number(scale * alpha, x))
        return where_positive(x, op.Mul(x, number(scale, x)), below)

    def selu(x):
        return elu(x, alpha=SELU_ALPHA, scale=SELU_SCALE)

    def gelu(x, approximate="none"):
        if approximate == "tanh":
            cube = op.Mul(op.Mul(x, op.Mul(x, x)), number(0.044715, x))
            step = op.Tanh(op.Mul(op.Add(x, cube), number(sqrt(2 / np.pi), x)))
        else:  # onnxruntime has no erf but that of float32: seven digits
            step = op.Erf(op.Cast(op.Mul(x, number(sqrt(0.5), x)), to=FLOAT32))
            step = op.CastLike(step, x)
        return op.Mul(op.Mul(x, number(0.5, x)), op.Add(step, number(1.0, x)))

    aten = torch.ops.aten
    return {
        aten.leaky_relu.default: leaky_relu,
        aten.elu.default: elu,
        aten.selu.default: selu,
        aten.gelu.default: gelu,
    }
