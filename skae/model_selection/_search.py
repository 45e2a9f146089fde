"""A grid search over the width of the code that trains all candidates at once."""

import time
import warnings
from collections.abc import Callable
from copy import deepcopy
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import _fit_context, clone, is_classifier
from sklearn.model_selection import check_cv
from sklearn.model_selection._search import BaseSearchCV
from sklearn.model_selection._validation import _warn_or_raise_about_fit_failures
from sklearn.utils import get_tags, indexable
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_method_params

from skae.model_selection._candidates import candidates_of, widths_of
from skae.model_selection._choice import RULES, Race
from skae.model_selection._principal import pca_scores
from skae.model_selection._reasons import why_one_by_one
from skae.model_selection._trials import Trial, go_through, parted, trials_of


class BottleneckSearchCV(BaseSearchCV):
    """How wide a code should be, by held-out rows: a grid search that trains all fits at once.

    It is `GridSearchCV` over ``n_components``, with the same results but for the noise between
    seeds, in less time. Fits go on side by side, and those that are alike are trained as one stack
    of networks: the parameters have a dimension more, and a step moves all of them, each on its own
    fold's rows. Narrower codes are padded with components that stay zero. Each has its own best
    weights, its own gradient's length, and its own end. The rows of a fold are standardised,
    decomposed and copied once for all widths. In the end, candidates that cannot win any more are
    left as they are (`race`).

    Parameters
    ----------
    estimator : object
        An autoencoder, or a pipeline that ends with one. Its earlier steps are fitted once a fold.
        Anything else with `n_components` works, too, but one fit after another, with a warning.
    n_components : int or array-like of int, default=(2, 4, 8, 16)
        Widths of the code.
    param_grid : dict, list of dicts or None, default=None
        Values to try of other parameters, as in `GridSearchCV`, with each width. Those of `beta`,
        `corruption_level` and `sparsity_weight` are trained in one stack, others in one each.
    cv : int, splitter or iterable, default=5
        Folds, as in `GridSearchCV`.
    scoring : str, callable or None, default=None
        The score, one number. None is the estimator's, for an autoencoder the mean log-density of
        held-out rows.
    rule : {"best", "one_se"}, default="best"
        Which candidate is best: that of the highest mean score, or that of the narrowest code among
        those whose mean score is within one standard error of it [1]_.
    refit : bool, default=True
        Whether to fit the best candidate to all rows.
    race : bool, default=True
        Whether to end early with candidates that cannot win any more. Where an autoencoder holds
        out rows to find out how long to train, and then trains on all of its rows, the search has
        something to compare in between: once the best one is trained on all rows, those whose
        scores twice the largest gain by this would not bring up to it are not. Their scores are
        those of networks that have not seen the rows held out from training, so that they are a
        little low.
    n_jobs : int or None, default=None
        Threads that train stacks side by side, which share torch's threads; -1 is one for each
        core. None is 1: torch's threads then work together on one stack.
    error_score : "raise" or float, default=nan
        The score of a candidate whose fit fails.
    verbose : int, default=0
        1 tells what is going on.

    Attributes
    ----------
    cv_results_ : dict of str to ndarray
        As in `GridSearchCV`, and with its keys. A fit's time is its share of what it went on with.
    best_estimator_ : object
        The best candidate, fitted to all rows, if `refit`.
    best_score_ : float
        Its mean score over the folds.
    best_params_ : dict
        Its parameters.
    best_index_ : int
        Where it stands in `cv_results_`.
    dropped_ : ndarray of shape (n_candidates,), bool
        Which candidates were not trained on all rows of their folds: see `race`.
    pca_scores_ : ndarray of shape (n_widths, n_splits)
        The score of PCA in the autoencoder's place, for each width and fold; NaN where it has none.
    n_splits_ : int
        Number of folds.
    scorer_ : callable
        What scores.
    refit_time_ : float
        Seconds that fitting the best candidate to all rows took.
    multimetric_ : bool
        False.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if they are all strings.

    See Also
    --------
    sklearn.model_selection.GridSearchCV : The same for any estimator.

    References
    ----------
    .. [1] Hastie, Tibshirani & Friedman (2009). The elements of statistical learning, section 7.10.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.model_selection import KFold
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skae import AutoencoderTransformer
    >>> from skae.model_selection import BottleneckSearchCV
    >>> X, _ = load_wine(return_X_y=True)
    >>> autoencoder = AutoencoderTransformer(max_iter=10, random_state=0)
    >>> pipeline = make_pipeline(StandardScaler(), autoencoder)
    >>> folds = KFold(3, shuffle=True, random_state=0)
    >>> search = BottleneckSearchCV(pipeline, n_components=(1, 2, 4), cv=folds).fit(X)
    >>> search.best_params_
    {'autoencodertransformer__n_components': 4}
    >>> search.transform(X).shape
    (178, 4)
    """

    pre_dispatch = "2*n_jobs"
    return_train_score = False

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "estimator": [HasMethods(["fit"])],
        "n_components": [Integral, "array-like"],
        "param_grid": [dict, list, None],
        "cv": ["cv_object"],
        "scoring": [*BaseSearchCV._parameter_constraints["scoring"][:2], None],
        "rule": [StrOptions(set(RULES))],
        "refit": ["boolean"],
        "race": ["boolean"],
        "n_jobs": [Integral, None],
        "error_score": [StrOptions({"raise"}), Real],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        estimator,
        n_components=(2, 4, 8, 16),
        *,
        param_grid=None,
        cv=5,
        scoring=None,
        rule="best",
        refit=True,
        race=True,
        n_jobs=None,
        error_score=np.nan,
        verbose=0,
    ):
        self.estimator = estimator
        self.n_components = n_components
        self.param_grid = param_grid
        self.cv = cv
        self.scoring = scoring
        self.rule = rule
        self.refit = refit
        self.race = race
        self.n_jobs = n_jobs
        self.error_score = error_score
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags, own = super().__sklearn_tags__(), get_tags(self.estimator)
        tags.transformer_tags = deepcopy(own.transformer_tags)
        tags.input_tags = deepcopy(own.input_tags)
        tags.array_api_support = False  # what it finds out about candidates is numpy's
        return tags

    @_fit_context(prefer_skip_nested_validation=False)  # the estimator's is another's affair
    def fit(self, X, y=None, **params):
        """Fit each candidate to each fold, and the best one to all rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, as the estimator takes them.
        y : array-like of shape (n_samples,) or None, default=None
            For splitters and scorers that want it.
        **params : dict of str to object
            `sample_weight` of the fits, and of the scores where the scorer takes it, and `groups`
            of the splitter; under metadata routing, what is requested.

        Returns
        -------
        self : object
            Fitted.

        Raises
        ------
        ValueError
            If `n_components` holds anything but positive integers, or if all fits fail.
        """
        self.dropped_ = np.zeros(len(self._candidates), dtype=bool)
        fit_params = self._get_routed_params_for_fit(_check_method_params(X, params=params))
        reason = why_one_by_one(self, self._candidates, fit_params.estimator.fit)
        if reason is None:
            self._fit_at_once(X, y, params)
        else:
            warnings.warn(
                f"{reason} So the candidates are trained one after another, as by GridSearchCV.",
                stacklevel=2,
            )
            super().fit(X, y, **params)
            splits = list(self._checked_cv_orig.split(X, y, **fit_params.splitter.split))
            self.pca_scores_ = self._pca_scores(splits, X, y, self.scorer_)
        return self

    @available_if(lambda search: hasattr(search.estimator, "transform"))
    def fit_transform(self, X, y=None, **params):
        """Fit, and transform the same rows by the best candidate.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or None, default=None
            See `fit`.
        **params : dict of str to object
            See `fit`.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Codes.
        """
        return self.fit(X, y, **params).transform(X)

    def score(self, X, y=None, **params):
        """Score of the best candidate on some rows, by `scoring`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or None, default=None
            For scorers that want it.
        **params : dict of str to object
            What the scorer is passed, under metadata routing.

        Returns
        -------
        score : float
            Higher is better.
        """
        return super().score(X, y, **params)

    @property
    def n_features_in_(self) -> int:
        """Number of features seen in `fit`."""
        return super().n_features_in_

    @property
    def _width(self) -> str:
        """The parameter that is the width of the code."""
        step = parted(self.estimator)[1]
        names = [name for name, value in self.estimator.get_params().items() if value is step]
        return f"{names[-1]}__n_components" if step is not self.estimator else "n_components"

    @property
    def _candidates(self) -> list[dict[str, Any]]:
        return candidates_of(widths_of(self.n_components), self._width, self.param_grid)

    def _run_search(self, evaluate_candidates, *, callback_ctx=None):
        """Try all candidates, as BaseSearchCV asks for it, one by one."""
        context = callback_ctx.subcontext(
            task_name="search",
            max_subtasks=len(self._candidates) * self.n_splits_,
            sequential_subtasks=False,
        ).call_on_fit_task_begin(estimator=self)
        evaluate_candidates(self._candidates, callback_ctx=context)
        context.call_on_fit_task_end(estimator=self)

    def _select_best_index(self, refit, refit_metric, results):
        return RULES[self.rule](results, f"param_{self._width}")

    def _fit_at_once(self, X, y, params: dict) -> None:
        scorer, _ = self._get_scorers()
        X, y = indexable(X, y)
        params = _check_method_params(X, params=params)
        routed = self._get_routed_params_for_fit(params)
        cv = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        splits = list(cv.split(X, y, **routed.splitter.split))
        trials = trials_of(
            self.estimator,
            self._candidates,
            splits,
            X,
            y,
            width=self._width,
            fit_params=routed.estimator.fit,
            score_params=routed.scorer.score,
            error_score=self.error_score,
        )
        self.n_splits_, self.multimetric_, self.scorer_ = len(splits), False, scorer
        self._say(f"{len(self._candidates)} candidates on each of {len(splits)} folds, all at once")
        scores = self._run(trials, scorer)
        self.cv_results_ = self._results(trials, scores)
        self.pca_scores_ = self._pca_scores(splits, X, y, scorer)
        self.best_index_ = self._select_best_index(None, None, self.cv_results_)
        self.best_score_ = self.cv_results_["mean_test_score"][self.best_index_]
        self.best_params_ = self.cv_results_["params"][self.best_index_]
        if self.refit:
            self._refit(X, y, routed.estimator.fit)

    def _run(self, trials: list[Trial], scorer: Callable) -> np.ndarray:
        """Go through all trials, as far as need be, and score them."""
        n_jobs, shape = effective_n_jobs(self.n_jobs), (-1, self.n_splits_)
        go_through(trials, n_jobs, until=lambda trial: self.race and trial.refits)
        waiting = [trial for trial in trials if trial.waiting]
        for trial in waiting:
            trial.settle()
        scores = np.reshape([trial.score(scorer) for trial in trials], shape)
        race = Race(scores=scores.copy(), spread=self.rule == "one_se")
        while waiting and (chosen := race.next()):
            some = [trial for trial in trials if trial.candidate in chosen]
            self._say(f"{len(chosen)} candidates go on to all rows of their folds")
            go_through(some, n_jobs, until=lambda trial: False)
            for candidate in chosen:
                own = [trial for trial in some if trial.candidate == candidate]
                race.finish(candidate, np.array([trial.score(scorer) for trial in own]))
        for trial in trials:
            if trial.waiting:
                self.dropped_[trial.candidate] = True
                trial.drop()
        return race.scores

    def _results(self, trials: list[Trial], scores: np.ndarray) -> dict[str, Any]:
        out = [
            {
                "fit_error": trial.fit_error,
                "test_scores": score,
                "fit_time": trial.seconds,
                "score_time": trial.score_seconds,
            }
            for trial, score in zip(trials, scores.ravel(), strict=True)
        ]
        _warn_or_raise_about_fit_failures(out, self.error_score)
        return self._format_results(self._candidates, self.n_splits_, out)

    def _pca_scores(self, splits, X, y, scorer) -> np.ndarray:
        head, _ = parted(self.estimator)
        return pca_scores(head, widths_of(self.n_components), splits, X, y, scorer)

    def _refit(self, X, y, fit_params: dict) -> None:
        self.best_estimator_ = clone(self.estimator).set_params(
            **clone(self.best_params_, safe=False)
        )
        begun = time.perf_counter()
        self.best_estimator_.fit(X, y, **fit_params)
        self.refit_time_ = time.perf_counter() - begun
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_

    def _say(self, line: str) -> None:
        if self.verbose:
            print(f"[{type(self).__name__}] {line}")
