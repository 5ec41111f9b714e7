"""PyTorch, eager, one network after the other."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from benchmarks.cases import Case, load, strengths
from benchmarks.sides import Prepared


def prepare(case: Case) -> Prepared:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    x, y, x_val, y_val = (torch.as_tensor(array) for array in load(case))
    trials = strengths(case)[: 2 if case.data == "digits" else 1]  # enough to know what one costs

    def once() -> None:
        for each in trials:
            list(train(case, x, y, x_val, y_val, each))

    return once, len(trials), f"torch {torch.__version__}"


def train(
    case: Case, x: Any, y: Any, x_val: Any, y_val: Any, lambdas: Sequence[float]
) -> Iterator[tuple[float, ...]]:
    """An epoch at a time: data_loss and accuracy on the training rows, the same on the validation
    rows, and the penalty.
    """
    weight_l1, weight_l2, bias_l1, bias_l2 = lambdas
    first, second = (
        torch.nn.Linear(x.shape[1], case.hidden),
        torch.nn.Linear(case.hidden, int(y.max()) + 1),
    )
    model = torch.nn.Sequential(first, torch.nn.ReLU(), second)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7)
    cross_entropy = torch.nn.functional.cross_entropy

    def penalty() -> Any:
        total = torch.zeros(())
        for layer in (first, second):
            total = (
                total
                + weight_l1 * layer.weight.abs().sum()
                + weight_l2 * layer.weight.square().sum()
            )
            total = total + bias_l1 * layer.bias.abs().sum() + bias_l2 * layer.bias.square().sum()
        return total

    def evaluate(rows: Any, labels: Any) -> tuple[float, float]:
        logits = model(rows)
        return float(cross_entropy(logits, labels)), float(
            (logits.argmax(dim=1) == labels).float().mean()
        )

    for _ in range(case.epochs):
        order = torch.randperm(len(x))
        for at in range(0, len(x), case.batch_size):
            chosen = order[at : at + case.batch_size]
            optimizer.zero_grad()
            loss = cross_entropy(model(x[chosen]), y[chosen]) + penalty()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            measured = (*evaluate(x, y), *evaluate(x_val, y_val), float(penalty()))
        yield measured
