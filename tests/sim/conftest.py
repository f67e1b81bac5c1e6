"""The machine of docs/machine.md, word by word and loop by loop: slow, literal, and independent of the ISA model."""

from fractions import Fraction

import pytest
from narrows.hw.spec.isa import BLOCK, TAP, Mode, decode_instruction, decode_param

MAGNITUDES = (0, 1, 2, 3, 4, 6, 8, 16)
LEVELS = {
    1: [0, 1],
    2: [0, 1, 2, 4],
    3: [0, 1, 2, 3, 4, 6, 8, 16],
    4: [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 24, 32, 64],
    10: [0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96],  # minifloats of one mantissa bit
    11: [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80],
}
"""Levels by the number of their rounding, as far as tests go."""


def level(code):
    return -MAGNITUDES[code & 7] if code & 8 else MAGNITUDES[code & 7]


def native_code(value):
    return MAGNITUDES.index(abs(value)) | (8 if value < 0 else 0)


def digits(value, planes):
    """Radix-8 digits, least significant first (docs/numerics.md)."""
    if planes == 1:
        return [value]
    prefixes = [abs(value)] + [(abs(value) + (8**i >> 1)) >> (3 * i) for i in range(1, planes)] + [0]
    return [(-1 if value < 0 else 1) * (prefixes[i] - 8 * prefixes[i + 1]) for i in range(planes)]


def bits_of(row):
    return sum(int(beat) << (32 * number) for number, beat in enumerate(row))


def nearest(half, levels):
    """Nearest level to half/2, ties toward +infinity."""
    value = Fraction(half, 2)
    return min(levels, key=lambda candidate: (abs(candidate - value), -candidate))


