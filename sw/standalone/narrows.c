/* Bare-metal driver of a narrows core; narrows.h says what each function does. */
#include "narrows.h"

#include "narrows_core.h"

uint32_t narrows_mmio_read(void *context, uint32_t address)
{
    return *(volatile uint32_t *)((volatile char *)context + address);
}

void narrows_mmio_write(void *context, uint32_t address, uint32_t value)
{
    *(volatile uint32_t *)((volatile char *)context + address) = value;
}

static uint32_t get(const narrows_bus *bus, uint32_t address)
{
    return bus->read(bus->context, address);
}

static void put(const narrows_bus *bus, uint32_t address, uint32_t value)
{
    bus->write(bus->context, address, value);
}

int narrows_open(const narrows_bus *bus)
{
    if (get(bus, NARROWS_REG_MAGIC) != NARROWS_MAGIC)
        return NARROWS_NO_CORE;
    if (get(bus, NARROWS_REG_VERSION) != NARROWS_VERSION)
        return NARROWS_OTHER_VERSION;
    if (get(bus, NARROWS_REG_CONFIG) != NARROWS_CONFIG)
        return NARROWS_OTHER_CONFIG;
    return get(bus, NARROWS_REG_STATUS) & NARROWS_STATUS_BUSY ? NARROWS_RUNNING : NARROWS_OK;
}

#ifdef NARROWS_REG_BOOT
int narrows_attach(const narrows_bus *bus, uint32_t polls)
{
    int result = NARROWS_RUNNING;

    while (polls-- && result == NARROWS_RUNNING)
        result = narrows_open(bus);
    if (result != NARROWS_OK)
        return result;
    if ((get(bus, NARROWS_REG_BOOT) & NARROWS_BOOT_MASK) != NARROWS_BOOT_LOADED)
        return NARROWS_NOT_LOADED;
    return get(bus, NARROWS_REG_PROGRAM_CONFIG) == NARROWS_CONFIG ? NARROWS_OK : NARROWS_OTHER_CONFIG;
}
#endif

static void fill(const narrows_bus *bus, const narrows_image *image, uint32_t count)
{
    uint32_t word, beat;

    for (; count--; image++)
        for (word = 0; word < image->words; word++)
            for (beat = 0; beat < image->beats; beat++)
                put(bus, image->address + word * image->stride + 4 * beat, image->data[word * image->beats + beat]);
}

/* Whether the core, which is to be idle, runs a program. */
static int takes(const narrows_bus *bus, const narrows_program *program)
{
    if (program->config != get(bus, NARROWS_REG_CONFIG))
        return NARROWS_OTHER_CONFIG;
#ifndef NARROWS_REG_ENTRY
    if (program->entry)
        return NARROWS_OTHER_CONFIG;
#endif
    return get(bus, NARROWS_REG_STATUS) & NARROWS_STATUS_BUSY ? NARROWS_RUNNING : NARROWS_OK;
}

int narrows_select(const narrows_bus *bus, const narrows_program *program)
{
    int result = takes(bus, program);

    if (result != NARROWS_OK)
        return result;
    fill(bus, program->feed, program->feed_count);
#ifdef NARROWS_REG_ENTRY
    put(bus, NARROWS_REG_ENTRY, program->entry);
    if (get(bus, NARROWS_REG_ENTRY) != program->entry)
        return NARROWS_OTHER_CONFIG;
#endif
    put(bus, NARROWS_REG_PROGRAM_CONFIG, program->config);
    put(bus, NARROWS_REG_WATCHDOG, program->watchdog);
    return NARROWS_OK;
}

int narrows_load(const narrows_bus *bus, const narrows_program *program)
{
    uint32_t word, beat;
    int result = takes(bus, program);

    if (result != NARROWS_OK)
        return result;
    narrows_clear(bus);
    /* What earlier programs left would show in the checksums of lanes that no layer writes;
     * what a program keeps from run to run comes behind that. */
    for (word = 0; word < NARROWS_ACTIVATIONS_WORDS; word++)
        for (beat = 0; beat < NARROWS_ACTIVATIONS_BEATS; beat++)
            put(bus, NARROWS_ACTIVATIONS_BASE + word * NARROWS_ACTIVATIONS_STRIDE + 4 * beat, 0);
    fill(bus, program->images, program->image_count);
    return narrows_select(bus, program);
}

int16_t narrows_quantise(const narrows_tensor *tensor, double value)
{
    uint32_t low = 0, high = tensor->level_count ? tensor->level_count - 1 : 0;
    double wanted = value / tensor->scale + tensor->zero;

    if (tensor->level_count == 0)
        return 0;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (2 * wanted >= tensor->levels[middle] + tensor->levels[middle + 1])
            low = middle + 1;
        else
            high = middle;
    }
    if (tensor->levels[low] < tensor->low)
        return (int16_t)tensor->low;
    return tensor->levels[low] > tensor->high ? (int16_t)tensor->high : tensor->levels[low];
}

