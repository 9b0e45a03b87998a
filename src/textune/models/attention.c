/* Attention of packed rows on matrix tiles: forward and back. See tiles.h for the plan and its legend.

   Only the logarithm of each sum of exponentials is kept: the way back computes products again, as Dao et al.
   (2022, arXiv:2205.14135, section 3.1) do. Each result is written by one thread, its sums in one order, so
   results repeat. Queries (T, K * G, D), keys and values (T, K, D), those of the prefix (K, P, D), logarithms
   (T, K * G). */

#include "tiles.h"

#define HIDDEN -1e30f

/* The largest of n products, of those that a mask does not hide. */
static float largest_seen(const float *row, const uint8_t *mask, long n) {
    __m512 largest[2] = {_mm512_set1_ps(HIDDEN), _mm512_set1_ps(HIDDEN)};
    long i = 0;
    for (; !mask && i + PAD <= n; i += PAD)
        for (int half = 0; half < 2; half++)
            largest[half] = _mm512_max_ps(largest[half], _mm512_loadu_ps(row + i + half * SIDE));
    for (; i < n; i += SIDE)
        largest[0] = _mm512_mask_max_ps(largest[0], lanes(n - i, mask ? mask + i : 0), largest[0], _mm512_loadu_ps(row + i));
    return _mm512_reduce_max_ps(_mm512_max_ps(largest[0], largest[1]));
}

/* Exponentials of scaled products less a number, zeros where nothing is seen or it is dropped; gives the sum of
   all that is seen. */
static float raised(const Plan *plan, const float *row, const uint8_t *mask, number *to, long n, long all, float less,
                    uint32_t place) {
    __m512 sum = _mm512_setzero_ps(), factor = _mm512_set1_ps(plan->scale), off = _mm512_set1_ps(less), part[2];
    for (long i = 0; i < all; i += PAD) {
        for (int half = 0; half < 2; half++) {
            long at = i + half * SIDE;
            __m512 distance = _mm512_fmsub_ps(_mm512_loadu_ps(row + at), factor, off);
            part[half] = _mm512_maskz_mov_ps(lanes(n - at, mask ? mask + at : 0), exponentials(distance));
            sum = _mm512_add_ps(sum, part[half]);
            if (plan->limit) part[half] = _mm512_mul_ps(part[half], factors_at(plan, counted_from(place + at)));
        }
        put(to + i, part[0], part[1]);
    }
    return _mm512_reduce_add_ps(sum);
}

/* One pad of rows, forward. */
static void look(const Plan *plan, long k, long pad, number *out, float *logs) {
    long n = plan->segment_of[pad], first = pad * PAD - plan->rows_at[n], G = plan->G, D = plan->D, W = plan->widest;
    const Segment *segment = plan->segments + n;
    long shared = padded(segment->shared), own = own_keys(segment, (first + PAD - 1) / G);
    float *products = plan->products + omp_get_thread_num() * 2 * PAD * W, *mixed = products + PAD * W, sums[PAD];
    number *weights = plan->weights + omp_get_thread_num() * 2 * PAD * W;
    long at = k * plan->num_keys * D, own_at = at + plan->keys_at[n] * D;
    const number *asked = plan->queries.plain + (k * plan->num_rows + pad * PAD) * D;
    multiply(asked, D, plan->keys.across + at, D / PAD, D, shared, products, W, 0);
    multiply(asked, D, plan->keys.across + own_at, D / PAD, D, own, products + shared, W, 0);
    long rows = segment->length * G - first;
    rows = rows < PAD ? rows : PAD;
    for (long r = 0; r < rows; r++) {
        const uint8_t *mask;
        long token = (first + r) / G, seen = sees(plan, segment, token, &mask);
        float *row = products + r * W;
        float largest = largest_seen(row, 0, segment->shared), own_largest = largest_seen(row + shared, mask, seen);
        float less = plan->scale * (own_largest > largest ? own_largest : largest);
        long head = k * G + (first + r) % G;
        uint32_t place = place_of(plan, segment->start + token, head);
        sums[r] = raised(plan, row, 0, weights + r * W, segment->shared, shared, less, place)
                  + raised(plan, row + shared, mask, weights + r * W + shared, seen, own, less, place + shared);
        logs[(segment->start + token) * plan->K * G + head] = less + logf(sums[r]);
    }
    memset(weights + rows * W, 0, (PAD - rows) * W * sizeof(number));
    multiply(weights, W, plan->values.along + at, padded(plan->P) / PAD, shared, D, mixed, D, 0);
    multiply(weights + shared, W, plan->values.along + own_at, padded(segment->length) / PAD, own, D, mixed, D, 1);
    for (long r = 0; r < rows; r++) {
        long token = segment->start + (first + r) / G, head = k * G + (first + r) % G;
        number *to = out + (token * plan->K * G + head) * D;
        for (long d = 0; d < D; d++) to[d] = narrow(mixed[r * D + d] / sums[r]);
    }
}

