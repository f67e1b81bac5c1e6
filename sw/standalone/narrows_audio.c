/* Features of keyword models; narrows_audio.h says what each function does.
 *
 * Numbers that do not fit 16 bits wrap, and negative ones shift as two's complement, as every compiler has it. */
#include "narrows_audio.h"

#include "narrows_audio_tables.h" /* window, quarter_sine, band_ends, band_weights, gains, logs */

enum { POINTS = 256 }; /* of the transform: even samples are its real parts, odd ones its imaginary parts */
enum { WINDOW_BITS = 12, BAND_BITS = 12, ESTIMATE_BITS = 10, SMOOTHING_BITS = 14, LOG_BITS = 16 };
enum { SMOOTHING_EVEN = 409, SMOOTHING_ODD = 983, REMAINING = 819 }; /* of 1 << SMOOTHING_BITS */

static uint32_t bit_length(uint32_t value)
{
    uint32_t bits = 0, half;

    for (half = 16; half; half >>= 1)
        if (value >> half) {
            value >>= half;
            bits += half;
        }
    return bits + value;
}

/* Products of 16 bits: 15 of them behind the point, to the nearest, ties up. */
static int16_t fraction(int32_t product)
{
    return (int16_t)((product + (1 << 14)) >> 15);
}

/* 32767 sin(2 pi step / 512) */
static int32_t sine(uint32_t step)
{
    uint32_t place = step % POINTS;
    int32_t value = quarter_sine[place > POINTS / 2 ? POINTS - place : place];

    return step & POINTS ? -value : value;
}

/* A bin turned back by `step` of 512 parts of a turn. */
static narrows_audio_bin turned(narrows_audio_bin bin, uint32_t step)
{
    int32_t cosine = sine(step + POINTS / 2), minus = -sine(step);
    narrows_audio_bin result = {
        fraction(bin.real * cosine - bin.imaginary * minus),
        fraction(bin.real * minus + bin.imaginary * cosine),
    };

    return result;
}

static narrows_audio_bin divided(narrows_audio_bin bin, int32_t divisor)
{
    narrows_audio_bin result = {
        fraction(bin.real * (32767 / divisor)),
        fraction(bin.imaginary * (32767 / divisor)),
    };

    return result;
}

static narrows_audio_bin sum(narrows_audio_bin a, narrows_audio_bin b)
{
    narrows_audio_bin result = {(int16_t)(a.real + b.real), (int16_t)(a.imaginary + b.imaginary)};

    return result;
}

static narrows_audio_bin difference(narrows_audio_bin a, narrows_audio_bin b)
{
    narrows_audio_bin result = {(int16_t)(a.real - b.real), (int16_t)(a.imaginary - b.imaginary)};

    return result;
}

/* Spectra of `size` points, four into one of four times as many. */
static void combine(narrows_audio_bin *bins, uint32_t size)
{
    uint32_t k, step = 2 * POINTS / (4 * size);

    for (k = 0; k < size; k++) {
        narrows_audio_bin a = divided(bins[k], 4);
        narrows_audio_bin b = turned(divided(bins[k + size], 4), k * step);
        narrows_audio_bin c = turned(divided(bins[k + 2 * size], 4), 2 * k * step);
        narrows_audio_bin d = turned(divided(bins[k + 3 * size], 4), 3 * k * step);
        narrows_audio_bin even = sum(a, c), odd = difference(a, c), both = sum(b, d), apart = difference(b, d);
        narrows_audio_bin quarter = {apart.imaginary, (int16_t)-apart.real};

        bins[k] = sum(even, both);
        bins[k + size] = sum(odd, quarter);
        bins[k + 2 * size] = difference(even, both);
        bins[k + 3 * size] = difference(odd, quarter);
    }
}

/* Bins 1 to 255 of the spectrum of the samples in a row, from that of pairs. */
static void part(narrows_audio_bin *bins)
{
    uint32_t k;

    for (k = 1; k <= POINTS / 2; k++) {
        narrows_audio_bin far = {bins[POINTS - k].real, (int16_t)-bins[POINTS - k].imaginary};
        narrows_audio_bin near = divided(bins[k], 2), even, odd;

        far = divided(far, 2);
        even = sum(near, far);
        odd = turned(difference(near, far), k + POINTS / 2);
        bins[k].real = (int16_t)((even.real + odd.real) >> 1);
        bins[k].imaginary = (int16_t)((even.imaginary + odd.imaginary) >> 1);
        bins[POINTS - k].real = (int16_t)((even.real - odd.real) >> 1);
        bins[POINTS - k].imaginary = (int16_t)((odd.imaginary - even.imaginary) >> 1);
    }
}

/* The spectrum of the held window, faded in and out and as loud as 16 bits allow: shifted by what is returned. */
static uint32_t transform(narrows_audio *audio)
{
    int32_t largest = 0;
    uint32_t number, shift, size;

    for (number = 0; number < POINTS; number++) {
        narrows_audio_bin none = {0, 0};
        audio->bins[number] = none;
    }
    for (number = 0; number < NARROWS_AUDIO_WINDOW; number++) {
        int32_t faded = (audio->samples[number] * window[number]) >> WINDOW_BITS, loud = faded < 0 ? -faded : faded;
        uint32_t pair = number / 2;
        /* the four digits of base 4 turned around */
        narrows_audio_bin *bin =
            &audio->bins[(pair & 3) << 6 | (pair >> 2 & 3) << 4 | (pair >> 4 & 3) << 2 | pair >> 6];

        if (loud > largest && loud < 32768)
            largest = loud;
        *(number % 2 ? &bin->imaginary : &bin->real) = (int16_t)faded;
    }
    shift = 15 - bit_length((uint32_t)largest);
    for (number = 0; number < POINTS; number++) {
        audio->bins[number].real = (int16_t)(audio->bins[number].real * (1 << shift));
        audio->bins[number].imaginary = (int16_t)(audio->bins[number].imaginary * (1 << shift));
    }
    for (size = 1; size < POINTS; size *= 4)
        for (number = 0; number < POINTS; number += 4 * size)
            combine(audio->bins + number, size);
    part(audio->bins);
    return shift;
}

