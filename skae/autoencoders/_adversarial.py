"""The adversarial autoencoder: codes that an adversary cannot tell from a prior."""

from collections.abc import Sequence
from typing import ClassVar

from skae.autoencoders._documentation import variant
from skae.autoencoders._prior import PriorAutoencoder
from skae.nn import AdversarialAutoencoder as AdversarialModule
from skae.nn import discriminator


@variant
class AdversarialAutoencoder(PriorAutoencoder):
    r"""Autoencoder whose codes an adversary cannot tell from draws of a prior.

    .. math:: \max_D \; \mathbb{E}_{z \sim p} \log \sigma\bigl(D(z)\bigr)
        + \mathbb{E}_x \log \sigma\bigl(-D(f(x))\bigr)
        - \tfrac12 \mathbb{E} \|\nabla D\|^2, \qquad
        \min_{f, g} \; \mathbb{E}_x \Bigl[ \ell\bigl(g(f(x)), x\bigr)
        - \lambda\, d\, \log \sigma\bigl(D(f(x))\bigr) \Bigr]

    with d features. On each batch the adversary takes its turn and then the coders take theirs; no
    turn moves the other's weights, and the charge for the adversary's slopes keeps the players from
    running in circles. New rows are decoded draws. The start is PCA with components of unit
    variance, whose mean and covariance are the prior's, and an adversary that says nothing.

    What an adversary says is no measure of progress: it is low where the adversary is weak. So the
    number of epochs is chosen by held-out rows' reconstructions and the discrepancy of their codes
    from the prior, as `WassersteinAutoencoder` counts it, with a weight of 1.

    Codes keep the axes and the units of the prior, sorted by the output variance that they drive.

    Parameters
    ----------
    prior_weight : float, default=0.1
        :math:`\lambda`, at least 0: what a nat of the adversary's costs, in nats a feature, where
        the error of saying the mean is 1/2.
    discriminator_layer_sizes : sequence of int, default=(64, 64)
        Hidden widths of the adversary.

    See Also
    --------
    WassersteinAutoencoder : Kernels in place of the adversary: steadier, and usually enough.
    VAETransformer : A posterior for each row; a density, too.

    References
    ----------
    .. [1] Makhzani et al. (2015). Adversarial autoencoders. arXiv:1511.05644.
    .. [2] Mescheder, Geiger & Nowozin (2018). Which training methods for GANs do actually
       converge? ICML.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import AdversarialAutoencoder
    >>> X = load_digits().data
    >>> model = AdversarialAutoencoder(8, max_iter=12, random_state=0).fit(X[:1500])
    >>> Z = model.transform(X[:1500])
    >>> bool(abs(Z.mean()) < 0.1), bool(abs(Z.std() - 1) < 0.1)
    (True, True)
    >>> model.sample(3).shape
    (3, 64)
    """

    prior_weight: float = 0.1
    discriminator_layer_sizes: Sequence[int] = (64, 64)

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **PriorAutoencoder._parameter_constraints,
        "discriminator_layer_sizes": ["array-like"],
    }

    _layer_sizes = (*PriorAutoencoder._layer_sizes, "discriminator_layer_sizes")
    _module = AdversarialModule

    def _architecture(self, shape, noise, n_components):
        architecture = super()._architecture(shape, noise, n_components)
        architecture["module"]["discriminator"] = list(self.discriminator_layer_sizes)
        return architecture

    @classmethod
    def _build(cls, architecture, rng):
        module = dict(architecture["module"])
        adversary = discriminator(module["n_components"], module["discriminator"], rng)
        return super()._build(
            {**architecture, "module": module | {"discriminator": adversary}}, rng
        )
