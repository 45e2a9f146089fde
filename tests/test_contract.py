"""Every public estimator through one suite."""

import pickle
from copy import deepcopy
from dataclasses import fields
from inspect import signature

import joblib
import numpy as np
import pytest
import torch
from conftest import fitted, public_estimators, tiny
from numpy.testing import assert_allclose, assert_array_equal
from numpydoc.docscrape import ClassDoc
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import skae
from skae import AutoencoderTransformer, DenoisingAutoencoder
from skae.autoencoders._canonical import canonical_basis
from skae.nn import CORRUPTIONS

AUTOENCODERS = public_estimators()

SCORES = ["score_samples", "score", "explain", "reconstruction_error"]

SETTINGS = [
    {"whiten": True, "cv": 2, "tied_weights": True, "activation": "tanh"},
    {"early_stopping": False, "normalization": "batch", "dropout": 0.1},
    {"init": "random", "solver": "sgd", "learning_rate": "cosine", "normalization": "layer"},
]


@parametrize_with_checks(
    [tiny(Estimator, None, max_iter=2, early_stopping=False) for Estimator in AUTOENCODERS]
    # what these do is the same code in every variant
    + [AutoencoderTransformer(max_iter=2, random_state=0)]
    + [tiny(AutoencoderTransformer, 1, **settings) for settings in SETTINGS]
    + [tiny(AutoencoderTransformer, 0.9)],
    xfail_strict=True,
)
@pytest.mark.filterwarnings("ignore:Collapse")  # three epochs from random weights reach nothing
def test_scikit_learn(estimator, check):
    check(estimator)  # no expected failures, ever


