/* The way back of attention.c: to queries by rows, to keys and values by keys. */

#include "pads.h"

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
            place[r] = place_of(plan, head);
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
static void back_to_rows(const Plan *plan, Pad pad, const number *asked, const number *gradient, long row_at,
                         number *to_queries) {
    long D = plan->D, W = plan->widest, shared = pad.shared;
    with_all(plan, &pad, asked, plan->keys.across, pad.products);
    with_all(plan, &pad, gradient, plan->values.across, pad.gradients);
    for (long r = 0; r < pad.rows; r++) {
        const uint8_t *mask;
        long seen = sees(plan, pad.segment, (pad.first + r) / plan->G, &mask), i = r * W, own = i + shared;
        float log = plan->logs[row_at + r], mean = plan->means[row_at + r], *to = pad.products, *by = pad.gradients;
        uint32_t place = plan->places[row_at + r];
        slopes(plan, to + i, by + i, 0, pad.weights + i, pad.segment->shared, shared, log, mean, place);
        slopes(plan, to + own, by + own, mask, pad.weights + own, seen, pad.own, log, mean, place + shared);
    }
    float *mixed = pad.products;
    mix(plan, &pad, plan->keys.along, mixed);
    for (long r = 0; r < pad.rows; r++) {
        number *to = to_queries + head_of(plan, &pad, r) * D;
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
            long first = is_earlier ? (key + j) * G - from : 0, i = j * W;
            first = first < 0 ? 0 : first < rows ? first : rows;
            column_slopes(plan, products + i, gradients + i, is_masked ? seen : 0, weights + i, slope + i, first, rows,
                          row_at, key + j + (is_own ? padded(segment->shared) : 0));
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
