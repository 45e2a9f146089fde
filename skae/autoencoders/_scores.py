"""How likely a row is, how well it is reconstructed, and why it is an outlier."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils._set_output import _get_adapter_from_container
from torch import Tensor

from skae.autoencoders._namespaces import on_host
from skae.nn import Canonical, shares_along_path


class ScoresMixin:
    """Scores of rows; the estimator brings its fitted module."""

    module_: Canonical
    _canonical: ClassVar[type[Canonical]]
    n_features_in_: int
    n_components_: int
    _rows: Callable[[Any, str], Any]
    _map: Callable[..., Any]

    def score_samples(self, X):
        r"""Log-density of each row under the fitted model.

        A density over the code and the residual, made one of the rows by the decoder's Jacobian,
        so that models with codes of different widths can be compared. Where the decoder is linear
        and the density isotropic, this is the log-likelihood of probabilistic PCA, and equal to
        ``PCA.score_samples``. Missing cells are integrated out, to second order.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with the columns seen in `fit`.

        Returns
        -------
        log_density : ndarray of shape (n_samples,), float64
            In nats; higher is more normal.

        Raises
        ------
        NotFittedError
            If `fit` has not been called.
        ValueError
            If X has a number of columns other than ``n_features_in_``, or holds infinity.
        """
        X = self._rows(X, "score_samples")
        log_density, width = self._log_density()
        return self._map(log_density, X, np.float64, width=width)

    def score(self, X, y=None, sample_weight=None):
        """Mean log-density of some rows, so that a grid search maximises held-out likelihood.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with the columns seen in `fit`.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the rows in the mean.

        Returns
        -------
        log_density : float
            In nats per row; higher is better.
        """
        log_density = on_host(self.score_samples(X))
        return float(np.average(log_density, weights=on_host(sample_weight)))

    def explain(self, X):
        r"""Which cells make a row an outlier, and by how much.

        .. math:: \phi_j = -(x_j - t_j) \int_0^1
            \frac{\partial \log p}{\partial x_j}\bigl(t + s\,(x - t)\bigr)\, ds

        along the straight way from a typical row t, what the decoder makes of the code zero. The
        shares of a row add up to :math:`\log p(t) - \log p(x)`, exactly; missing cells are filled
        in before, and have a share, too. Where the density is Gaussian, as with a linear decoder,
        shares are :math:`\tfrac12 (x - t)_j [C^{-1} (x - t)]_j`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with the columns seen in `fit`.

        Returns
        -------
        shares : ndarray or DataFrame of shape (n_samples, n_features), float64
            In nats; positive where a cell makes its row less likely than the typical one. A
            DataFrame, with X's columns and index, if X is one.

        Raises
        ------
        NotFittedError
            If `fit` has not been called.
        ValueError
            If X has a number of columns other than ``n_features_in_``, or holds infinity.

        References
        ----------
        .. [1] Sundararajan, Taly & Yan (2017). Axiomatic attribution for deep networks. ICML.
        """
        rows = self._map(self._canonical.complete, self._rows(X, "explain"), np.float64)
        log_density, width = self._log_density()

        def shares(module: Canonical, x: Tensor) -> Tensor:
            typical = module.typical(self.n_components_)
            return shares_along_path(partial(log_density, module), x, typical)

        return framed(self._map(shares, rows, np.float64, width=4 * width), X)

    def reconstruction_error(self, X, per_cell=False):
        r"""How far rows are from their reconstructions.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with the columns seen in `fit`.
        per_cell : bool, default=False
            Whether to tell the cells of a row apart.

        Returns
        -------
        error : ndarray of shape (n_samples,) or (n_samples, n_features), float64
            :math:`\sqrt{\tfrac1d \sum_j (x_j - \hat x_j)^2}` of each row, or
            :math:`|x_j - \hat x_j|` of each cell, in the units of X; at least 0. Missing cells do
            not count, and are NaN.

        Raises
        ------
        NotFittedError
            If `fit` has not been called.
        ValueError
            If X has a number of columns other than ``n_features_in_``, or holds infinity.
        """
        X = self._rows(X, "reconstruction_error")

        def distance(module: Canonical, x: Tensor) -> Tensor:
            known = ~x.isnan()
            cells = (module.standardize(x) - module.standardize(module(x))).abs()
            if per_cell:
                error = cells.where(known, torch.nan)
            else:
                n_known = known.sum(dim=1).clamp(min=1)
                error = (cells.square().where(known, 0.0).sum(dim=1) / n_known).sqrt()
            return error * module.scale  # last, as squares of very large or small units are none

        return self._map(distance, X, np.float64)

    def _log_density(self) -> tuple[Callable[[Canonical, Tensor], Tensor], int]:
        """The function behind the scores, and how many numbers a row takes on its way."""
        return self._canonical.log_density, self.module_.density.width


def framed(found: np.ndarray, X: Any) -> Any:
    """An array shaped like X as a frame with X's columns and index, if X is one."""
    adapter = _get_adapter_from_container(X) if hasattr(X, "columns") else None
    if adapter is None:
        return found
    return adapter.create_container(found, X, columns=list(X.columns), inplace=False)
