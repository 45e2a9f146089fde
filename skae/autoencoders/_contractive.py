"""The contractive autoencoder: codes that hardly move when rows do."""

from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skae.autoencoders._bottleneck import BottleneckAutoencoder
from skae.autoencoders._documentation import variant
from skae.autoencoders._start import Axes
from skae.autoencoders._warnings import Idleness, silent_components
from skae.nn import ContractiveAutoencoder as ContractiveModule

FAINT = 1e-3
"""Least share of a principal component that the start lets through."""


@variant
class ContractiveAutoencoder(BottleneckAutoencoder):
    r"""Autoencoder whose encoder is charged for its slopes, so that noise on a row moves no code.

    .. math:: \min_{f, g} \; \mathbb{E}_x \Bigl[ \ell\bigl(g(f(x)), x\bigr)
        + \lambda\, \|J(x)\|_F^2 \Bigr], \qquad J(x) = \frac{\partial f(x)}{\partial x}

    Reconstruction asks the code to move along the directions in which rows differ; the charge asks
    it to stay where it is in all others. To first order it is what Gaussian noise of variance
    :math:`2\lambda` costs, in units of the centred data's root mean square: a denoising autoencoder
    without the draws. The start is the best linear one, in closed form: principal components, each
    shrunk by :math:`1 - \lambda / v_j` for its variance :math:`v_j`.

    An encoder could evade the charge: half the code, twice the decoder. Tied weights, the default,
    stand against that, since an encoder that shrinks then takes its decoder with it.

    Parameters
    ----------
    tied_weights : bool or None, default=None
        Whether the decoder's linear maps are the encoder's transposed. None ties them unless there
        are `decoder_layer_sizes` or a module of your own; the charge can be evaded then.
    contraction_weight : float, default=0.1
        :math:`\lambda`, at least 0, in nats. It does not depend on the scale of X: slopes have no
        unit, and errors are counted in units of the centred data's root mean square.
    n_probes : int or None, default=1
        Random directions of code space, drawn afresh for each row and step, that the norm is
        estimated by without bias; the cost of each is about that of a step without the charge.
        None computes it from all `n_components` axes. One layer has a closed form.

    See Also
    --------
    DenoisingAutoencoder : Noise on the rows in place of the charge.

    References
    ----------
    .. [1] Rifai et al. (2011). Contractive auto-encoders: explicit invariance during feature
       extraction. ICML.
    .. [2] Alain & Bengio (2014). What regularized auto-encoders learn from the data-generating
       distribution. JMLR 15.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from skae import AutoencoderTransformer, ContractiveAutoencoder
    >>> X = load_digits().data
    >>> noise = np.random.default_rng(0).normal(size=(297, 64))
    >>> def movement(model):
    ...     Z = model.fit(X[:1500]).transform(X[1500:])
    ...     return np.mean((model.transform(X[1500:] + noise) - Z) ** 2)
    >>> settings = {"n_components": 8, "max_iter": 8, "random_state": 0}
    >>> contractive = movement(ContractiveAutoencoder(**settings))
    >>> bool(contractive < movement(AutoencoderTransformer(**settings)))
    True
    """

    tied_weights: bool | None = None  # type: ignore[assignment]
    contraction_weight: float = 0.1
    n_probes: int | None = 1

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **BottleneckAutoencoder._parameter_constraints,
        "tied_weights": ["boolean", None],
        "contraction_weight": [Interval(Real, 0, None, closed="left")],
        "n_probes": [Interval(Integral, 1, None, closed="left"), None],
    }

    _module = ContractiveModule
    _is_lossless = False
    _idleness = Idleness(
        which=silent_components,
        share=1.0,  # to silence components that are hardly more than noise is what it is for
        kind="Collapse",
        fact="drive next to none of the output's variance",
        way_out="Lower contraction_weight, or scale the features.",
    )

    def _architecture(self, shape, noise, n_components):
        architecture = super()._architecture(shape, noise, n_components)
        if self.tied_weights is None:
            own = (self.decoder_layer_sizes, self.encoder, self.decoder)
            architecture["coders"]["tied_weights"] = all(part is None for part in own)
        architecture["module"] |= {
            "contraction_weight": self.contraction_weight,
            "n_probes": self.n_probes,
        }
        return architecture

    @staticmethod
    def _linear_start(X, n_components, module, random_state):
        axes = BottleneckAutoencoder._linear_start(X, n_components, module, random_state)
        return contracted(axes, X, module.contraction_weight)


def contracted(axes: Axes, X: np.ndarray, weight: float) -> Axes:
    r"""The linear autoencoder with tied weights that does best if its slopes are charged for.

    .. math:: \min_W \tfrac12 \mathbb{E} \|x - W^\top W x\|^2 + \lambda \|W\|_F^2
        \quad\Rightarrow\quad w_j = \sqrt{1 - \lambda / v_j}\; u_j

    for principal components :math:`u_j` of variances :math:`v_j > \lambda`; of others, a share of
    `FAINT` is left to learn from.

    Parameters
    ----------
    axes : Axes
        Without the charge.
    X : ndarray of shape (n_samples, n_features)
        Rows.
    weight : float
        :math:`\lambda`.

    Returns
    -------
    axes : Axes
        What is read has shrunk.
    """
    variance = np.square((X - axes.mean) @ axes.reader.T).mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(variance > 0, 1 - weight / variance, 1.0)
    return axes._replace(reader=np.maximum(share, FAINT)[:, None] * axes.reader)
