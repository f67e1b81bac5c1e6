"""A training run: optimiser, schedule, running average, checkpoints."""

from __future__ import annotations

import copy
import io
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import InputError
from ...files import write_whole
from ...graph import Graph
from .float_network import FloatNetwork
from .loss import inner_distance, task_loss
from .network import Network
from .optimiser import TensorMomentum
from .oscillation import Freezer
from .samples import Samples
from .settings import TrainSettings

__all__ = ["Trainer", "float_score", "score"]

Progress = Callable[[int, int], None]

_AT_ONCE = 250
_FLOAT32_BITS = 25  # signed products that its mantissa holds: no need for wider arithmetic below
_LAYOUT = torch.channels_last


@torch.no_grad()
def score(network: Network, samples: Samples) -> float:
    """How good a network is, in exact integers: share of labels it gets, or without labels 0 less the loss."""
    teacher = FloatNetwork(network.graph)
    total = 0.0
    exact = network.config.value_bits > _FLOAT32_BITS
    for offsets, labels in samples.in_order(_AT_ONCE):
        scores = network.scores(network.run(offsets.float(), exact=exact))
        if labels is None:
            wanted = teacher(_real(network, offsets))
            total -= float(task_loss(scores, wanted, None, network.settings)) * len(offsets)
        else:
            total += int((scores.argmax(1) == labels).sum())
    return total / len(samples)


@torch.no_grad()
def float_score(network: Network, samples: Samples) -> float:
    """What `score` would give the float model: its share of labels, or without labels 0."""
    teacher = FloatNetwork(network.graph)
    parts = samples.in_order(_AT_ONCE)
    right = sum(
        0 if labels is None else int((teacher(_real(network, offsets)).argmax(1) == labels).sum())
        for offsets, labels in parts
    )
    return right / len(samples)


def _real(network: Network, offsets: Tensor) -> Tensor:
    return offsets.float() * network.start.tensors[network.graph.input.tensor].scale


