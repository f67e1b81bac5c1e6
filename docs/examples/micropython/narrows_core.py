"""A narrows core on SPI, driven by MicroPython; export.py makes the files of a model."""

import binascii
import json
import struct

_HELLO, _READ, _WRITE = 1, 2, 3
_OK, _REFUSED, _NO_SESSION = 0, 1, 2
_MOST_WORDS = 128  # of a request
_WAIT_BYTES = 16  # before a reply begins, at most
_ATTEMPTS = 8
_CHUNK = 4 * _MOST_WORDS
_REPEAT = 1 << 31
_CLEAR, _START = 2, 1
_BUSY, _DONE, _FAULT = 1, 2, 4


class CoreError(Exception):
    """The core does not answer, or stopped."""


class Link:
    """Words of a core's registers and memories over SPI: each request and its reply are one selection.

    ``spi`` is a machine.SPI in mode 0 with the high bit first, at most an eighth of the core's clock; ``cs`` a
    machine.Pin that is an output. ``open`` comes first.
    """

    def __init__(self, spi, cs):
        self._spi, self._cs = spi, cs
        self._sequence = 0
        self.repeated = 0  # requests sent again
        cs(1)

    def open(self):
        """Begin a session: after a reset a core answers nothing else."""
        magic, link = struct.unpack("<II", self._ask(_HELLO, 0, 2))
        if magic != 0x6E727773 or link >> 16 != 1:
            raise CoreError("what answers is no narrows core, or speaks another version of the link")

    def read(self, address, count):
        """Bytes of words from a byte address on."""
        data = b""
        while count:
            some = min(count, _MOST_WORDS)
            data += self._ask(_READ, address, some)
            address += 4 * some
            count -= some
        return data

    def write(self, address, data):
        """Write bytes of words from a byte address on."""
        for first in range(0, len(data), _CHUNK):
            piece = data[first : first + _CHUNK]
            self._ask(_WRITE, address + first, len(piece) // 4, piece)

    def _ask(self, command, address, count, words=b""):
        self._sequence = (self._sequence + 1) & 0xFF
        body = struct.pack("<BBBI", self._sequence, command, count, address) + words
        request = b"\xa5" + body + struct.pack("<I", binascii.crc32(body))
        wanted = 0 if command == _WRITE else count
        for attempt in range(_ATTEMPTS):
            self.repeated += attempt > 0
            self._cs(0)
            self._spi.write(request)
            reply = self._spi.read(_WAIT_BYTES + 8 + 4 * wanted)
            self._cs(1)
            found = self._parsed(reply)
            if found is not None and len(found) == 4 * wanted:
                return found
        raise CoreError("the core does not answer: check pins, mode and clock")

    def _parsed(self, reply):
        """The words of a reply; None if it did not come whole."""
        begin = reply.find(b"\x5a")
        if begin < 0 or len(reply) < begin + 8 or reply[begin + 1] != self._sequence:
            return None
        end = begin + 3 + 4 * reply[begin + 2]
        if len(reply) < end + 5:
            return None
        if binascii.crc32(reply[begin + 1 : end + 1]) != struct.unpack("<I", reply[end + 1 : end + 5])[0]:
            return None
        status = reply[end]
        if status == _NO_SESSION:
            raise CoreError("the core was reset: open the link and load the model again")
        if status != _OK:
            raise CoreError("the core refused an access" if status == _REFUSED else "the core does not know a request")
        return reply[begin + 3 : end]


class Model:
    """A model on a core: ``load`` it once, then ``run`` samples.

    ``told`` and ``image`` are the names of the files that export.py writes.
    """

    def __init__(self, link, told="model.json", image="model.nrb"):
        self._link, self._image = link, image
        with open(told) as file:
            self._told = json.load(file)
        entry = self._told["input"]
        self._codes = {level: n * entry["planes"] for n, level in enumerate(entry["levels"])}

    def load(self):
        """Fill the core's memories from the image."""
        if self._register("magic") != self._told["magic"] or self._register("config") != self._told["config"]:
            raise CoreError("the core is of another configuration: export a program of its own")
        with open(self._image, "rb") as file:
            _, left = struct.unpack("<II", file.read(8))
            while left:
                head, count = struct.unpack("<II", file.read(8))
                left -= 2 + (1 if head & _REPEAT else count)
                self._write_record(file, head & ~_REPEAT, count, head & _REPEAT)

    def _write_record(self, file, address, count, repeat):
        word = file.read(4) if repeat else b""
        while count:
            some = min(count, _MOST_WORDS)
            self._link.write(address, word * some if repeat else file.read(4 * some))
            address += 4 * some
            count -= some

    def quantise(self, values):
        """Nearest levels of real values, ties upward, in the order channel, line, column."""
        entry = self._told["input"]
        levels, (least, most) = entry["levels"], entry["range"]
        found = []
        for value in values:
            wanted, low, high = value / entry["scale"] + entry["zero"], 0, len(levels) - 1
            while low < high:
                middle = (low + high) // 2
                if 2 * wanted >= levels[middle] + levels[middle + 1]:
                    low = middle + 1
                else:
                    high = middle
            found.append(min(max(levels[low], least), most))
        return found

    def run(self, levels):
        """Run one sample: levels by output, in the order channel, line, column."""
        self._write_input(levels)
        self._set("control", _START)
        status = _BUSY
        while status & _BUSY:
            status = self._register("status")
        if not status & _DONE or status & _FAULT:
            raise CoreError(f"the core stopped with fault {status >> 8 & 0xFF}")
        return {name: self._read_tensor(tensor) for name, tensor in self._told["outputs"].items()}

    def values(self, name, levels):
        """Real values of an output's levels."""
        tensor = self._told["outputs"][name]
        return [tensor["scale"] * (level - tensor["zero"]) for level in levels]

    def cycles(self):
        """Clock cycles of the last run."""
        return self._register("cycles")

    def _register(self, name):
        return struct.unpack("<I", self._link.read(self._told["registers"][name], 1))[0]

    def _set(self, name, value):
        self._link.write(self._told["registers"][name], struct.pack("<I", value))

    def _write_input(self, levels):
        """Lay a sample out as the first layer reads it, a line of words at a time where these lie in a row."""
        memory, tensor, run, begin = self._told["memory"], self._told["input"], bytearray(), 0
        stored, lanes, bits = tensor["stored"], memory["lanes"], memory["code_bits"]
        if len(levels) != tensor["shape"][0] * tensor["shape"][1] * tensor["shape"][2]:
            shape = " x ".join(str(size) for size in tensor["shape"])
            raise ValueError(f"a sample has {shape} levels, not {len(levels)}")
        unknown = [level for level in levels if level not in self._codes]
        if unknown:
            raise ValueError(f"the input has no level {unknown[0]}: use quantise()")
        for first in range(0, stored[0], lanes):
            sources = [_source(tensor, channel) for channel in range(first, min(first + lanes, stored[0]))]
            for plane in range(tensor["planes"]):
                for y in range(stored[1]):
                    for x in range(stored[2]):
                        word = 0
                        for lane in range(lanes):
                            level = 0  # of lanes without a channel
                            if lane < len(sources):
                                at = _position(tensor, sources[lane], y, x)
                                level = tensor["fill"] if at is None else levels[at]
                            word |= tensor["codes"][self._codes[level] + plane] << lane * bits
                        address = self._address(tensor, first // lanes, plane, y, x)
                        if run and (address != begin + len(run) or len(run) >= _CHUNK):
                            self._link.write(begin, run)
                            run = bytearray()
                        if not run:
                            begin = address
                        run.extend(word.to_bytes(4 * memory["beats"], "little"))
        self._link.write(begin, run)

    def _read_tensor(self, tensor):
        memory, values, radix = self._told["memory"], self._told["values"], self._told["radix"]
        channels, height, width = tensor["shape"]
        levels = [0] * (channels * height * width)
        bits, lanes = memory["code_bits"], memory["lanes"]
        for group in range((tensor["stored"][0] + lanes - 1) // lanes):
            for y in range(tensor["stored"][1]):
                for x in range(tensor["stored"][2]):
                    weight = 1
                    for plane in range(tensor["planes"]):
                        address = self._address(tensor, group, plane, y, x)
                        word = int.from_bytes(self._link.read(address, memory["beats"]), "little")
                        for channel in range(group * lanes, min((group + 1) * lanes, tensor["stored"][0])):
                            at = _position(tensor, _source(tensor, channel), y, x)
                            code = word >> channel % lanes * bits & ((1 << bits) - 1)
                            if at is not None:
                                levels[at] += weight * values[code]
                        weight *= radix
        return levels

    def _address(self, tensor, group, plane, y, x):
        memory, (lines, columns) = self._told["memory"], tensor["phases"]
        word = tensor["base"] + group * tensor["group_pitch"] + plane * tensor["plane_pitch"]
        word += (y % lines * columns + x % columns) * tensor["phase_pitch"]
        word += (y // lines * tensor["line"] + x // columns) * tensor["pixel_pitch"]
        return memory["base"] + word % memory["words"] * memory["stride"]


def _source(tensor, channel):
    """Channel of the sample, and place in the window, of a stored channel."""
    taps, channel = divmod(channel, tensor["shape"][0])
    return (channel, taps // tensor["kernel"][1], taps % tensor["kernel"][1])


def _position(tensor, source, y, x):
    """Place among a sample's levels of a stored value; None outside."""
    _, height, width = tensor["shape"]
    channel, tap_y, tap_x = source
    y = y * tensor["stride"][0] + tap_y * tensor["dilation"][0] - tensor["pad"][0]
    x = x * tensor["stride"][1] + tap_x * tensor["dilation"][1] - tensor["pad"][1]
    return (channel * height + y) * width + x if 0 <= y < height and 0 <= x < width else None
