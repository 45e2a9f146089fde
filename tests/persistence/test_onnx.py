"""An ONNX model computes what the estimator does."""

import sys

import numpy as np
import onnxruntime
import pytest
import torch
from conftest import public_estimators, tiny
from numpy.testing import assert_allclose, assert_array_equal
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.onnx._internal.exporter import _registration

import skae
from skae import AutoencoderTransformer, SparseAutoencoder, VAETransformer
from skae.nn import ACTIVATIONS, Canonical
from skae.nn._sparse import matching_pursuit
from skae.persistence import _onnx_scores as scores
from skae.persistence._onnx import Graph, quiet
from skae.persistence._onnx_operators import translations
from skae.persistence._onnx_pursuit import pursuit

ALL = ("transform", "reconstruct", "score_samples")
X = np.random.default_rng(0).normal(size=(40, 3)) * [3.0, 2.0, 1.0] + 7.0


@pytest.fixture(scope="module", autouse=True)
def _registry():
    """One registry of operators for all exports: torch takes seconds to build each anew."""
    build, built = _registration.ONNXRegistry.from_torchlib.__func__, {}

    def once(cls, opset_version):
        if opset_version not in built:
            built[opset_version] = build(cls, opset_version=opset_version)
        return built[opset_version]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_registration.ONNXRegistry, "from_torchlib", classmethod(once))
        yield


def run(model, rows):
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {session.get_inputs()[0].name: rows})


def fitted(Estimator, X=X, **parameters):
    model = tiny(Estimator, X.shape[1] - 1, early_stopping=False, **parameters).fit(X)
    assert model.best_iter_ == 3
    return model


def check(model, rows, outputs=ALL):
    graph = skae.onnx.to_onnx(model, outputs, dtype=rows.dtype)
    assert [output.name for output in graph.graph.output] == list(outputs)
    Z = model.transform(rows)
    expected = {
        "transform": Z,
        "reconstruct": model.inverse_transform(Z),
        "score_samples": model.score_samples(rows),
    }
    for n in (1, len(rows)):
        for name, Y in zip(outputs, run(graph, rows[:n]), strict=True):
            assert Y.dtype == expected[name].dtype
            assert_allclose(Y, expected[name][:n], rtol=1e-5, atol=1e-5)


UNTRANSLATED = {skae.TabularAutoencoder}
"""Whose score takes a search for the most likely code."""

ALIKE = {
    skae.DenoisingAutoencoder: AutoencoderTransformer,
    skae.StackedAutoencoder: AutoencoderTransformer,
    skae.AdversarialAutoencoder: skae.WassersteinAutoencoder,
}
"""Those that differ from another in training alone: to translate a score takes seconds."""

LONG = {skae.ConvolutionalAutoencoder, skae.RecurrentAutoencoder}
"""Whose graphs grow with the columns."""


@pytest.mark.parametrize("Estimator", public_estimators())
def test_every_estimator_can_be_translated(Estimator):
    rows = X[:, :2] if Estimator in LONG else X
    outputs = ALL[:2] if Estimator in UNTRANSLATED | ALIKE.keys() else ALL
    check(fitted(Estimator, rows), rows, outputs)


@pytest.mark.parametrize("Estimator", ALIKE)
def test_scores_that_are_alike_are_one_function_of_the_same_parts(Estimator):
    """But for what there is in training alone."""
    model, other = fitted(Estimator), fitted(ALIKE[Estimator])
    assert type(model)._log_density is type(other)._log_density
    module, others = model.module_, other.module_
    assert type(module) is type(others)
    for name in ("encode", "decode", "output"):
        own, its = (getattr(type(m.autoencoder), name) for m in (module, others))
        assert own is its
    for part in ("encoder", "decoder"):
        own, its = (getattr(m.autoencoder, part).modules() for m in (module, others))
        assert [type(m) for m in own] == [type(m) for m in its]
    assert type(module.code_map) is type(others.code_map)
    assert type(module.density) is type(others.density)


@pytest.mark.parametrize("Estimator", UNTRANSLATED)
def test_a_score_that_takes_a_search_is_refused(Estimator):
    with pytest.raises(ValueError, match="cannot be translated to ONNX"):
        skae.onnx.to_onnx(fitted(Estimator), "score_samples")


def test_graphs_of_float32_score_in_float64():
    check(fitted(AutoencoderTransformer), X.astype(np.float32), ALL[::2])


def test_codes_may_be_probabilities_of_a_module_of_the_users():
    unit = (X - X.min(axis=0)) / np.ptp(X, axis=0)
    model = tiny(AutoencoderTransformer, 2, loss="binary_cross_entropy", encoder=nn.Linear(3, 2))
    check(model.fit(unit), unit, ["reconstruct"])


