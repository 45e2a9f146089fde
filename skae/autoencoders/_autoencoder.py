"""The plain autoencoder: nothing is added to the base."""

from dataclasses import dataclass

from skae.autoencoders._base import BaseAutoencoder


@dataclass(eq=False, repr=False, kw_only=True)
class AutoencoderTransformer(BaseAutoencoder):
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

    Parameters
    ----------
    n_components : int, float or None, default=None
        Width of the code. An int is at most ``min(n_samples, n_features)``. A float in (0, 1) asks
        for the smallest code that explains this share of the held-out variance, found by halving,
        at the price of a fit for each width tried. None keeps all components; there is nothing to
        learn then, and it is PCA.
    hidden_layer_sizes : "auto" or sequence of int, default="auto"
        Hidden widths of the encoder's network; an empty sequence leaves the linear path alone.
        "auto" is layers twice as wide as the data, within [64, 256]: three of them, or, below 1,000
        rows, one and another of half its width.
    decoder_layer_sizes : sequence of int or None, default=None
        Hidden widths of the decoder's network; None mirrors the encoder's.
    activation : str, default="auto"
        What follows each hidden layer: "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "tanh",
        "logistic" or "identity". "auto" is "relu", or, below 1,000 rows, "silu".
    loss : str, default="squared_error"
        The reconstruction error :math:`\ell`: "squared_error", "absolute_error", "huber" or
        "binary_cross_entropy". The link :math:`h` is the identity, but the logistic
        function for "binary_cross_entropy", which needs data in [0, 1]; the start is then PCA to
        first order around the mean, and no better or worse than PCA by any guarantee. "huber" is
        quadratic up to the root mean square of the centred data.
    normalization : {"layer", "batch"} or None, default=None
        What stands before each activation.
    dropout : "auto" or float in [0, 1), default="auto"
        Share of hidden units zeroed in a training step. "auto" is 0.2 for tables of up to ten rows
        a feature, less for longer ones, and 0 from 40 rows a feature or 1,000 rows.
    tied_weights : bool, default=False
        Whether the decoder's linear maps are the encoder's transposed.
    init : {"pca", "random"}, default="pca"
        "pca" starts at PCA. "random" drops the linear paths and starts from random weights, as
        textbooks do; nothing then keeps it above PCA.
    weight_init : {"xavier", "he"}, default="xavier"
        Distribution of the networks' first weights.
    encoder, decoder : torch.nn.Module or None, default=None
        Modules to take the place of the built-in networks f and g: they map (n, n_features) to
        (n, n_components) and back. They are copied, never trained in place. Under ``init="pca"``
        each stands behind a gain that starts at zero, so that the start is PCA all the same.
    solver : {"adamw", "adam", "sgd", "rmsprop"}, default="adamw"
        The optimiser.
    alpha : float, default=0.01
        Weight decay, at least 0.
    momentum : float in [0, 1), default=0.9
        Of "sgd" and "rmsprop".
    batch_size : "auto" or int, default="auto"
        Rows in a training step. "auto" is about three times the root of n_samples, within
        [32, 1024].
    learning_rate : {"one_cycle", "constant", "cosine", "step", "exponential"}, default="one_cycle"
        How the learning rate changes from the first step to the last.
    learning_rate_init : "auto" or float, default="auto"
        Its peak, positive. "auto" is 0.64 over the largest hidden width, within [0.001, 0.005].
    max_iter : "auto" or int, default="auto"
        Epochs; 0 stays at the start. "auto" makes 300 to 4,000 steps of them, by n_samples.
    early_stopping : bool, default=True
        Whether held-out rows choose the number of epochs, none included. Otherwise the last weights
        are kept, and nothing keeps them above PCA.
    validation_fraction : float in (0, 1), default=0.1
        Share of the rows that is held out, unless `cv` asks for folds.
    cv : "auto", int or None, default="auto"
        Number of folds to hold out in turn, at least 2; None holds out `validation_fraction` of the
        rows. "auto" is 5 below 1,000 rows, where a tenth is too little to choose by, and None from
        there.
    refit : bool, default=True
        Whether to train on all rows, once held-out ones have told for how long. Otherwise the
        weights that did best on held-out rows are kept, in little more than half the time;
        folds always refit.
    n_iter_no_change : int or None, default=None
        Epochs without an improvement of `tol` after which training ends. None goes on to the end of
        the schedule: the first epochs, at a high rate, often lose before they win.
    tol : float, default=1e-4
        The least improvement of the held-out score that counts; training also ends when no such
        improvement is left to make.
    warm_start : bool, default=False
        Whether `fit` goes on from the last fit's weights, in the last fit's architecture.
    whiten : bool, default=False
        Whether components have unit variance.
    precision : {"float32", "bfloat16"}, default="float32"
        Of the matrix products in training. "bfloat16" is faster for wide layers on CPUs with AMX
        and on GPUs.
    device : str, default="auto"
        Where to compute: "cpu", "cuda", "cuda:1" and so on; "auto" is CUDA when it is there.
    random_state : int, RandomState instance or None, default=None
        Of splits, weights, batches and dropout. An int makes fits repeatable to the bit on the same
        machine with the same number of threads.
    verbose : int, default=0
        1 prints about ten lines a fit, 2 one an epoch.

    Attributes
    ----------
    n_components_ : int
        Width of the code.
    explained_variance_ : ndarray of shape (n_components,), float64
        Output variance that each component drives, largest first, in all what the reconstructions
        of the training rows explain; the component's own variance, unless whitened.
    explained_variance_ratio_ : ndarray of shape (n_components,), float64
        The same as shares of the total variance.
    mean_ : ndarray of shape (n_features,)
        Mean of the training rows.
    noise_variance_ : float
        Variance of each of the dimensions that the code leaves out.
    n_iter_ : int
        Epochs that the last run made; 1 where the start was all there is to do.
    best_iter_ : int
        Epochs that the weights were trained for; 0 is the start.
    loss_curve_ : list of float
        Training loss after each epoch of the last run, in nats per row, in units of the centred
        data's root mean square.
    validation_scores_ : list of float
        Share of the held-out variance (or of the loss, if that is not the squared error) explained
        after each epoch of the run, or runs, that chose their number; the first is the start's.
    module_ : torch.nn.Module
        The fitted network, with ``encode`` and ``decode``, in X's dtype, on the CPU.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if they are all strings.

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
    >>> model = AutoencoderTransformer(8, max_iter=20, random_state=0).fit(X[:1500])
    >>> Z = model.transform(X[1500:])
    >>> Z.shape
    (297, 8)
    >>> pca = PCA(8).fit(X[:1500])
    >>> error = ((X[1500:] - model.inverse_transform(Z)) ** 2).mean()
    >>> pca_error = ((X[1500:] - pca.inverse_transform(pca.transform(X[1500:]))) ** 2).mean()
    >>> bool(error < 0.75 * pca_error)
    True
    """
