"""Estimators of skae in the pipelines that skl2onnx converts."""

from typing import Any

from skae.persistence._loading import estimators
from skae.persistence._onnx import OPSET, to_onnx

DTYPES = {"FloatTensorType": "float32", "DoubleTensorType": "float64"}
"""Of rows, by their names in skl2onnx."""


def register() -> None:
    """Teach skl2onnx the autoencoders of skae, so that it converts pipelines with them.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.

    Examples
    --------
    >>> import numpy as np, skae
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skl2onnx import to_onnx
    >>> X = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    >>> model = make_pipeline(StandardScaler(), skae.AutoencoderTransformer(2, max_iter=10))
    >>> skae.onnx.register()
    >>> graph = to_onnx(model.fit(X), X[:1])
    """
    try:
        from skl2onnx import update_registered_converter
    except ImportError as error:
        raise ImportError(
            "The conversion of pipelines takes skl2onnx: pip install 'skae[onnx]'."
        ) from error

    for name, cls in estimators().items():
        update_registered_converter(cls, f"skae{name}", declare_codes, convert)


def declare_codes(operator: Any) -> None:
    """Say which shape and type `transform` gives."""
    rows = operator.inputs[0].type
    operator.outputs[0].type = type(rows)([None, operator.raw_operator.n_components_])


def convert(scope: Any, operator: Any, container: Any) -> None:
    """Put the graph of `transform` in the place of an operator."""
    from onnx.helper import get_attribute_value

    rows, codes = operator.inputs[0], operator.outputs[0]
    kind, name = type(rows.type).__name__, type(operator.raw_operator).__name__
    if kind not in DTYPES:
        raise ValueError(
            f"{name} is given a {kind}, but takes one of {', '.join(DTYPES)}; declare the "
            "pipeline's input as such."
        )
    opset = container.target_opset
    if opset < OPSET:
        raise ValueError(f"{name} takes target_opset={OPSET} at least, not {opset}.")
    model = to_onnx(operator.raw_operator, dtype=DTYPES[kind], opset=opset)
    graph = model.graph
    names = {"": "", "X": rows.full_name, "transform": codes.full_name}

    def renamed(values: Any) -> list[str]:
        for value in values:
            if value not in names:
                names[value] = scope.get_unique_variable_name(f"{name}_{value}")
        return [names[value] for value in values]

    for tensor in graph.initializer:
        (own,) = renamed([tensor.name])
        container.add_initializer(own, tensor.data_type, list(tensor.dims), tensor)
    for node in graph.node:
        container.add_node(
            node.op_type,
            renamed(node.input),
            renamed(node.output),
            op_domain=node.domain,
            op_version=opset,
            name=scope.get_unique_operator_name(f"{name}_{node.op_type}"),
            **{attribute.name: get_attribute_value(attribute) for attribute in node.attribute},
        )
