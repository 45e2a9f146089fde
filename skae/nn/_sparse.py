"""The sparse autoencoder: a dictionary of unit atoms, and codes that use few of them."""

from collections.abc import Callable
from functools import partial
from math import log
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from skae.nn._layers import TransposedLinear
from skae.nn._module import Autoencoder, weighted

DEAD_AFTER = 50
"""Training steps without a use after which a component counts as dead."""

NESTED = 0.5
"""Weight of the error of a pursuit's first half."""

REVIVAL = 1.0
"""Weight of what dead components leave unexplained; a thirty-second revives none of them."""

BANDWIDTH = 0.5
"""Width of the kernel that stands in for a step's derivative, as a share of the threshold."""


class Dictionary(nn.Module):
    r"""A linear decoder whose columns, the atoms, have unit norm: :math:`D z + b`.

    Parameters
    ----------
    layer : nn.Linear or TransposedLinear
        Whose weights, made to have unit norm, are the atoms.
    """

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer
        self.in_features = layer.in_features

    @property
    def atoms(self) -> Tensor:
        """Of shape (n_components, n_features)."""
        layer: Any = self.layer
        tied = isinstance(layer, TransposedLinear)
        return F.normalize(layer.layer.weight if tied else layer.weight.T, dim=1)

    @property
    def bias(self) -> Tensor:
        """The offset b."""
        return self.layer.bias  # type: ignore[return-value]

    def forward(self, z: Tensor) -> Tensor:
        return torch.addmm(self.bias, z, self.atoms)


class Step(torch.autograd.Function):
    r"""Whether a size exceeds a threshold, with a rectangle for the derivative of the step.

    .. math:: \partial_\theta H(s - \theta) \approx -\tfrac1\varepsilon
        \bigl[|s - \theta| < \tfrac\varepsilon2\bigr], \qquad \varepsilon = b\,\theta

    References
    ----------
    .. [1] Rajamanoharan et al. (2024). Jumping ahead: improving reconstruction fidelity with
       JumpReLU sparse autoencoders, eq. 12. arXiv:2407.14435.
    """

    @staticmethod
    def forward(ctx, size, threshold):
        ctx.save_for_backward(size, threshold)
        return (size > threshold).to(size.dtype)

    @staticmethod
    def backward(ctx, *gradients):
        size, threshold = ctx.saved_tensors
        width = BANDWIDTH * threshold
        near = ((size - threshold).abs() < 0.5 * width).to(size.dtype)
        return None, (-near / width * gradients[0]).sum(dim=0)


