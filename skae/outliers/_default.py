"""The autoencoder that looks for outliers unless told otherwise."""

from skae.autoencoders import AutoencoderTransformer
from skae.autoencoders._sizes import hidden_widths, peak_learning_rate


def default_estimator(shape: tuple[int, int]) -> AutoencoderTransformer:
    """The autoencoder that scores best where nothing is known of a table.

    Half as many components as there are features keep what most rows have in common; a few epochs
    bend them towards these, and would with more learn the outliers, too; the mixture sees groups.
    All of it was found by measurement: see the user guide.

    Parameters
    ----------
    shape : tuple of two ints
        Of the training rows.

    Returns
    -------
    estimator : AutoencoderTransformer
        Not fitted.
    """
    return AutoencoderTransformer(
        max(1, min(shape) // 2),
        density="mixture",
        max_iter=5,
        learning_rate_init=peak_learning_rate(max(hidden_widths(*shape))),  # not to get far
        early_stopping=False,
    )
