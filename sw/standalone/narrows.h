/* Bare-metal driver of a narrows core: C99, no library, no allocation, no interrupts needed.
 *
 * narrows_core.h beside it, written for one configuration, holds every number that it knows of the core. */
#ifndef NARROWS_H
#define NARROWS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How a function ended: 0, one of these, or the core's fault (NARROWS_FAULT_*, positive). */
enum {
    NARROWS_OK = 0,
    NARROWS_NO_CORE = -1,       /* MAGIC reads something else: wrong address, no clock, in reset */
    NARROWS_OTHER_VERSION = -2, /* the core has another version of the register map */
    NARROWS_OTHER_CONFIG = -3,  /* core, program and this driver are not of the same configuration */
    NARROWS_RUNNING = -4,       /* a run is not over yet */
    NARROWS_NOT_DONE = -5,      /* nothing runs, and nothing was finished */
    NARROWS_BAD_LEVEL = -6,     /* a level that the tensor's format does not have */
    NARROWS_NOT_LOADED = -7,    /* a core that boots found no program, or a host has replaced it */
    NARROWS_DAMAGED = -8        /* a bit of the core's memories has flipped: what was read is not to be used */
};

/* How to reach the core: 32-bit accesses at byte addresses from 0 on. */
typedef struct {
    uint32_t (*read)(void *context, uint32_t address);
    void (*write)(void *context, uint32_t address, uint32_t value);
    void *context;
} narrows_bus;

/* A bus for a core in the processor's own memory map: context is the address of its first register. */
uint32_t narrows_mmio_read(void *context, uint32_t address);
void narrows_mmio_write(void *context, uint32_t address, uint32_t value);

/* Contents of one memory: `words` rows of `beats` 32-bit words, `stride` bytes apart from byte `address` on. */
typedef struct {
    uint32_t address, words, beats, stride;
    const uint32_t *data;
} narrows_image;

/* A compiled model. */
typedef struct {
    uint32_t config;   /* must equal the core's */
    uint32_t watchdog; /* cycles after which a run is stopped */
    uint32_t image_count;
    const narrows_image *images;
    uint32_t entry;            /* instruction at which its runs begin */
    uint32_t feed_count;       /* how its samples are laid out, in cores with a frame memory */
    const narrows_image *feed;
} narrows_program;

/* Where a tensor lies in the activation memory. The host sees levels of `channels` x `height` x `width`; stored are
 * windows of them (of one level where the kernel is 1 x 1), each value of a window as a channel of its own. */
typedef struct {
    uint32_t channels, height, width;
    uint32_t stored_channels, stored_height, stored_width;
    uint32_t kernel[2], stride[2], pad[2], dilation[2];
    int32_t fill;
    uint32_t base, planes, phases[2], line, pixel_pitch, phase_pitch, plane_pitch, group_pitch;
    uint32_t level_count;  /* 0 for tensors that the host only reads */
    const int16_t *levels; /* in order */
    const uint8_t *codes;  /* `planes` for each level */
    int32_t low, high;     /* clamp of narrows_quantise */
    double scale;          /* a level stands for scale * (level - zero) */
    int32_t zero;
} narrows_tensor;

/* Whether a core of this driver's configuration is there and idle; NARROWS_RUNNING while one that boots loads its program. */
int narrows_open(const narrows_bus *bus);

/* Cores that boot: narrows_open once they have, asking up to `polls` times, and whether a program came from the flash. It
 * takes the place of narrows_load. */
int narrows_attach(const narrows_bus *bus, uint32_t polls);

/* Fill the core's memories and clear its activations; once for each program. Of several programs that were linked any one
 * loads all of them. */
int narrows_load(const narrows_bus *bus, const narrows_program *program);

/* Let the next runs be those of another program that was linked with the one that was loaded. What programs keep from run to
 * run stays as it is. */
int narrows_select(const narrows_bus *bus, const narrows_program *program);

/* Nearest level of a real number, ties upward. */
int16_t narrows_quantise(const narrows_tensor *tensor, double value);

/* Write or read a tensor, levels in the order channel, line, column. */
int narrows_write_tensor(const narrows_bus *bus, const narrows_tensor *tensor, const int16_t *levels);
void narrows_read_tensor(const narrows_bus *bus, const narrows_tensor *tensor, int16_t *levels);

/* Cores with a frame memory: the bytes of a sample in the order line, column, channel, each the low byte of a level. They
 * may be written during a run, too. narrows_start_frame lays them out and starts a run; from then on the next sample may
 * be written. narrows_run_frame is narrows_run of a frame. */
void narrows_write_frame(const narrows_bus *bus, const uint8_t *frame, uint32_t bytes);
void narrows_start_frame(const narrows_bus *bus);
int narrows_run_frame(const narrows_bus *bus, uint32_t polls);

/* Cores with streams: run every frame that the stream brings, and answer on the other one, as `answer` says
 * (narrows_answer_levels or narrows_answer_place of narrows_model.h); `counted`: frames end after their bytes, whatever TLAST
 * says. narrows_stop_serving ends that and gives the bits NARROWS_STREAM_SHORT, _LONG and _FAILED of what went wrong; the
 * core is idle once narrows_poll says something else than NARROWS_RUNNING. */
void narrows_serve(const narrows_bus *bus, const uint32_t *answer, int counted);
uint32_t narrows_stop_serving(const narrows_bus *bus);

/* Start a run; how it stands (NARROWS_RUNNING until it is over; irq is high then); both, asking up to `polls` times. */
void narrows_start(const narrows_bus *bus);
int narrows_poll(const narrows_bus *bus);
int narrows_run(const narrows_bus *bus, uint32_t polls);

/* After a fault: instruction of the memory at which it arose; back to idle. */
uint32_t narrows_fault_index(const narrows_bus *bus);
void narrows_clear(const narrows_bus *bus);

/* Protected cores: NARROWS_OK if no damaged word was used or read since the run began, else NARROWS_DAMAGED: ask behind the
 * last narrows_read_tensor. Then, as where a run ends with NARROWS_FAULT_MEMORY_ERROR, narrows_load, write the input and run
 * again. */
int narrows_sound(const narrows_bus *bus);

/* Clock cycles of the last run. */
uint32_t narrows_cycles(const narrows_bus *bus);

#ifdef __cplusplus
}
#endif

#endif
