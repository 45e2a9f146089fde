"""Estimators from files that need not be trusted."""

import os
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

import skae
from skae.autoencoders._keeping import check_finite, weights_among
from skae.files import FileFormatError, read, unpack, unseal

TRIAL = {
    "device": "cpu",
    "n_importance_samples": 1,
    "_sklearn_output_config": {"transform": "default"},
    "feature_names_in_": None,
    "_encoding": None,
}
"""What is set aside when a loaded estimator is tried out: the host may be another one."""


def load(path: str | os.PathLike) -> BaseEstimator:
    """Read an estimator from a file that `save` has written.

    No file, wherever it comes from, can make this function run code of the file's: there is none in
    the format, and classes are looked up in a list of skae's own.

    Parameters
    ----------
    path : str or path-like
        Where.

    Returns
    -------
    estimator : object
        Equal to the one that was saved: parameters, fitted attributes, and all that it computes.

    Raises
    ------
    FileFormatError
        A `ValueError`: if the file is none of skae's, cut short, changed since it was written, or
        by a later version of skae.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> import skae
    >>> X = np.random.default_rng(0).normal(size=(50, 4))
    >>> model = skae.AutoencoderTransformer(2, max_iter=10, random_state=0).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.safetensors")
    ...     model.save(path)
    ...     loaded = skae.load(path)
    >>> bool((loaded.transform(X) == model.transform(X)).all())
    True
    """
    return loads(read(path))


def loads(data: bytes) -> BaseEstimator:
    """The estimator that the bytes of a file hold.

    Parameters
    ----------
    data : bytes
        What `save` has written.

    Returns
    -------
    estimator : object
        See `load`.

    Raises
    ------
    FileFormatError
        See `load`.
    """
    content, arrays = unseal(data)
    try:
        check_finite(weights_among(arrays))
        estimator = unpack(content, arrays, made)
        if type(estimator) not in estimators().values():
            raise ValueError(f"it holds a {type(estimator).__name__}, and no estimator")
    except FileFormatError:
        raise
    except Exception as error:  # what a checksum vouches for may have been forged together with it
        raise FileFormatError(
            f"The file holds no estimator that this skae knows: {error}. Upgrade skae if a later "
            "version wrote the file; otherwise do not trust it."
        ) from error
    return estimator


def estimators() -> dict[str, type[BaseEstimator]]:
    """The classes that a file may name, by their names."""
    from skae import outliers  # slow to import

    public = {name: getattr(skae, name) for name in skae.__all__}
    public |= {name: getattr(outliers, name) for name in outliers.__all__}
    return {
        name: cls
        for name, cls in public.items()
        if isinstance(cls, type) and issubclass(cls, BaseEstimator)
    }


def made(name: str, fields: dict[str, Any]) -> Any:
    """A value of a class that a file may name, with some fields."""
    cls = estimators().get(name)
    if cls is None:
        raise ValueError(f"it names the class {name[:60]!r}, which is not one of skae's")
    if shadowed := (set(fields) & set(dir(cls))) - set(cls._get_param_names()):
        raise ValueError(f"it has a value in the place of {min(shadowed)!r} of {name}")
    estimator = object.__new__(cls)
    estimator.__setstate__(fields)
    estimator._validate_params()
    try_out(estimator)
    return estimator


def try_out(estimator: BaseEstimator) -> None:
    """See that a fitted estimator works, on the mean of its training rows."""
    check_finite({"offset_": np.asarray(getattr(estimator, "offset_", 0.0))})
    if not hasattr(estimator, "module_"):
        return
    names = getattr(estimator, "feature_names_in_", estimator.mean_)
    if np.shape(names) != (estimator.n_features_in_,):
        raise ValueError(f"it names {len(names)} of {estimator.n_features_in_} features")
    trial = object.__new__(type(estimator))
    trial.__dict__.update(vars(estimator) | TRIAL)
    check_finite({"mean_": estimator.mean_})
    X = estimator.mean_[None]
    with np.errstate(all="ignore"):  # what overflows is found to be infinite
        Z = trial.transform(X)
        if Z.shape != (1, estimator.n_components_):
            raise ValueError(f"codes have {Z.shape[1]} columns, not {estimator.n_components_}")
        check_finite({"a score": trial.score_samples(X)})
        check_finite({"a reconstruction": trial.inverse_transform(Z)})
