/* A narrows core on SPI as a bus of narrows.h: C99, no library, no allocation.
 *
 * Frames are those of the serial link; each request and its reply are one selection of the core, and a request that is
 * not answered is repeated. */
#ifndef NARROWS_SPI_H
#define NARROWS_SPI_H

#include "narrows.h"
#include "narrows_core.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What went wrong on the line, beside the errors of narrows.h. */
enum {
    NARROWS_SPI_SILENT = -10,  /* no answer: wrong pins, mode or clock, no power */
    NARROWS_SPI_OTHER = -11,   /* not a narrows core, or another version of the link */
    NARROWS_SPI_RESET = -12,   /* the core was reset: open it and load the program again */
    NARROWS_SPI_REFUSED = -13  /* a memory was accessed during a run, or an address that is none */
};

enum { NARROWS_SPI_MOST_READ = 2 }; /* words of a request */

typedef struct {
    /* Select the core, send `count` bytes, receive `wanted` more, deselect it: mode 0, high bit first, at most an eighth
     * of the core's clock. What goes out while bytes come in does not matter. 0, or anything else where it failed. */
    int (*exchange)(void *context, const uint8_t *out, uint32_t count, uint8_t *in, uint32_t wanted);
    void *context;

    /* The functions' own. */
    int error;             /* the first since narrows_spi_open */
    uint32_t repeated;     /* requests sent again since then */
    uint32_t begin, count; /* words that wait to be written: address of the first, how many */
    uint8_t sequence;
    uint8_t request[NARROWS_LINK_REQUEST_BYTES + 4 * NARROWS_LINK_MAX_WORDS];
    uint8_t reply[NARROWS_LINK_WAIT_BYTES + NARROWS_LINK_REPLY_BYTES + 4 * NARROWS_SPI_MOST_READ];
} narrows_spi;

/* Begin a session; 0 or an error. */
int narrows_spi_open(narrows_spi *spi);

/* For narrows_bus, whose context is the narrows_spi. Consecutive words for memories are sent together, at the latest before
 * the next read or write of a register. A read that fails gives 0. */
uint32_t narrows_spi_read(void *spi, uint32_t address);
void narrows_spi_write(void *spi, uint32_t address, uint32_t value);

/* Send what waits; how all accesses since narrows_spi_open went. */
int narrows_spi_status(narrows_spi *spi);

#ifdef __cplusplus
}
#endif

#endif
