"""Two views of a row, told from those of other rows."""

from torch import Tensor
from torch.nn import functional as F


def info_nce(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    r"""How badly the two codes of each row are told to belong together among those of a batch.

    .. math:: \ell_i = -\tfrac12 \log \frac{e^{s_{ii}}}{\sum_k e^{s_{ik}}}
        - \tfrac12 \log \frac{e^{s_{ii}}}{\sum_k e^{s_{ki}}}, \qquad
        s_{ik} = \frac{\langle z_i, z'_k \rangle}{\tau \, \|z_i\| \, \|z'_k\|}

    Parameters
    ----------
    first, second : Tensor of shape (n, n_components)
        Codes :math:`z` and :math:`z'` of two views of n rows.
    temperature : float
        :math:`\tau`, positive.

    Returns
    -------
    loss : Tensor of shape (n,)
        In nats, positive, about :math:`\log n` where codes tell nothing; 0 for a single row.

    References
    ----------
    .. [1] van den Oord, Li & Vinyals (2018). Representation learning with contrastive predictive
       coding, eq. 4. arXiv:1807.03748.
    """
    likeness = F.normalize(first, dim=1) @ F.normalize(second, dim=1).T / temperature
    own = likeness.diagonal()
    return 0.5 * (likeness.logsumexp(dim=1) + likeness.logsumexp(dim=0)) - own
