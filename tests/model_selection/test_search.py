"""A search is GridSearchCV, but for rounding, or for the noise between seeds."""

import numpy as np
import pytest
import torch
from conftest import public_estimators, tiny
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.decomposition import PCA
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skae import (
    AutoencoderTransformer,
    DenoisingAutoencoder,
    SparseAutoencoder,
    TabularAutoencoder,
    VAETransformer,
)
from skae.model_selection import BottleneckSearchCV
from skae.model_selection._choice import Race, best, one_se

WIDTHS = (1, 2, 3)
SETTINGS = {
    "hidden_layer_sizes": (5,),
    "max_iter": 5,
    "learning_rate_init": 0.005,
    "dropout": 0.0,
    "random_state": 0,
    "cv": 2,
}

MONITOR = ScoringMonitor(scoring={"score": lambda model, X, y: model.score(X)})


@pytest.fixture
def bent():
    """Rows near a curved surface of two dimensions in five."""
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(90, 2))
    return np.tanh(Z @ rng.normal(size=(2, 5))) + 0.05 * rng.normal(size=(90, 5))


def both(estimator, X, *, grid=None, search=None, **fit_params):
    """A grid search and this one, fitted."""
    settings = {"cv": 3} | (search or {})
    ours = BottleneckSearchCV(estimator, WIDTHS, param_grid=grid, race=False, **settings)
    theirs = GridSearchCV(estimator, {ours._width: WIDTHS, **(grid or {})}, **settings)
    return theirs.fit(X, **fit_params), ours.fit(X, **fit_params)


@parametrize_with_checks(  # with errors raised, as for GridSearchCV
    [BottleneckSearchCV(tiny(AutoencoderTransformer), (1, 2), cv=2, error_score="raise")],
    xfail_strict=True,
)
def test_scikit_learn(estimator, check):
    check(estimator)  # no expected failures, ever


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"cv": None},
        {"cv": None, "refit": False},
        {"early_stopping": False},
        {"init": "random", "tied_weights": True, "whiten": True, "solver": "sgd"},
        {"loss": "huber", "density": "full", "trim": 0.1, "n_iter_no_change": 2},
    ],
)
@pytest.mark.filterwarnings("ignore:Collapse")
def test_finds_what_a_grid_search_finds(bent, settings):
    theirs, ours = both(AutoencoderTransformer(**SETTINGS | settings), bent)
    assert theirs.cv_results_.keys() == ours.cv_results_.keys()
    assert_array_equal(theirs.cv_results_["params"], ours.cv_results_["params"])
    for i in range(3):
        key = f"split{i}_test_score"
        # stacked and padded products are rounded otherwise, in float32
        assert_allclose(ours.cv_results_[key], theirs.cv_results_[key], rtol=2e-3)
    assert ours.best_params_ == theirs.best_params_ and ours.n_splits_ == 3
    assert_array_equal(ours.transform(bent), theirs.transform(bent))
    assert_array_equal(ours.score_samples(bent), theirs.score_samples(bent))
    assert ours.score(bent) == theirs.score(bent) and not ours.multimetric_
    assert (ours.cv_results_["mean_fit_time"] > 0).all() and ours.refit_time_ > 0


@pytest.mark.parametrize("Estimator", [DenoisingAutoencoder, VAETransformer, TabularAutoencoder])
def test_variants_find_the_same_but_for_their_noise(bent, Estimator):
    theirs, ours = both(Estimator(**SETTINGS), bent)
    means, others = (s.cv_results_["mean_test_score"] for s in (ours, theirs))
    assert_allclose(means, others, atol=0.3)
    assert np.isfinite(ours.pca_scores_).all()


def test_searches_a_pipeline_by_its_last_step(bent):
    pipeline = make_pipeline(StandardScaler(), AutoencoderTransformer(**SETTINGS))
    grid = {"standardscaler__with_std": [True, False]}
    theirs, ours = both(pipeline, bent, grid=grid, search={"cv": KFold(2)})
    assert theirs.cv_results_.keys() == ours.cv_results_.keys()
    for key in ("mean_test_score", "param_autoencodertransformer__n_components"):
        assert_allclose(
            np.array(ours.cv_results_[key], float), np.array(theirs.cv_results_[key], float), 2e-3
        )
    assert_array_equal(ours.transform(bent), theirs.transform(bent))


