"""Quantised: a model with calibration samples and formats, on its way to a program."""

from __future__ import annotations

import dataclasses
import functools
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .config import Config
from .formats import Formats
from .lowering import lowered
from .samples import SampleSource, samples_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...hw.spec.config import AcceleratorConfig
    from ..graph import Graph
    from ..listener import Listener
    from ..quantize.rebuild import Reconstructed
    from ..quantize.trained import Beside
    from ..reference import Verdict
    from .model import Model
    from .program import Program
    from .searching import Found
    from .training import Trained

__all__ = ["Held", "Quantised"]


@dataclass(frozen=True, eq=False)
class Held:
    """Samples that quality is measured on: ``x`` (N, ...), class numbers ``labels`` (N,) or None, and what they are."""

    x: NDArray[Any]
    labels: NDArray[np.int64] | None
    what: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Quantised:
    """How a model is quantised; what knows the core does it: `compile`, or `train` and `search` before.

    Made by `Model.quantize`.

    Parameters
    ----------
    model : Model
    calibration : array, shape (N, ...)
    labels : array, shape (N,), or None
        As they were given, unchecked.
    formats : Formats
    verdict : Verdict
        On the import, on the calibration samples.
    requantise : bool
    """

    model: Model
    calibration: NDArray[Any]
    labels: NDArray[Any] | None
    formats: Formats
    verdict: Verdict
    requantise: bool = False

    @classmethod
    def of(
        cls,
        model: Model,
        samples: tuple[NDArray[Any], NDArray[Any] | None],
        formats: Formats,
        *,
        requantise: bool = False,
    ) -> Quantised:
        """Samples judged and checked; arguments and errors are those of `Model.quantize`."""
        from ..quantize.calibration import checked_samples

        verdict = model.judge(samples[0], calibrates=True)
        found = cls(
            model=model,
            calibration=checked_samples(model.graph, samples[0]),
            labels=samples[1],
            formats=formats,
            verdict=verdict,
            requantise=requantise,
        )
        return dataclasses.replace(found, formats=formats.for_graph(found.lowered)) if formats.layers else found

    @functools.cached_property
    def graph(self) -> Graph:
        """The float graph that is quantised."""
        from ..quantize.trained import forget_integers

        return forget_integers(self.model.graph) if self.requantise else self.model.graph

    @functools.cached_property
    def lowered(self) -> Graph:
        """The same of layers that the core has."""
        return lowered(self.graph, exact=self.formats.exact)

    @property
    def beside(self) -> Beside:
        """What gets integers beside those that the model came with."""
        from ..quantize.trained import beside_integers

        return beside_integers(self.lowered)

    @property
    def listener(self) -> Listener:
        """That of the model."""
        return self.model.listener

    def held(self, data: SampleSource | None) -> Held:
        """Samples to measure on, checked; None: the calibration samples."""
        from ..quantize.calibration import checked_samples
        from .quality import sound_labels

        if data is None:
            x, y, what = self.calibration, self.labels, "calibration samples"
        else:
            x, y = samples_of(data, self.model.input_shape)
            named = isinstance(data, (str, os.PathLike))
            what = f"samples of {os.path.basename(data)}" if named else "held-out samples"  # noqa: PTH119
        labels = sound_labels(self.graph.outputs, y, self.listener)
        return Held(checked_samples(self.graph, x), labels, what)

    def compile(
        self,
        config: Config | str | os.PathLike[str] | AcceleratorConfig | None = None,
        *,
        data: SampleSource | None = None,
        within: float | None = None,
        **parameters: Any,
    ) -> Program:
        """Quantise the model for a core and compile it to a program; what comes out is held against the float model.

        Every layer's sums are certified to fit the accumulator, for every input.

        Parameters
        ----------
        config : Config, str or Path, optional
            The core, as `Config` takes it; without one the best shape of up to 256 multiply-accumulates for the model.
        data : path, array, pair or iterable, optional
            Samples, perhaps with labels, to measure the result on; the calibration samples without.
        within : float, optional
            Points: give 8 bits to as few weights and tensors as make the share of those samples with the float model's
            first answer at least 100 % less so much. All other formats are those of `Model.quantize`.
        **parameters
            Parameters of the core that replace its own: ``acc_bits=14``.

        Raises
        ------
        ConfigError
            If there is no such configuration.
        CapacityError
            If the core is too small for the model, or has no formats that agree so well; the message says what is
            lacking.
        CertificateError
            If the sums of a layer need more bits than the accumulator has.

        Examples
        --------
        >>> import narrows
        >>> digits = narrows.example()
        >>> digits.model.quantize(digits.calib).compile("tiny", acc_bits=15)
        Program('digits', 2 x 4 x 4 units, 7 layers, 15-bit accumulators)
        """
        held, core = self.held(data), self.core(config, **parameters)
        plan = self if within is None else self.within(within, core, held)
        return plan.compile_for(core, held, sized=config is None)

    def within(self, points: float, core: AcceleratorConfig, held: Held) -> Quantised:
        """The same with formats layer by layer for a core, as `compile` chooses them; arguments are checked there."""
        from .within import formats_within

        self._check_samples("--within")
        chosen = formats_within(self, core, held, points)
        return dataclasses.replace(self, formats=Formats.of(formats=chosen))

    def core(
        self, config: Config | str | os.PathLike[str] | AcceleratorConfig | None, **parameters: Any
    ) -> AcceleratorConfig:
        """The configuration that was named, or one sized for the model; parameters replace others where not None."""
        from .sizing import sized

        if config is None:
            config = sized(self.lowered, self.formats, self.listener)
        return Config(config, **parameters).core

    def compile_for(self, core: AcceleratorConfig, held: Held, *, sized: bool = False) -> Program:
        """`compile` for a core that is known, measured on samples that are checked; one that was sized for the model
        gets larger memories where it takes them."""
        from ..compile import compile_graph
        from ..quantize.reconstructing import quantise_and_reconstruct
        from .program import Program
        from .quality import recorded
        from .reconstruction import show_reconstruction
        from .sizing import check_size, compiled_sized

        settings = self.formats(core)
        check_size(self.lowered, core, settings, self.calibration)
        if self.beside.note:
            self.listener.note(f"note: {self.beside.note}")
        if self.lowered.grids and self.formats.asked:
            self.listener.note("note: the model keeps its own integers: for --weights and --acts say --requantise, too")
        blocks: list[Reconstructed] = []
        with self.listener.progress("reconstructing" if settings.reconstruct else "quantising") as progress:
            graph = quantise_and_reconstruct(
                self.graph,
                self.calibration,
                settings,
                core,
                lambda _, done, total: progress(done, total),
                blocks.append,
            )
        show_reconstruction(blocks, self.listener)
        compiled = recorded(
            compiled_sized(graph, core, self.listener) if sized else compile_graph(graph, core),
            self.graph,
            held.x,
            held.labels,
            samples=held.what,
            verdict=asdict(self.verdict),
            settings=settings,
            calibration=self.calibration,
            requantised=self.requantise,
            reconstruction=blocks,
            states=self.model.states,
            listener=self.listener,
        )
        return Program(compiled, model=self.model, calibration=self.calibration)

    def train(
        self, data: SampleSource, *, val: SampleSource | None = None, epochs: int = 10, **options: Any
    ) -> Trained:
        """Say how the model is trained inside the narrow formats; `Trained.compile`, which knows the core, does it.

        Needs torch: ``pip install 'narrows[train]'``.

        Parameters
        ----------
        data : path, array, pair or iterable
            Training samples and, for classifiers, labels; without labels the network learns to answer as the float
            model does. Of an iterable all samples are taken.
        val : path, array, pair or iterable, optional
            Samples to judge epochs by; without them every twentieth one of ``data``.
        epochs : int
            Times that all samples are seen.
        **options
            Of `Trained`: ``batch``, ``rate``, ``crop``, ``mirror``, ``patience``, ``checkpoint``, ``keep``, ...

        Raises
        ------
        ToolMissing
            If torch is not installed.
        InputError
            If the samples do not fit the model.
        """
        from .training import Trained

        self._check_samples("training")
        return Trained.of(self, data, val, epochs=epochs, **options)

    def search(
        self,
        data: SampleSource,
        *,
        config: Config | str | os.PathLike[str] | AcceleratorConfig | None = None,
        **options: Any,
    ) -> Found:
        """Search formats layer by layer, and widths of the core: accuracy against cycles and look-up tables.

        Parameters
        ----------
        data : path, array, pair or iterable
            Samples to measure points on, perhaps with labels.
        config : Config, str or Path, optional
            The core that the search varies; ``medium`` without.
        **options
            Of `searching.search`: ``weights``, ``acts``, ``acc_bits``, ``max_loss``, ``speed_up``, ``trials``, ...

        Returns
        -------
        Found
            The front, and by `Found.compile` the program of the chosen point.
        """
        from .searching import search

        self._check_samples("a search")
        return search(self, data, Config(config).core, **options)

    def _check_samples(self, what: str) -> None:
        """Refuse a model with states where samples are taken in any order."""
        if self.graph.states:
            raise InputError(
                f"{what} takes samples in any order, and this model keeps {self.graph.states[0].tensor!r} from run to "
                "run: compile it as it is"
            )

    def __repr__(self) -> str:
        said = f", {self.formats}" if str(self.formats) else ""
        return f"Quantised({self.model.name!r}, {len(self.calibration)} samples{said})"
