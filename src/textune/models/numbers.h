/* Numbers as arrays hold them: bf16, or fp32 where FP32 is defined. Work is done in fp32. */

#include <math.h>
#include <stdint.h>
#include <string.h>

#ifdef FP32

typedef float number;

static inline float wide(number x) { return x; }

static inline number narrow(float x) { return x; }

#else

typedef uint16_t number;

static inline float wide(number x) {
    uint32_t bits = (uint32_t)x << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

/* Round to the nearest, ties to even. */
static inline number narrow(float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return (number)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

#endif

static inline float rounded(float x) { return wide(narrow(x)); }

/* exp(x) = 2^n 2^f with |f| <= 1/2; 2^f by its series, good to 2e-7; flat beyond the range. */
static inline float exponential(float x) {
    float z = x * 1.44269504f;
    z = z > 126.0f ? 126.0f : z;
    z = z < -126.0f ? -126.0f : z;
    float n = rintf(z), f = (z - n) * 0.69314718f;
    float series = 1.0f + f * (1.0f + f * (0.5f + f * (0.16666667f + f * (0.041666667f
                   + f * (0.0083333333f + f * 0.0013888889f)))));
    int32_t bits = ((int32_t)n + 127) << 23;
    float power;
    memcpy(&power, &bits, 4);
    return power * series;
}

/* Numbers that look drawn, made of a place (or a vector of places) and two keys: the last steps of MurmurHash3
   (Appleby, 2011). */
#define DRAWN(place, first, second)                   \
    ({                                                \
        __typeof__(place) h = (place) + (first);      \
        h = (h ^ (h >> 16)) * 0x85ebca6bu ^ (second); \
        h = (h ^ (h >> 13)) * 0xc2b2ae35u;            \
        h ^ (h >> 16);                                \
    })