@pytest.mark.parametrize("Estimator", AUTOENCODERS)
class TestEveryAutoencoder:
    def test_same_seed_same_bits(self, Estimator, blobs):
        first, second = (tiny(Estimator, dropout=0.2).fit(blobs) for _ in range(2))
        assert_array_equal(first.transform(blobs), second.transform(blobs))

    def test_other_seed_other_weights(self, Estimator, blobs):
        first, second = (
            tiny(Estimator, early_stopping=False, random_state=seed).fit(blobs) for seed in (0, 1)
        )
        assert not np.allclose(first.transform(blobs), second.transform(blobs))

    def test_inverse_transform_of_transform_is_the_forward_pass(self, Estimator, blobs):
        model = fitted(Estimator)
        with torch.no_grad():
            expected = model.module_(torch.from_numpy(blobs)).numpy()
        assert_allclose(model.inverse_transform(model.transform(blobs)), expected)

    def test_codes_are_sorted_by_what_they_drive(self, Estimator, blobs):
        model = tiny(Estimator, max_iter=10, early_stopping=False).fit(blobs)
        assert model.best_iter_ == 10
        assert (np.diff(model.explained_variance_) <= 0).all()
        if Estimator._axes is canonical_basis:
            Z = model.transform(blobs)
            assert_allclose(Z.mean(axis=0), 0, atol=1e-10)
            assert_allclose(np.cov(Z.T), np.diag(model.explained_variance_), atol=1e-8)

    def test_whitened_codes_have_unit_variance_and_the_same_density(self, Estimator, blobs):
        plain, white = fitted(Estimator), tiny(Estimator, whiten=True).fit(blobs)
        assert_allclose(white.transform(blobs).var(axis=0, ddof=1), 1, atol=1e-8)
        assert_allclose(white.score_samples(blobs), plain.score_samples(blobs))
        assert_allclose(
            white.inverse_transform(white.transform(blobs)),
            plain.inverse_transform(plain.transform(blobs)),
        )

    @pytest.mark.parametrize("corruption", CORRUPTIONS)
    def test_sees_through_noise_of_every_kind(self, Estimator, blobs, corruption):
        noise = {"corruption": corruption, "corruption_level": (0.1, 0.3), "emphasis": 0.5}
        model = tiny(Estimator, max_iter=2, early_stopping=False, **noise).fit(blobs)
        again = clone(model).fit(blobs)
        assert np.isfinite(model.score(blobs))
        assert_array_equal(model.transform(blobs), again.transform(blobs))

    def test_trains_on_all_rows_unless_told(self, Estimator, blobs):
        model = tiny(Estimator, early_stopping=False).fit(blobs)
        same, other = (clone(model).set_params(trim=trim).fit(blobs) for trim in (0.0, 0.3))
        assert_array_equal(same.transform(blobs), model.transform(blobs))
        assert not np.allclose(other.transform(blobs), model.transform(blobs))

    def test_goes_on_from_a_loaded_file(self, Estimator, blobs):
        model = tiny(Estimator, corruption="swap", warm_start=True, early_stopping=False)
        loaded = pickle.loads(pickle.dumps(model.fit(blobs)))
        assert_array_equal(loaded.fit(blobs).transform(blobs), model.fit(blobs).transform(blobs))

    def test_is_pickled_small_without_tensors_or_data(self, Estimator, tmp_path):
        rng = np.random.default_rng(0)
        sizes = []
        for n_samples in (100, 500):
            model = tiny(Estimator).fit(rng.normal(size=(n_samples, 4)))
            sizes.append(len(pickle.dumps(model)))
        assert sizes[1] < 1.05 * sizes[0]
        assert b"torch" not in pickle.dumps(model)

    def test_survives_disk_and_later_parameters(self, Estimator, blobs, tmp_path):
        model = deepcopy(fitted(Estimator))
        expected = model.transform(blobs), model.score_samples(blobs)
        model.set_params(hidden_layer_sizes=(3, 3), n_components=1, activation="tanh", whiten=True)
        joblib.dump(model, tmp_path / "model.joblib")
        for mmap_mode in (None, "r"):
            loaded = joblib.load(tmp_path / "model.joblib", mmap_mode=mmap_mode)
            assert_array_equal(loaded.transform(blobs), expected[0])
            assert_array_equal(loaded.score_samples(blobs), expected[1])
        assert_array_equal(model.transform(blobs), expected[0])

    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    def test_a_saved_file_gives_the_same_estimator(self, Estimator, blobs, tmp_path, dtype):
        blobs = blobs.astype(dtype)
        model = tiny(Estimator, corruption="gaussian", early_stopping=False).fit(blobs)
        model.set_params(hidden_layer_sizes=(3, 3), n_components=1)
        model.save(tmp_path / "model.safetensors")
        loaded = skae.load(tmp_path / "model.safetensors")
        assert type(loaded) is Estimator and loaded.get_params() == model.get_params()
        for method in ("transform", "score_samples"):
            assert_array_equal(getattr(loaded, method)(blobs), getattr(model, method)(blobs))
        assert vars(loaded).keys() == vars(model).keys()
        assert joblib.hash(loaded.__getstate__()) == joblib.hash(model.__getstate__())  # every bit

    def test_takes_the_place_of_pca_in_a_grid_search(self, Estimator, blobs):
        pipeline = make_pipeline(StandardScaler(), tiny(Estimator, max_iter=1))
        name = pipeline.steps[-1][0]
        search = GridSearchCV(pipeline, {f"{name}__n_components": [1, 2]}, cv=2).fit(blobs)
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()

    def test_names_its_columns_for_pandas_and_polars(self, Estimator, blobs):
        for library in ("pandas", "polars"):
            Z = deepcopy(fitted(Estimator)).set_output(transform=library).transform(blobs)
            assert list(Z.columns) == [f"{Estimator.__name__.lower()}{i}" for i in range(2)]

    def test_calls_back(self, Estimator, blobs):
        monitor = ScoringMonitor(scoring={"score": lambda est, X, y: est.score(X)})
        model = tiny(Estimator, early_stopping=False)
        expected = clone(model).fit(blobs).transform(blobs)
        model.set_callbacks(monitor, ProgressBar()).fit(blobs)
        assert_array_equal(model.transform(blobs), expected)
        scores = [row["score"] for row in monitor.get_logs().data]
        assert len(scores) == 4 and np.isfinite(scores).all()  # three epochs and the fit

    def test_calls_back_through_a_pipeline_in_a_grid_search(self, Estimator, blobs):
        pipeline = make_pipeline(StandardScaler(), tiny(Estimator, early_stopping=False))
        search = GridSearchCV(pipeline, {}, cv=2, refit=False)
        search.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(blobs)
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()

    def test_stops_when_a_callback_says_so(self, Estimator, blobs):
        model = tiny(Estimator, max_iter=9, early_stopping=False)
        model.set_callbacks(StopAfter(2)).fit(blobs)
        assert model.n_iter_ == 2

    def test_is_not_fitted_before_fit(self, Estimator, blobs):
        for method in ("transform", "inverse_transform", "score_samples", "score"):
            with pytest.raises(NotFittedError):
                getattr(tiny(Estimator), method)(blobs)

    def test_scores_are_float64_and_score_is_their_mean(self, Estimator, blobs):
        single = blobs.astype(np.float32)
        for model, X in ((fitted(Estimator), blobs), (tiny(Estimator).fit(single), single)):
            scores = model.score_samples(X)
            assert scores.dtype == np.float64 and scores.shape == (60,)
            assert model.score(X) == scores.mean()
            for error in (model.explain(X), *(model.reconstruction_error(X, c) for c in (0, 1))):
                assert error.dtype == np.float64

    @pytest.mark.parametrize("whiten", [False, True])
    def test_explanations_add_up_to_what_a_typical_row_has_more(self, Estimator, blobs, whiten):
        """The typical row is what the decoder makes of the code zero."""
        model = tiny(Estimator, whiten=True).fit(blobs) if whiten else fitted(Estimator)
        X = np.vstack([blobs, 30 * blobs])
        shares, typical = model.explain(X), model.inverse_transform(np.zeros((1, 2)))
        missing = model.score_samples(typical) - model.score_samples(X)
        assert shares.shape == X.shape
        assert_allclose(shares.sum(axis=1), missing, rtol=1e-9, atol=1e-9)
        assert_allclose(model.explain(typical), 0, atol=1e-9)

    @pytest.mark.parametrize("library", ["pandas", "polars"])
    def test_explains_a_frame_by_a_frame(self, Estimator, blobs, library):
        library = pytest.importorskip(library)
        frame = library.DataFrame(dict(zip("abcd", blobs.T, strict=True)))
        if hasattr(frame, "index"):
            frame.index = [f"row {i}" for i in range(60)]
        model = tiny(Estimator).fit(frame)
        shares = model.explain(frame[5:9])
        assert type(shares) is type(frame) and list(shares.columns) == list("abcd")
        assert_allclose(shares.to_numpy(), model.explain(frame)[5:9], rtol=1e-9, atol=1e-12)
        if hasattr(frame, "index"):
            assert list(shares.index) == list(frame.index[5:9])
            assert (shares.dtypes == np.float64).all()

    def test_reconstruction_error_is_that_of_the_reconstructions(self, Estimator, blobs):
        model = fitted(Estimator)
        cells = model.reconstruction_error(blobs, per_cell=True)
        expected = np.abs(blobs - model.inverse_transform(model.transform(blobs)))
        assert_allclose(cells, expected, atol=1e-9)
        rows = np.sqrt(np.square(cells).mean(axis=1))
        assert_allclose(model.reconstruction_error(blobs), rows)

    @pytest.mark.parametrize("method", SCORES)
    def test_scores_want_the_columns_of_fit(self, Estimator, blobs, method):
        with pytest.raises(NotFittedError):
            getattr(tiny(Estimator), method)(blobs)
        score = getattr(fitted(Estimator), method)
        with pytest.raises(ValueError, match=r"X has 3 features, but .* is expecting 4"):
            score(blobs[:, :3])
        blobs[3, 2] = np.inf
        with pytest.raises(ValueError, match="infinity"):
            score(blobs)

    def test_fills_gaps_whatever_is_asked_for(self, Estimator, blobs):
        blobs[np.random.default_rng(0).random(blobs.shape) < 0.2] = np.nan
        blobs[7] = np.nan
        model = tiny(Estimator, early_stopping=False).fit(blobs)
        Z = model.transform(blobs)
        results = [Z, model.inverse_transform(Z), model.score_samples(blobs), model.explain(blobs)]
        cells = model.reconstruction_error(blobs, per_cell=True)
        results += [model.reconstruction_error(blobs), cells[~np.isnan(blobs)]]
        assert all(np.isfinite(result).all() for result in results)
        assert np.isnan(cells[np.isnan(blobs)]).all()

    def test_what_gaps_are_filled_with_is_no_target(self, Estimator, blobs):
        """The error of a cell that is not known has no gradient."""
        module = deepcopy(fitted(Estimator)).module_.autoencoder.float()
        x = torch.from_numpy(blobs).float()
        known = torch.from_numpy(np.random.default_rng(0).random(blobs.shape) < 0.7).float()
        seen, target = x.clone(), x.clone().requires_grad_()
        output = module.output(module.encode(seen)).detach()
        error = module.compare(output, target, known).sum()
        (gradient,) = torch.autograd.grad(error, target)
        assert (gradient[known == 0] == 0).all() and gradient[known == 1].any()

    def test_training_does_not_look_at_what_gaps_were_filled_with(self, Estimator, blobs):
        """Nor does any term of the loss, beyond what the encoder sees of a row."""
        module = deepcopy(fitted(Estimator)).module_.autoencoder.float()
        x = torch.from_numpy(blobs).float()
        known = torch.ones_like(x)
        known[:, 1] = 0
        losses = []
        for shift in (0.0, 1e3):
            target = x.clone()
            target[:, 1] += shift
            module.corrupt = lambda rows, rng, weight=None: (x, weight)  # the encoder sees the same
            terms = module.loss(target, torch.Generator().manual_seed(0), known)
            losses.append(float(terms["reconstruction"].detach()))
        assert losses[0] == losses[1]

    def test_a_failed_fit_leaves_the_last_one_usable(self, Estimator, blobs):
        model = deepcopy(fitted(Estimator))
        expected = model.transform(blobs)
        model.set_params(hidden_layer_sizes=(0,))
        with pytest.raises(ValueError, match="must hold positive integers"):
            model.fit(blobs)
        assert_array_equal(model.transform(blobs), expected)

    def test_is_a_declared_dataclass(self, Estimator):
        assert "__dataclass_params__" in vars(Estimator), "decorator forgotten"
        assert [f.name for f in fields(Estimator)] == list(signature(Estimator).parameters)

    def test_every_parameter_has_a_range(self, Estimator):
        assert set(Estimator._parameter_constraints) == set(signature(Estimator).parameters)

    def test_documents_exactly_its_parameters(self, Estimator):
        documented = [
            name for part in ClassDoc(Estimator)["Parameters"] for name in part.name.split(", ")
        ]
        assert documented == list(signature(Estimator).parameters)

    def test_documents_exactly_its_attributes(self, Estimator, blobs):
        import pandas as pd

        frame = pd.DataFrame(blobs, columns=list("abcd"))
        documented = {part.name for part in ClassDoc(Estimator)["Attributes"]}
        fitted = {n for n in vars(tiny(Estimator).fit(frame)) if n.endswith("_") and n[0] != "_"}
        assert documented == fitted


class StopAfter:
    """A callback that asks to stop after some epochs."""

    def __init__(self, n_epochs):
        self.n_epochs = n_epochs

    def setup(self, estimator, context):
        self.begun = self.ended = 0

    def teardown(self, estimator, context):
        assert self.begun == self.ended == self.n_epochs

    def on_fit_task_begin(self, estimator, context):
        self.begun += context.parent is not None

    def on_fit_task_end(self, estimator, context):
        self.ended += context.parent is not None
        return self.ended == self.n_epochs


@pytest.mark.parametrize("Estimator", [AutoencoderTransformer, DenoisingAutoencoder])
def test_the_start_without_noise_is_pca(Estimator, blobs):
    model, pca = tiny(Estimator, max_iter=0, corruption=None).fit(blobs), PCA(2).fit(blobs)
    assert_allclose(model.transform(blobs), pca.transform(blobs), atol=1e-10)


def test_a_code_wider_than_the_data_is_refused(blobs):
    with pytest.raises(ValueError, match="n_components=9 is larger than"):
        AutoencoderTransformer(9).fit(blobs)
