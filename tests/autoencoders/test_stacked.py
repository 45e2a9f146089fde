"""The stacked autoencoder, against the same layers trained all at once."""

import numpy as np
import pytest
from conftest import tiny
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import PCA
from torch import nn

from skae import AutoencoderTransformer, StackedAutoencoder

DEEP = {"hidden_layer_sizes": (128,) * 6, "activation": "logistic", "batch_size": 64}
DEEP |= {"refit": False, "random_state": 0}


def r2(model, X, X_test):
    error = X_test - model.fit(X).inverse_transform(model.transform(X_test))
    return 1 - np.square(error).sum() / np.square(X_test - X.mean(axis=0)).sum()


@pytest.mark.filterwarnings("ignore:Collapse")  # which is the point
def test_trains_deep_logistic_units_that_training_at_once_does_not(digits):
    """Bengio et al. 2007, with as many epochs for both."""
    scores = [
        r2(model(8, init="random", max_iter=40, **DEEP), digits[:1300], digits[1300:])
        for model in (StackedAutoencoder, AutoencoderTransformer)
    ]
    assert scores[0] > 0.3 and scores[1] < 0.1


def test_never_below_pca_though_its_first_phases_are(digits):
    X, X_test = digits[:600], digits[600:900]
    pca = PCA(8, svd_solver="full").fit(X)
    start = (1 + 1e-9) * ((X_test - pca.inverse_transform(pca.transform(X_test))) ** 2).sum()
    model = StackedAutoencoder(8, cv=None, max_iter=16, **DEEP).fit(X)
    assert min(model.validation_scores_[:13]) < model.validation_scores_[0]
    assert ((X_test - model.inverse_transform(model.transform(X_test))) ** 2).sum() <= start


def test_max_iter_is_that_of_all_phases_and_the_last_one_comes_first(blobs):
    for max_iter in (1, 3, 7):
        model = tiny(StackedAutoencoder, max_iter=max_iter, early_stopping=False).fit(blobs)
        assert model.n_iter_ == model.best_iter_ == len(model.loss_curve_) == max_iter
    one = tiny(StackedAutoencoder, max_iter=1, early_stopping=False).fit(blobs)
    plain = tiny(AutoencoderTransformer, max_iter=1, early_stopping=False).fit(blobs)
    assert_allclose(one.transform(blobs), plain.transform(blobs))


def test_a_checkpoint_goes_on_in_the_phase_it_was_in(blobs, tmp_path, monkeypatch):
    from skae.training import _checkpoint

    settings = {"max_iter": 9, "early_stopping": False, "checkpoint": tmp_path / "fit"}
    expected = tiny(StackedAutoencoder, **settings).fit(blobs).transform(blobs)
    monkeypatch.setattr(_checkpoint, "SECONDS", 0.0)
    monkeypatch.setattr(_checkpoint, "SHARE", 1e9)

    class Killed(BaseException):
        pass

    class Kill:
        def setup(self, estimator, context):
            self.n = 0

        def teardown(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context):
            self.n += context.parent is not None
            if self.n == 6:  # in the second phase of three
                raise Killed

        def on_fit_task_end(self, estimator, context):
            return False

    with pytest.raises(Killed):
        tiny(StackedAutoencoder, **settings).set_callbacks(Kill()).fit(blobs)
    assert (tmp_path / "fit").exists()
    assert_array_equal(tiny(StackedAutoencoder, **settings).fit(blobs).transform(blobs), expected)


def test_trains_modules_of_the_users_at_once(blobs):
    for settings in ({"encoder": nn.Linear(4, 2)}, {"decoder": nn.Linear(2, 4)}):
        fits = [
            tiny(cls, early_stopping=False, **settings).fit(blobs).transform(blobs)
            for cls in (StackedAutoencoder, AutoencoderTransformer)
        ]
        assert_array_equal(*fits)


def test_refuses_layers_that_are_not_mirrored(blobs):
    for sizes in ((6,), (8, 6), ()):
        with pytest.raises(ValueError, match="no mirror image"):
            tiny(StackedAutoencoder, hidden_layer_sizes=(8, 7), decoder_layer_sizes=sizes).fit(
                blobs
            )
    with pytest.raises(ValueError, match="no mirror image"):
        StackedAutoencoder(2, decoder_layer_sizes=(8,)).fit(blobs)
    tiny(StackedAutoencoder, hidden_layer_sizes=(8, 7), decoder_layer_sizes=[7, 8]).fit(blobs)
