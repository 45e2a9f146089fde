"""Greedy layer-wise training: layers learn to give back what they are given, then all together."""

from functools import partial

import torch
from torch import Generator, Tensor

from skae.nn._losses import half_squared_error
from skae.nn._module import Autoencoder, Turn
from skae.nn._networks import DenseNetwork


class StackedAutoencoder(Autoencoder):
    r"""An autoencoder that is trained one layer at a time, from the data inwards, before the whole.

    .. math:: \min_{f_i,\, g_i} \; \mathbb{E}_x \,
        \bigl\| g_i\bigl(f_i(h_{i-1}(\tilde x))\bigr) - h_{i-1}(x) \bigr\|^2 / 2, \qquad
        h_i = f_i \circ h_{i-1}, \quad h_0(x) = x

    in phase i, in which only the encoder's i-th layer and the decoder's i-th from its end move. A
    linear path stands still meanwhile: the first layer learns what it leaves of x, under the
    reconstruction error that the whole has, and the last one what it does not say of its input.
    The last phase moves everything.

    Parameters
    ----------
    encoder, decoder : Coder
        With dense networks, of which one has the widths of the other in reverse; with others all
        is trained at once.
    **settings
        Of `Autoencoder`.

    References
    ----------
    .. [1] Bengio, Lamblin, Popovici & Larochelle (2007). Greedy layer-wise training of deep
       networks. NeurIPS.
    """

    stacks = False  # a stack knows one phase

    @property
    def depth(self) -> int:
        """How many layers there are to train one by one; a single one is the whole."""
        networks = self.encoder.network, self.decoder.network
        if not all(isinstance(network, DenseNetwork) for network in networks):
            return 0
        depth = len(networks[0].layers)
        return depth if depth > 1 else 0

    def phases(self) -> list[list[Turn]]:
        greedy = [[Turn(self.pair(i), partial(self.layer_loss, i))] for i in range(self.depth)]
        return [*greedy, *super().phases()]

    def pair(self, i: int) -> list:
        """The parameters of the encoder's layer i and of the decoder's that mirrors it."""
        down, up = self.encoder.network, self.decoder.network
        both = [*down.parameters_of(i), *up.parameters_of(self.depth - 1 - i)]
        return list(dict.fromkeys(both))  # tied layers share theirs

    def layer_loss(
        self, i: int, x: Tensor, rng: Generator, weight: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Mean error of what a layer and its mirror image make of the input of this layer.

        Parameters
        ----------
        i : int
            Which, from the data.
        x : Tensor of shape (n, n_features)
            Rows.
        rng : torch.Generator
            Of noise and dropout.
        weight : Tensor of shape (n, n_features) or None
            Of the cells.

        Returns
        -------
        terms : dict of str to Tensor of shape ()
            In nats per sample.
        """
        seen, weight = self.corrupt(x, rng, weight)
        down, up = self.encoder.network, self.decoder.network
        path = self.encoder.path
        with torch.no_grad():  # what does not move in this phase
            below = self.input_of(i, seen)
            code = None if path is None else path(seen)
        inner = down.layer(i, below, rng)
        if i == self.depth - 1 and code is not None:
            inner = inner + code
        back = up.layer(self.depth - 1 - i, inner, rng)
        if i == 0:
            error = self.compare(
                back if code is None else back + self.decoder.path(code), x, weight
            )
        else:
            with torch.no_grad():
                target = self.input_of(i, x)
            error = half_squared_error(back, target).sum(dim=1)
        return {"reconstruction": error[self.teaching(error)].mean()}

    def input_of(self, i: int, x: Tensor) -> Tensor:
        """What a layer of the encoder's network gets to see of rows."""
        for j in range(i):
            x = self.encoder.network.layer(j, x)
        return x
