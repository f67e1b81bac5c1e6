"""A digit on a narrows core: Raspberry Pi Pico with MicroPython, SPI 0 at its usual pins (docs/integration.md)."""

import time

from machine import SPI, Pin
from narrows_core import Link, Model

DIGIT = (
    (0, 0, 0, 4, 15, 7, 0, 0),
    (0, 0, 3, 15, 12, 0, 0, 0),
    (0, 1, 14, 12, 0, 2, 11, 0),
    (0, 10, 14, 0, 0, 13, 12, 0),
    (0, 11, 15, 12, 15, 16, 5, 0),
    (0, 4, 10, 8, 16, 11, 0, 0),
    (0, 0, 0, 2, 16, 4, 0, 0),
    (0, 0, 0, 6, 14, 0, 0, 0),
)

spi = SPI(0, baudrate=1_000_000, polarity=0, phase=0, sck=Pin(18), mosi=Pin(19), miso=Pin(16))
link = Link(spi, Pin(17, Pin.OUT, value=1))
link.open()
model = Model(link)
begin = time.ticks_ms()
model.load()
print("loaded in", time.ticks_diff(time.ticks_ms(), begin), "ms")

levels = model.quantise([value for line in DIGIT for value in line])
begin = time.ticks_ms()
scores = model.run(levels)["scores"]
print("scores", model.values("scores", scores))
print("a", scores.index(max(scores)), "in", time.ticks_diff(time.ticks_ms(), begin), "ms,", model.cycles(), "cycles")
