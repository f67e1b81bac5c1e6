/* A digit on a narrows core: Raspberry Pi Pico, SPI 0 at its usual pins, what it says on USB. */
#include <stdio.h>

#include "hardware/spi.h"
#include "narrows_model.h"
#include "narrows_spi.h"
#include "pico/stdlib.h"

enum { CIPO = 16, CS = 17, SCK = 18, COPI = 19 };
enum { HZ = 1000000, POLLS = 1000000 }; /* at most an eighth of the core's clock */

static const int16_t digit[] = { /* a 4 */
    0, 0,  0,  4,  15, 7,  0,  0,
    0, 0,  3,  15, 12, 0,  0,  0,
    0, 1,  14, 12, 0,  2,  11, 0,
    0, 10, 14, 0,  0,  13, 12, 0,
    0, 11, 15, 12, 15, 16, 5,  0,
    0, 4,  10, 8,  16, 11, 0,  0,
    0, 0,  0,  2,  16, 4,  0,  0,
    0, 0,  0,  6,  14, 0,  0,  0,
};
_Static_assert(sizeof digit == NARROWS_INPUT_LEVELS * sizeof digit[0], "the model takes samples of another size");

static int exchange(void *context, const uint8_t *out, uint32_t count, uint8_t *in, uint32_t wanted)
{
    (void)context;
    gpio_put(CS, 0);
    spi_write_blocking(spi0, out, count);
    spi_read_blocking(spi0, 0, in, wanted);
    gpio_put(CS, 1);
    return 0;
}

static narrows_spi spi = {.exchange = exchange};
static const narrows_bus bus = {narrows_spi_read, narrows_spi_write, &spi};

static int run(const double *values, int16_t *scores)
{
    int16_t levels[NARROWS_INPUT_LEVELS];
    int result, i;

    for (i = 0; i < NARROWS_INPUT_LEVELS; i++)
        levels[i] = narrows_quantise(&narrows_input, values[i]);
    result = narrows_write_tensor(&bus, &narrows_input, levels);
    if (result == NARROWS_OK)
        result = narrows_run(&bus, POLLS);
    if (result == NARROWS_OK)
        narrows_read_tensor(&bus, &narrows_outputs[0], scores);
    return narrows_spi_status(&spi) == 0 ? result : narrows_spi_status(&spi);
}

int main(void)
{
    double values[NARROWS_INPUT_LEVELS];
    int16_t scores[NARROWS_OUTPUT_0_LEVELS];
    int result, i;

    stdio_init_all();
    spi_init(spi0, HZ); /* mode 0, high bit first */
    gpio_set_function(CIPO, GPIO_FUNC_SPI);
    gpio_set_function(SCK, GPIO_FUNC_SPI);
    gpio_set_function(COPI, GPIO_FUNC_SPI);
    gpio_init(CS);
    gpio_put(CS, 1);
    gpio_set_dir(CS, GPIO_OUT);

    for (i = 0; i < NARROWS_INPUT_LEVELS; i++)
        values[i] = digit[i];
    do {
        result = narrows_spi_open(&spi);
        if (result == 0)
            result = narrows_open(&bus);
        if (result == NARROWS_OK)
            result = narrows_load(&bus, &narrows_model);
        if (result == NARROWS_OK)
            result = run(values, scores);
        if (result != NARROWS_OK) {
            printf("error %d\n", result); /* narrows.h and narrows_spi.h name it; positive: the core's fault */
        } else {
            for (i = 0; i < NARROWS_OUTPUT_0_LEVELS; i++)
                printf("%d ", scores[i]);
            printf("in %lu cycles\n", (unsigned long)narrows_cycles(&bus));
        }
        sleep_ms(1000);
    } while (getchar_timeout_us(0) == PICO_ERROR_TIMEOUT); /* until a key is pressed */
    return 0;
}
