"""Thresholds on scores, and what they promise."""

import numpy as np
import pytest
from conftest import tiny
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import betabinom, chi2
from sklearn.base import BaseEstimator, clone
from sklearn.covariance import EllipticEnvelope
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderTransformer
from skae.outliers import AutoencoderOutlierDetector
from skae.outliers._thresholds import n_alarms_of, tail_offset


class FirstColumn(BaseEstimator):
    """Scores a row by its first cell, so that thresholds can be checked by hand."""

    def __init__(self, trim=None, support_fraction="auto", random_state=None):
        self.trim = trim
        self.support_fraction = support_fraction
        self.random_state = random_state

    def fit(self, X, y=None):
        self.rows_ = np.asarray(X)
        return self

    def score_samples(self, X):
        return np.asarray(X)[:, 0]

    def transform(self, X):
        return X

    def explain(self, X):
        return -np.asarray(X)


FROZEN = FrozenEstimator(FirstColumn().fit(np.zeros((1, 1))))


def column(values):
    return np.asarray(values, dtype=float)[:, None]


class TestTheTailRule:
    @pytest.mark.parametrize("n_features", [2, 3, 5, 10, 20, 64, 200])
    def test_leaves_at_most_a_64th_of_a_gaussian(self, n_features):
        """The logarithm of a chi-squared survival function is concave from two dimensions on."""
        shares = (np.arange(200_000) + 0.5) / 200_000
        offset = tail_offset(-chi2.ppf(shares, n_features) / 2)
        share = chi2.sf(-2 * offset, n_features)
        assert share <= 2**-6 + 1e-6
        if n_features == 2:  # an exponential tail, on which the bound is reached
            assert_allclose(share, 2**-6, rtol=1e-3)

    def test_follows_the_units_of_the_scores(self):
        scores = np.random.default_rng(0).normal(size=101)
        assert_allclose(tail_offset(3 * scores + 2), 3 * tail_offset(scores) + 2)

    @pytest.mark.parametrize("share", [0.05, 0.2])
    def test_is_not_moved_far_by_outliers(self, share):
        rng = np.random.default_rng(0)
        scores = -chi2.rvs(5, size=1000, random_state=rng) / 2
        clean = tail_offset(scores)
        scores[: int(1000 * share)] = -1e9
        assert -30 < tail_offset(scores) < clean

    def test_has_few_false_alarms_and_finds_what_is_far(self):
        rng = np.random.default_rng(0)
        mixing = rng.normal(size=(6, 6))
        X, X_new = (rng.normal(size=(n, 6)) @ mixing for n in (1000, 5000))
        X[:10] = 20 * rng.normal(size=(10, 6))
        y = AutoencoderOutlierDetector(random_state=0).fit_predict(X)
        assert (y[:10] == -1).sum() >= 9 and (y[10:] == -1).mean() < 0.015
        detector = AutoencoderOutlierDetector(random_state=0).fit(X[10:])
        assert (detector.predict(X_new) == -1).mean() < 0.015
        assert (detector.predict(20 * X_new) == -1).mean() > 0.95

    def test_takes_the_same_row_many_times_for_normal(self):
        X = np.full((50, 3), 0.1)
        detector = AutoencoderOutlierDetector(random_state=0).fit(X)
        assert (detector.predict(X[:7]) == 1).all()
        assert (detector.predict(X + 1) == -1).all()
        tied = AutoencoderOutlierDetector(FirstColumn()).fit(column([3] * 50))
        assert_array_equal(tied.predict([[3 - 1e-15], [3], [2.9]]), [1, 1, -1])


