"""The loop, and the border between arrays and tensors: torch and numpy."""

from skae.training._batches import (
    map_rows,
    rows_at_once,
    rows_to_tensor,
    standardized,
    to_numpy,
    to_tensor,
)
from skae.training._checkpoint import Checkpoint, CheckpointFile
from skae.training._device import foreign_randomness, generator, plain_torch, resolve_device
from skae.training._labels import LabelledRows
from skae.training._memory import slices
from skae.training._rows import Rows
from skae.training._stack import alone, train_all
from skae.training._stopping import HeldOut, Record, explained
from skae.training._stream import StreamedRows
from skae.training._trainer import LEARNING_RATES, SOLVERS, Observer, Trainer
from skae.training._training import Steps, Training, trained

__all__ = [
    "LEARNING_RATES",
    "SOLVERS",
    "Checkpoint",
    "CheckpointFile",
    "HeldOut",
    "LabelledRows",
    "Observer",
    "Record",
    "Rows",
    "Steps",
    "StreamedRows",
    "Trainer",
    "Training",
    "alone",
    "explained",
    "foreign_randomness",
    "generator",
    "map_rows",
    "plain_torch",
    "resolve_device",
    "rows_at_once",
    "rows_to_tensor",
    "slices",
    "standardized",
    "to_numpy",
    "to_tensor",
    "train_all",
    "trained",
]
