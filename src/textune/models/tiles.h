/* Attention of packed rows in tiles (products.h): arrays of bf16, sums in fp32.

   A row holds segments; each token attends to the first keys of a prefix and to its own segment. Products stay
   in the cache, and only the logarithm of each sum of exponentials is kept: the way back computes products
   again, as Dao et al. (2022, arXiv:2205.14135, section 3.1) do. Each result is written by one thread, its sums
   in one order, so results repeat.

   A product takes rows of numbers, and a second factor in tiles whose dwords hold two numbers that lie behind
   each other in the direction of the sum: "across" for sums over a head's width, "along" for sums over tokens.

   Legend: T tokens of the row, N segments, K key-value heads, G query heads of each, D width of a head (a
   multiple of 32), P keys of the prefix. Queries (T, K * G, D), keys and values (T, K, D), those of the prefix
   (K, P, D), logarithms (T, K * G). The "rows" of a segment are its queries of one key-value head: its tokens, G
   heads of each. Keys and rows of every segment are padded with zeros to whole pads. */

#include "products.h"

#include <omp.h>

#define BLOCK 128     /* rows whose weights are held by keys at once on the way back */
#define GROUPS 8      /* of segments: each sums by itself what it gives to the prefix */
#define NUMBERS 512   /* that say what is dropped of a head of a token; more where it may see more keys */
#define COUNTED _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)

enum { EARLIER = -1, ALL = -2 };

/* What a token sees of its segment of `length` tokens from `start` on: earlier ones and itself, all, or what
   the bytes (length, width) at a place of the masks say. It sees the first `shared` keys of the prefix. */
typedef struct {
    long start, length, shared, mask, width;
} Segment;

typedef struct {
    number *plain, *across, *along; /* where there is need of them */
} Forms;

typedef struct {
    const Segment *segments;
    const uint8_t *masks;
    long N, K, G, D, P;
    float scale, kept;              /* what weights that are not dropped are multiplied by */
    uint32_t limit, first, second;  /* numbers below the limit are dropped; the keys of numbers that look drawn */
    long num_keys, num_rows;         /* of a head, padded */
    long longest, widest;            /* keys of the longest segment, padded; numbers of a strip's rows */
    long *keys_at, *rows_at;         /* where each segment's begin (N + 1) */
    long *segment_of;                /* of each pad of rows */
    Forms queries, keys, values, gradients;
    float *products;     /* for each thread, two strips of fp32 and two of numbers */
    number *weights;
    number *turned;      /* for each thread, two such strips by keys, of a block of rows */
    float *own;          /* for each thread, what goes back to keys and values of a segment (2, longest, D) */
    float *shared;       /* for each head and group, what goes back to those of the prefix (2, P, D) */
} Plan;

static long padded(long n) { return (n + PAD - 1) / PAD * PAD; }

static long largest_of(long a, long b) { return a > b ? a : b; }

static void *cut(char **from, long bytes) {
    void *taken = *from;
    *from += (bytes + 63) / 64 * 64;
    return taken;
}

