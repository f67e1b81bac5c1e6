/* Features of keyword models from microphone samples: C99, integers only, no library, no allocation.
 *
 * The micro front end of TensorFlow Lite for Microcontrollers with the settings of its keyword models: 16 kHz, a line of
 * 40 features every 10 ms, each of a window of 30 ms. */
#ifndef NARROWS_AUDIO_H
#define NARROWS_AUDIO_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NARROWS_AUDIO_RATE 16000      /* samples a second */
#define NARROWS_AUDIO_WINDOW 480      /* samples that a line stands for */
#define NARROWS_AUDIO_STEP 160        /* samples from line to line */
#define NARROWS_AUDIO_FEATURES 40     /* of a line */
#define NARROWS_AUDIO_SCALE 0.0390625 /* what a step of a feature stands for: models take 0 to about 26 */

typedef struct {
    int16_t real, imaginary;
} narrows_audio_bin;

/* A stream: all of it is the functions' own. */
typedef struct {
    uint32_t held; /* samples of the next window that have come */
    int16_t samples[NARROWS_AUDIO_WINDOW];
    uint32_t noise[NARROWS_AUDIO_FEATURES];
    narrows_audio_bin bins[256]; /* needed within a call only */
} narrows_audio;

/* Begin a stream. */
void narrows_audio_reset(narrows_audio *audio);

/* Take samples up to the end of the next window. 1: `line` holds its features, there may be more; 0: the samples are used
 * up. `samples` and `count` are moved past what was taken. */
int narrows_audio_line(narrows_audio *audio, const int16_t **samples, uint32_t *count, uint16_t *line);

#ifdef __cplusplus
}
#endif

#endif