/* Codes of a level, or NULL. */
static const uint8_t *codes_of(const narrows_tensor *tensor, int32_t level)
{
    uint32_t low = 0, high = tensor->level_count, guess = 0;

    if (high)
        guess = (uint32_t)level - (uint32_t)tensor->levels[0]; /* right where levels have no gaps */
    if (guess < high && tensor->levels[guess] == level)
        return tensor->codes + guess * tensor->planes;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (tensor->levels[middle] < level)
            low = middle + 1;
        else
            high = middle;
    }
    return low < tensor->level_count && tensor->levels[low] == level ? tensor->codes + low * tensor->planes : NULL;
}

/* How far a line or column of pixels lies behind the first one, in words. Small processors divide slowly, and most tensors
 * have one phase. */
static uint32_t along(uint32_t position, uint32_t phases, uint32_t phase_pitch, uint32_t pitch)
{
    if (phases == 1)
        return position * pitch;
    return position % phases * phase_pitch + position / phases * pitch;
}

/* Word of a pixel, without its channel group and plane. */
static uint32_t pixel_word(const narrows_tensor *tensor, uint32_t y, uint32_t x)
{
    return tensor->base +
           along(y, tensor->phases[0], tensor->phases[1] * tensor->phase_pitch, tensor->line * tensor->pixel_pitch) +
           along(x, tensor->phases[1], tensor->phase_pitch, tensor->pixel_pitch);
}

static uint32_t word_address(uint32_t word)
{
    return NARROWS_ACTIVATIONS_BASE + word % NARROWS_ACTIVATIONS_WORDS * NARROWS_ACTIVATIONS_STRIDE;
}

/* A stored channel: a channel of the host's and a place in the window. */
typedef struct {
    uint32_t channel, y, x;
} tap;

static void next_tap(const narrows_tensor *tensor, tap *at)
{
    if (++at->channel < tensor->channels)
        return;
    at->channel = 0;
    if (++at->x < tensor->kernel[1])
        return;
    at->x = 0;
    at->y++;
}

/* Position among the host's levels of a stored value, or -1 outside. */
static int32_t source(const narrows_tensor *tensor, const tap *at, uint32_t y, uint32_t x)
{
    /* Unsigned, so what lies before the first line or column is beyond the last one. */
    uint32_t from_y = y * tensor->stride[0] + at->y * tensor->dilation[0] - tensor->pad[0];
    uint32_t from_x = x * tensor->stride[1] + at->x * tensor->dilation[1] - tensor->pad[1];
    if (from_y >= tensor->height || from_x >= tensor->width)
        return -1;
    return (int32_t)((at->channel * tensor->height + from_y) * tensor->width + from_x);
}

/* Write a word's codes, a lane's planes behind one another. */
static void put_codes(const narrows_bus *bus, const narrows_tensor *tensor, uint32_t word, const uint8_t *const *codes)
{
    uint32_t plane, lane, beat;

    for (plane = 0; plane < tensor->planes; plane++) {
        uint32_t beats[NARROWS_ACTIVATIONS_BEATS] = {0};
        uint32_t address = word_address(word + plane * tensor->plane_pitch);
        for (lane = 0; lane < NARROWS_LANES; lane++)
            beats[lane * NARROWS_CODE_BITS / 32] |= (uint32_t)codes[lane][plane] << lane * NARROWS_CODE_BITS % 32;
        for (beat = 0; beat < NARROWS_ACTIVATIONS_BEATS; beat++)
            put(bus, address + 4 * beat, beats[beat]);
    }
}

int narrows_write_tensor(const narrows_bus *bus, const narrows_tensor *tensor, const int16_t *levels)
{
    const uint8_t *codes[NARROWS_LANES], *unused = codes_of(tensor, 0), *outside = codes_of(tensor, tensor->fill);
    tap first = {0, 0, 0};
    uint32_t done, y, x, lane;

    for (done = 0; done < tensor->stored_channels; done += NARROWS_LANES) {
        uint32_t group = done / NARROWS_LANES * tensor->group_pitch;
        tap at = first;
        for (y = 0; y < tensor->stored_height; y++)
            for (x = 0; x < tensor->stored_width; x++) {
                at = first;
                for (lane = 0; lane < NARROWS_LANES; lane++) {
                    codes[lane] = unused; /* lanes without a channel hold 0 */
                    if (done + lane < tensor->stored_channels) {
                        int32_t from = source(tensor, &at, y, x);
                        codes[lane] = from < 0 ? outside : codes_of(tensor, levels[from]);
                        next_tap(tensor, &at);
                    }
                    if (codes[lane] == NULL)
                        return NARROWS_BAD_LEVEL;
                }
                put_codes(bus, tensor, pixel_word(tensor, y, x) + group, codes);
            }
        first = at;
    }
    return NARROWS_OK;
}

