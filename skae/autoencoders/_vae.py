"""The variational autoencoder: a latent variable model with a density and samples."""

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils import check_random_state, metadata_routing
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skae.autoencoders._base import BaseAutoencoder
from skae.autoencoders._canonical import own_axes
from skae.autoencoders._documentation import variant
from skae.autoencoders._draws import draws_for_bound, draws_for_elbo
from skae.autoencoders._namespaces import like, numpy_dtype, on_host
from skae.autoencoders._parameters import Parameters
from skae.autoencoders._start import factor_model
from skae.autoencoders._warnings import Idleness
from skae.nn import LIKELIHOODS, Canonical, VariationalAutoencoder
from skae.training import generator, resolve_device, to_numpy, to_tensor

ACTIVE = 0.01
"""Variance of a component's posterior mean, of at most 1, from which it counts as active."""


@variant
class VAETransformer(BaseAutoencoder):
    r"""Variational autoencoder: a code with a standard normal prior, and a density of the data.

    .. math:: z \sim \mathcal{N}(0, I), \quad x \sim p(x | z), \qquad
        q(z | x) = \mathcal{N}\bigl(\mu(x), \mathrm{diag}\,\sigma^2(x)\bigr)

    It maximises a lower bound on the log-likelihood of the training rows,

    .. math:: \mathbb{E}_{z \sim q(z|x)} \log p(x | z)
        - \beta\, \mathrm{KL}\bigl(q(z | x) \,\|\, \mathcal{N}(0, I)\bigr).

    The encoder and the decoder are sums of a linear path and a network, and the start is exact:
    probabilistic PCA with its posterior, or factor analysis if each feature has its own noise. It
    is trained for as long as the bound on held-out rows rises. The noise of the likelihood is
    learned.

    Codes keep the axes that the prior gives them, sorted by the output variance that they drive.

    Parameters
    ----------
    loss : str, default="squared_error"
        Minus the log-likelihood, but for constants: "squared_error" is a Gaussian,
        "absolute_error" a Laplace, "binary_cross_entropy" a Bernoulli distribution of each feature
        around the decoder's output. For the last, X lies in [0, 1], and values between
        the two are probabilities: every step draws them afresh to 0 or 1.
    encoder, decoder : torch.nn.Module or None, default=None
        Modules to take the place of the built-in networks: they map (n, n_features) to
        (n, 2 n_components), means and log-variances side by side, and (n, n_components) back. They
        are copied, never trained in place. Under ``init="pca"`` each stands behind a gain that
        starts at zero.
    whiten : bool, default=False
        Whether components are divided by their standard deviations over the training rows;
        otherwise their unit is the prior's.
    noise : {"diagonal", "isotropic"}, default="diagonal"
        Whether the likelihood has one noise scale for all features, as probabilistic PCA has, or
        one for each, as factor analysis has.
    beta : float, default=1.0
        Weight of the divergence, at least 0. The bound holds for 1; more makes codes that say less
        and are easier to tell apart.
    kl_warm_up : float in [0, 1], default=0.0
        Share of training over which that weight rises from 0. From a random start it keeps
        components from being given up before they are of use; the start here needs none.
    free_bits : float, default=0.0
        Nats that each component may say, on average over a batch, before it is charged for; at
        least 0. Not used with several importance samples.
    n_importance_samples : int, default=1
        Codes drawn for each row. With more than one, training and `score_samples` take the
        importance-weighted bound, which is tighter.

    Attributes
    ----------
    noise_variance_ : float or ndarray of shape (n_features,)
        Variance of the likelihood's noise, an array if `noise` is "diagonal"; mean squared
        residual of each dimension left out under a Bernoulli likelihood.
    validation_scores_ : list of float
        Bound on the log-likelihood of the held-out rows, in nats per row, in units of the centred
        data's root mean square, after each epoch of the run, or runs, that chose their number; the
        first is the start's.
    active_components_ : ndarray of shape (n_components,), bool
        Which components say anything: the variance of their posterior means over the training rows
        is above 0.01.

    See Also
    --------
    sklearn.decomposition.FactorAnalysis : The linear model with noise of each feature's own.
    sklearn.mixture.GaussianMixture : Another density with samples.

    References
    ----------
    .. [1] Kingma & Welling (2014). Auto-encoding variational Bayes. ICLR.
    .. [2] Burda, Grosse & Salakhutdinov (2016). Importance weighted autoencoders. ICLR.
    .. [3] Lucas et al. (2019). Don't blame the ELBO! A linear VAE perspective on posterior
       collapse. NeurIPS.
    .. [4] Kingma et al. (2016). Improving variational inference with inverse autoregressive flow,
       section C.8. NeurIPS.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from skae import VAETransformer
    >>> X = load_digits().data
    >>> model = VAETransformer(8, max_iter=10, random_state=0).fit(X[:1500])
    >>> mean, std = model.transform(X[1500:], return_std=True)
    >>> mean.shape, std.shape
    ((297, 8), (297, 8))
    >>> bool(model.score(X[1500:]) > PCA(8).fit(X[:1500]).score(X[1500:]))
    True
    >>> model.sample(3).shape
    (3, 64)
    """

    noise: str = "diagonal"
    beta: float = 1.0
    kl_warm_up: float = 0.0
    free_bits: float = 0.0
    n_importance_samples: int = 1

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **Parameters._parameter_constraints,
        "loss": [StrOptions(set(LIKELIHOODS))],
        "noise": [StrOptions({"isotropic", "diagonal"})],
        "beta": [Interval(Real, 0, None, closed="left")],
        "kl_warm_up": [Interval(Real, 0, 1, closed="both")],
        "free_bits": [Interval(Real, 0, None, closed="left")],
        "n_importance_samples": [Interval(Integral, 1, None, closed="left")],
    }

    # not something to ask a Pipeline to pass on
    __metadata_request__transform: ClassVar = {"return_std": metadata_routing.UNUSED}

    _module = VariationalAutoencoder
    _axes = staticmethod(own_axes)
    _is_lossless = False
    _idleness = Idleness(
        which=lambda model: ~model.active_components_,
        share=1.0,  # to give up components that the data do not need is what the prior is for
        kind="Posterior collapse",
        fact="do not depend on the rows any more",
        way_out="Lower beta, set free_bits or kl_warm_up, or scale the features.",
    )

    def _architecture(self, shape, noise, n_components):
        architecture = super()._architecture(shape, noise, n_components)
        architecture["coders"]["n_outputs"] = 2 * n_components
        own = ("noise", "beta", "kl_warm_up", "free_bits", "n_importance_samples")
        architecture["module"] |= {name: getattr(self, name) for name in own}
        architecture["module"] |= {"n_components": n_components, "n_features": shape[1]}
        return architecture

    def _linear_start(self, X, n_components, module, random_state):
        noise = "bernoulli" if module.log_noise is None else self.noise
        return factor_model(X, n_components, noise, random_state)

    def _code_unit(self, units):
        return 1.0  # that of the prior

    def _own_attributes(self, reading, units):
        module = reading.module
        attributes = {"active_components_": reading.Z[:, reading.axes.order].var(axis=0) > ACTIVE}
        if module.log_noise is not None:
            variance = to_numpy(module.likelihood.variance * module.noise_scale**2)
            variance = variance * units.squared_scale
            shared = module.log_noise.ndim == 0
            attributes["noise_variance_"] = float(variance[0]) if shared else variance
        return attributes

    def transform(self, X, return_std=False):
        """Posterior means, and deviations, of the codes of some rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with the columns seen in `fit`.
        return_std : bool, default=False
            Whether to give the posterior's standard deviations, too.

        Returns
        -------
        mean : ndarray of shape (n_samples, n_components)
            In units of the prior's deviation (of the training rows', if `whiten`), in X's dtype.
        std : ndarray of shape (n_samples, n_components)
            In the same units; only if `return_std`.

        Raises
        ------
        NotFittedError
            If `fit` has not been called.
        ValueError
            If X has a number of columns other than ``n_features_in_``, or holds infinity.
        """
        mean, std = self._posterior(X, "transform")
        return (mean, std) if return_std else mean

    def _posterior(self, X, method: str) -> tuple[Any, Any]:
        def mean_and_std(module: Canonical, x: torch.Tensor) -> torch.Tensor:
            mean, log_var = module.autoencoder.posterior(module.standardize(x))
            return torch.hstack([module.code_map(mean), module.code_map((0.5 * log_var).exp())])

        X = self._rows(X, method)
        Z = self._map(mean_and_std, X, X.dtype)
        return Z[:, : self.n_components_], Z[:, self.n_components_ :]

    def _random_state(self, random_state) -> np.random.RandomState:
        return check_random_state(self.random_state if random_state is None else random_state)

    def sample_posterior(self, X, *, random_state=None):
        """Draw a code for each row from its posterior.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with the columns seen in `fit`.
        random_state : int, RandomState instance or None, default=None
            Where the codes come from; None takes the estimator's.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            In the units of `transform`, in X's dtype.

        Raises
        ------
        NotFittedError
            If `fit` has not been called.
        ValueError
            If X has a number of columns other than ``n_features_in_``, or holds infinity.
        """
        mean, std = self._posterior(X, "sample_posterior")
        random_state = check_random_state(
            self.random_state if random_state is None else random_state
        )
        noise = random_state.standard_normal(mean.shape).astype(numpy_dtype(mean.dtype))
        return mean + std * like(noise, mean)

    def sample(self, n_samples=1, *, noise=True, random_state=None):
        """Draw new rows from the model.

        Parameters
        ----------
        n_samples : int, default=1
            How many.
        noise : bool, default=True
            Whether to draw from the likelihood, too; otherwise rows are decoded codes, which look
            smoother than data.
        random_state : int, RandomState instance or None, default=None
            Where the rows come from; None takes the estimator's.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            In data space, in the dtype of the training rows.

        Raises
        ------
        NotFittedError
            If `fit` has not been called.
        ValueError
            If `n_samples` is less than 1.
        """
        check_is_fitted(self)
        if n_samples < 1:
            raise ValueError(f"n_samples={n_samples!r} must be at least 1.")
        random_state = check_random_state(
            self.random_state if random_state is None else random_state
        )
        Z = random_state.standard_normal((n_samples, self.n_components_))
        seed = int(random_state.randint(2**31 - 1))
        rng = generator(seed, resolve_device(self.device)) if noise else None

        def draw(module: Canonical, z: torch.Tensor) -> torch.Tensor:
            return module.autoencoder.draw(z, rng) * module.scale + module.location

        return like(self._map(draw, Z, self.mean_.dtype), self.mean_)

    def score_samples(self, X, n_importance_samples=None):
        r"""Lower bound on the log-likelihood of each row.

        With one importance sample it is the evidence lower bound,

        .. math:: \mathbb{E}_{z \sim q(z|x)} \log p(x | z)
            - \mathrm{KL}\bigl(q(z | x) \,\|\, \mathcal{N}(0, I)\bigr),

        averaged over draws of mean 0 and covariance I, so that it is exact for a linear decoder;
        with K of them it is the tighter

        .. math:: \log \frac1K \sum_{i=1}^K \frac{p(x | z_i)\, p(z_i)}{q(z_i | x)},
            \qquad z_i \sim q(z | x).

        The draws are the same for all rows and all calls. A hundredth of the density is that of the
        linear start, so that a row like no other is at most 4.6 nats less likely than under
        probabilistic PCA or factor analysis, whatever the networks say of it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with the columns seen in `fit`; under a Bernoulli likelihood, of zeros and ones.
        n_importance_samples : int or None, default=None
            K; None takes the estimator's.

        Returns
        -------
        log_density : ndarray of shape (n_samples,), float64
            In nats; higher is more normal.

        Raises
        ------
        NotFittedError
            If `fit` has not been called.
        ValueError
            If X has a number of columns other than ``n_features_in_``, holds infinity, or values
            outside [0, 1] under a Bernoulli likelihood, or `n_importance_samples` is less than 1.
        """
        X = self._rows(X, "score_samples")
        if self.module_.autoencoder.log_noise is None:
            self._check_bounds(on_host(X))
        log_density, width = self._log_density(n_importance_samples)
        return self._map(log_density, X, np.float64, width=width)

    def _log_density(self, n_importance_samples=None):
        n_draws = n_importance_samples or self.n_importance_samples
        if n_draws < 1:
            raise ValueError(f"n_importance_samples={n_draws!r} must be at least 1.")
        importance = n_draws > 1
        draws = (draws_for_bound if importance else draws_for_elbo)(self.n_components_, n_draws)

        def bound(module: Canonical, x: torch.Tensor) -> torch.Tensor:
            known = (~x.isnan()).to(x.dtype)
            log_density = module.autoencoder.log_likelihood_bound(
                module.standardize(x),
                to_tensor(draws, device=x.device),
                importance=importance,
                weight=known,
            )
            continuous = module.autoencoder.log_noise is not None
            return log_density - continuous * known.sum(dim=1) * module.scale.log()

        return bound, len(draws) * self.n_features_in_
