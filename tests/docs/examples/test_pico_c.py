"""The program for a Raspberry Pi Pico, compiled with stand-ins for its SDK's functions, against the machine's model."""

from __future__ import annotations

from pathlib import Path

import narrows
import pytest
from spi_programs import COMPILER, SpiProgram

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "pico_c"

pytestmark = pytest.mark.skipif(COMPILER is None, reason="needs a C compiler")

STDLIB = """
#ifndef PICO_STDLIB_H
#define PICO_STDLIB_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#define GPIO_FUNC_SPI 1
#define GPIO_OUT 1
#define PICO_ERROR_TIMEOUT (-1)
typedef unsigned int uint;
bool stdio_init_all(void);
void gpio_set_function(uint, int);
void gpio_init(uint);
void gpio_put(uint, bool);
void gpio_set_dir(uint, bool);
void sleep_ms(uint32_t);
int getchar_timeout_us(uint32_t);
#endif
"""
SPI = """
#include "pico/stdlib.h"
typedef struct spi_inst spi_inst_t;
#define spi0 ((spi_inst_t *)0)
uint spi_init(spi_inst_t *, uint);
int spi_write_blocking(spi_inst_t *, const uint8_t *, size_t);
int spi_read_blocking(spi_inst_t *, uint8_t, uint8_t *, size_t);
"""
SYSTEM = """
#include <assert.h>
#include "hardware/spi.h"
extern void (*take)(const uint8_t *, uint32_t, uint8_t *, uint32_t);
static const uint8_t *out;
static size_t count;
static bool selected;
bool stdio_init_all(void) { return true; }
void gpio_set_function(uint pin, int function) { assert(pin <= 19 && function == GPIO_FUNC_SPI); }
void gpio_init(uint pin) { assert(pin == 17); }
void gpio_put(uint pin, bool value) { assert(pin == 17); selected = !value; count = 0; }
void gpio_set_dir(uint pin, bool value) { assert(pin == 17 && value); }
void sleep_ms(uint32_t ms) { (void)ms; }
int getchar_timeout_us(uint32_t us) { (void)us; return 'q'; }
uint spi_init(spi_inst_t *spi, uint hz) { (void)spi; return hz; }
int spi_write_blocking(spi_inst_t *spi, const uint8_t *bytes, size_t size)
{ (void)spi; assert(selected && count == 0); out = bytes; count = size; return (int)size; }
int spi_read_blocking(spi_inst_t *spi, uint8_t sent, uint8_t *in, size_t size)
{ (void)spi; (void)sent; assert(selected && count); take(out, (uint32_t)count, in, (uint32_t)size); return (int)size; }
"""


@pytest.fixture(scope="module")
def program() -> narrows.Program:
    digits = narrows.example()
    return digits.model.quantize(digits.calib[:64]).compile("tiny")


def compiled(program: narrows.Program, folder: Path) -> SpiProgram:
    system = {"pico/stdlib.h": STDLIB, "hardware/spi.h": SPI, "system.c": SYSTEM}
    return SpiProgram(program.compiled, folder, [EXAMPLE / "main.c"], system)


def test_its_digit_gets_the_golden_models_scores(
    program: narrows.Program, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    host = compiled(program, tmp_path)
    host.main()
    assert (
        capfd.readouterr().out
        == f"{host.right_scores(narrows.example().x[:1])} in {host.core.machine.counts.cycles} cycles\n"
    )


def test_a_core_that_is_not_there_is_told(
    program: narrows.Program, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    host = compiled(program, tmp_path)
    host.link = None
    host.main()
    assert capfd.readouterr().out == "error -10\n"
