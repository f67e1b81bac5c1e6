/* A wake word on a narrows core: a Raspberry Pi, the core on SPI 0, microphone samples on standard input.
 *
 *     narrows verilog --program okay_nabu.nrw --wrapper spi --audio -o ip/core.v
 *     cc -O2 -Iip main.c ip/narrows.c ip/narrows_spi.c ip/narrows_audio.c ip/narrows_model.c -lm -o wake_word
 *     arecord -q -t raw -f S16_LE -r 16000 -c 1 | ./wake_word */
#include <fcntl.h>
#include <linux/spi/spidev.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "narrows_audio.h"
#include "narrows_model.h"
#include "narrows_spi.h"

#define CUTOFF 0.85 /* of the mean of so many probabilities: the model's own */
enum { MEAN_OF = 5, HZ = 1000000, POLLS = 1000000 };
enum { LINES = NARROWS_INPUT_LEVELS / NARROWS_AUDIO_FEATURES }; /* of a frame */

static int exchange(void *context, const uint8_t *out, uint32_t count, uint8_t *in, uint32_t wanted)
{
    struct spi_ioc_transfer parts[2];

    memset(parts, 0, sizeof parts);
    parts[0].tx_buf = (uintptr_t)out;
    parts[0].len = count;
    parts[1].rx_buf = (uintptr_t)in;
    parts[1].len = wanted;
    parts[0].speed_hz = parts[1].speed_hz = HZ;
    return ioctl(*(int *)context, SPI_IOC_MESSAGE(2), parts) < 0;
}

/* The answer to a frame, as the host computes it of the core's level. */
static double probability(int16_t level)
{
    return 1 / (1 + exp(-narrows_outputs[0].scale * (level - narrows_outputs[0].zero)));
}

/* Run a frame: levels in the order feature, line. */
static int run(const narrows_bus *bus, uint16_t lines[LINES][NARROWS_AUDIO_FEATURES], double *answer)
{
    int16_t levels[NARROWS_INPUT_LEVELS], level;
    int result, line, feature;

    for (line = 0; line < LINES; line++)
        for (feature = 0; feature < NARROWS_AUDIO_FEATURES; feature++)
            levels[feature * LINES + line] =
                narrows_quantise(&narrows_input, lines[line][feature] * NARROWS_AUDIO_SCALE);
    result = narrows_write_tensor(bus, &narrows_input, levels);
    if (result == NARROWS_OK)
        result = narrows_run(bus, POLLS);
    if (result == NARROWS_OK)
        narrows_read_tensor(bus, &narrows_outputs[0], &level);
    *answer = probability(level);
    return result;
}

/* Hear samples until there are no more. */
static int hear(const narrows_bus *bus)
{
    static narrows_audio audio;
    static int16_t samples[NARROWS_AUDIO_STEP];
    uint16_t lines[LINES][NARROWS_AUDIO_FEATURES];
    double last[MEAN_OF] = {0};
    unsigned long frames = 0, line = 0;
    int above = 0, result = NARROWS_OK;
    uint32_t count;

    narrows_audio_reset(&audio);
    while (result == NARROWS_OK && (count = (uint32_t)fread(samples, sizeof samples[0], NARROWS_AUDIO_STEP, stdin)) > 0) {
        const int16_t *next = samples;
        while (result == NARROWS_OK && narrows_audio_line(&audio, &next, &count, lines[line % LINES])) {
            double sum = 0;
            int number;

            if (++line % LINES)
                continue;
            result = run(bus, lines, &last[frames++ % MEAN_OF]);
            for (number = 0; number < MEAN_OF; number++)
                sum += last[number];
            if (sum > CUTOFF * MEAN_OF && frames >= MEAN_OF && !above)
                printf("%.2f s: heard\n",
                       (NARROWS_AUDIO_WINDOW + NARROWS_AUDIO_STEP * (line - 1)) / (double)NARROWS_AUDIO_RATE);
            above = sum > CUTOFF * MEAN_OF && frames >= MEAN_OF;
            fflush(stdout);
        }
    }
    return result;
}

int main(void)
{
    int device = open("/dev/spidev0.0", O_RDWR);
    narrows_spi spi = {.exchange = exchange, .context = &device};
    narrows_bus bus = {narrows_spi_read, narrows_spi_write, &spi};
    int result = narrows_spi_open(&spi);

    if (result == 0)
        result = narrows_open(&bus);
    if (result == NARROWS_OK)
        result = narrows_load(&bus, &narrows_model);
    if (result == NARROWS_OK)
        result = hear(&bus);
    if (narrows_spi_status(&spi) != 0)
        result = narrows_spi_status(&spi);
    if (result != NARROWS_OK)
        fprintf(stderr, "error %d\n", result); /* narrows.h and narrows_spi.h name it; positive: the core's fault */
    return result != NARROWS_OK;
}
