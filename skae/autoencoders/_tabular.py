"""The autoencoder of tables with numbers and categories, for frames as they are."""

from dataclasses import asdict, replace
from typing import Any, ClassVar

import narwhals as nw
import numpy as np
import torch
from sklearn.utils import check_array
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import validate_data

from skae.autoencoders._base import BaseAutoencoder
from skae.autoencoders._columns import Column, Columns
from skae.autoencoders._documentation import variant
from skae.autoencoders._mixed import (
    MixedStart,
    MixedUnits,
    columns_from,
    mixed_density,
    root_mean_square,
)
from skae.autoencoders._namespaces import on_host
from skae.autoencoders._parameters import Parameters
from skae.autoencoders._scores import framed
from skae.autoencoders._table import FLOATS, checked, expanded
from skae.nn import RECONSTRUCTIONS, MixedAutoencoder, MixedCanonical, shares_along_path
from skae.training import to_numpy, to_tensor

UNBOUNDED = {name for name, loss in RECONSTRUCTIONS.items() if loss.bounds is None}


@variant
class TabularAutoencoder(BaseAutoencoder):
    r"""Autoencoder of tables whose columns are numbers, booleans and categories.

    .. math:: \min \; \mathbb{E}_x \Bigl[ \sum_{j \in \text{numbers}}
        \tfrac12 \Bigl(\frac{x_j - \hat x_j}{s_j}\Bigr)^2
        - \sum_{j \in \text{categories}} \log \hat p_j(x_j) \Bigr]

    A frame of pandas, polars or another library goes in as it is, and `inverse_transform` gives one
    back, with its columns, dtypes and categories. Numbers are standardised, each column by itself,
    and reconstructed under `loss`; booleans, and categories of two kinds, have a Bernoulli head and
    others a softmax. Strings are categories. A category enters as an indicator over the root of its
    share, and the linear path is its embedding: codes start as those of factor analysis of mixed
    data [1]_ (PCA, if all columns are numbers; multiple correspondence analysis, if none is), and
    what reads categories from them as logistic regressions. Training then goes on for as long as
    held-out rows gain by it.

    A missing cell of any kind is estimated for the encoder from the others of its row, and has no
    part in the loss. No column is dropped: other types, such as dates, are refused by name.

    Parameters
    ----------
    loss : {"squared_error", "absolute_error", "huber"}, default="squared_error"
        The reconstruction error of numbers, in standard deviations of their columns.
    categorical_features : "from_dtype", array-like or None, default="from_dtype"
        Columns that are categories: by their dtypes (strings, categoricals, enums), or by names,
        numbers from 0, or one bool for each; None is none. Booleans are always booleans.
    handle_unknown : {"missing", "error"}, default="missing"
        What a category is that was not there in `fit`.

    Attributes
    ----------
    categories_ : list of (list or None)
        Of each column, in the order of their codes; None for numbers.
    mean_ : ndarray of shape (n_features,)
        Mean of each column of numbers, the code of the most frequent category of the others.
    explained_variance_ : ndarray of shape (n_components,), float64
        Output variance that each component drives, in the units that codes start in: a number's
        total is 1, and that of a column of K categories K - 1.
    noise_variance_ : float
        Mean variance, in these units, of the dimensions that the code leaves out.
    module_ : torch.nn.Module
        The fitted network, with ``encode`` and ``decode``, for rows of numbers and codes of
        categories, on the CPU.

    See Also
    --------
    AutoencoderTransformer : For columns that share a unit, and are not to be rescaled.
    sklearn.compose.ColumnTransformer : Other ways to make numbers of columns.

    References
    ----------
    .. [1] Pagès (2004). Analyse factorielle de données mixtes. Revue de statistique appliquée 52.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from skae import TabularAutoencoder
    >>> rng = np.random.default_rng(0)
    >>> age = rng.integers(18, 80, size=400)
    >>> stage = np.where(age < 25, "student", np.where(age < 65, "worker", "retired"))
    >>> owns = age + rng.normal(scale=10, size=400) > 45
    >>> frame = pd.DataFrame({"age": age, "stage": stage, "owns": owns})
    >>> model = TabularAutoencoder(1, max_iter=30, random_state=0).fit(frame[:300])
    >>> Z = model.transform(frame[300:])
    >>> Z.shape
    (100, 1)
    >>> back = model.inverse_transform(Z)
    >>> bool((back.dtypes == frame.dtypes).all())
    True
    >>> bool((back["stage"].to_numpy() == frame["stage"][300:].to_numpy()).mean() > 0.9)
    True
    """

    categorical_features: Any = "from_dtype"
    handle_unknown: str = "missing"

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **Parameters._parameter_constraints,
        "loss": [StrOptions(UNBOUNDED)],
        "categorical_features": [StrOptions({"from_dtype"}), "array-like", None],
        "handle_unknown": [StrOptions({"missing", "error"})],
    }

    _module = MixedAutoencoder
    _canonical = MixedCanonical

    # Columns

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = tags.array_api_support = False
        return tags

    def __setstate__(self, state):
        """Refuse columns that are not those of the fitted module."""
        super().__setstate__(state)
        if hasattr(self, "module_"):
            module = self.module_.columns
            sizes = (self.n_features_in_, module.n_binary, *module.sizes)
            if self._columns.sizes != sizes:
                raise ValueError("The columns are not those of the fitted module.")

    @property
    def _columns(self) -> Columns:
        library, columns = self._encoding
        return Columns(library=library, columns=[Column(**column) for column in columns])

    def _checked(self, X, *, reset):
        if not reset and self._encoding is None:  # codes already
            return checked(self, X, reset=reset, sparse=False)
        frame = nw.from_native(on_host(X), eager_only=True, pass_through=True)
        is_frame = isinstance(frame, nw.DataFrame)
        if not (reset or is_frame or self._columns.takes_arrays):
            raise ValueError(
                f"{type(self).__name__} was fitted on a DataFrame with categories, but X is an "
                f"array; pass a DataFrame with the columns {self._columns.names}."
            )
        if is_frame:
            validate_data(self, X, skip_check_array=True, reset=reset)
        else:
            frame = checked(self, frame, reset=reset, sparse=False)
        if reset and not (self.warm_start and hasattr(self, "module_")):
            make = Columns.of_frame if is_frame else Columns.of_array
            found = make(frame, self.categorical_features)
            self._encoding = (found.library, [asdict(column) for column in found.columns])
        columns = self._columns
        if is_frame and columns.library is None:
            columns = columns.named(frame.columns)
        coded = columns.coded(frame, "missing" if reset else self.handle_unknown)
        return check_array(
            coded, dtype=FLOATS, ensure_all_finite="allow-nan", estimator=self, input_name="X"
        )

    def _streamed(self, source, sample_weight):
        raise TypeError(
            f"{type(self).__name__} takes frames and arrays, not {source!r}; fit a sample of the "
            "rows, or pass the parts of a frame to partial_fit."
        )

    def _as_given(self, X):
        return self._columns.decoded(X)

    # Fitting

    def _units(self, table, previous):
        if previous is not None:
            return MixedUnits.from_module(previous.autoencoder.reconstruction)
        return MixedUnits.of(table.X, table.weights, self._columns)

    def _fitting(self, table, units, random_state, checkpoint):
        fitting = super()._fitting(table, units, random_state, checkpoint)

        def architecture(n_components: int) -> dict[str, Any]:
            made = fitting.architecture(n_components)
            return made | {"module": made["module"] | {"columns": vars(units)}}

        return replace(fitting, architecture=architecture)

    @classmethod
    def _build(cls, architecture, rng):
        module = dict(architecture["module"])
        module["columns"] = columns_from(module["columns"])
        return super()._build(architecture | {"module": module}, rng)

    def _widest_code(self, shape):
        return min(shape[0], self._columns.rank)  # the cells of a column depend on each other

    def _linear_start(self, X, n_components, module, random_state):
        axes = super()._linear_start(X, n_components, module, random_state)
        return MixedStart.at(axes, X, module)

    @staticmethod
    def _unweighted(X, weights):
        return X[expanded(weights, len(X))]  # rows of categories are not to be mixed

    def _density(self, reading, noise_variance):
        module, code_map = reading.module, reading.code_map
        code_std = to_tensor(reading.code_std)
        return mixed_density(
            module,
            reading.some_rows,
            reading.codes(),
            lambda w: module.output(code_map.undo(w * code_std)),
            reading.code_std,
        )

    def _fitted_attributes(self, table, fitting, units, architecture, fitted):
        attributes = super()._fitted_attributes(table, fitting, units, architecture, fitted)
        mean = units.typical(attributes["mean_"])
        categories = [column.categories for column in self._columns.columns]
        return attributes | {"mean_": mean, "categories_": categories}

    # Using it

    def inverse_transform(self, X):
        """Rows for some codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Codes, as `transform` returns them.

        Returns
        -------
        X_original : DataFrame or ndarray of shape (n_samples, n_features)
            Reconstructions, with the likeliest categories: a frame of the library that `fit` saw,
            with its columns, dtypes and categories, integers rounded; an array, in the codes'
            dtype, if it saw one.

        Raises
        ------
        NotFittedError
            If `fit` has not been called.
        ValueError
            If X has a number of columns other than ``n_components_``, or is not finite.
        """
        coded, index = super().inverse_transform(X), getattr(X, "index", None)
        return coded if self._encoding is None else self._columns.decoded(coded, index)

    def category_probabilities(self, X):
        """How likely each category is for some codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Codes, as `transform` returns them.

        Returns
        -------
        probabilities : dict of str to ndarray of shape (n_samples, n_categories)
            Of each column of booleans or categories, by name (by number, if `fit` saw an array), in
            the order of `categories_`; rows sum to 1.

        Raises
        ------
        NotFittedError
            If `fit` has not been called.
        ValueError
            If X has a number of columns other than ``n_components_``, or is not finite.
        """
        X = self._given_codes(X)
        cells = self._map(MixedCanonical.probabilities, X, X.dtype)
        columns = self.module_.columns
        return self._columns.shares(cells, to_numpy(columns.source)[columns.n_numeric :])

    def score_samples(self, X):
        r"""Log-likelihood of each row under the fitted model.

        .. math:: \log p(x) = \log \int p(z) \prod_j p\bigl(x_j \mid g(z)\bigr)\, dz

        for a normal code z: the density of numbers, with a noise of its own learned for each
        column, and the probability of booleans and categories, given the decoder's output. The
        integral is Laplace's approximation at the row's most likely code, found from the encoder's,
        and exact for numbers and a linear decoder, where it is the log-likelihood of factor
        analysis. Missing cells are left out of the product. Models of the same columns can be
        compared whatever the width of their codes; integers are taken for numbers with a density.

        Parameters
        ----------
        X : {array-like, DataFrame} of shape (n_samples, n_features)
            Rows with the columns seen in `fit`.

        Returns
        -------
        log_likelihood : ndarray of shape (n_samples,), float64
            In nats; higher is more normal. Numbers are measured in the units of X.

        Raises
        ------
        NotFittedError
            If `fit` has not been called.
        ValueError
            If X has columns other than those of `fit`, or holds infinity.
        """
        X = self._rows(X, "score_samples")
        log_density, width = self._log_density()
        return self._map(log_density, X, np.float64, width=width)

    def _log_density(self):
        n_cells = len(self.module_.columns.source)
        return MixedCanonical.log_density, self.n_components_ * (n_cells + self.n_components_)

    def explain(self, X):
        r"""Which cells make a row an outlier, and by how much.

        Shares along the straight way from a typical row, that of the code zero, as in other
        autoencoders: a category changes into another by degrees, and has the shares of its
        indicators together. The shares of a row add up to what the typical row is likelier.
        Missing cells are filled in before, and have a share, too.

        Parameters
        ----------
        X : {array-like, DataFrame} of shape (n_samples, n_features)
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
            If X has columns other than those of `fit`, or holds infinity.
        """
        rows, width = self._rows(X, "explain"), self._log_density()[1]

        def shares(module: MixedCanonical, x: torch.Tensor) -> torch.Tensor:
            columns = module.columns
            typical = columns.cells(module.typical(self.n_components_)[None])[0]
            cells = shares_along_path(module.log_density_of_cells, module.standardize(x), typical)
            return torch.zeros_like(x).index_add_(1, columns.source, cells)

        return framed(self._map(shares, rows, np.float64, width=4 * width), X)

    def reconstruction_error(self, X, per_cell=False):
        r"""How far rows are from their reconstructions.

        Parameters
        ----------
        X : {array-like, DataFrame} of shape (n_samples, n_features)
            Rows with the columns seen in `fit`.
        per_cell : bool, default=False
            Whether to tell the cells of a row apart.

        Returns
        -------
        error : ndarray of shape (n_samples,) or (n_samples, n_features), float64
            Of a cell :math:`|x_j - \hat x_j|`, in the units of its column, or one less the
            probability of its category; of a row the root of their mean square, in which columns
            with large units weigh more (`score_samples` has no units). Missing cells do not count,
            and are NaN.

        Raises
        ------
        NotFittedError
            If `fit` has not been called.
        ValueError
            If X has columns other than those of `fit`, or holds infinity.
        """
        rows = self._rows(X, "reconstruction_error")
        cells = self._map(MixedCanonical.cell_errors, rows, np.float64)
        return cells if per_cell else root_mean_square(cells)
