"""The sparse autoencoder: a dictionary, and codes with few entries."""

import math
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from sklearn.utils._param_validation import Interval, StrOptions

from skae.autoencoders._base import BaseAutoencoder
from skae.autoencoders._canonical import own_axes
from skae.autoencoders._density import spike_and_slab
from skae.autoencoders._documentation import variant
from skae.autoencoders._namespaces import on_host
from skae.autoencoders._parameters import Parameters
from skae.autoencoders._sizes import auto
from skae.autoencoders._start import dictionary_of_rows
from skae.autoencoders._table import expanded
from skae.autoencoders._warnings import Idleness
from skae.nn import SPARSITIES, Canonical
from skae.nn import SparseAutoencoder as SparseModule
from skae.training import to_numpy

DENSE_CELLS = 2**24
"""Cells of codes that are dense at once on their way to a sparse matrix: 128 MiB of float64."""


@variant
class SparseAutoencoder(BaseAutoencoder):
    r"""Autoencoder whose rows each use few of many components: it learns a dictionary.

    .. math:: x \approx D z + b, \qquad \|d_j\| = 1, \qquad z \text{ sparse}

    The decoder is linear, its columns are the atoms :math:`d_j`, of unit norm, and there may be
    more of them than features. How a row is coded, `sparsity` says. By default there is no encoder
    to train: a row's atoms are chosen one after another by what is left of it, and their
    coefficients solve least squares, for a whole batch at once.

    The dictionary starts as rows of the data, not at PCA, whose axes every row uses. Atoms that go
    unused are drawn to what the others leave unexplained.

    Codes are neither centred nor uncorrelated; their components are sorted by the output variance
    that they drive.

    Parameters
    ----------
    n_components : int, float or None, default=None
        Number of atoms; an int may exceed the number of features. None is as many as features. A
        float in (0, 1) asks for the fewest that explain this share of the held-out variance.
    hidden_layer_sizes : "auto" or sequence of int, default=()
        Hidden widths of a network beside the linear encoder; "pursuit" has no encoder.
    decoder_layer_sizes : sequence of int or None, default=()
        Hidden widths of a network beside the dictionary, whose part `components_` leaves out;
        "pursuit" has none.
    init : {"data", "random"}, default="data"
        Whether atoms start as rows of the data, less their mean, or in random directions.
    learning_rate_init : "auto" or float, default="auto"
        Peak of the learning rate, positive. "auto" is 0.02 for "pursuit", else 0.005.
    sparsity : str, default="pursuit"
        How codes become sparse. "pursuit": atoms are chosen in rounds, by orthogonal matching
        pursuit. "top_k": the `n_nonzero_coefs` largest readings of a linear encoder. "batch_top_k":
        as many on average over a batch, and in `transform` those above the batches' mean cutoff.
        "l1": readings shrunk by learned thresholds, their sizes charged. "jump_relu": readings
        above learned thresholds, their number charged. "kl": logistic activations, charged where
        their means differ from `target_activation`; they are small rather than zero.
    n_nonzero_coefs : "auto" or int, default="auto"
        Components that a row uses, under "pursuit", "top_k" and, on average, "batch_top_k". "auto"
        is a tenth of the number of features.
    n_readings : "auto" or int, default="auto"
        Rounds of a pursuit: one atom a round is best, several are faster. "auto" is one atom a
        round, in at most 10 rounds.
    sparsity_weight : float, default=0.1
        What "l1" charges for a unit of code, in units of the centred data's root mean square,
        "jump_relu" for each component used, and "kl" for each nat; in nats per row, at least 0.
    target_activation : float in (0, 1), default=0.05
        Mean activation that "kl" draws every component to.
    positive_code : bool, default=False
        Whether coefficients may not be negative; those of "kl" never are.
    sparse_output : bool, default=False
        Whether `transform` gives a sparse matrix.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        The dictionary: atoms of unit norm, one a row.
    activation_density_ : ndarray of shape (n_components,)
        Share of the training rows (of a part of them, where their codes would take more than
        512 MiB) that use each component.
    dead_components_ : ndarray of shape (n_components,), bool
        Which components none of them uses.
    explained_variance_ : ndarray of shape (n_components,), float64
        Output variance that each component drives, largest first, in all what the reconstructions
        of the training rows explain.
    noise_variance_ : float
        Mean squared residual of a cell of the training rows.

    See Also
    --------
    sklearn.decomposition.MiniBatchDictionaryLearning : Codes found by a LASSO for each row.

    References
    ----------
    .. [1] Olshausen & Field (1996). Emergence of simple-cell receptive field properties by
       learning a sparse code for natural images. Nature 381.
    .. [2] Pati, Rezaiifar & Krishnaprasad (1993). Orthogonal matching pursuit. Asilomar.
    .. [3] Makhzani & Frey (2013). k-sparse autoencoders. arXiv:1312.5663.
    .. [4] Gao et al. (2024). Scaling and evaluating sparse autoencoders. arXiv:2406.04093.
    .. [5] Rajamanoharan et al. (2024). Jumping ahead: improving reconstruction fidelity with
       JumpReLU sparse autoencoders. arXiv:2407.14435.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import SparseAutoencoder
    >>> X = load_digits().data
    >>> model = SparseAutoencoder(128, n_nonzero_coefs=5, sparse_output=True, max_iter=10,
    ...                           random_state=0)
    >>> Z = model.fit(X[:1500]).transform(X[1500:])
    >>> Z.shape, int(Z.nnz / 297)
    ((297, 128), 5)
    >>> error = ((X[1500:] - model.inverse_transform(Z)) ** 2).sum()
    >>> bool(error < 0.2 * ((X[1500:] - model.mean_) ** 2).sum())
    True
    """

    hidden_layer_sizes: Any = ()
    decoder_layer_sizes: Any = ()
    init: str = "data"
    sparsity: str = "pursuit"
    n_nonzero_coefs: int | str = "auto"
    n_readings: int | str = "auto"
    sparsity_weight: float = 0.1
    target_activation: float = 0.05
    positive_code: bool = False
    sparse_output: bool = False

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **Parameters._parameter_constraints,
        "init": [StrOptions({"data", "random"})],
        "sparsity": [StrOptions(set(SPARSITIES))],
        "n_nonzero_coefs": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "n_readings": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "sparsity_weight": [Interval(Real, 0, None, closed="left")],
        "target_activation": [Interval(Real, 0, 1, closed="neither")],
        "positive_code": ["boolean"],
        "sparse_output": ["boolean"],
    }

    _module = SparseModule
    _axes = staticmethod(own_axes)
    _is_lossless = False
    _idleness = Idleness(
        which=lambda model: model.dead_components_,
        share=2 / 3,  # some are dead in many wide dictionaries, and do no harm
        kind="Dead components",
        fact="are used by none of the training rows",
        way_out="Pass a smaller n_components, a larger n_nonzero_coefs (or a lower "
        "sparsity_weight), or scale the features.",
    )

    def _check_architecture(self):
        super()._check_architecture()
        if self.sparsity == "pursuit" and self.loss != "squared_error":
            raise ValueError(
                f"sparsity='pursuit' solves least squares, but loss={self.loss!r}; take another "
                "sparsity, or loss='squared_error'."
            )
        most = self.n_components if isinstance(self.n_components, Integral) else math.inf
        if auto(self.n_nonzero_coefs, lambda: 1) > most:
            raise ValueError(
                f"n_nonzero_coefs={self.n_nonzero_coefs} is more than n_components="
                f"{self.n_components}; a row cannot use more components than there are."
            )

    def _has_linear_start(self):
        return True

    def _widest_code(self, shape):
        return math.inf  # a dictionary may have more atoms than the data have features

    def _architecture(self, shape, noise, n_components):
        architecture = super()._architecture(shape, noise, n_components)
        if self.sparsity == "pursuit":  # the dictionary is all there is
            nothing = {"hidden_layer_sizes": (), "decoder_layer_sizes": (), "custom": (None, None)}
            architecture["coders"] |= {"tied_weights": True, **nothing}
        n_nonzero_coefs = min(
            auto(self.n_nonzero_coefs, lambda: max(1, shape[1] // 10)), n_components
        )
        architecture["module"] |= {
            "n_components": n_components,
            "sparsity": self.sparsity,
            "n_nonzero_coefs": n_nonzero_coefs,
            "n_readings": min(auto(self.n_readings, lambda: 10), n_nonzero_coefs),
            "sparsity_weight": self.sparsity_weight,
            "target_activation": self.target_activation,
            "positive_code": self.positive_code,
        }
        return architecture

    def _trainer(self, shape):
        # atoms alone bear a higher rate than an encoder does
        rate = auto(self.learning_rate_init, lambda: 0.02 if self.sparsity == "pursuit" else 0.005)
        return replace(super()._trainer(shape), learning_rate_init=rate)

    @staticmethod
    def _unweighted(X, weights):
        return X[expanded(weights, len(X))]  # atoms start as rows, not as mixtures of them

    def _linear_start(self, X, n_components, module, random_state):
        return dictionary_of_rows(X, n_components, random_state, random=self.init == "random")

    def _noise_variance(self, squared_residual, shape, n_components):
        return float(squared_residual.mean()) / shape[1]  # no dimension is left out or kept

    def _density(self, reading, noise_variance):
        axes, unit = reading.axes, reading.axes.std / reading.axes.width
        floor = np.finfo(np.float64).eps * float(np.square(unit).max())
        return spike_and_slab(
            reading.Z[:, axes.order] / unit,
            unit,
            code_std=reading.code_std,
            noise_variance=max(noise_variance, floor),
        )

    def _own_attributes(self, reading, units):
        density = (reading.Z[:, reading.axes.order] != 0).mean(axis=0)
        return {
            "components_": to_numpy(reading.module.decoder.path.atoms)[reading.axes.order],
            "activation_density_": density,
            "dead_components_": density == 0,
        }

    def transform(self, X):
        """Codes of some rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with the columns seen in `fit`.

        Returns
        -------
        Z : ndarray or scipy.sparse.csr_array of shape (n_samples, n_components)
            Coefficients of the atoms, in X's dtype; sparse if `sparse_output`.

        Raises
        ------
        NotFittedError
            If `fit` has not been called.
        ValueError
            If X has a number of columns other than ``n_features_in_``, or holds infinity.
        """
        X = self._rows(X, "transform")
        if not self.sparse_output:
            return self._codes(X)
        step = max(1, DENSE_CELLS // self.n_components_)
        chunks = [on_host(self._codes(X[i : i + step])) for i in range(0, X.shape[0], step)]
        return sp.vstack([sp.csr_array(chunk) for chunk in chunks], format="csr")

    def inverse_transform(self, X):
        """Rows for some codes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_components)
            Codes, as `transform` returns them.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            Reconstructions in data space, in the codes' dtype.

        Raises
        ------
        NotFittedError
            If `fit` has not been called.
        ValueError
            If X has a number of columns other than ``n_components_``, or is not finite.
        """
        if not sp.issparse(X):
            return super().inverse_transform(X)
        X, step = sp.csr_array(X), max(1, DENSE_CELLS // X.shape[1])
        rows = (X[i : i + step].toarray() for i in range(0, X.shape[0], step))
        return np.vstack([super(SparseAutoencoder, self).inverse_transform(part) for part in rows])

    def _codes(self, X: Any) -> Any:
        """Dense codes; a pursuit holds a row's atoms for each of its coefficients."""
        width = self.module_.autoencoder.n_nonzero_coefs * self.n_features_in_
        return self._map(Canonical.encode, X, X.dtype, width)
