"""The program for Zephyr, compiled with stand-ins for Zephyr's headers, against the machine's model."""

from __future__ import annotations

from pathlib import Path

import narrows
import pytest
from spi_programs import COMPILER, SpiProgram

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "zephyr"

pytestmark = pytest.mark.skipif(COMPILER is None, reason="needs a C compiler")

SPI = """
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct spi_buf { void *buf; size_t len; };
struct spi_buf_set { const struct spi_buf *buffers; size_t count; };
struct spi_dt_spec { const char *node; uint32_t operation; };
#define SPI_WORD_SET(bits) ((uint32_t)(bits) << 5)
#define SPI_TRANSFER_MSB 0u
#define DT_NODELABEL(label) #label
#define SPI_DT_SPEC_GET(node, operation, ...) {node, operation}
bool spi_is_ready_dt(const struct spi_dt_spec *);
int spi_transceive_dt(const struct spi_dt_spec *, const struct spi_buf_set *, const struct spi_buf_set *);
"""
SYSTEM = """
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "zephyr/drivers/spi.h"
extern void (*take)(const uint8_t *, uint32_t, uint8_t *, uint32_t);
int ready = 1;
bool spi_is_ready_dt(const struct spi_dt_spec *spec) { assert(!strcmp(spec->node, "narrows0")); return ready; }

static size_t whole(const struct spi_buf_set *set)
{
    size_t sum = 0, i;
    for (i = 0; i < set->count; i++)
        sum += set->buffers[i].len;
    return sum;
}

/* Zephyr's rule: both sides are lists of pieces, a piece without a buffer is skipped, bits flow both ways at once. */
int spi_transceive_dt(const struct spi_dt_spec *spec, const struct spi_buf_set *tx, const struct spi_buf_set *rx)
{
    size_t sent = tx->buffers[0].len, size = whole(tx), at = 0, i;
    uint8_t *bytes = calloc(size, 1);
    assert(spec->operation == SPI_WORD_SET(8) && size == whole(rx) && !tx->buffers[1].buf);
    take(tx->buffers[0].buf, (uint32_t)sent, bytes + sent, (uint32_t)(size - sent));
    for (i = 0; i < rx->count; at += rx->buffers[i++].len)
        if (rx->buffers[i].buf)
            memcpy(rx->buffers[i].buf, bytes + at, rx->buffers[i].len);
    free(bytes);
    return 0;
}
"""
HEADERS = {
    "zephyr/device.h": "",
    "zephyr/kernel.h": "",
    "zephyr/drivers/spi.h": SPI,
    "zephyr/sys/printk.h": "#include <stdio.h>\n#define printk printf\n",
    "zephyr/sys/util.h": "#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))\n#define ARG_UNUSED(x) (void)(x)\n"
    "#define BUILD_ASSERT(...) _Static_assert(__VA_ARGS__)\n",
}


def test_its_digit_gets_the_golden_models_scores(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    digits = narrows.example()
    program = digits.model.quantize(digits.calib[:64]).compile("tiny")
    sources = [EXAMPLE / "src" / "main.c"]
    host = SpiProgram(program.compiled, tmp_path, sources, HEADERS | {"system.c": SYSTEM})
    host.main()
    assert (
        capfd.readouterr().out
        == f"{host.right_scores(narrows.example().x[:1])} in {host.core.machine.counts.cycles} cycles\n"
    )

    host.link = None
    host.main()
    assert capfd.readouterr().out == "error -10\n"


def test_the_overlay_names_the_node_and_the_binding_that_the_program_asks_for() -> None:
    overlay = (EXAMPLE / "app.overlay").read_text(encoding="utf-8")
    [binding] = (EXAMPLE / "dts" / "bindings").iterdir()
    compatible = binding.stem
    assert f'compatible = "{compatible}";' in overlay
    assert f'compatible: "{compatible}"' in binding.read_text(encoding="utf-8")
    assert "narrows0:" in overlay and "DT_NODELABEL(narrows0)" in (EXAMPLE / "src" / "main.c").read_text("utf-8")