/* Divide the room; gives its end. Nothing is read or written, so a room that is nowhere tells its size. */
static char *furnish(Plan *plan, char *room, int back) {
    long N = plan->N, longest = 0;
    plan->num_keys = padded(plan->P), plan->num_rows = 0;
    for (long n = 0; n < N; n++) {
        plan->num_keys += padded(plan->segments[n].length);
        plan->num_rows += padded(plan->segments[n].length * plan->G);
        longest = largest_of(longest, padded(plan->segments[n].length));
    }
    plan->longest = longest, plan->widest = largest_of(padded(plan->P) + longest, plan->D);
    long of_keys = plan->K * plan->num_keys * plan->D * sizeof(number);
    long of_rows = plan->K * plan->num_rows * plan->D * sizeof(number);
    plan->keys_at = cut(&room, (N + 1) * sizeof(long)), plan->rows_at = cut(&room, (N + 1) * sizeof(long));
    plan->segment_of = cut(&room, plan->num_rows / PAD * sizeof(long));
    Forms *of_both[] = {&plan->keys, &plan->values}, *of_queries[] = {&plan->queries, &plan->gradients};
    for (int i = 0; i < 2; i++) {
        Forms *forms = of_both[i];
        forms->plain = cut(&room, of_keys), forms->across = cut(&room, of_keys), forms->along = cut(&room, of_keys);
    }
    for (int i = 0; i < (back ? 2 : 1); i++)
        of_queries[i]->plain = cut(&room, of_rows), of_queries[i]->along = cut(&room, back ? of_rows : 0);
    long threads = omp_get_max_threads(), strip = PAD * plan->widest * threads;
    plan->products = cut(&room, 2 * strip * sizeof(float)), plan->weights = cut(&room, 2 * strip * sizeof(number));
    if (!back) return room;
    plan->turned = cut(&room, 2 * BLOCK * plan->widest * threads * sizeof(number));
    plan->own = cut(&room, 2 * longest * plan->D * threads * sizeof(float));
    plan->shared = cut(&room, 2 * padded(plan->P) * plan->D * plan->K * GROUPS * sizeof(float));
    return room;
}

long attention_room(const Segment *segments, long N, long K, long G, long D, long P, int back) {
    Plan plan = {.segments = segments, .N = N, .K = K, .G = G, .D = D, .P = P};
    return furnish(&plan, 0, back) - (char *)0;
}

/* Where each segment's keys and rows begin. */
static void place(Plan *plan) {
    long key = padded(plan->P), row = 0;
    for (long n = 0; n < plan->N; n++) {
        plan->keys_at[n] = key, plan->rows_at[n] = row;
        key += padded(plan->segments[n].length);
        for (long end = row + padded(plan->segments[n].length * plan->G); row < end; row += PAD)
            plan->segment_of[row / PAD] = n;
    }
    plan->keys_at[plan->N] = key, plan->rows_at[plan->N] = row;
}

/* A plan with its room, for a way back or without. */
static Plan plan_of(const Segment *segments, const uint8_t *masks, char *room, int back, long N, long K, long G, long D,
                    long P, float scale, float dropout, long keys) {
    Plan plan = {
        .segments = segments, .masks = masks, .N = N, .K = K, .G = G, .D = D, .P = P, .scale = scale,
        .kept = 1.0f / (1.0f - dropout), .limit = (uint32_t)(dropout * 4294967296.0),
        .first = (uint32_t)keys, .second = (uint32_t)((uint64_t)keys >> 32),
    };
    furnish(&plan, room, back);
    place(&plan);
    return plan;
}

/* Some numbers of each token, behind each other, then zeros up to whole pads of rows of width D. */
static void gather(const number *from, long stride, long each, long tokens, long D, number *to) {
    for (long t = 0; t < tokens; t++) memcpy(to + t * each, from + t * stride, each * sizeof(number));
    memset(to + tokens * each, 0, (padded(tokens * each / D) * D - tokens * each) * sizeof(number));
}

/* Tiles for sums over the width of rows; each row is a column. */
static void lay_across(const number *rows, long count, long D, number *to) {
    __m512i places = _mm512_mullo_epi32(COUNTED, _mm512_set1_epi32(D / 2));
    for (long first = 0; first < count; first += SIDE)
        for (long pair = 0; pair < D / 2; pair++, to += PAD)
            _mm512_storeu_si512(to, _mm512_i32gather_epi32(places, rows + first * D + 2 * pair, 4));
}

/* Tiles for sums over rows; each place of the width is a column. */
static void lay_along(const number *restrict rows, long count, long D, number *restrict to) {
    for (long d = 0; d < D; d += SIDE)
        for (long first = 0; first < count; first += 2, to += PAD) {
            const number *restrict upper = rows + first * D + d, *restrict lower = upper + D;
            uint32_t pairs[SIDE];
            for (long i = 0; i < SIDE; i++) pairs[i] = upper[i] | (uint32_t)lower[i] << 16;
            memcpy(to, pairs, sizeof pairs);
        }
}