static void lay_rows(const Plan *plan, const number *from, Forms *to, int back) {
    long K = plan->K, G = plan->G, D = plan->D;
#pragma omp for schedule(dynamic)
    for (long task = 0; task < K * plan->N; task++) {
        long k = task % K, n = task / K, length = plan->segments[n].length;
        long at = (k * plan->num_rows + plan->rows_at[n]) * D;
        gather(from + (plan->segments[n].start * K + k) * G * D, K * G * D, G * D, length, D, to->plain + at);
        if (back) {
            lay_across(to->plain + at, padded(length * G), D, to->across + at);
            lay_along(to->plain + at, padded(length * G), D, to->along + at);
        }
    }
}

void attention_forward(const number *queries, const number *keys, const number *values, const number *prefix_keys,
                       const number *prefix_values, const Segment *segments, const uint8_t *masks, number *out,
                       float *logs, char *room, long N, long K, long G, long D, long P, float scale, float dropout,
                       long seed) {
    Plan plan = {.segments = segments, .masks = masks, .N = N, .K = K, .G = G, .D = D, .P = P, .scale = scale};
    furnish(&plan, room, 0);
    place(&plan, dropout, seed);
#pragma omp parallel
    {
        ready_tiles();
        lay_keys(&plan, keys, values, prefix_keys, prefix_values, 0);
        lay_rows(&plan, queries, &plan.queries, 0);
#pragma omp for schedule(dynamic, 4)
        for (long task = 0; task < K * plan.num_rows / PAD; task++)
            look(&plan, task % K, task / K, out, logs);
        _tile_release();
    }
}

/* Each row's logarithm, and the mean that the way back of its softmax takes off: gradient times result. */
static void lay_means(const Plan *plan, const number *gradient, const number *out, const float *logs) {
    long K = plan->K, G = plan->G, D = plan->D;
#pragma omp for schedule(static)
    for (long task = 0; task < K * plan->N; task++) {
        long k = task % K, n = task / K, rows = plan->segments[n].length * G;
        float *log = plan->logs + k * plan->num_rows + plan->rows_at[n];
        float *mean = plan->means + k * plan->num_rows + plan->rows_at[n];
        uint32_t *place = plan->places + k * plan->num_rows + plan->rows_at[n];
        for (long r = 0; r < padded(rows); r++) {
            long token = plan->segments[n].start + r / G, head = token * K * G + k * G + r % G;
            float sum = 0;
            for (long d = 0; r < rows && d < D; d++) sum += wide(gradient[head * D + d]) * wide(out[head * D + d]);
            log[r] = r < rows ? logs[head] : NOBODY, mean[r] = sum;
            place[r] = place_of(plan, token, k * G + r % G);
        }
    }
}

/* From products, and the gradients of weights, to the gradients of products; zeros from n on. */
static void slopes(const Plan *plan, const float *products, const float *gradients, const uint8_t *mask, number *to,
                   long n, long all, float log, float mean, uint32_t place) {
    __m512 factor = _mm512_set1_ps(plan->scale), off = _mm512_set1_ps(log), middle = _mm512_set1_ps(mean), part[2];
    for (long i = 0; i < all; i += PAD) {
        for (int half = 0; half < 2; half++) {
            long at = i + half * SIDE;
            __m512 weight = exponentials(_mm512_fmsub_ps(_mm512_loadu_ps(products + at), factor, off));
            __m512 gradient = _mm512_loadu_ps(gradients + at);
            if (plan->limit) gradient = _mm512_mul_ps(gradient, factors_at(plan, counted_from(place + at)));
            __m512 slope = _mm512_mul_ps(_mm512_sub_ps(gradient, middle), factor);
            part[half] = _mm512_maskz_mul_ps(lanes(n - at, mask ? mask + at : 0), weight, slope);
        }
        put(to + i, part[0], part[1]);
    }
}

