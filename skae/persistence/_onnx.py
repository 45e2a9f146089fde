"""Estimators as ONNX graphs."""

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from skae.autoencoders import BaseAutoencoder
from skae.persistence._onnx_operators import translations
from skae.persistence._onnx_pursuit import traceable
from skae.persistence._onnx_scores import score_of
from skae.training import plain_torch, to_tensor

OPSET = 18
"""Of the graphs, unless a pipeline asks for another: what torch translates to."""

N_ROWS = 3
"""Of the example that a graph is traced with; any other number will do in its place."""

CHATTY = ("torch.onnx._internal.exporter._registration", "onnxscript.optimizer._constant_folding")
"""Loggers of what the exporter leaves out."""


class Graph(nn.Module):
    """What is exported: one or several functions of the same rows.

    Parameters
    ----------
    estimator : object
        Fitted.
    names : sequence of keys of ``OUTPUTS``
        Which functions.
    dtype : torch.dtype
        Of the rows.
    """

    def __init__(self, estimator: BaseAutoencoder, names: Sequence[str], dtype: torch.dtype):
        super().__init__()
        self.module = traceable(deepcopy(estimator.module_).to(dtype))
        self.exact_module = traceable(deepcopy(estimator.module_).double())
        self.functions = [OUTPUTS[name](self, estimator) for name in names]

    def forward(self, X: Tensor) -> tuple[Tensor, ...]:
        return tuple(function(X) for function in self.functions)


OUTPUTS: dict[str, Callable[[Graph, BaseAutoencoder], Callable[[Tensor], Tensor]]] = {
    "transform": lambda graph, estimator: graph.module.encode,
    "reconstruct": lambda graph, estimator: graph.module.forward,
    "score_samples": lambda graph, estimator: score_of(estimator, graph.exact_module),
}


def to_onnx(
    estimator: BaseAutoencoder,
    output: str | Sequence[str] = "transform",
    *,
    dtype: Any = None,
    opset: int = OPSET,
) -> Any:
    """Translate a fitted autoencoder to an ONNX model, for any number of rows.

    Parameters
    ----------
    estimator : object
        Fitted.
    output : {"transform", "reconstruct", "score_samples"} or sequence of them, default="transform"
        What the model computes, and the names of its outputs; its input is ``X``. "reconstruct" is
        ``inverse_transform(transform(X))``.
    dtype : {np.float32, np.float64} or None, default=None
        Of the input and the outputs; None is that of the training rows. Scores are float64 whatever
        the input is, as those of the estimator are.
    opset : int, default=18
        Version of the operators, at least 18.

    Returns
    -------
    model : onnx.ModelProto
        Equal to the estimator but for rounding.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    ValueError
        If `output`, `dtype` or `opset` is none of the above, or the estimator's score cannot be
        translated.
    ImportError
        If the packages that it takes are not installed.

    Examples
    --------
    >>> import numpy as np, skae
    >>> X = np.random.default_rng(0).normal(size=(50, 4))
    >>> model = skae.AutoencoderTransformer(2, max_iter=10, random_state=0).fit(X)
    >>> graph = skae.onnx.to_onnx(model)
    >>> [value.name for value in graph.graph.input], [value.name for value in graph.graph.output]
    (['X'], ['transform'])
    """
    check_is_fitted(estimator)
    names = [output] if isinstance(output, str) else list(output)
    if not names or not set(names) <= set(OUTPUTS):
        raise ValueError(f"output={output!r} must be one of {', '.join(OUTPUTS)}, or several.")
    dtype = np.dtype(estimator.mean_.dtype if dtype is None else dtype)
    if dtype.name not in ("float32", "float64"):
        raise ValueError(f"dtype={dtype.name!r} must be float32 or float64.")
    if opset < OPSET:
        raise ValueError(f"opset={opset!r} must be at least {OPSET}.")
    with plain_torch(grad=False), quiet():
        graph = Graph(estimator, names, getattr(torch, dtype.name)).eval()
        X = np.repeat(estimator.mean_[None], N_ROWS, axis=0).astype(dtype)
        program: Any = torch.onnx.export(
            graph,
            (to_tensor(X),),
            dynamo=True,
            input_names=["X"],
            output_names=names,
            dynamic_shapes=({0: torch.export.Dim("n_samples")},),
            custom_translation_table=translations(),
            opset_version=opset,
            verbose=False,
        )
    return program.model_proto


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the exporter from telling users what its developers alone can change."""
    loggers = [logging.getLogger(name) for name in CHATTY]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*LeafSpec.*", FutureWarning)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
