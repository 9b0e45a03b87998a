"""What training an encoder will need: the largest step of it, run without weights."""

from collections.abc import Sequence
from dataclasses import replace

from textune.core.seeds import generator
from textune.cost.demand import Demand
from textune.engine.encoder import Encoded, EncoderEngine, in_batches
from textune.engine.forecast import PASSES, kept_bytes
from textune.models.architecture import weight_bytes
from textune.training.forecast import state_bytes, update_bytes
from textune.training.settings import TrainingSpec


def encoder_demand(
    engine: EncoderEngine,
    train: Sequence[Encoded],
    valid: Sequence[Encoded],
    test: Sequence[Encoded],
    spec: TrainingSpec,
) -> Demand:
    """What fitting and predicting need; the engine's model is weightless, all of it trains."""
    model = engine.model
    order, size = generator(0, "order", 0).permutation(len(train)), spec.batch_size
    batches = [[train[i] for i in order[k : k + size]] for k in range(0, len(train), size)]
    largest = max(batches, key=engine.num_cells)
    kept = kept_bytes(lambda: engine.loss(_with_any_targets(largest, engine)), model.train())
    model.eval()
    params = sum(p.numel() for p in model.parameters())
    updated = sum(map(update_bytes, model.parameters()))
    passes, steps = spec.passes(len(train)), spec.total_steps(len(train))
    fitted = passes * sum(map(engine.num_cells, batches))
    checked, tested = passes * _predicted(valid, engine), _predicted(test, engine)
    moved = PASSES * kept / engine.num_cells(largest)
    return Demand(
        precision=engine.precision,
        total_params=params,
        trainable_params=params,
        weight_bytes=weight_bytes(model),
        state_bytes=sum(state_bytes(p, keeps_best=bool(valid)) for p in model.parameters()),
        kept_bytes=float(kept),
        fit_flops=engine.flops(fitted, passes=3) + engine.flops(checked, passes=1),
        fit_traffic=moved * fitted + steps * updated,
        predict_flops=engine.flops(tested, passes=1),
        predict_traffic=moved / 3 * tested,
    )


def _with_any_targets(batch: Sequence[Encoded], engine: EncoderEngine) -> list[Encoded]:
    """With a class for each text or word, whichever: shapes do not depend on it."""
    return [replace(item, targets=(0,) * engine.num_targets(item)) for item in batch]


def _predicted(items: Sequence[Encoded], engine: EncoderEngine) -> int:
    """Tokens of all batches in which items are predicted, with their padding."""
    return sum(engine.num_cells(batch) for _, batch in in_batches(items))
