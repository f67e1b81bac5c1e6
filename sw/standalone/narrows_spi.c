/* A narrows core on SPI; narrows_spi.h says what each function does. */
#include "narrows_spi.h"

enum { ATTEMPTS = 8, HEAD_BYTES = NARROWS_LINK_REQUEST_BYTES - NARROWS_LINK_CRC_BYTES };

static void store(uint8_t *bytes, uint32_t value)
{
    bytes[0] = (uint8_t)value;
    bytes[1] = (uint8_t)(value >> 8);
    bytes[2] = (uint8_t)(value >> 16);
    bytes[3] = (uint8_t)(value >> 24);
}

static uint32_t fetch(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* CRC-32/ISO-HDLC */
static uint32_t checksum(const uint8_t *bytes, uint32_t count)
{
    uint32_t crc = 0xFFFFFFFFu;
    int bit;

    for (; count; count--) {
        crc ^= *bytes++;
        for (bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

/* The words of the reply to the request just sent, NULL if there is none whole and unharmed. */
static const uint8_t *answer(const narrows_spi *spi, uint32_t received, uint32_t *words, int *status)
{
    const uint8_t *reply = spi->reply, *end = spi->reply + received;
    uint32_t size;

    while (reply < end && *reply != NARROWS_LINK_REPLY_START)
        reply++;
    if (end - reply < NARROWS_LINK_REPLY_BYTES || reply[1] != spi->sequence)
        return NULL;
    *words = reply[2];
    size = NARROWS_LINK_REPLY_BYTES - NARROWS_LINK_CRC_BYTES + 4 * *words;
    if ((uint32_t)(end - reply) < size + NARROWS_LINK_CRC_BYTES || fetch(reply + size) != checksum(reply + 1, size - 1))
        return NULL;
    *status = reply[size - 1];
    return reply + 3;
}

/* The words of a request's reply, or NULL; a WRITE's words lie in the frame already. */
static const uint8_t *ask(narrows_spi *spi, uint8_t command, uint32_t address, uint32_t count)
{
    uint32_t sent = command == NARROWS_LINK_WRITE ? count : 0, words = count - sent, found = 0;
    uint32_t size = HEAD_BYTES + 4 * sent;
    uint32_t wanted = NARROWS_LINK_WAIT_BYTES + NARROWS_LINK_REPLY_BYTES + 4 * words;
    int attempt, status = 0;

    if (spi->error)
        return NULL;
    spi->request[0] = NARROWS_LINK_REQUEST_START;
    spi->request[1] = ++spi->sequence;
    spi->request[2] = command;
    spi->request[3] = (uint8_t)count;
    store(spi->request + 4, address);
    store(spi->request + size, checksum(spi->request + 1, size - 1));
    for (attempt = 0; attempt < ATTEMPTS; attempt++) {
        const uint8_t *reply = NULL;
        spi->repeated += attempt != 0;
        if (spi->exchange(spi->context, spi->request, size + NARROWS_LINK_CRC_BYTES, spi->reply, wanted) == 0)
            reply = answer(spi, wanted, &found, &status);
        if (!reply)
            continue;
        if (status == NARROWS_LINK_STATUS_OK && found == words)
            return reply;
        spi->error = status == NARROWS_LINK_STATUS_NO_SESSION ? NARROWS_SPI_RESET
                     : status == NARROWS_LINK_STATUS_REFUSED  ? NARROWS_SPI_REFUSED
                                                              : NARROWS_SPI_OTHER;
        return NULL;
    }
    spi->error = NARROWS_SPI_SILENT;
    return NULL;
}

static void send_waiting(narrows_spi *spi)
{
    if (spi->count)
        ask(spi, NARROWS_LINK_WRITE, spi->begin, spi->count);
    spi->count = 0;
}

int narrows_spi_open(narrows_spi *spi)
{
    const uint8_t *words;

    spi->error = 0;
    spi->repeated = spi->count = 0;
    words = ask(spi, NARROWS_LINK_HELLO, 0, NARROWS_SPI_MOST_READ);
    if (words && (fetch(words) != NARROWS_MAGIC || fetch(words + 4) >> 16 != NARROWS_LINK_VERSION))
        spi->error = NARROWS_SPI_OTHER;
    return spi->error;
}

uint32_t narrows_spi_read(void *context, uint32_t address)
{
    narrows_spi *spi = context;
    const uint8_t *words;

    send_waiting(spi);
    words = ask(spi, NARROWS_LINK_READ, address, 1);
    return words ? fetch(words) : 0;
}

void narrows_spi_write(void *context, uint32_t address, uint32_t value)
{
    narrows_spi *spi = context;

    if (spi->count == NARROWS_LINK_MAX_WORDS || address != spi->begin + 4 * spi->count)
        send_waiting(spi);
    if (spi->count == 0)
        spi->begin = address;
    store(spi->request + HEAD_BYTES + 4 * spi->count, value);
    spi->count++;
    if (address < NARROWS_REGISTERS_BYTES)
        send_waiting(spi);
}

int narrows_spi_status(narrows_spi *spi)
{
    send_waiting(spi);
    return spi->error;
}