class SparseAutoencoder(Autoencoder):
    r"""Few of many atoms for each sample.

    .. math:: \hat x = D z + b, \quad \|d_j\| = 1, \qquad z = T\bigl(A x + a + f(x)\bigr)

    with a sparse activation T, and perhaps a penalty. Atoms that go unused for a while are drawn to
    what the others leave unexplained [1]_.

    Parameters
    ----------
    encoder, decoder : Coder
        The decoder's linear path holds the dictionary.
    n_components : int
        Number of atoms.
    sparsity : key of ``SPARSITIES``
        The activation T and its penalty.
    n_nonzero_coefs : int
        Components used by a row, or by the rows of a batch on average.
    n_readings : int
        In how many rounds a pursuit chooses them.
    sparsity_weight : float
        Weight of the penalty.
    target_activation : float
        What the KL penalty draws the mean activation to, in (0, 1).
    positive_code : bool
        Whether codes may not be negative.
    **settings
        ``loss``, ``corruption`` and ``trim`` of `Autoencoder`.

    References
    ----------
    .. [1] Gao et al. (2024). Scaling and evaluating sparse autoencoders, section 2.4 and appendix
       A.2. arXiv:2406.04093.
    """

    idle: Tensor
    cutoff: Tensor

    def __init__(
        self,
        encoder,
        decoder,
        *,
        n_components: int,
        sparsity: str,
        n_nonzero_coefs: int,
        n_readings: int,
        sparsity_weight: float,
        target_activation: float,
        positive_code: bool,
        **settings: Any,
    ):
        super().__init__(encoder, decoder, **settings)
        if not 1 <= n_readings <= n_nonzero_coefs <= n_components:
            raise ValueError(
                f"{n_readings} readings cannot choose {n_nonzero_coefs} of {n_components} atoms."
            )
        self.decoder.path = Dictionary(decoder.path)
        self.sparsity = sparsity
        self.n_nonzero_coefs, self.n_readings = n_nonzero_coefs, n_readings
        self.sparsity_weight, self.target_activation = sparsity_weight, target_activation
        self.positive_code = positive_code
        new = partial(torch.full, dtype=torch.float64, device="cpu")
        # of "l1" and "jump_relu" the threshold, of "kl" the size of a full activation
        self.log_threshold = nn.Parameter(new((n_components,), 1.0 if sparsity == "kl" else -2.0))
        self.register_buffer("cutoff", new((), 0.0))
        self.register_buffer("idle", new((n_components,), 0.0))

    def encode(self, x: Tensor, rng: Generator | None = None) -> Tensor:
        return self.code(x, rng)[0]

    def code(
        self, x: Tensor, rng: Generator | None = None, weight: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Codes, and what is charged for each of them (or for all alike), in nats per sample."""
        return SPARSITIES[self.sparsity](self, x, rng, weight)

    couples_rows = True  # at the least in what counts as dead
    squares = False  # atoms have length 1
    stacks = False  # which atoms these are, and how many, is asked in every step

    @property
    def writer(self) -> Any:
        return self.decoder.path.layer

    def signed(self, reading: Tensor) -> Tensor:
        """A reading without what a code may not hold."""
        return reading.relu() if self.positive_code else reading

    def loss(self, x: Tensor, rng: Generator, weight: Tensor | None = None) -> dict[str, Tensor]:
        seen, weight = self.corrupt(x, rng, weight)
        z, charge = self.code(seen, rng, weight)
        output = self.output(z, rng)
        error = self.compare(output, x, weight)
        residual = weighted(x - self.reconstruction.link(output.detach()), weight)
        rows = self.teaching(error + charge)
        return {
            "reconstruction": error[rows].mean(),
            "sparsity": charge.expand_as(error)[rows].mean(),
            "revival": self.revival(z[rows], residual[rows]),
        }

    def error(self, x: Tensor, rng: Generator, weight: Tensor | None = None) -> Tensor:
        seen, weight = self.corrupt(x, rng, weight)
        z, charge = self.code(seen)
        return self.compare(self.output(z), x, weight) + charge

    def revival(self, z: Tensor, residual: Tensor) -> Tensor:
        """What dead atoms leave of the others' residual, in nats per sample."""
        with torch.no_grad():
            self.idle.add_(1).masked_fill_((z != 0).any(dim=0), 0)
            dead = self.idle > DEAD_AFTER
        n_dead = int(dead.sum())
        if n_dead == 0:
            return residual.new_zeros(())
        atoms = self.decoder.path.atoms[dead]
        reading = self.signed(residual @ self.encoder.path.weight[dead].T)
        code = keep_largest(reading, min(n_dead, max(1, residual.shape[1] // 2)))
        return REVIVAL * 0.5 * (residual - code @ atoms).square().sum(dim=1).mean()

    @torch.no_grad()
    def start_at(self, mean: Tensor, atoms: Tensor) -> None:  # type: ignore[override]
        """Read each atom's share of a row, and write it.

        Parameters
        ----------
        mean : Tensor of shape (n_features,)
            Of the rows.
        atoms : Tensor of shape (n_components, n_features)
            Of unit norm.
        """
        offset, slope = self.reconstruction.inverse_link(mean)
        bias = -atoms @ mean
        if self.sparsity == "kl":  # the penalty is zero where nothing is read
            bias += log(self.target_activation / (1 - self.target_activation))
        self.set_paths((atoms, bias), (slope[:, None] * atoms.T, offset))


def keep_largest(reading: Tensor, n: int) -> Tensor:
    """A reading with all but the n largest sizes of each row at zero."""
    index = reading.abs().topk(n, dim=1, sorted=False).indices
    return torch.zeros_like(reading).scatter(1, index, reading.gather(1, index))


def top_k(
    module: Any, x: Tensor, rng: Generator | None = None, weight: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The largest readings of each row (Makhzani & Frey 2013; Gao et al. 2024)."""
    z = keep_largest(module.signed(module.encoder(x, rng)), module.n_nonzero_coefs)
    return z, x.new_zeros(())


def batch_top_k(
    module: Any, x: Tensor, rng: Generator | None = None, weight: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The largest readings of a batch; of a row, those above the batches' mean cutoff.

    Bussmann, Leask & Nanda (2024). BatchTopK sparse autoencoders. arXiv:2412.06410.
    """
    reading = module.signed(module.encoder(x, rng))
    size, cutoff = reading.abs(), module.cutoff
    if rng is not None:
        cutoff = size.detach().flatten().topk(min(size.numel(), len(x) * module.n_nonzero_coefs))
        cutoff = cutoff.values[-1]
        started = module.cutoff > 0
        module.cutoff.lerp_(cutoff.to(module.cutoff.dtype), torch.where(started, 0.05, 1.0))
    return torch.where((size >= cutoff) & (size > 0), reading, 0.0), x.new_zeros(())


def l1(
    module: Any, x: Tensor, rng: Generator | None = None, weight: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Readings shrunk by a threshold of each component's own, charged by their sizes."""
    reading = module.signed(module.encoder(x, rng))
    z = reading.sign() * (reading.abs() - module.log_threshold.exp()).relu()
    return z, module.sparsity_weight * z.abs().sum(dim=1)


def kl(
    module: Any, x: Tensor, rng: Generator | None = None, weight: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    r"""Logistic activations, charged by how far their means are from a target.

    .. math:: \sum_j \rho \log \frac{\rho}{\hat\rho_j}
        + (1 - \rho) \log \frac{1 - \rho}{1 - \hat\rho_j}

    Ng (2011). Sparse autoencoder, CS294A lecture notes.
    """
    activation = torch.sigmoid(module.encoder(x, rng))
    share, target = activation.mean(dim=0).clamp(1e-6, 1 - 1e-6), module.target_activation
    terms = target * (target / share).log() + (1 - target) * ((1 - target) / (1 - share)).log()
    return activation * module.log_threshold.exp(), module.sparsity_weight * terms.sum()


def jump_relu(
    module: Any, x: Tensor, rng: Generator | None = None, weight: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Readings above a learned threshold, as they are, charged by their number."""
    reading = module.signed(module.encoder(x, rng))
    above = Step.apply(reading.abs(), module.log_threshold.exp())
    return reading * above, module.sparsity_weight * above.sum(dim=1)


def pursuit(
    module: Any, x: Tensor, rng: Generator | None = None, weight: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Codes of `matching_pursuit`; in training, half the error of half as many atoms is charged.

    There is no encoder to train: where z is optimal, the gradient of the error in D is that with z
    held fast. The charge keeps atoms from being of use only together, and helps on unseen rows.
    """
    z, few = matching_pursuit(module, x)
    if rng is None or module.n_readings == 1:
        return z, x.new_zeros(())
    return z, NESTED * module.compare(module.output(few), x, weight)


@torch.no_grad()
def matching_pursuit(module: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    r"""Orthogonal matching pursuit: atoms are chosen in rounds by what is left of the row.

    .. math:: S \leftarrow S \cup \arg\max_j |d_j^\top (x - b - D z)|, \qquad
        z \leftarrow \arg\min_{\mathrm{supp}\, z \subseteq S} \|x - b - D z\|^2

    Parameters
    ----------
    module : SparseAutoencoder
        Holds the dictionary.
    x : Tensor of shape (n, n_features)
        Rows.

    Returns
    -------
    z, few : Tensor of shape (n, n_components)
        Codes, and those after half of the rounds.

    References
    ----------
    .. [1] Pati, Rezaiifar & Krishnaprasad (1993). Orthogonal matching pursuit. Asilomar.
    """
    atoms, x = module.decoder.path.atoms, x - module.decoder.path.bias
    n, n_rounds, (n_rows, n_features) = module.n_nonzero_coefs, module.n_readings, x.shape
    chosen = torch.empty(n_rows, 0, dtype=torch.int64, device=x.device)
    # the chosen atoms as Q R, with Q orthonormal: a batch needs no factorisation of its own
    Q, R = x.new_zeros(n_rows, n, n_features), x.new_zeros(n_rows, n, n)
    y, residual, alike = x.new_zeros(n_rows, n), x, 3 * torch.finfo(x.dtype).eps ** 0.5
    for i in range(n_rounds):
        first, last = chosen.shape[1], (i + 1) * n // n_rounds
        size = module.signed(residual @ atoms.T).abs().scatter(1, chosen, -1.0)
        chosen = torch.cat([chosen, size.topk(last - first, dim=1).indices], dim=1)
        for j in range(first, last):
            atom, basis = atoms[chosen[:, j]], Q[:, :j]
            shared = basis @ atom[:, :, None]
            new = atom - (shared * basis).sum(dim=1)
            length = new.norm(dim=1)
            length = torch.where(length > alike, length, torch.inf)  # adds nothing: gets nothing
            Q[:, j] = new / length[:, None]
            R[:, :j, j], R[:, j, j] = shared[:, :, 0], length.clamp(max=1.0)
            y[:, j] = (Q[:, j] * residual).sum(dim=1)
            residual = residual - y[:, j, None] * Q[:, j]

    def code(m: int) -> Tensor:
        """Of the first m atoms."""
        coefs = torch.linalg.solve_triangular(R[:, :m, :m], y[:, :m, None], upper=True)[:, :, 0]
        return torch.zeros_like(size).scatter(1, chosen[:, :m], module.signed(coefs))

    return code(n), code(n_rounds // 2 * n // n_rounds)


SPARSITIES: dict[str, Callable] = {
    "pursuit": pursuit,
    "top_k": top_k,
    "batch_top_k": batch_top_k,
    "l1": l1,
    "kl": kl,
    "jump_relu": jump_relu,
}