@pytest.mark.parametrize(
    ("Estimator", "grid", "n_stacks"),
    [
        (AutoencoderTransformer, {"learning_rate_init": [0.001, 0.01], "alpha": [0.0, 1.0]}, 4),
        (DenoisingAutoencoder, {"corruption_level": [0.1, 0.5]}, 1),
        (VAETransformer, {"beta": [1.0, 2.0]}, 3),
    ],
)
def test_other_parameters_share_a_stack_if_they_are_numbers(
    bent, Estimator, grid, n_stacks, monkeypatch
):
    from skae.training import _stack

    sizes, true = [], _stack.train_stack
    monkeypatch.setattr(
        _stack, "train_stack", lambda some, *args: sizes.append(len(some)) or true(some, *args)
    )
    settings = SETTINGS | {"early_stopping": False}
    search = BottleneckSearchCV(
        Estimator(**settings), WIDTHS, param_grid=grid, cv=3, race=False, refit=False
    ).fit(bent)
    assert sizes == [search.dropped_.size * 3 // n_stacks] * n_stacks
    scores = search.cv_results_["mean_test_score"].reshape(-1, 3)
    assert len(np.unique(scores.round(6))) == scores.size


def test_weights_reach_fits_and_scores(bent):
    weights = np.random.default_rng(0).uniform(0.1, 3, size=90)
    theirs, ours = both(AutoencoderTransformer(**SETTINGS), bent, sample_weight=weights)
    key = "mean_test_score"
    assert_allclose(ours.cv_results_[key], theirs.cv_results_[key], rtol=2e-3)
    assert_array_equal(ours.transform(bent), theirs.transform(bent))


def test_groups_reach_the_splitter(bent):
    search = BottleneckSearchCV(tiny(AutoencoderTransformer), (1,), cv=GroupKFold(3))
    assert search.fit(bent, groups=np.repeat(np.arange(3), 30)).n_splits_ == 3


def test_scores_by_what_is_asked_for(bent):
    def scoring(model, X, y=None):
        return -model.reconstruction_error(X).mean()

    theirs, ours = both(AutoencoderTransformer(**SETTINGS), bent, search={"scoring": scoring})
    key = "mean_test_score"
    assert_allclose(ours.cv_results_[key], theirs.cv_results_[key], rtol=2e-3)


def test_pca_stands_beside_it(bent):
    search = BottleneckSearchCV(tiny(AutoencoderTransformer), (1, 4, 5), cv=3).fit(bent)
    for i, width in enumerate((1, 4, 5)):
        for j, (train, test) in enumerate(KFold(3).split(bent)):
            expected = PCA(width).fit(bent[train]).score(bent[test])
            assert search.pca_scores_[i, j] == pytest.approx(expected)


def test_pca_has_no_score_where_it_cannot_be(bent):
    bent[3, 2] = np.nan
    search = BottleneckSearchCV(tiny(AutoencoderTransformer), (1,), cv=KFold(3)).fit(bent)
    assert np.isnan(search.pca_scores_).all()
    assert np.isfinite(search.best_score_)


def test_the_same_seed_the_same_bits_and_no_global_generator(bent):
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    search = BottleneckSearchCV(DenoisingAutoencoder(**SETTINGS), WIDTHS, cv=3)
    one, two = (search.fit(bent).cv_results_["mean_test_score"].copy() for _ in range(2))
    assert_array_equal(one, two)
    assert torch.equal(before[0], torch.get_rng_state())
    assert_array_equal(before[1], np.random.get_state()[1])
    search.set_params(n_jobs=2).fit(bent)
    assert_array_equal(one, search.cv_results_["mean_test_score"])


def table(*scores):
    """Results of candidates by their scores on folds."""
    scores = np.array(scores, dtype=float)
    means = scores.mean(axis=1)
    return {
        "mean_test_score": means,
        "rank_test_score": (-means).argsort().argsort() + 1,
        **{f"split{i}_test_score": column for i, column in enumerate(scores.T)},
    }


def test_the_one_se_rule_takes_the_narrowest_code_within_one_standard_error():
    # the best has mean 10 and standard error 1 / sqrt(3), so that 9.42 is enough
    results = table([9.3, 9.3, 9.3], [9.5, 9.5, 9.5], [9, 10, 11], [9.9, 9.9, 9.9])
    assert one_se(results | {"w": [1, 2, 8, 4]}, "w") == 1
    assert one_se(results | {"w": [1, 4, 8, 4]}, "w") == 3
    assert best(results, "w") == 2
    nothing = table([np.nan]) | {"rank_test_score": np.ones(1, int), "w": [1]}
    assert one_se(nothing, "w") == 0


def test_the_rule_is_asked(bent):
    search = BottleneckSearchCV(AutoencoderTransformer(**SETTINGS), WIDTHS, cv=3, refit=False)
    top = search.fit(bent).best_index_
    search.set_params(rule="one_se", scoring=lambda model, X, y=None: model.n_components_ / 1e9)
    assert search.fit(bent).best_params_ == {"n_components": 3} and top >= 0
    search.set_params(scoring=lambda model, X, y=None: 1.0)
    assert search.fit(bent).best_params_ == {"n_components": 1}


def test_a_race_leaves_those_out_of_reach():
    race = Race(scores=np.array([[0.0, 0.0], [5.0, 5.0], [4.4, 4.4], [np.nan, 5.0]]), spread=False)
    assert race.next() == [1]
    race.finish(1, np.array([5.2, 5.4]))
    assert race.gain == pytest.approx(0.4) and race.next() == []
    race = Race(scores=np.array([[0.0, 0.0], [5.0, 5.0], [4.4, 4.4], [3.5, 3.5]]), spread=True)
    assert race.next() == [1]
    race.finish(1, np.array([5.0, 6.0]))  # mean 5.5, standard error 0.5; a gain of up to 1
    assert race.next() == [2, 3]
    for candidate in (2, 3):
        race.finish(candidate, np.array([4.0, 4.0]))
    assert race.next() == []


def test_a_race_has_the_same_winner_and_says_who_was_dropped(bent):
    estimator = AutoencoderTransformer(**SETTINGS | {"cv": None})
    full, race = (
        BottleneckSearchCV(estimator, WIDTHS, cv=3, race=race).fit(bent) for race in (False, True)
    )
    assert not full.dropped_.any()
    assert race.dropped_.any() and not race.dropped_[race.best_index_]
    kept = ~race.dropped_
    means, others = (s.cv_results_["mean_test_score"] for s in (race, full))
    assert_allclose(means[kept], others[kept], rtol=2e-3)
    assert (means != others)[race.dropped_].any() and np.isfinite(means).all()


def test_a_width_that_cannot_be_fails_alone(bent):
    search = BottleneckSearchCV(tiny(AutoencoderTransformer), (2, 9), cv=3)
    with (
        pytest.warns(FitFailedWarning, match="n_components=9 is larger"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        search.fit(bent)
    assert search.best_params_ == {"n_components": 2}
    assert np.isnan(search.cv_results_["mean_test_score"][1])
    assert np.isnan(search.pca_scores_[1]).all()
    with pytest.raises(ValueError, match="n_components=9 is larger"):
        search.set_params(error_score="raise").fit(bent)


@pytest.mark.parametrize("widths", [(), (0, 1), (1.5,), [None]])
def test_widths_are_whole_numbers(bent, widths):
    with pytest.raises(ValueError, match="must hold positive integers"):
        BottleneckSearchCV(tiny(AutoencoderTransformer), widths).fit(bent)


@pytest.mark.parametrize(
    ("estimator", "reason"),
    [
        (PCA(), "PCA is not searched at once: it is none of skae's autoencoders"),
        (tiny(SparseAutoencoder), "not one for many networks"),
        (tiny(AutoencoderTransformer, normalization="batch"), "running means"),
        (tiny(AutoencoderTransformer, encoder=torch.nn.Linear(5, 2)), "modules of one's own"),
        (tiny(AutoencoderTransformer, checkpoint="fit"), "file of one fit"),
        (tiny(AutoencoderTransformer).set_callbacks(MONITOR), "callbacks"),
    ],
)
@pytest.mark.filterwarnings("ignore:Collapse")
def test_falls_back_to_a_grid_search_and_says_why(bent, estimator, reason, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    search = BottleneckSearchCV(estimator, (2,), cv=2)
    with pytest.warns(UserWarning, match=reason):
        search.fit(bent)
    theirs = GridSearchCV(estimator, {"n_components": [2]}, cv=2).fit(bent)
    assert_array_equal(search.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"])
    assert search.pca_scores_.shape == (1, 2) and not search.dropped_.any()


def test_shows_its_progress_fit_by_fit(bent):
    search = BottleneckSearchCV(tiny(AutoencoderTransformer), (1,), cv=2)
    with pytest.warns(UserWarning, match="Callbacks follow fits one by one"):
        search.set_callbacks(ProgressBar()).fit(bent)
    assert np.isfinite(search.best_score_)


def test_falls_back_where_a_step_is_searched(bent):
    pipeline = make_pipeline(StandardScaler(), tiny(AutoencoderTransformer))
    search = BottleneckSearchCV(
        pipeline, (1,), param_grid={"standardscaler": ["passthrough"]}, cv=2
    )
    with pytest.warns(UserWarning, match="may be another estimator"):
        search.fit(bent)
    with pytest.warns(UserWarning, match="a fold's part"):
        search.set_params(param_grid=None).fit(
            bent, autoencodertransformer__sample_weight=np.ones(90)
        )


def test_says_what_goes_on(bent, capsys):
    BottleneckSearchCV(tiny(AutoencoderTransformer, cv=None), (1, 2), cv=2, verbose=1).fit(bent)
    assert "2 candidates on each of 2 folds, all at once" in capsys.readouterr().out


@pytest.mark.parametrize("Estimator", public_estimators())
@pytest.mark.filterwarnings("ignore:Collapse|Posterior collapse|Dead")
@pytest.mark.filterwarnings("ignore:.* is not searched at once")
def test_every_autoencoder_is_searched(Estimator, blobs):
    search = BottleneckSearchCV(tiny(Estimator), n_components=(1, 2), cv=2, error_score="raise")
    search.fit(blobs)
    alone = clone(search.best_estimator_).fit(blobs)
    assert_allclose(search.transform(blobs), alone.transform(blobs), atol=1e-4)
