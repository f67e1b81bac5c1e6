"""Model: a trained model as it was loaded, and the ways from there."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..extras import need_torch
from ..listener import Listener, Quiet
from .formats import Formats
from .html import table_html
from .lowering import lowered
from .samples import SampleSource, samples_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..frontend import Imported
    from ..frontend.onnx_file import Shapes
    from ..graph import Graph
    from ..quantize import QuantSettings
    from ..reference import Verdict
    from .config import Config
    from .doctor import Examination
    from .quantised import Quantised

__all__ = ["Model"]


class Model:
    """A trained float or quantised model, of a file.

    Made by `narrows.load`, `narrows.from_torch` and `narrows.from_keras`.

    Parameters
    ----------
    path : Path
        ONNX or TFLite.
    shapes : mapping of sequence of int, optional
        Sizes of axes that the file leaves open, by input: ``{"x": (1, 3, 320, 320)}``.
    states : mapping of str, optional
        Outputs that inputs take over from run to run: ``{"h": "h_next"}``.
    listener : Listener, optional
        Who is told what goes on.
    keep : object, optional
        What must live as long as the model: a folder that its file lies in.
    """

    def __init__(
        self,
        path: Path,
        shapes: Shapes | None = None,
        *,
        states: Mapping[str, str] | None = None,
        listener: Listener | None = None,
        keep: Any = None,
    ) -> None:
        self.path = path
        self.shapes = shapes
        self.states = dict(states or {})
        self.listener: Listener = listener or Quiet()
        self._keep = keep

    @functools.cached_property
    def imported(self) -> Imported:
        """The file's graph, and what became of its values; raises as `frontend.import_model` does."""
        from ..frontend import import_model

        return import_model(self.path, self.shapes, self.states)

    @property
    def graph(self) -> Graph:
        """The typed float graph."""
        return self.imported.graph

    @functools.cached_property
    def lowered(self) -> Graph:
        """The same of layers that the core has."""
        return lowered(self.graph)

    @property
    def name(self) -> str:
        """What the file calls it."""
        return self.path.stem

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of one sample."""
        return self.graph.input.shape

    @property
    def outputs(self) -> dict[str, tuple[int, ...]]:
        """Shape of each output for one sample, by the model's names."""
        return {output.name: output.shape for output in self.graph.outputs}

    def judge(self, samples: NDArray[Any] | None = None, *, calibrates: bool = False) -> Verdict:
        """Hold the import against another runtime on the untouched file.

        Parameters
        ----------
        samples : array, shape (N, ...), optional
            As the model takes them; without any, noise alone is tried.
        calibrates : bool
            Whether scales are going to be chosen on them: warnings say what is strange about them then.

        Raises
        ------
        ModelError, UnsupportedOperator
            If the file cannot be read or the model cannot run.
        InputError
            If the samples do not fit the model.
        ImportMismatch
            If the model was read wrongly.
        """
        from ..quantize.calibration import checked_samples
        from ..quantize.suspicions import of_samples
        from ..reference import judge

        checked = None if samples is None else checked_samples(self.graph, samples)
        verdict = judge(self.path, self.imported, checked, states=self.states)
        self.listener.note(str(verdict))
        if checked is not None and calibrates:
            for line in of_samples(self.graph, checked):
                self.listener.warn(line)
        return verdict

    def doctor(
        self,
        config: Config | str | os.PathLike[str] | None = None,
        *,
        board: str | os.PathLike[str] | None = None,
        weights: str | None = None,
        acts: str | None = None,
    ) -> Examination:
        """Examine the model: every node, how it maps, what it costs, what to change, which cores hold it.

        Parameters
        ----------
        config : Config, str or Path, optional
            The core; without it and ``board`` one sized for the model.
        board : str or Path, optional
            The core of a board.
        weights, acts : str, optional
            Formats as `quantize` takes them.

        Examples
        --------
        >>> import narrows
        >>> examined = narrows.example().model.doctor("tiny")
        >>> examined.ok, examined.cycles > 10_000
        (True, True)
        """
        from .config import Config
        from .doctor import examine_model

        chosen = Config(config, board=board) if config is not None or board is not None else None
        return examine_model(self, chosen, weights=weights, acts=acts)

    def quantize(
        self,
        calib: SampleSource,
        *,
        weights: str | None = None,
        acts: str | None = None,
        formats: QuantSettings | str | os.PathLike[str] | None = None,
        equalise: bool = False,
        reconstruct: bool = False,
        exact: bool = False,
        requantise: bool = False,
        most: int | None = None,
    ) -> Quantised:
        """Say how the model is quantised; `Quantised.compile`, which knows the core, does it.

        Parameters
        ----------
        calib : path, array, pair or iterable
            Some hundred typical samples: a numpy archive with ``x``, an array (N, ...), or an iterable of samples or
            batches, of which the first 512 samples are taken.
        weights, acts : str, optional
            Formats of weights and of tensors between layers: ``dybit4``, ``int8``, ``e2m1``; that of the core without.
        formats : QuantSettings, str or Path, optional
            Instead: formats layer by layer, or the file of them that a search writes.
        equalise : bool
            Scale channels against the weights that read them, not only where some would vanish.
        reconstruct : bool
            Learn weights and biases block by block, so that on ``calib`` each block gives what the float model's does;
            needs torch: ``pip install 'narrows[train]'``.
        exact : bool
            Of a model that comes quantised: follow its own arithmetic in all layers, also where that takes two each.
        requantise : bool
            Of a model that comes quantised: forget its integers and take the formats asked for.
        most : int, optional
            Samples to take at most.

        Raises
        ------
        InputError
            If the samples do not fit the model, or a format is unknown.
        ToolMissing
            If ``reconstruct`` asks for torch, and it is not installed.
        ImportMismatch
            If the model was read wrongly.

        Examples
        --------
        >>> import narrows
        >>> digits = narrows.example()
        >>> digits.model.quantize(digits.calib, weights="int4")
        Quantised('digits', 256 samples, weights='int4')
        """
        from .quantised import Quantised

        if reconstruct:
            need_torch("reconstruction needs")
        x, y = samples_of(calib, self.input_shape, most=most)
        chosen = Formats.of(
            weights=weights, acts=acts, formats=formats, equalise=equalise, reconstruct=reconstruct, exact=exact
        )
        return Quantised.of(self, (x, y), chosen, requantise=requantise)

    def __repr__(self) -> str:
        if "imported" not in vars(self):
            return f"Model({self.name!r})"
        outputs = ", ".join(f"{name}{list(shape)}" for name, shape in self.outputs.items())
        return f"Model({self.name!r}, {list(self.input_shape)} -> {outputs})"

    def _repr_html_(self) -> str:
        rows = [("input", list(self.input_shape)), *((name, list(shape)) for name, shape in self.outputs.items())]
        return table_html(f"model {self.name}", ("", "shape of a sample"), rows)