class LiteralMachine:
    """Runs the tables of an Assembler over codes (act_words, lanes)."""

    def __init__(self, assembler, codes):
        self.config = assembler.config
        self.tables = assembler.tables()
        self.codes = [list(map(int, word)) for word in codes]
        self.checksums = []

    def run(self):
        for words in self.tables["instructions"]:
            _, fields = decode_instruction(words.tolist())
            if not fields["opcode"]:
                return
            self.a = self.b = 0
            self.f = fields
            self.blocks = [BLOCK.decode(row.tolist()) for row in self.tables["blocks"]]
            self.taps = [TAP.decode(row.tolist()) for row in self.tables["taps"]]
            self.compute()
            self.checksums.append(self.b << 16 | self.a)

    def groups(self):
        """(origin, [(y, x), ...]) of each pixel group."""
        f = self.f
        origin = f["origin"]
        if f["wrap"]:
            pixels = [(y, x) for y in range(f["out_height"]) for x in range(f["out_width"])]
            for first in range(0, len(pixels), f["rows"]):
                yield origin, pixels[first : first + f["rows"]]
                origin += f["origin_step"]
        else:
            for y in range(f["out_height"]):
                for first in range(0, f["out_width"], f["rows"]):
                    last = min(first + f["rows"], f["out_width"])
                    yield origin, [(y, x) for x in range(first, last)]
                    origin += f["origin_line"] if last == f["out_width"] else f["origin_step"]

    def valid(self, tap, y, x):
        f = self.f
        return (
            min(y, 15) >= tap["top"]
            and min(f["out_height"] - 1 - y, 15) >= tap["bottom"]
            and min(x, 15) >= tap["left"]
            and min(f["out_width"] - 1 - x, 15) >= tap["right"]
        )

    def pixel_offsets(self):
        f, offset, offsets = self.f, 0, {}
        for y in range(f["out_height"]):
            for x in range(f["out_width"]):
                offsets[y, x] = offset
                if x < f["out_width"] - 1:
                    offset += f["out_dx_odd"] if x % 2 else f["out_dx_even"]
                else:
                    offset += f["out_dy_odd"] if y % 2 else f["out_dy_even"]
        return offsets

    def compute(self):
        f, offsets = self.f, self.pixel_offsets()
        for origin, pixels in self.groups():
            for cg in range(f["column_groups"]):
                channel = (cg // f["channel_period"]) * f["channel_step"]
                if f["mode"] == Mode.MAX:
                    self.max_word(origin + channel, pixels[0], offsets[pixels[0]], cg)
                else:
                    acc = self.tile(origin + channel, pixels, cg)
                    for row, pixel in enumerate(pixels):
                        self.drain(acc[row], offsets[pixel], cg)

    def tile(self, base, pixels, cg):
        f, config = self.f, self.config
        acc = [[0] * config.columns for _ in pixels]
        for block in self.blocks[f["first_block"] : f["first_block"] + f["block_count"]]:
            if block["shift"]:
                acc = [[value << 3 for value in row] for row in acc]
            for g in range(block["groups"]):
                for t in range(block["tap_count"]):
                    tap = self.taps[block["first_tap"] + t]
                    address = base + block["base"] + g * block["group_pitch"] + tap["offset"]
                    index = g if block["hold"] else g * block["tap_count"] + t
                    share = f["diagonal"] and config.lanes % config.columns == 0 and config.lanes > config.columns
                    place = cg % f["channel_period"] % (config.lanes // config.columns) if share else 0
                    pitches = cg // f["channel_period"] if share else cg
                    w = bits_of(
                        self.tables["weights"][
                            f["weight_base"] + pitches * f["weight_pitch"] + block["weight_base"] + index
                        ]
                    )
                    for row, (y, x) in enumerate(pixels):
                        inside = self.valid(tap, y, x)
                        word = (
                            self.codes[(address + row) % config.act_words]
                            if inside
                            else [block["pad_code"]] * config.lanes
                        )
                        for c in range(config.columns):
                            for lane in range(config.lanes):
                                if share and lane // config.columns != place:
                                    continue
                                weight = level(w >> (4 * (c * config.lanes + lane)) & 15)
                                acc[row][c] += level(word[lane]) * weight
        half = 1 << (config.acc_bits - 1)
        return [[(value + half) % (2 * half) - half for value in row] for row in acc]

    def drain(self, sums, pixel, cg):
        f, config = self.f, self.config
        for j in range(config.columns // config.rescalers):
            word = bits_of(self.tables["params"][f["param_base"] + cg * config.tile_granules + j])
            values = []
            for number in range(config.rescalers):
                entry = word >> (number * config.param_bits) & ((1 << config.param_bits) - 1)
                bias, m, s = decode_param(
                    entry, bias_width=config.bias_width, rescale_bits=config.rescale_bits, shift_bits=config.shift_bits
                )
                v = (sums[j * config.rescalers + number] + bias) * m
                h = (v >> (s - 1) if s else 2 * v) + 2 * f["zero"]
                if f["uneven"]:
                    y = nearest(h, [sign * magnitude for magnitude in LEVELS[f["rounding"]] for sign in (1, -1)])
                else:
                    y = (h + 1) // 2
                values.append(digits(max(f["clamp_low"], min(f["clamp_high"], y)), f["planes"]))
            q = f["out_granule"] + cg * config.tile_granules + j
            for d in range(f["planes"]):
                address = (
                    f["out_base"] + pixel + d * f["out_plane_pitch"] + (q // config.granules) * f["out_group_pitch"]
                )
                codes = [native_code(value[d]) for value in values]
                first = q % config.granules * config.rescalers
                self.codes[address % config.act_words][first : first + config.rescalers] = codes
                self.add(codes)

    def max_word(self, base, pixel, offset, cg):
        f, config, planes = self.f, self.config, self.f["planes"]
        block = self.blocks[f["first_block"]]
        taps = self.taps[block["first_tap"] : block["first_tap"] + block["tap_count"]]
        best = [None] * config.lanes
        for position in range(len(taps) // planes):
            window = taps[position * planes : (position + 1) * planes]
            if not self.valid(window[0], *pixel):
                continue
            words = [self.codes[(base + block["base"] + tap["offset"]) % config.act_words] for tap in reversed(window)]
            for lane in range(config.lanes):
                codes = [word[lane] for word in words]
                # Lanes that nobody wrote may hold any codes: digits compare from the most significant down.
                value = [-1 - (code & 7) if code & 8 else code for code in reversed(codes)]
                if best[lane] is None or value > best[lane][0]:
                    best[lane] = value, codes
        for d in range(planes):
            codes = [winner[1][d] for winner in best]
            self.codes[
                (f["out_base"] + offset + d * f["out_plane_pitch"] + cg * f["out_group_pitch"]) % config.act_words
            ] = codes
            self.add(codes)

    def add(self, codes):
        word = sum(code << (4 * number) for number, code in enumerate(codes))
        folded = 0
        while word:
            folded, word = folded ^ (word & 0xFFFF), word >> 16
        self.a = (self.a + folded) % 65536
        self.b = (self.b + self.a) % 65536


@pytest.fixture
def literal_machine():
    """The class of the literal interpreter."""
    return LiteralMachine
