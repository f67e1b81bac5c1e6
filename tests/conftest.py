"""Programs written by hand, record by record, so that tests of the engines need no compiler."""

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from narrows.hw.spec.certificate import final_sum_bounds, signed_bits
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.formats import DyBit
from narrows.hw.spec.isa import BLOCK, COMPUTE, END, TAP, Mode, Opcode, encode_param
from narrows.hw.spec.layout import TensorLayout
from narrows.hw.spec.registers import Region, region_beats
from narrows.hw.spec.words import pack_codes
from narrows.sw.outputs import Output
from narrows.sw.program import Program
from narrows.sw.quantised import InputSpec, MacLayer, MaxLayer, QuantisedGraph, QuantisedTensor, Segment

settings.register_profile("no times", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no times")  # no test fails because the machine is busy


class Assembler:
    """Tables of records under construction; every method returns the index of what it adds."""

    def __init__(self, config):
        self.config = config
        self.instructions, self.blocks, self.taps, self.params, self.weights = [], [], [], [], []

    def tap(self, **fields):
        self.taps.append(TAP.encode(fields))
        return len(self.taps) - 1

    def block(self, **fields):
        self.blocks.append(BLOCK.encode({"groups": 1, "tap_count": 1, **fields}))
        return len(self.blocks) - 1

    def weight(self, levels):
        """A weight word from levels of shape (columns, lanes)."""
        self.weights.append(
            pack_codes(self.config.weight_digits.base.encode(levels).reshape(-1), self.config.weight_bits)
        )
        return len(self.weights) - 1

    def param(self, entries):
        """A parameter word from (bias, multiplicand, shift) of each of its channels."""
        config, word = self.config, 0
        for number, entry in enumerate(entries):
            bits = encode_param(
                *entry, bias_width=config.bias_width, rescale_bits=config.rescale_bits, shift_bits=config.shift_bits
            )
            word |= bits << (number * config.param_bits)
        beats = region_beats(config, Region.PARAMS)
        self.params.append(np.frombuffer(word.to_bytes(4 * beats, "little"), dtype="<u4"))
        return len(self.params) - 1

    def compute(self, **fields):
        defaults = {
            "opcode": Opcode.COMPUTE,
            "rows": 1,
            "planes": 1,
            "column_groups": 1,
            "channel_period": 1,
            "rounding": 3,
            "block_count": 1,
            "clamp_low": -4,
            "clamp_high": 4,
            "cert_bits": self.config.acc_bits,
        }
        self.instructions.append(COMPUTE.encode(defaults | fields))
        return len(self.instructions) - 1

    def end(self):
        self.instructions.append(END.encode({"opcode": Opcode.END}))
        return self

    def _table(self, rows, region):
        return np.array(rows, dtype=np.uint32).reshape(len(rows), -1 if rows else region_beats(self.config, region))

    def tables(self):
        return {
            "instructions": np.array(self.instructions, dtype=np.uint32),
            "blocks": np.array(self.blocks, dtype=np.uint32).reshape(-1, 4),
            "taps": np.array(self.taps, dtype=np.uint32).reshape(-1, 1),
            "params": self._table(self.params, Region.PARAMS),
            "weights": self._table(self.weights, Region.WEIGHTS),
        }

    def load(self, machine):
        """Put the tables into the memories of an IsaMachine."""
        names = {"blocks": Region.BLOCKS, "taps": Region.TAPS, "params": Region.PARAMS, "weights": Region.WEIGHTS}
        tables = self.tables()
        machine.program_config = self.config.hash32
        machine.write_words(Region.INSTRUCTIONS, 0, tables["instructions"].reshape(-1, 1))
        for name, region in names.items():
            machine.write_words(region, 0, tables[name])


def _tiny_graph():
    """3 x 5 x 6 input, 3x3 convolution to 6 channels (padding 1), 2x2 max-pool."""
    rng = np.random.default_rng(11)
    fmt = DyBit(4)
    weights = rng.choice(fmt.levels, (6, 3, 3, 3))
    image = QuantisedTensor(name="image", shape=(3, 5, 6), format=fmt, scale=0.25, zero=-4, low=-4, high=16)
    features = QuantisedTensor(name="features", shape=(6, 5, 6), format=fmt, scale=0.5, zero=-3, low=-3, high=16)
    pooled = dataclasses.replace(features, name="pooled", shape=(6, 2, 3))
    low, high = final_sum_bounds([(weights, image.span)])
    conv = MacLayer(
        name="conv",
        segments=(Segment(source="image", weights=weights, pads=(1, 1, 1, 1)),),
        bias=rng.integers(-400, 400, 6),
        multiplicand=rng.integers(8, 16, 6),
        shift=rng.integers(7, 10, 6),
        cert_bits=signed_bits(low, high),
        output="features",
    )
    pool = MaxLayer(name="pool", source="features", kernel=(2, 2), stride=(2, 2), pads=(0, 0, 0, 0), output="pooled")
    return QuantisedGraph(
        name="tiny",
        tensors={tensor.name: tensor for tensor in (image, features, pooled)},
        input=InputSpec(tensor="image", shape=(5, 6, 3), permutation=(2, 0, 1)),
        layers=(conv, pool),
        outputs=(Output.whole("pooled", (36,)),),
    )


def _tiny_program():
    config = AcceleratorConfig(rows=2, columns=4, lanes=4, rescalers=2, acc_bits=16, act_words=256, weight_words=64)
    graph = _tiny_graph()
    image = TensorLayout(channels=3, height=5, width=6, lanes=4, planes=1, base=20)
    features = TensorLayout(channels=6, height=5, width=6, lanes=4, planes=1, base=64)
    pooled = TensorLayout(channels=6, height=2, width=3, lanes=4, planes=1, base=180)
    conv, out = graph.layers[0], graph.tensors["features"]
    assert isinstance(conv, MacLayer)

    asm = Assembler(config)
    for y in range(3):
        for x in range(3):
            asm.tap(
                offset=(y - 1) * 6 + x - 1, top=int(y == 0), bottom=int(y == 2), left=int(x == 0), right=int(x == 2)
            )
    padded = np.zeros((8, 4, 3, 3), dtype=np.int64)
    padded[:6, :3] = conv.segments[0].weights
    for tile in range(2):
        for y in range(3):
            for x in range(3):
                asm.weight(padded[4 * tile :][:4, :, y, x])
    entries = [(int(b), int(m), int(s)) for b, m, s in zip(conv.bias, conv.multiplicand, conv.shift, strict=True)]
    entries += [(0, 8, 0)] * 2
    for first in range(0, 8, 2):
        asm.param(entries[first : first + 2])
    asm.block(base=image.base, tap_count=9, pad_code=int(config.digits.base.encode(graph.tensors["image"].zero)))
    asm.compute(
        mode=Mode.MAC,
        wrap=1,
        uneven=1,
        rows=2,
        out_height=5,
        out_width=6,
        origin_step=2,
        column_groups=2,
        channel_period=2,
        weight_pitch=9,
        out_base=features.base,
        out_dx_even=1,
        out_dx_odd=1,
        out_dy_even=1,
        out_dy_odd=1,
        out_plane_pitch=30,
        out_group_pitch=30,
        zero=out.zero,
        clamp_low=out.low,
        clamp_high=out.high,
        cert_bits=conv.cert_bits,
    )
    first = min(asm.tap(offset=6 * y + x) for y in range(2) for x in range(2))
    block = asm.block(base=features.base, first_tap=first, tap_count=4)
    asm.compute(
        mode=Mode.MAX,
        out_height=2,
        out_width=3,
        first_block=block,
        origin_step=2,
        origin_line=12 - 4,
        column_groups=2,
        channel_step=30,
        out_base=pooled.base,
        out_dx_even=1,
        out_dx_odd=1,
        out_dy_even=1,
        out_dy_odd=1,
        out_plane_pitch=6,
        out_group_pitch=6,
        cert_bits=0,
    )
    asm.end()
    return Program(
        config=config,
        graph=graph,
        **asm.tables(),
        layouts={"image": image, "features": features, "pooled": pooled},
        layers=("conv", "pool", ""),
    )


@pytest.fixture
def assembler():
    """The class that writes programs by hand."""
    return Assembler


@pytest.fixture(scope="session")
def tiny_program():
    """A convolution of two tiles and a max-pool, assembled by hand."""
    return _tiny_program()


@pytest.fixture
def tiny_levels(tiny_program):
    """Levels of one sample for `tiny_program`."""
    tensor = tiny_program.graph.tensors["image"]
    levels = tensor.format.levels
    return np.random.default_rng(5).choice(levels[levels >= tensor.low], tensor.shape)
