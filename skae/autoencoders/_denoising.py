"""The denoising autoencoder: noise on what the encoder sees, and a way to use it."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skae.autoencoders._bottleneck import BottleneckAutoencoder
from skae.autoencoders._documentation import variant
from skae.autoencoders._namespaces import get_namespace, like, numpy_dtype, on_host
from skae.nn import Canonical
from skae.training import to_numpy


@variant
class DenoisingAutoencoder(BottleneckAutoencoder):
    r"""Autoencoder that is shown corrupted rows and learns to give back the clean ones.

    .. math:: \min \; \mathbb{E}_x \, \mathbb{E}_{\tilde x \sim c(\tilde x | x)} \,
        \ell\bigl(g(f(\tilde x)), x\bigr)

    Noise c is drawn afresh for every step. The start is the best *linear* denoiser, in closed form:
    reduced-rank regression of clean rows on corrupted ones, which is ridge regression's filter for
    Gaussian noise, and PCA for none. It is trained for as long as held-out corrupted rows are
    restored better. Any autoencoder of skae takes `corruption`; this one has it by default, and
    `denoise`.

    The wider the code, the more of a row comes through; against overfitting there is the noise. So
    `n_components` may well be None, which keeps as many as there are features.

    Parameters
    ----------
    corruption : str or None, default="gaussian"
        Noise on what the encoder sees in training, drawn afresh for every step: "gaussian" is added
        to each cell; "masking_mean" and "masking_zero" put the column's mean, or 0, in place of a
        share of the cells, "salt_and_pepper" the column's least or greatest value, "swap" the
        value of another row, which suits tables, and "block" the mean in place of a run of a series
        or a rectangle of an image. None is the plain autoencoder.

    See Also
    --------
    AutoencoderTransformer : The same without noise.
    sklearn.impute.IterativeImputer : Fills in missing cells, one feature at a time.

    References
    ----------
    .. [1] Vincent et al. (2008). Extracting and composing robust features with denoising
       autoencoders. ICML.
    .. [2] Vincent et al. (2010). Stacked denoising autoencoders. JMLR 11.
    .. [3] Chen et al. (2012). Marginalized denoising autoencoders for domain adaptation. ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from skae import DenoisingAutoencoder
    >>> X = load_digits().data / 16
    >>> noisy = X + np.random.default_rng(0).normal(scale=0.5, size=X.shape)
    >>> model = DenoisingAutoencoder(32, corruption_level=0.5, max_iter=10, random_state=0)
    >>> clean = model.fit(X[:1500]).denoise(noisy[1500:])
    >>> error = np.mean((clean - X[1500:]) ** 2)
    >>> bool(error < 0.2 * np.mean((noisy[1500:] - X[1500:]) ** 2))
    True
    """

    corruption: str | None = "gaussian"

    def denoise(self, X, n_passes=1):
        """Clean estimates of some rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with the columns seen in `fit`. NaN marks a cell that is missing.
        n_passes : int, default=1
            How often to estimate. From the second pass on the encoder sees the last estimate, or,
            in rows with missing cells, the last estimate of these and the others as given.

        Returns
        -------
        X_clean : ndarray of shape (n_samples, n_features)
            The decoder's estimate of every cell, in data space, in X's dtype.

        Raises
        ------
        NotFittedError
            If `fit` has not been called.
        ValueError
            If X has a number of columns other than ``n_features_in_``, or holds infinity, or
            `n_passes` is less than 1.
        """
        check_is_fitted(self)
        if n_passes < 1:
            raise ValueError(f"n_passes={n_passes!r} must be at least 1.")
        X = self._rows(X, "denoise")
        xp, _ = get_namespace(X)
        missing = xp.isnan(X)
        filled = like(self._filled().astype(numpy_dtype(X.dtype)), X)
        seen = xp.where(missing, filled, X)
        given = xp.any(missing, axis=1, keepdims=True) & ~missing
        for _ in range(n_passes):
            estimate = self._map(Canonical.forward, seen, X.dtype)
            seen = xp.where(given, X, estimate)
        return estimate

    def _filled(self) -> np.ndarray:
        """What stands for a missing cell at first: what the noise puts there, or the mean."""
        module = self.module_
        if module.autoencoder.corruption is None:
            return on_host(self.mean_)
        return to_numpy(module.autoencoder.corruption.filled() * module.scale + module.location)