/* Keys and values, a head and a segment (or the prefix, n = -1) at a time. */
static void lay_keys(const Plan *plan, const number *keys, const number *values, const number *prefix_keys,
                     const number *prefix_values, int back) {
    long K = plan->K, D = plan->D;
#pragma omp for schedule(dynamic)
    for (long task = 0; task < K * (plan->N + 1); task++) {
        long k = task % K, n = task / K - 1;
        long tokens = n < 0 ? plan->P : plan->segments[n].length, stride = n < 0 ? D : K * D;
        long from = n < 0 ? k * plan->P * D : (plan->segments[n].start * K + k) * D;
        long at = (k * plan->num_keys + (n < 0 ? 0 : plan->keys_at[n])) * D, count = padded(tokens);
        gather((n < 0 ? prefix_keys : keys) + from, stride, D, tokens, D, plan->keys.plain + at);
        gather((n < 0 ? prefix_values : values) + from, stride, D, tokens, D, plan->values.plain + at);
        lay_across(plan->keys.plain + at, count, D, plan->keys.across + at);
        if (back) {
            lay_across(plan->values.plain + at, count, D, plan->values.across + at);
            lay_along(plan->keys.plain + at, count, D, plan->keys.along + at);
        } else {
            lay_along(plan->values.plain + at, count, D, plan->values.along + at);
        }
    }
}

/* What a token sees of its segment: as many keys, of which a mask, where there is one, hides some. */
static long sees(const Plan *plan, const Segment *segment, long token, const uint8_t **mask) {
    *mask = segment->mask >= 0 ? plan->masks + segment->mask + token * segment->width : 0;
    return segment->mask == EARLIER ? token + 1 : segment->length;
}

/* Pads of own keys that rows up to a token may see. */
static long own_keys(const Segment *segment, long token) {
    return padded(segment->mask == EARLIER && token < segment->length ? token + 1 : segment->length);
}

/* The first n of the lanes, of those that a mask, where there is one, does not hide. */
static __mmask16 lanes(long n, const uint8_t *mask) {
    __mmask16 first = n >= SIDE ? 0xffff : n > 0 ? (1 << n) - 1 : 0;
    if (!mask) return first;
    __m128i bytes = _mm_loadu_si128((const __m128i *)mask);
    return first & _mm_test_epi8_mask(bytes, bytes);
}

/* exp(x) = 2^n 2^f with |f| <= 1/2; 2^f by its series, good to 3e-6 (weights are rounded at 2e-3). */
static __m512 exponentials(__m512 x) {
    __m512 z = _mm512_mul_ps(x, _mm512_set1_ps(1.44269504f));
    __m512 n = _mm512_roundscale_ps(z, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), f = _mm512_sub_ps(z, n);
    __m512 series = _mm512_set1_ps(0.0013333558f);
    const float factors[] = {0.0096181291f, 0.055504109f, 0.24022651f, 0.69314718f, 1.0f};
    for (int i = 0; i < 5; i++) series = _mm512_fmadd_ps(series, f, _mm512_set1_ps(factors[i]));
    return _mm512_scalef_ps(series, n);
}

/* Where numbers of a head of a token begin that say which of its weights are dropped: one for each it may have. */
static uint32_t place_of(const Plan *plan, long head) {
    return (uint32_t)(head * largest_of(padded(plan->P) + plan->longest, NUMBERS));
}

typedef uint32_t Places __attribute__((vector_size(64)));

/* Factors of weights at these places: 0 where one is dropped. */
static __m512 factors_at(const Plan *plan, __m512i places) {
    __m512i numbers = (__m512i)DRAWN((Places)places, plan->first, plan->second);
    __mmask16 kept = _mm512_cmpge_epu32_mask(numbers, _mm512_set1_epi32(plan->limit));
    return _mm512_maskz_mov_ps(kept, _mm512_set1_ps(plan->kept));
}

static __m512i counted_from(uint32_t place) {
    return _mm512_add_epi32(_mm512_set1_epi32(place), COUNTED);
}

static void put(number *to, __m512 lower, __m512 upper) {
    _mm512_storeu_si512(to, (__m512i)_mm512_cvtne2ps_pbh(upper, lower));
}