/* One pad of rows, back to its queries. */
static void back_to_rows(const Plan *plan, long k, long pad, number *to_queries) {
    long n = plan->segment_of[pad], first = pad * PAD - plan->rows_at[n], G = plan->G, D = plan->D, W = plan->widest;
    const Segment *segment = plan->segments + n;
    long shared = padded(segment->shared), own = own_keys(segment, (first + PAD - 1) / G);
    float *products = plan->products + omp_get_thread_num() * 2 * PAD * W, *gradients = products + PAD * W;
    number *weights = plan->weights + omp_get_thread_num() * 2 * PAD * W;
    long at = k * plan->num_keys * D, own_at = at + plan->keys_at[n] * D, row_at = k * plan->num_rows + pad * PAD;
    const number *asked = plan->queries.plain + row_at * D, *gradient = plan->gradients.plain + row_at * D;
    multiply(asked, D, plan->keys.across + at, D / PAD, D, shared, products, W, 0);
    multiply(asked, D, plan->keys.across + own_at, D / PAD, D, own, products + shared, W, 0);
    multiply(gradient, D, plan->values.across + at, D / PAD, D, shared, gradients, W, 0);
    multiply(gradient, D, plan->values.across + own_at, D / PAD, D, own, gradients + shared, W, 0);
    long rows = segment->length * G - first;
    rows = rows < PAD ? rows : PAD;
    for (long r = 0; r < rows; r++) {
        const uint8_t *mask;
        long seen = sees(plan, segment, (first + r) / G, &mask), i = r * W;
        float log = plan->logs[row_at + r], mean = plan->means[row_at + r];
        uint32_t place = plan->places[row_at + r];
        slopes(plan, products + i, gradients + i, 0, weights + i, segment->shared, shared, log, mean, place);
        i += shared;
        slopes(plan, products + i, gradients + i, mask, weights + i, seen, own, log, mean, place + shared);
    }
    memset(weights + rows * W, 0, (PAD - rows) * W * sizeof(number));
    float *mixed = products;
    multiply(weights, W, plan->keys.along + at, padded(plan->P) / PAD, shared, D, mixed, D, 0);
    multiply(weights + shared, W, plan->keys.along + own_at, padded(segment->length) / PAD, own, D, mixed, D, 1);
    for (long r = 0; r < rows; r++) {
        long token = segment->start + (first + r) / G, head = k * G + (first + r) % G;
        number *to = to_queries + (token * plan->K * G + head) * D;
        for (long d = 0; d < D; d++) to[d] = narrow(mixed[r * D + d]);
    }
}

/* Which rows of a segment see its key j, as bytes: those of tokens whose mask says so. */
static void column_of(const Plan *plan, const Segment *segment, long key, long from, long rows, uint8_t *seen) {
    for (long r = 0; r < rows; r++) {
        long token = (from + r) / plan->G;
        seen[r] = token < segment->length && plan->masks[segment->mask + token * segment->width + key];
    }
}

/* Weights of rows on one key, and the gradients of its products with them; zeros before the first that sees it. */
static void column_slopes(const Plan *plan, const float *products, const float *gradients, const uint8_t *seen,
                          number *weights, number *to, long first, long rows, long row_at, long key) {
    const float *logs = plan->logs + row_at, *means = plan->means + row_at;
    __m512 factor = _mm512_set1_ps(plan->scale), weight[2], slope[2];
    for (long i = 0; i < rows; i += PAD) {
        for (int half = 0; half < 2; half++) {
            long at = i + half * SIDE;
            __mmask16 see = lanes(rows, seen ? seen + at : 0) & ~lanes(first - at, 0);
            __m512 distance = _mm512_fmsub_ps(_mm512_loadu_ps(products + at), factor, _mm512_loadu_ps(logs + at));
            weight[half] = _mm512_maskz_mov_ps(see, exponentials(distance));
            __m512 gradient = _mm512_loadu_ps(gradients + at), kept = _mm512_set1_ps(1.0f);
            if (plan->limit) {
                __m512i places = _mm512_loadu_si512(plan->places + row_at + at);
                kept = factors_at(plan, _mm512_add_epi32(places, _mm512_set1_epi32(key)));
            }
            slope[half] = _mm512_fmsub_ps(gradient, kept, _mm512_loadu_ps(means + at));
            slope[half] = _mm512_mul_ps(weight[half], _mm512_mul_ps(slope[half], factor));
            weight[half] = _mm512_mul_ps(weight[half], kept);
        }
        put(weights + i, weight[0], weight[1]);
        put(to + i, slope[0], slope[1]);
    }
}