class TestContamination:
    def test_is_the_share_of_training_rows_below_the_threshold(self):
        X = column(np.random.default_rng(0).permutation(100))
        detector = AutoencoderOutlierDetector(FirstColumn(), contamination=0.07).fit(X)
        assert_array_equal(detector.predict(X) == -1, X[:, 0] < 7)
        assert detector.offset_ == np.quantile(np.arange(100), 0.07)

    @pytest.mark.parametrize("contamination", [0.1, 0.5])
    def test_is_told_to_an_estimator_that_trims(self, contamination):
        model = FirstColumn()
        fitted = AutoencoderOutlierDetector(model, contamination=contamination).fit(column([1, 2]))
        assert_allclose(fitted.estimator_.trim, contamination)
        assert_allclose(fitted.estimator_.support_fraction, 1 - contamination)
        assert fitted.estimator_.trim < 0.5 < fitted.estimator_.support_fraction
        assert model.trim is None and not hasattr(model, "rows_")

    def test_is_told_to_the_parts_of_a_pipeline(self):
        pipeline = make_pipeline(StandardScaler(), FirstColumn(trim=0.3))
        detector = AutoencoderOutlierDetector(pipeline, contamination=0.1).fit(column([1, 2]))
        parts = detector.estimator_.get_params()
        assert parts["firstcolumn__trim"] == 0.3, "the user's own word stands"
        assert parts["firstcolumn__support_fraction"] == 0.9

    @pytest.mark.parametrize("prefix", ["", "autoencodertransformer__"])
    def test_is_told_to_an_autoencoder(self, prefix, blobs):
        """Also as the last step of a pipeline; what the user set stands."""
        model = tiny(AutoencoderTransformer)
        model = make_pipeline(StandardScaler(), model) if prefix else model
        told = ("trim", "support_fraction")
        for own, expected in (
            ({}, (0.1, 0.9)),
            ({"trim": 0.3}, (0.3, 0.9)),
            ({"support_fraction": 0.6}, (0.1, 0.6)),
        ):
            user = clone(model).set_params(**{prefix + name: own[name] for name in own})
            detector = AutoencoderOutlierDetector(user, contamination=0.1).fit(blobs)
            parts = detector.estimator_.get_params()
            assert tuple(parts[prefix + name] for name in told) == expected
            assert user.get_params()[prefix + "trim"] == own.get("trim", 0.0)
            by_hand = clone(model).set_params(
                **{prefix + name: value for name, value in zip(told, expected, strict=True)}
            )
            scores = by_hand.fit(blobs).score_samples(blobs)
            assert_array_equal(detector.score_samples(blobs), scores)
        plain = AutoencoderOutlierDetector(model).fit(blobs)
        assert plain.estimator_.get_params()[prefix + "trim"] == 0.0

    def test_is_the_support_of_a_robust_covariance(self, blobs):
        model = EllipticEnvelope(random_state=0)
        detector = AutoencoderOutlierDetector(model, contamination=0.25).fit(blobs)
        by_hand = EllipticEnvelope(support_fraction=0.75, random_state=0).fit(blobs)
        assert_array_equal(detector.score_samples(blobs), by_hand.score_samples(blobs))

    @pytest.mark.parametrize("settings", [{}, {"false_alarm_rate": 0.5}])
    def test_is_not_told_where_it_is_not_known(self, settings):
        detector = AutoencoderOutlierDetector(FirstColumn(), **settings).fit(column(range(20)))
        assert detector.estimator_.trim is None
        assert detector.estimator_.support_fraction == "auto"


