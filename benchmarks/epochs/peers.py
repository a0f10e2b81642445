"""The peers of the race of epochs, and what each does. As with `benchmarks.peers`, importing this imports none."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.peers import PEERS, PeerInfo

_JAX = ("jax", "jaxlib")


def _row(peer_id: str, target: str, of: str) -> PeerInfo:
    """The row of a peer that needs what the peer `of` of the race of steps needs."""
    return replace(PEERS[of], id=peer_id, target=f"benchmarks.epochs.{target}")


def _keras(peer_id: str, target: str, backend: str, imports: tuple[str, ...], packages: tuple[str, ...]) -> PeerInfo:
    return PeerInfo(
        peer_id,
        f"benchmarks.epochs.{target}",
        (*imports, "keras"),
        ("keras", *packages),
        {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "2"},
    )


_ROWS = (
    _row("fastnn", "fastnn_epochs:FastnnEpochs", "fastnn"),
    _row("fastnn-steps", "fastnn_epochs:FastnnSteps", "fastnn"),
    _row("pytorch", "torch_epochs:TorchEpochs", "pytorch"),
    _row("pytorch-whole", "torch_epochs:TorchWholeEpochs", "pytorch-whole"),
    _row("jax", "jax_epochs:JaxEpochs", "jax"),
    _row("jax-shuffled", "jax_epochs:JaxShuffledEpochs", "jax"),
    _row("scikit-learn", "sklearn_epochs:SklearnEpochs", "scikit-learn"),
    _keras("keras-jax", "keras_epochs:KerasEpochs", "jax", _JAX, _JAX),
    _keras("keras-tensorflow", "keras_epochs:KerasEpochs", "tensorflow", ("tensorflow",), ("tensorflow-cpu",)),
    _keras("keras-tensorflow-32", "keras_epochs:KerasEpochsBy32", "tensorflow", ("tensorflow",), ("tensorflow-cpu",)),
)

EPOCH_PEERS = {row.id: row for row in _ROWS}

HOW = {
    "fastnn": "net.train_epoch, which draws the order and gathers rows by index in compiled code",
    "fastnn-steps": "a loop of net.train_step over the rows as they lie, without an order: what the steps take alone",
    "pytorch": "a loop over torch.randperm(n).split(batch_size), index_select, eager mode, fused Adam",
    "pytorch-whole": "the same loop; torch.compile of the whole step, torch.func and the update in place",
    "jax": "one jitted call, buffers donated: lax.scan over the steps, which gather rows by index; the order by NumPy",
    "jax-shuffled": "one jitted call, buffers donated: rows shuffled, then lax.scan over the batches",
    "scikit-learn": "MLPClassifier.partial_fit on all rows, which shuffles; it has no dropout and trains without",
    "keras-jax": "model.fit(epochs=1, shuffle=True), JAX backend",
    "keras-tensorflow": "model.fit(epochs=1, shuffle=True), TensorFlow backend",
    "keras-tensorflow-32": "the same with steps_per_execution=32",
}