/* What rows of a segment give to one pad of keys, from key `key` of the segment on, or of the prefix. */
static void gather_from(const Plan *plan, long k, long n, int is_own, long key, long at, float *to_keys,
                        float *to_values) {
    const Segment *segment = plan->segments + n;
    long G = plan->G, D = plan->D, all = padded(segment->length * G), W = plan->widest;
    long num_keys = (is_own ? segment->length : segment->shared) - key;
    num_keys = num_keys < PAD ? num_keys : PAD;
    if (num_keys <= 0) return;
    float *products = plan->products + omp_get_thread_num() * 2 * PAD * W, *gradients = products + PAD * W;
    number *weights = plan->weights + omp_get_thread_num() * 2 * PAD * W, *slope = weights + PAD * W;
    int is_earlier = is_own && segment->mask == EARLIER;
    for (long from = is_earlier ? key * G / PAD * PAD : 0, rows; from < all; from += rows) {
        rows = all - from < CHUNK ? all - from : CHUNK;
        long row_at = k * plan->num_rows + plan->rows_at[n] + from;
        multiply(plan->keys.plain + at, D, plan->queries.across + row_at * D, D / PAD, D, rows, products, W, 0);
        multiply(plan->values.plain + at, D, plan->gradients.across + row_at * D, D / PAD, D, rows, gradients, W, 0);
        for (long j = 0; j < num_keys; j++) {
            uint8_t seen[CHUNK];
            int is_masked = is_own && segment->mask >= 0;
            if (is_masked) column_of(plan, segment, key + j, from, rows, seen);
            long first = is_earlier ? (key + j) * G - from : 0;
            first = first < 0 ? 0 : first < rows ? first : rows;
            column_slopes(plan, products + j * W, gradients + j * W, is_masked ? seen : 0, weights + j * W, slope + j * W,
                          first, rows, row_at, key + j + (is_own ? padded(segment->shared) : 0));
        }
        for (long j = num_keys; j < PAD; j++) {
            memset(weights + j * W, 0, rows * sizeof(number));
            memset(slope + j * W, 0, rows * sizeof(number));
        }
        long segment_at = (k * plan->num_rows + plan->rows_at[n]) * D + from / PAD * CELLS;
        multiply(weights, W, plan->gradients.along + segment_at, all / PAD, rows, D, to_values, D, 1);
        multiply(slope, W, plan->queries.along + segment_at, all / PAD, rows, D, to_keys, D, 1);
    }
}

/* One pad of keys and values, from all rows that see it. */
static void back_to_keys(const Plan *plan, long k, long pad, number *to_keys, number *to_values,
                         number *to_prefix_keys, number *to_prefix_values) {
    long K = plan->K, D = plan->D, at = k * plan->num_keys * D + pad * PAD * D, n = 0;
    float sums[2][PAD * D];
    memset(sums, 0, sizeof sums);
    int is_own = pad * PAD >= padded(plan->P);
    if (is_own) {
        while (plan->keys_at[n + 1] <= pad * PAD) n++;
    }
    long key = pad * PAD - (is_own ? plan->keys_at[n] : 0), length = is_own ? plan->segments[n].length : plan->P;
    for (long i = is_own ? n : 0; i < (is_own ? n + 1 : plan->N); i++)
        gather_from(plan, k, i, is_own, key, at, sums[0], sums[1]);
    number *outs[2] = {is_own ? to_keys : to_prefix_keys, is_own ? to_values : to_prefix_values};
    for (long j = 0; j < PAD && key + j < length; j++) {
        long row = is_own ? (plan->segments[n].start + key + j) * K + k : k * plan->P + key + j;
        for (int i = 0; i < 2; i++)
            for (long d = 0; d < D; d++) outs[i][row * D + d] = narrow(sums[i][j * D + d]);
    }
}

void attention_backward(const number *queries, const number *keys, const number *values, const number *prefix_keys,
                        const number *prefix_values, const Segment *segments, const uint8_t *masks,
                        const number *gradient, const number *out, const float *logs, number *to_queries,
                        number *to_keys, number *to_values, number *to_prefix_keys, number *to_prefix_values,
                        char *room, long N, long K, long G, long D, long P, float scale, float dropout, long seed) {
    Plan plan = {.segments = segments, .masks = masks, .N = N, .K = K, .G = G, .D = D, .P = P, .scale = scale};
    furnish(&plan, room, 1);
    place(&plan, dropout, seed);
#pragma omp parallel
    {
        ready_tiles();
        lay_keys(&plan, keys, values, prefix_keys, prefix_values, 1);
        lay_rows(&plan, queries, &plan.queries, 1);
        lay_rows(&plan, gradient, &plan.gradients, 1);
        lay_means(&plan, gradient, out, logs);
#pragma omp for schedule(dynamic)
        for (long task = 0; task < K * plan.num_keys / PAD; task++)
            back_to_keys(&plan, task % K, task / K, to_keys, to_values, to_prefix_keys, to_prefix_values);
#pragma omp for schedule(dynamic, 4)
        for (long task = 0; task < K * plan.num_rows / PAD; task++)
            back_to_rows(&plan, task % K, task / K, to_queries);
        _tile_release();
    }
}