/* Square root to the nearest; of numbers of 32 bits never more than 65535. */
static uint32_t root(uint64_t value)
{
    uint64_t rest = value, found = 0, bit = (uint64_t)1 << 62;

    while (bit > value)
        bit >>= 2;
    for (; bit; bit >>= 2) {
        int fits = rest >= found + bit;
        if (fits)
            rest -= found + bit;
        found = (found >> 1) + (fits ? bit : 0);
    }
    return (uint32_t)(found + (rest > found && (value >> 32 || found != 0xFFFF)));
}

/* A gain that falls with the noise: parabolas over powers of two. */
static uint32_t gain(uint32_t noise)
{
    uint32_t bits = bit_length(noise);
    const int16_t *parabola = gains[bits ? bits - 1 : 0];
    int32_t place;

    if (noise < 2)
        return (uint32_t)parabola[noise];
    place = (int32_t)((bits < 11 ? noise << (11 - bits) : noise >> (bits - 11)) & 0x3FF);
    return (uint32_t)((((((parabola[2] * place) >> 5) + parabola[1] * 32) * place + (1 << 14)) >> 15) + parabola[0]);
}

/* A band's signal: its amplitude less the noise, at a gain that falls with that. */
static uint32_t normalised(uint32_t amplitude, uint32_t *noise, uint32_t smoothing)
{
    uint32_t scaled = amplitude << ESTIMATE_BITS, clean, least, ratio;

    *noise = (uint32_t)(((uint64_t)scaled * smoothing + (uint64_t)*noise * ((1 << SMOOTHING_BITS) - smoothing)) >>
                        SMOOTHING_BITS);
    clean = (scaled - (*noise < scaled ? *noise : scaled)) >> ESTIMATE_BITS;
    least = (uint32_t)(((uint64_t)amplitude * REMAINING) >> SMOOTHING_BITS);
    ratio = (uint32_t)(((uint64_t)(clean > least ? clean : least) * gain(*noise)) >> 6);
    return ratio < 8192 ? (ratio * ratio) >> 20 : (ratio >> 6) - 64;
}

/* 64 ln(8 value) by pieces. */
static uint16_t logarithm(uint32_t value)
{
    uint32_t whole, rest, piece, between;
    uint64_t natural;

    value <<= 3;
    if (value < 2)
        return 0;
    whole = bit_length(value) - 1;
    rest = (uint32_t)((((uint64_t)value - ((uint64_t)1 << whole)) << LOG_BITS) >> whole);
    piece = rest >> 9;
    between = (uint32_t)(((logs[piece + 1] - logs[piece]) * (int32_t)(rest & 0x1FF)) >> LOG_BITS);
    natural = ((uint64_t)((whole << LOG_BITS) + rest + logs[piece] + between) * 45426 + (1 << 15)) >> LOG_BITS;
    natural = ((natural << 6) + (1 << 15)) >> LOG_BITS;
    return (uint16_t)(natural < 0xFFFF ? natural : 0xFFFF);
}

static void features(narrows_audio *audio, uint16_t *line)
{
    uint32_t shift = transform(audio), slope, number = 0;
    uint64_t rising = 0;

    for (slope = 0; slope <= NARROWS_AUDIO_FEATURES; slope++) {
        uint64_t left = rising, right = 0;

        for (; number < band_ends[slope]; number++) {
            narrows_audio_bin bin = audio->bins[FIRST_BIN + number];
            uint64_t energy = (uint64_t)(bin.real * bin.real) + (uint64_t)(bin.imaginary * bin.imaginary);
            left += energy * band_weights[number];
            right += energy * (uint64_t)((1 << BAND_BITS) - band_weights[number]);
        }
        if (slope)
            line[slope - 1] = logarithm(normalised(root(left) >> shift, &audio->noise[slope - 1],
                                                   slope % 2 ? SMOOTHING_EVEN : SMOOTHING_ODD));
        rising = right;
    }
}

void narrows_audio_reset(narrows_audio *audio)
{
    uint32_t band;

    audio->held = 0;
    for (band = 0; band < NARROWS_AUDIO_FEATURES; band++)
        audio->noise[band] = 0;
}

int narrows_audio_line(narrows_audio *audio, const int16_t **samples, uint32_t *count, uint16_t *line)
{
    uint32_t number;

    while (audio->held < NARROWS_AUDIO_WINDOW) {
        if (*count == 0)
            return 0;
        audio->samples[audio->held++] = *(*samples)++;
        --*count;
    }
    features(audio, line);
    for (number = NARROWS_AUDIO_STEP; number < NARROWS_AUDIO_WINDOW; number++)
        audio->samples[number - NARROWS_AUDIO_STEP] = audio->samples[number];
    audio->held -= NARROWS_AUDIO_STEP;
    return 1;
}