class Trainer:
    """A run over a network: `train_epoch` by `train_epoch`, each from where a checkpoint may have left off.

    Rates rise, then fall along a cosine. All draws come from torch's generator,
    which is part of the checkpoint: a run that was stopped and resumed ends with the same integers.

    Parameters
    ----------
    network : Network
    samples : Samples
    label : mapping
        What else a checkpoint must agree with (the model, the data), as plain values.
    teacher : Graph, optional
        The float model, lowered, where the network does not start from it but from what came of it (`refloated`).
    """

    def __init__(
        self,
        network: Network,
        samples: Samples,
        label: Mapping[str, Any] | None = None,
        teacher: Graph | None = None,
    ) -> None:
        settings = network.settings
        torch.manual_seed(settings.seed)
        self.network, self.samples, self.settings = network, samples, settings
        self.run = asdict(settings) | {"samples": len(samples)} | dict(label or {})
        del self.run["patience"], self.run["compiled"]
        self.epoch, self.best, self.since_best = 0, -math.inf, 0
        self.history: list[dict[str, float]] = []
        self.teacher = FloatNetwork(teacher or network.graph)
        self.average = copy.deepcopy(dict(network.named_parameters()))
        self.kept = {name: value.detach().clone() for name, value in self.average.items()}
        network.learn_shifts(settings.learn_shift)
        groups = _groups(network, settings)
        self.optimizer: torch.optim.Optimizer = (
            torch.optim.Adam(groups, betas=(0.9, 0.99), eps=1e-12)
            if settings.optimiser == "adam"
            else TensorMomentum(groups)
        )
        self.freezer = Freezer(network, settings.freezing) if settings.freezing else None
        per_epoch = max(1, len(samples) // settings.batch)
        steps = max(1, settings.epochs * -(-per_epoch // settings.accumulate))
        rising = max(1, round(settings.warmup * steps))

        def factor(step: int) -> float:
            return min((step + 1) / rising, 0.5 + 0.5 * math.cos(math.pi * min(1.0, step / steps)))

        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, factor)
        self.batches, self.steps = per_epoch, steps

    def train_epoch(self, progress: Progress | None = None) -> float:
        """Mean loss over all samples once."""
        settings, network = self.settings, self.network
        if settings.learn_shift and self.epoch == settings.epochs // 2:
            network.learn_shifts(False)  # so that weights settle on what they are multiplied by
        kind = torch.bfloat16 if settings.precision == "bfloat16" else torch.float32
        losses = []
        for offsets, labels in self.samples.drawn(settings.batch, crop=settings.crop, mirror=settings.mirror):
            inputs = offsets.to(kind).contiguous(memory_format=_LAYOUT)
            loss = self._loss(inputs, labels)
            (loss / settings.accumulate).backward()
            losses.append(loss.item())
            if len(losses) % settings.accumulate == 0 or len(losses) == self.batches:
                self._step()
            if progress is not None:
                progress(len(losses), self.batches)
        self.epoch += 1
        return sum(losses) / len(losses)

    def _loss(self, inputs: Tensor, labels: Tensor | None) -> Tensor:
        settings, network = self.settings, self.network
        wanted = self.teacher.tensors(_real(network, inputs).to(inputs.dtype))
        done = network.run(inputs)
        scores = self.teacher.scores(wanted).float()
        loss = task_loss(network.scores(done), scores, labels, settings) + settings.penalty * done.excess
        if settings.inner:
            outputs = network.graph.output_tensors
            names = [layer.output for layer in network.graph.layers if layer.output not in outputs]
            loss = loss + settings.inner * inner_distance({name: network.real(done, name) for name in names}, wanted)
        if settings.damping:
            progress = min(1.0, self.schedule.last_epoch / self.steps)
            loss = loss + settings.damping * (0.5 - 0.5 * math.cos(math.pi * progress)) * done.unrest
        return loss

    def _step(self) -> None:
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.freezer is not None:
            self.freezer.observe()
        self.schedule.step()
        self._remember()

    def _remember(self) -> None:
        """Running averages; young ones forget faster. Zero levels are not averaged: they are levels in the end."""
        done = int(self.schedule.last_epoch)
        decay = min(self.settings.averaging, (1 + done) / (10 + done)) if self.settings.averaging else 0.0
        with torch.no_grad():
            for name, parameter in self.network.named_parameters():
                self.average[name].lerp_(parameter, 1.0 if name.endswith("shift") else 1 - decay)

    def averaged(self) -> Network:
        """A copy of the network with the running averages as parameters."""
        network = copy.deepcopy(self.network)
        network.load_state_dict(self.average, strict=False)
        return network

    def judge(self, validation: Samples) -> float:
        """Score of the averaged network; keeps it if it is the best so far.

        Before the first epoch it is that of post-training quantisation, which training then has to better.
        """
        value = score(self.averaged(), validation)
        if value > self.best:
            self.best, self.since_best = value, 0
            self.kept = {name: each.detach().clone() for name, each in self.average.items()}
        else:
            self.since_best += 1
        return value

    @property
    def done(self) -> bool:
        """Whether all epochs are over, or patience is."""
        patience = self.settings.patience
        return self.epoch >= self.settings.epochs or (patience > 0 and self.since_best >= patience)

    def result(self) -> Network:
        """The averaged network: the best one of all that were judged, or the last if none was."""
        network = self.averaged()
        if self.best > -math.inf:
            network.load_state_dict(self.kept, strict=False)
        return network

    def save(self, path: Path) -> None:
        """Write a checkpoint; a stop in the middle leaves the one before."""
        state = io.BytesIO()
        torch.save(
            {
                "run": self.run,
                "progress": {"epoch": self.epoch, "best": self.best, "since_best": self.since_best},
                "history": self.history,
                "parameters": dict(self.network.named_parameters()),
                "average": self.average,
                "kept": self.kept,
                "optimizer": self.optimizer.state_dict(),
                "schedule": self.schedule.state_dict(),
                "freezer": self.freezer.state_dict() if self.freezer else {},
                "generator": torch.get_rng_state(),
            },
            state,
        )
        write_whole(path, state.getvalue())

    def load(self, path: Path) -> None:
        """Go on where a checkpoint was written.

        Raises
        ------
        InputError
            If it is one of another run, or damaged.
        """
        try:
            state = torch.load(path, weights_only=True)
            changed = sorted(key for key in self.run | state["run"] if self.run.get(key) != state["run"].get(key))
            if not changed:
                self._restore(state)
        except Exception as error:  # torch, pickle and zip each raise their own kinds
            raise InputError(
                f"{path} is no checkpoint of a training, or damaged ({type(error).__name__}): start anew, without it"
            ) from error
        if changed:
            raise InputError(f"{path} is of a run with other {', '.join(changed)}: resume with the same, or start anew")

    def _restore(self, state: Mapping[str, Any]) -> None:
        self.epoch, self.best, self.since_best = (state["progress"][key] for key in ("epoch", "best", "since_best"))
        self.history = state["history"]
        self.network.load_state_dict(state["parameters"], strict=False)
        self.network.learn_shifts(self.settings.learn_shift and self.epoch <= self.settings.epochs // 2)
        self.average, self.kept = state["average"], state["kept"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        if self.freezer is not None:
            self.freezer.load_state_dict(state["freezer"])
        torch.set_rng_state(state["generator"])


def _groups(network: Network, settings: TrainSettings) -> list[dict[str, Any]]:
    rates = {"rows": settings.rate, "bias": settings.rate, "shift": settings.shift_rate}
    groups: dict[float, list[Tensor]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            groups.setdefault(rates.get(name.rsplit(".", 1)[-1], settings.scale_rate), []).append(parameter)
    return [{"params": parameters, "lr": rate} for rate, parameters in groups.items()]
