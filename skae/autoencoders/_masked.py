"""The masked autoencoder: cells hidden at random, predicted from the rest of their row."""

from typing import ClassVar

from skae.autoencoders._bottleneck import BottleneckAutoencoder
from skae.autoencoders._documentation import variant
from skae.autoencoders._namespaces import get_namespace
from skae.nn import GapCanonical
from skae.nn import MaskedAutoencoder as MaskedModule


@variant
class MaskedAutoencoder(BottleneckAutoencoder):
    r"""Autoencoder that is shown some cells of a row, and learns to predict the others.

    .. math:: \min \; \mathbb{E}_{x, m} \sum_{j:\, m_j = 1}
        \ell_j\bigl(g(f(x \odot (1 - m), m)), x\bigr)

    where the mask m, drawn afresh for every step, is 1 for cells that are hidden. Only they count
    in the loss, and the encoder is told which they are, so that it can tell a cell that is hidden
    from one at its column's mean. To predict a cell from others asks for how features hang
    together, and not for their values; codes learnt in this way are features for whatever is asked
    next, and the same network fills in missing cells, by `impute`.

    The start is the best linear map from masked rows to whole ones. With noise that is not of the
    masking kinds, or `emphasis` below 1, the loss is that of :class:`DenoisingAutoencoder`. Cells
    that are NaN are to the encoder what hidden ones are, in training and in use, and never count.

    Parameters
    ----------
    corruption : str or None, default="masking_mean"
        How cells are hidden: "masking_mean" and "masking_zero" hide each by itself (they differ in
        what the linear start takes it for), "block" a run of a series or a rectangle of an image.
        "gaussian", "salt_and_pepper" and "swap" spoil cells without hiding them, None leaves them
        alone.
    corruption_level : "auto", float or pair of floats, default=(0.1, 0.7)
        Share of the cells to hide, in [0, 1]. A pair is the least and the greatest share: one
        between them is drawn for every batch, so that the encoder knows rows with few gaps and
        with many. "auto" is 0.2.
    emphasis : float in [0, 1], default=1.0
        What the loss on cells that were shown loses of its weight: 1 counts hidden cells only.
    encoder, decoder : torch.nn.Module or None, default=None
        Modules to take the place of the built-in networks f and g: they map (n, n_features) to
        (n, n_components) and back. They are copied, never trained in place, and stand behind gains
        that start at zero. An encoder is not told of gaps; they are 0 to it, in units whose
        mean that is.

    See Also
    --------
    skae.impute.AutoencoderImputer : Fills in cells, and nothing else, without a bottleneck.
    DenoisingAutoencoder : All cells count, and the encoder is not told.

    References
    ----------
    .. [1] He et al. (2022). Masked autoencoders are scalable vision learners. CVPR.
    .. [2] Majmundar et al. (2022). MET: masked encoding for tabular data. arXiv:2206.08564.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from skae import MaskedAutoencoder
    >>> X = load_digits().data / 16
    >>> model = MaskedAutoencoder(32, max_iter=10, random_state=0).fit(X[:1500])
    >>> X_holes = X[1500:].copy()
    >>> X_holes[np.random.default_rng(0).random(X_holes.shape) < 0.5] = np.nan
    >>> model.transform(X_holes).shape
    (297, 32)
    >>> error = ((model.impute(X_holes) - X[1500:]) ** 2).mean()
    >>> mean = np.where(np.isnan(X_holes), X[:1500].mean(axis=0), X_holes)
    >>> bool(error < 0.5 * ((mean - X[1500:]) ** 2).mean())
    True
    """

    corruption: str | None = "masking_mean"
    corruption_level: float | tuple[float, float] | str = (0.1, 0.7)
    emphasis: float = 1.0

    _module = MaskedModule
    _canonical: ClassVar = GapCanonical

    def _architecture(self, shape, noise, n_components):
        architecture = super()._architecture(shape, noise, n_components)
        architecture["coders"]["gaps"] = True
        return architecture

    def impute(self, X):
        """Rows with their missing cells predicted.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with the columns seen in `fit`. NaN marks a cell that is missing.

        Returns
        -------
        X_whole : ndarray of shape (n_samples, n_features)
            The cells that are known, as they are, and predictions of the others, in X's dtype.

        Raises
        ------
        NotFittedError
            If `fit` has not been called.
        ValueError
            If X has a number of columns other than ``n_features_in_``, or holds infinity.
        """
        X = self._rows(X, "impute")
        X = X.toarray() if hasattr(X, "toarray") else X
        xp, _ = get_namespace(X)
        return xp.where(xp.isnan(X), self._map(GapCanonical.forward, X, X.dtype), X)