def test_every_activation_can_be_translated():
    class All(nn.Module):
        def forward(self, x):
            exact = [activation()(x) for activation in ACTIVATIONS.values()]
            return *exact, nn.GELU(approximate="tanh")(x), nn.ELU(0.7)(x), nn.LeakyReLU(0.3)(x)

    x = torch.linspace(-30, 30, 101, dtype=torch.float64)[:, None]
    with quiet():
        program = torch.onnx.export(
            All().eval(), (x,), dynamo=True, custom_translation_table=translations(), verbose=False
        )
    for actual, expected in zip(run(program.model_proto, x.numpy()), All()(x), strict=True):
        assert_allclose(actual, expected.numpy(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("n, n_readings", [(1, 1), (4, 4), (5, 2), (8, 3)])
@pytest.mark.parametrize("positive_code", [False, True])
def test_the_pursuit_is_that_of_the_estimator(n, n_readings, positive_code):
    parameters = {"n_nonzero_coefs": n, "n_readings": n_readings, "positive_code": positive_code}
    model = tiny(SparseAutoencoder, 12, **parameters).fit(X)
    module, x = model.module_.autoencoder, model.module_.standardize(torch.tensor(X))
    module.decoder.path.layer.layer.weight.data[1] = module.decoder.path.layer.layer.weight[0]
    with torch.no_grad():
        assert_allclose(pursuit(module, x), matching_pursuit(module, x)[0], atol=1e-12)


@pytest.mark.parametrize(
    "Estimator",
    [E for E in public_estimators() if E not in UNTRANSLATED],
)
def test_scores_in_torch_are_those_in_numpy(Estimator):
    models = [fitted(Estimator), tiny(Estimator, 3, max_iter=0).fit(X)]
    if Estimator is VAETransformer:
        models.append(fitted(Estimator, n_importance_samples=3))
    for model in models:
        score = scores.score_of(model, model.module_)
        with torch.no_grad():
            assert_allclose(score(torch.tensor(X)).numpy(), model.score_samples(X), rtol=1e-12)


def test_scores_that_nobody_has_translated_are_refused():
    Own = type("Own", (AutoencoderTransformer,), {"score_samples": lambda self, X: X[:, 0]})
    with pytest.raises(ValueError, match="score of Own cannot be translated"):
        skae.onnx.to_onnx(tiny(Own).fit(X), ("transform", "score_samples"))


def test_what_is_asked_for_is_checked():
    model = fitted(AutoencoderTransformer)
    for output in ("encode", (), ("transform", "x")):
        with pytest.raises(ValueError, match="must be one of transform, reconstruct"):
            skae.onnx.to_onnx(model, output)
    with pytest.raises(ValueError, match="dtype='float16' must be float32 or float64"):
        skae.onnx.to_onnx(model, dtype=np.float16)
    with pytest.raises(ValueError, match="opset=17 must be at least 18"):
        skae.onnx.to_onnx(model, opset=17)
    with pytest.raises(NotFittedError):
        skae.onnx.to_onnx(AutoencoderTransformer())


def test_the_fitted_module_stays_as_it_is():
    model = fitted(SparseAutoencoder)
    before = model.module_, model.transform(X)
    graph = Graph(model, ALL, torch.float32)
    assert graph(torch.tensor(X[:2], dtype=torch.float32))[0].dtype == torch.float32
    assert model.module_ is before[0] and isinstance(model.module_, Canonical)
    assert "code" not in vars(model.module_.autoencoder)
    assert_array_equal(model.transform(X), before[1])


@pytest.mark.parametrize(
    "package, call, error",
    [
        ("onnxscript", lambda: skae.onnx.to_onnx(fitted(VAETransformer)), r"skae\[onnx\]"),
        ("skl2onnx", lambda: skae.onnx.register(), r"skae\[onnx\]"),
    ],
)
def test_packages_that_are_missing_are_named(monkeypatch, package, call, error):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=error):
        call()


# Pipelines


def test_pipelines_are_converted_whole():
    skae.onnx.register()
    y, rows = X[:, 0] > 7, X.astype(np.float32)
    model = make_pipeline(StandardScaler(), tiny(AutoencoderTransformer, 2), LogisticRegression())
    model.fit(X, y)
    graph = convert_sklearn(
        model, initial_types=[("X", FloatTensorType([None, 3]))], options={"zipmap": False}
    )
    for n in (1, 40):
        labels, probabilities = run(graph, rows[:n])
        assert_array_equal(labels, model.predict(rows[:n]))
        assert_allclose(probabilities, model.predict_proba(rows[:n]), atol=1e-5)


def test_pipelines_with_two_autoencoders_are_converted():
    skae.onnx.register()
    model = make_pipeline(tiny(AutoencoderTransformer, 3), tiny(AutoencoderTransformer)).fit(X)
    graph = convert_sklearn(model, initial_types=[("X", DoubleTensorType([None, 3]))])
    assert_allclose(run(graph, X)[0], model.transform(X), atol=1e-5)


def test_inputs_and_opsets_of_pipelines_are_checked():
    skae.onnx.register()
    model = tiny(AutoencoderTransformer).fit(X)
    with pytest.raises(ValueError, match="is given a Int64TensorType, but takes one of"):
        convert_sklearn(model, initial_types=[("X", Int64TensorType([None, 3]))])
    with pytest.raises(ValueError, match="takes target_opset=18 at least, not 15"):
        convert_sklearn(model, initial_types=[("X", FloatTensorType([None, 3]))], target_opset=15)