class TestFalseAlarmRate:
    @pytest.mark.parametrize("n_alarms", [1, 2, 7, 19])
    def test_is_exact_over_exchangeable_rows(self, n_alarms):
        """Each of 20 rows is held against the 19 others: just so many of them are alarms."""
        values, rate = np.random.default_rng(0).normal(size=20), n_alarms / 20
        alarms = [self.is_alarm(values, i, rate) for i in range(20)]
        assert_array_equal(alarms, values <= np.sort(values)[n_alarms - 1])

    @pytest.mark.parametrize("n_alarms", [1, 2, 7, 19])
    def test_is_a_bound_where_scores_are_tied(self, n_alarms):
        values, rate = np.random.default_rng(0).integers(0, 4, size=20), n_alarms / 20
        alarms = [self.is_alarm(values, i, rate) for i in range(20)]
        assert sum(alarms) <= n_alarms

    @staticmethod
    def is_alarm(values, i, rate):
        detector = AutoencoderOutlierDetector(FROZEN, false_alarm_rate=rate)
        return detector.fit(column(np.delete(values, i))).predict(column(values[[i]]))[0] == -1

    @pytest.mark.parametrize("rate", [0.01, 0.07, 0.1, 0.29, 0.58, 0.9])
    def test_predict_is_a_level_of_the_p_values(self, rate):
        values = np.random.default_rng(0).integers(0, 80, size=99)
        detector = AutoencoderOutlierDetector(FROZEN, false_alarm_rate=rate).fit(column(values))
        X_new = column([*range(-1, 81), -np.inf])
        p = detector.predict_pvalue(X_new)
        assert_array_equal(detector.predict(X_new) == -1, p <= rate)
        assert p.min() == 0.01 and p.max() == 1
        by_hand = [(1 + (values <= row[0]).sum()) / 100 for row in X_new]
        assert_array_equal(p, by_hand)

    def test_p_values_of_normal_rows_are_never_too_small(self):
        """Exchangeability alone: j of n + 1 rows have a p-value of at most j / (n + 1)."""
        values = np.random.default_rng(0).integers(0, 30, size=40)
        p = np.array(
            [
                AutoencoderOutlierDetector(FROZEN, false_alarm_rate=0.5)
                .fit(column(np.delete(values, i)))
                .predict_pvalue(column(values[[i]]))[0]
                for i in range(40)
            ]
        )
        levels = np.arange(1, 41) / 40
        assert ((p[:, None] <= levels).mean(axis=0) <= levels).all()

    @pytest.mark.parametrize("rate", [0.02, 0.1])
    def test_holds_for_new_rows_of_an_overfitted_model(self, rate):
        """Where the quantile of the training scores does not: hardly more rows than features."""
        rng = np.random.default_rng(0)
        X, X_new = rng.normal(size=(250, 60)), rng.normal(size=(4000, 60))
        detector = AutoencoderOutlierDetector(
            false_alarm_rate=rate, calibration_fraction=0.4, random_state=0
        ).fit(X)
        n_alarms = n_alarms_of(100, rate)
        few, many = betabinom(4000, n_alarms, 101 - n_alarms).ppf([1e-4, 1 - 1e-4])
        assert few <= (detector.predict(X_new) == -1).sum() <= many
        naive = AutoencoderOutlierDetector(contamination=rate).fit(X)
        assert (naive.predict(X_new) == -1).sum() > many

    def test_holds_for_a_trained_autoencoder_on_average(self):
        """Over many halves of exchangeable rows: the false alarms, within binomial error."""
        rng, rate = np.random.default_rng(0), 0.1
        mixing, n_alarms = rng.normal(size=(3, 5)), []
        for seed in range(20):
            X = np.tanh(rng.normal(size=(250, 3)) @ mixing) + 0.1 * rng.normal(size=(250, 5))
            detector = AutoencoderOutlierDetector(
                tiny(AutoencoderTransformer, random_state=seed),
                false_alarm_rate=rate,
                calibration_fraction=0.66,
                random_state=seed,
            ).fit(X[:150])
            n_alarms.append((detector.predict(X[150:]) == -1).sum())
        # 99 calibration rows: the share is Beta(10, 90), exactly the rate on average
        law = betabinom(100, 10, 90)
        assert abs(np.mean(n_alarms) - 100 * rate) < 3 * law.std() / np.sqrt(20)
        assert all(law.ppf(1e-5) <= n <= law.isf(1e-5) for n in n_alarms)

    def test_rows_held_out_are_not_learnt_from(self):
        X = column(np.arange(50))
        detector = AutoencoderOutlierDetector(
            FirstColumn(), false_alarm_rate=0.1, calibration_fraction=0.3, random_state=0
        ).fit(X)
        learnt = detector.estimator_.rows_[:, 0]
        assert len(learnt) == 35
        assert_array_equal(np.sort([*learnt, *detector.calibration_scores_]), X[:, 0])
        other = clone(detector).set_params(random_state=1).fit(X)
        assert set(other.calibration_scores_) != set(detector.calibration_scores_)

    def test_a_frozen_estimator_is_calibrated_by_all_rows(self, blobs):
        model = PCA(2).fit(blobs[:30])
        components = model.components_.copy()
        detector = AutoencoderOutlierDetector(FrozenEstimator(model), false_alarm_rate=0.1)
        detector.fit(blobs[30:])
        assert_array_equal(detector.calibration_scores_, np.sort(model.score_samples(blobs[30:])))
        assert_array_equal(model.components_, components)

    def test_says_how_many_rows_it_needs(self):
        detector = AutoencoderOutlierDetector(FirstColumn(), false_alarm_rate=0.05)
        message = (
            r"false_alarm_rate=0.05 needs 19 calibration rows, but calibration_fraction=0.2 of "
            r"n_samples=90 is 18; .* a larger calibration_fraction or a rate of at least 1 / 19"
        )
        with pytest.raises(ValueError, match=message):
            detector.fit(column(np.arange(90)))
        assert len(detector.fit(column(np.arange(91))).calibration_scores_) == 19
        with pytest.raises(ValueError, match=r"needs 19 .* but n_samples=18 is 18; pass more rows"):
            AutoencoderOutlierDetector(FROZEN, false_alarm_rate=0.05).fit(column(np.arange(18)))

    def test_is_a_threshold_and_contamination_another(self, blobs):
        with pytest.raises(
            ValueError, match=r"contamination=0.1 and false_alarm_rate=0.05 are two"
        ):
            AutoencoderOutlierDetector(contamination=0.1, false_alarm_rate=0.05).fit(blobs)

    def test_p_values_are_refused_without_it(self, blobs):
        detector = AutoencoderOutlierDetector(PCA(2), false_alarm_rate=0.1)
        with pytest.raises(NotFittedError):
            detector.predict_pvalue(blobs)
        detector.fit(blobs).set_params(false_alarm_rate=None).fit(blobs)
        with pytest.raises(ValueError, match="set it and fit again"):
            detector.predict_pvalue(blobs)
