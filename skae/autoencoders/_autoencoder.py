"""The plain autoencoder: nothing is added to the base."""

from skae.autoencoders._bottleneck import BottleneckAutoencoder
from skae.autoencoders._documentation import variant


@variant
class AutoencoderTransformer(BottleneckAutoencoder):
    r"""Autoencoder that starts as PCA and keeps what beats it on held-out rows.

    The encoder and the decoder are each the sum of a linear path and a network,

    .. math:: z = A x + a + f(x), \qquad \hat x = h\bigl(B z + b + g(z)\bigr),

    and minimise the mean of :math:`\ell(\hat x, x)` over the training rows. The linear paths start
    as the principal components of the data and the networks start silent, so that before the first
    step the autoencoder *is* PCA. It is trained for as long as held-out rows gain by it: not at
    all, if they do not. Codes come in a canonical basis: centred, uncorrelated and sorted by the
    output variance that they drive, like principal components.

    Features are not rescaled, just as PCA does not; put a
    :class:`~sklearn.preprocessing.StandardScaler` in front where their units differ.

    See Also
    --------
    sklearn.decomposition.PCA : Where it starts.
    sklearn.decomposition.KernelPCA : Nonlinear components without a decoder.

    References
    ----------
    .. [1] Baldi & Hornik (1989). Neural networks and principal component analysis: learning from
       examples without local minima. Neural Networks 2.
    .. [2] Hinton & Salakhutdinov (2006). Reducing the dimensionality of data with neural networks.
       Science 313.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from skae import AutoencoderTransformer
    >>> X = load_digits().data
    >>> model = AutoencoderTransformer(8, max_iter=10, random_state=0).fit(X[:1500])
    >>> Z = model.transform(X[1500:])
    >>> Z.shape
    (297, 8)
    >>> pca = PCA(8).fit(X[:1500])
    >>> error = ((X[1500:] - model.inverse_transform(Z)) ** 2).mean()
    >>> pca_error = ((X[1500:] - pca.inverse_transform(pca.transform(X[1500:]))) ** 2).mean()
    >>> bool(error < 0.75 * pca_error)
    True
    """
