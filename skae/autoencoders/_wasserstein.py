"""The Wasserstein autoencoder: codes that follow a prior, as far as kernels can tell."""

from skae.autoencoders._documentation import variant
from skae.autoencoders._prior import PriorAutoencoder
from skae.nn import WassersteinAutoencoder as WassersteinModule


@variant
class WassersteinAutoencoder(PriorAutoencoder):
    r"""Autoencoder whose codes, of all rows together, follow a prior.

    .. math:: \min_{f, g} \; \mathbb{E}_x\, \ell\bigl(g(f(x)), x\bigr)
        + \lambda\, d\, \mathrm{MMD}^2\bigl(f(x), p(z)\bigr), \qquad z \sim p(z)

    with d features. The maximum mean discrepancy compares distances within and between a batch of
    codes and as many draws from the prior, by inverse multiquadratic kernels of seven scales and
    without bias. So new rows are decoded draws, as with a variational autoencoder, while codes
    have no noise and reconstructions do not blur for it. The start is PCA with components of unit
    variance, whose mean and covariance are the prior's.

    Codes keep the axes and the units of the prior, sorted by the output variance that they drive.

    Parameters
    ----------
    prior_weight : float, default=1.0
        :math:`\lambda`, at least 0: what a squared discrepancy of 1 costs, in nats a feature, where
        the error of saying the mean is 1/2. Discrepancies of 0.01 can be seen.

    See Also
    --------
    AdversarialAutoencoder : An adversary in place of the kernels.
    VAETransformer : A posterior for each row; a density, too.

    References
    ----------
    .. [1] Tolstikhin et al. (2018). Wasserstein auto-encoders. ICLR.
    .. [2] Gretton et al. (2012). A kernel two-sample test. JMLR 13.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import WassersteinAutoencoder
    >>> X = load_digits().data
    >>> model = WassersteinAutoencoder(8, max_iter=10, random_state=0).fit(X[:1500])
    >>> Z = model.transform(X[:1500])
    >>> bool(abs(Z.mean()) < 0.1), bool(abs(Z.std() - 1) < 0.1)
    (True, True)
    >>> model.sample(3).shape
    (3, 64)
    """

    _module = WassersteinModule
