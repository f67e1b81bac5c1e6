/* Samples on a narrows core beside the processor that this runs on: what each gave and how long it took, on the UART.
 *
 * csr.h, mem.h and regions.ld are LiteX's, narrows_*.h and narrows.c the core's, samples.h the samples. */
#include "csr.h"
#include "mem.h"
#include "narrows_model.h"
#include "samples.h"

enum { POLLS = 1000000, END_OF_TEXT = 4 };

static volatile uint32_t *reg(uint32_t address)
{
    return (volatile uint32_t *)address;
}

static void put(char character)
{
    while (*reg(CSR_UART_TXFULL_ADDR))
        ;
    *reg(CSR_UART_RXTX_ADDR) = (uint8_t)character;
}

static void say(const char *text)
{
    while (*text)
        put(*text++);
}

static void number(int32_t value)
{
    char digits[12], *first = digits + sizeof digits - 1;
    uint32_t rest = value < 0 ? 0u - (uint32_t)value : (uint32_t)value;

    *first = 0;
    do
        *--first = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        *--first = '-';
    say(first);
}

static void field(const char *name, int32_t value)
{
    put(' ');
    say(name);
    put(' ');
    number(value);
}

/* Clock cycles from the start on: LiteX's timer counts down. */
static uint32_t now(void)
{
    *reg(CSR_TIMER0_UPDATE_VALUE_ADDR) = 1;
    return ~*reg(CSR_TIMER0_VALUE_ADDR);
}

#ifdef NARROWS_INPUT_BYTES
/* A core with a frame memory takes a sample as bytes, and lays it out itself. */
static int write_sample(const narrows_bus *bus, const sample *sample)
{
    narrows_write_frame(bus, *sample, sizeof *sample);
    return NARROWS_OK;
}

static int run(const narrows_bus *bus)
{
    return narrows_run_frame(bus, POLLS);
}
#else
static int write_sample(const narrows_bus *bus, const sample *sample)
{
    return narrows_write_tensor(bus, &narrows_input, *sample);
}

static int run(const narrows_bus *bus)
{
    return narrows_run(bus, POLLS);
}
#endif

static int classify(const narrows_bus *bus, const sample *sample)
{
    int16_t scores[NARROWS_OUTPUT_0_LEVELS];
    uint32_t begin = now(), written, done, end, i;
    int result = write_sample(bus, sample);

    written = now();
    if (result == NARROWS_OK)
        result = run(bus);
    done = now();
    if (result != NARROWS_OK)
        return result;
    narrows_read_tensor(bus, &narrows_outputs[0], scores);
    end = now();
    say("sample");
    for (i = 0; i < NARROWS_OUTPUT_0_LEVELS; i++) {
        put(' ');
        number(scores[i]);
    }
    say(" ;");
    field("write", (int32_t)(written - begin));
    field("run", (int32_t)(done - written));
    field("core", (int32_t)narrows_cycles(bus));
    field("read", (int32_t)(end - done));
    field("all", (int32_t)(end - begin));
    put('\n');
    return NARROWS_OK;
}

int main(void)
{
    static const narrows_bus bus = {narrows_mmio_read, narrows_mmio_write, (void *)NARROWS_BASE};
    uint32_t begin, i;
    int result;

    *reg(CSR_TIMER0_EN_ADDR) = 0;
    *reg(CSR_TIMER0_LOAD_ADDR) = 0xFFFFFFFFu;
    *reg(CSR_TIMER0_RELOAD_ADDR) = 0xFFFFFFFFu;
    *reg(CSR_TIMER0_EN_ADDR) = 1;

    begin = now();
    result = narrows_open(&bus);
    if (result == NARROWS_OK)
        result = narrows_load(&bus, &narrows_model);
    say("load ;");
    field("all", (int32_t)(now() - begin));
    put('\n');
    for (i = 0; i < SAMPLES && result == NARROWS_OK; i++)
        result = classify(&bus, &samples[i]);
    say("end ;");
    field("result", result);
    put('\n');
    put(END_OF_TEXT);
    return 0;
}