void narrows_read_tensor(const narrows_bus *bus, const narrows_tensor *tensor, int16_t *levels)
{
    static const int16_t values[] = NARROWS_CODE_VALUES;
    tap at = {0, 0, 0};
    uint32_t channel, plane, y, x;

    for (channel = 0; channel < tensor->stored_channels; channel++, next_tap(tensor, &at))
        for (y = 0; y < tensor->stored_height; y++)
            for (x = 0; x < tensor->stored_width; x++) {
                int32_t level = 0, weight = 1;
                int32_t to = source(tensor, &at, y, x);
                uint32_t bit = channel % NARROWS_LANES * NARROWS_CODE_BITS;
                uint32_t word = pixel_word(tensor, y, x) + channel / NARROWS_LANES * tensor->group_pitch;
                if (to < 0)
                    continue;
                for (plane = 0; plane < tensor->planes; plane++) {
                    uint32_t address = word_address(word + plane * tensor->plane_pitch) + bit / 32 * 4;
                    uint32_t code = get(bus, address) >> bit % 32 & ((1u << NARROWS_CODE_BITS) - 1);
                    level += weight * values[code];
                    weight *= NARROWS_RADIX;
                }
                levels[to] = (int16_t)level;
            }
}

void narrows_start(const narrows_bus *bus)
{
    put(bus, NARROWS_REG_CONTROL, NARROWS_CONTROL_START);
}

int narrows_poll(const narrows_bus *bus)
{
    uint32_t status = get(bus, NARROWS_REG_STATUS);
    if (status & NARROWS_STATUS_BUSY)
        return NARROWS_RUNNING;
    if (status & NARROWS_STATUS_FAULT)
        return (int)(status >> NARROWS_STATUS_FAULT_LSB & NARROWS_STATUS_FAULT_MASK);
    return status & NARROWS_STATUS_DONE ? NARROWS_OK : NARROWS_NOT_DONE;
}

static int wait(const narrows_bus *bus, uint32_t polls)
{
    int result = NARROWS_RUNNING;
    while (polls-- && result == NARROWS_RUNNING)
        result = narrows_poll(bus);
    return result;
}

int narrows_run(const narrows_bus *bus, uint32_t polls)
{
    narrows_start(bus);
    return wait(bus, polls);
}

#ifdef NARROWS_FRAME_BASE
void narrows_write_frame(const narrows_bus *bus, const uint8_t *frame, uint32_t bytes)
{
    uint32_t first, byte;

    for (first = 0; first < bytes; first += 4) {
        uint32_t word = 0;
        for (byte = 0; byte < 4 && first + byte < bytes; byte++)
            word |= (uint32_t)frame[first + byte] << 8 * byte;
        put(bus, NARROWS_FRAME_BASE + first, word);
    }
}

void narrows_start_frame(const narrows_bus *bus)
{
    put(bus, NARROWS_REG_CONTROL, NARROWS_CONTROL_FEED | NARROWS_CONTROL_START);
}

int narrows_run_frame(const narrows_bus *bus, uint32_t polls)
{
    narrows_start_frame(bus);
    return wait(bus, polls);
}
#endif

#ifdef NARROWS_ANSWER_BASE
void narrows_serve(const narrows_bus *bus, const uint32_t *answer, int counted)
{
    uint32_t beat;

    for (beat = 0; beat < NARROWS_ANSWER_BEATS; beat++)
        put(bus, NARROWS_ANSWER_BASE + 4 * beat, answer[beat]);
    put(bus, NARROWS_REG_STREAM, NARROWS_STREAM_ENABLE | (counted ? NARROWS_STREAM_COUNTED : 0));
}

uint32_t narrows_stop_serving(const narrows_bus *bus)
{
    uint32_t wrong = get(bus, NARROWS_REG_STREAM);

    put(bus, NARROWS_REG_STREAM, 0);
    return wrong & (NARROWS_STREAM_SHORT | NARROWS_STREAM_LONG | NARROWS_STREAM_FAILED);
}
#endif

#ifdef NARROWS_REG_DAMAGE
int narrows_sound(const narrows_bus *bus)
{
    uint32_t status = get(bus, NARROWS_REG_STATUS);
    uint32_t fault = status >> NARROWS_STATUS_FAULT_LSB & NARROWS_STATUS_FAULT_MASK;
    return status & NARROWS_STATUS_FAULT && fault == NARROWS_FAULT_MEMORY_ERROR ? NARROWS_DAMAGED : NARROWS_OK;
}
#endif

uint32_t narrows_fault_index(const narrows_bus *bus)
{
    return get(bus, NARROWS_REG_FAULT_INDEX);
}

void narrows_clear(const narrows_bus *bus)
{
    put(bus, NARROWS_REG_CONTROL, NARROWS_CONTROL_CLEAR);
}

uint32_t narrows_cycles(const narrows_bus *bus)
{
    return get(bus, NARROWS_REG_CYCLES);
}
