/* A digit on a narrows core under Zephyr, on the SPI bus that app.overlay names. */
#include <zephyr/device.h>
#include <zephyr/drivers/spi.h>
#include <zephyr/kernel.h>
#include <zephyr/sys/printk.h>
#include <zephyr/sys/util.h>

#include "narrows_model.h"
#include "narrows_spi.h"

enum { POLLS = 1000000 };

static const int16_t digit[] = { /* a 4, as levels */
    0, 0,  0,  4,  15, 7,  0,  0,
    0, 0,  3,  15, 12, 0,  0,  0,
    0, 1,  14, 12, 0,  2,  11, 0,
    0, 10, 14, 0,  0,  13, 12, 0,
    0, 11, 15, 12, 15, 16, 5,  0,
    0, 4,  10, 8,  16, 11, 0,  0,
    0, 0,  0,  2,  16, 4,  0,  0,
    0, 0,  0,  6,  14, 0,  0,  0,
};
BUILD_ASSERT(ARRAY_SIZE(digit) == NARROWS_INPUT_LEVELS, "the model takes samples of another size");

static const struct spi_dt_spec core = SPI_DT_SPEC_GET(DT_NODELABEL(narrows0), SPI_WORD_SET(8) | SPI_TRANSFER_MSB, 0);

/* A request and its reply are one selection, so one transfer: what comes in meanwhile, and goes out after it, is nothing. */
static int exchange(void *context, const uint8_t *out, uint32_t count, uint8_t *in, uint32_t wanted)
{
    const struct spi_buf sent[] = {{.buf = (void *)out, .len = count}, {.buf = NULL, .len = wanted}};
    const struct spi_buf received[] = {{.buf = NULL, .len = count}, {.buf = in, .len = wanted}};
    const struct spi_buf_set tx = {.buffers = sent, .count = ARRAY_SIZE(sent)};
    const struct spi_buf_set rx = {.buffers = received, .count = ARRAY_SIZE(received)};

    ARG_UNUSED(context);
    return spi_transceive_dt(&core, &tx, &rx);
}

static narrows_spi spi = {.exchange = exchange};
static const narrows_bus bus = {narrows_spi_read, narrows_spi_write, &spi};

static int run(int16_t *scores)
{
    int result = narrows_spi_open(&spi);

    if (result == 0)
        result = narrows_open(&bus);
    if (result == NARROWS_OK)
        result = narrows_load(&bus, &narrows_model);
    if (result == NARROWS_OK)
        result = narrows_write_tensor(&bus, &narrows_input, digit);
    if (result == NARROWS_OK)
        result = narrows_run(&bus, POLLS);
    if (result == NARROWS_OK)
        narrows_read_tensor(&bus, &narrows_outputs[0], scores);
    return narrows_spi_status(&spi) == 0 ? result : narrows_spi_status(&spi);
}

int main(void)
{
    int16_t scores[NARROWS_OUTPUT_0_LEVELS];
    int result, i;

    if (!spi_is_ready_dt(&core)) {
        printk("the SPI bus is not ready\n");
        return 0;
    }
    result = run(scores);
    if (result != NARROWS_OK) {
        printk("error %d\n", result); /* narrows.h and narrows_spi.h name it; positive: the core's fault */
        return 0;
    }
    for (i = 0; i < NARROWS_OUTPUT_0_LEVELS; i++)
        printk("%d ", scores[i]);
    printk("in %u cycles\n", (unsigned int)narrows_cycles(&bus));
    return 0;
}
