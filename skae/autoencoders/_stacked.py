"""The stacked autoencoder: layers trained one by one, then together."""

from skae.autoencoders._bottleneck import BottleneckAutoencoder
from skae.autoencoders._documentation import variant
from skae.autoencoders._sizes import refuse_unmirrored
from skae.nn import StackedAutoencoder as StackedModule


@variant
class StackedAutoencoder(BottleneckAutoencoder):
    r"""Autoencoder whose layers are trained one by one, from the data inwards, and then together.

    .. math:: \min_{f_i,\, g_i} \; \mathbb{E}_x \, \tfrac12
        \bigl\| g_i\bigl(f_i(h_{i-1}(\tilde x))\bigr) - h_{i-1}(x) \bigr\|^2, \qquad
        h_i = f_i \circ h_{i-1}, \quad h_0(x) = x

    is what the i-th layer of the encoder, :math:`f_i`, and its mirror image in the decoder,
    :math:`g_i`, learn in the i-th phase, while everything else stands still. The first pair learns
    under `loss`. In the last phase all layers are tuned under the objective of
    :class:`AutoencoderTransformer`. No phase sends a gradient through many layers that have learnt
    nothing yet, in which it would vanish: this trains deep networks of logistic units, which
    training from scratch does not.

    Beside the linear path that starts as PCA the first pair learns what this path leaves of a row,
    and the innermost one what the principal components do not say of its input. Weights are kept
    that do best on held-out rows, whichever phase they are from, and PCA if none does better. The
    phases share `max_iter` evenly. With `corruption` this is the stacked denoising autoencoder;
    deeper layers then restore what the layers below make of the clean row, where [2]_ spoils their
    input itself. Layers with a shortcut, by `residual`, give back their input from the start, and
    have nothing to learn alone.

    Parameters
    ----------
    decoder_layer_sizes : sequence of int or None, default=None
        Hidden widths of the decoder's network: None, or the encoder's in reverse.
    encoder, decoder : torch.nn.Module or None, default=None
        Modules to take the place of the built-in networks. Their layers are not known, so that
        there are no phases then, but for the one that moves everything.
    max_iter : "auto" or int, default="auto"
        Epochs of all phases together, of which there are two more than hidden layers; where they
        are too few for all, the last phases have them. "auto" makes 300 to 4,000 steps of them, by
        n_samples. A warm start goes through all phases again.
    n_iter_no_change : int or None, default=None
        Epochs without an improvement of `tol` after which training ends, whichever the phase;
        epochs of the first phases hardly ever improve anything as a whole.

    See Also
    --------
    AutoencoderTransformer : All layers at once.

    References
    ----------
    .. [1] Bengio, Lamblin, Popovici & Larochelle (2007). Greedy layer-wise training of deep
       networks. NeurIPS.
    .. [2] Vincent et al. (2010). Stacked denoising autoencoders. JMLR 11.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from skae import StackedAutoencoder
    >>> X = load_digits().data
    >>> model = StackedAutoencoder(8, max_iter=25, random_state=0)
    >>> model.fit(X[:1500]).n_iter_  # five for each of three hidden layers, the code and the whole
    25
    >>> error = model.reconstruction_error(X[1500:])
    >>> pca = PCA(8).fit(X[:1500])
    >>> pca_error = ((X[1500:] - pca.inverse_transform(pca.transform(X[1500:]))) ** 2).mean(axis=1)
    >>> bool((error**2).mean() < 0.95 * pca_error.mean())
    True
    """

    _module = StackedModule

    def _check_architecture(self):
        super()._check_architecture()
        refuse_unmirrored(self.hidden_layer_sizes, self.decoder_layer_sizes)
