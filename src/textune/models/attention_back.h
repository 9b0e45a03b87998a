/* The way back of attention.c, a segment of a key-value head at a time: the weights of a pad of rows are made
   once and give to queries; turned, those of a block of rows give to keys and values. */

#include "pads.h"

/* What the way forward gave, and where results go. */
typedef struct {
    const number *out;
    const float *logs;
    number *to_queries, *to_keys, *to_values;
} Back;

/* What the way back of softmax takes off: the gradient of a row times its result. */
static float mean_of(const number *gradient, const number *out, long D) {
    float sum = 0;
    for (long d = 0; d < D; d++) sum += wide(gradient[d]) * wide(out[d]);
    return sum;
}

/* From products, and the gradients of weights, to weights and the gradients of products; zeros from n on. */
static void slopes(const Plan *plan, const float *products, const float *gradients, const uint8_t *mask,
                   number *weights, number *to, long n, long all, float log, float mean, uint32_t place) {
    __m512 factor = _mm512_set1_ps(plan->scale), off = _mm512_set1_ps(log), middle = _mm512_set1_ps(mean);
    __m512 weight[2], slope[2];
    for (long i = 0; i < all; i += PAD) {
        for (int half = 0; half < 2; half++) {
            long at = i + half * SIDE;
            __m512 distance = _mm512_fmsub_ps(_mm512_loadu_ps(products + at), factor, off);
            __m512 gradient = _mm512_loadu_ps(gradients + at);
            weight[half] = _mm512_maskz_mov_ps(lanes(n - at, mask ? mask + at : 0), exponentials(distance));
            slope[half] = _mm512_mul_ps(weight[half], factor);
            if (plan->limit) {
                __m512 kept = factors_at(plan, counted_from(place + at));
                gradient = _mm512_mul_ps(gradient, kept), weight[half] = _mm512_mul_ps(weight[half], kept);
            }
            slope[half] = _mm512_mul_ps(slope[half], _mm512_sub_ps(gradient, middle));
        }
        put(weights + i, weight[0], weight[1]);
        put(to + i, slope[0], slope[1]);
    }
}

/* One pad of rows, back to its queries; its weights and slopes stay in its strips. */
static void back_to_rows(const Plan *plan, const Back *back, const Pad *pad, number *weights) {
    long D = plan->D, W = plan->widest, shared = pad->shared;
    const number *gradients = plan->gradients.plain + pad->row_at;
    with_all(plan, pad, plan->queries.plain + pad->row_at, plan->keys.across, pad->products);
    with_all(plan, pad, gradients, plan->values.across, pad->gradients);
    for (long r = 0; r < pad->rows; r++) {
        const uint8_t *mask;
        long seen = sees(plan, pad->segment, (pad->first + r) / plan->G, &mask), i = r * W, own = i + shared;
        long head = head_of(plan, pad, r);
        float log = back->logs[head], mean = mean_of(gradients + r * D, back->out + head * D, D);
        float *to = pad->products, *by = pad->gradients;
        uint32_t place = place_of(plan, head);
        slopes(plan, to + i, by + i, 0, weights + i, pad->weights + i, pad->segment->shared, shared, log, mean, place);
        slopes(plan, to + own, by + own, mask, weights + own, pad->weights + own, seen, pad->own, log, mean,
               place + shared);
    }
    memset(weights + pad->rows * W, 0, (PAD - pad->rows) * W * sizeof(number));
    float *mixed = pad->products;
    mix(plan, pad, plan->keys.along, mixed);
    for (long r = 0; r < pad->rows; r++) {
        number *to = back->to_queries + head_of(plan, pad, r) * D;
        for (long d = 0; d < D; d++) to[d] = narrow(mixed[r * D + d]);
    }
}

/* Rows of a square of PAD numbers a side become its columns: halves of it change places, then halves of those. */
static void turn(const number *from, long stride, number *to, long stride_to) {
    __m512i rows[PAD];
    uint16_t upper[PAD], lower[PAD];
    for (int i = 0; i < PAD; i++) rows[i] = _mm512_loadu_si512(from + i * stride);
    for (int half = PAD / 2; half; half /= 2) {
        for (int i = 0; i < PAD; i++) {
            upper[i] = i & half ? PAD + i - half : i;
            lower[i] = i & half ? PAD + i : i + half;
        }
        __m512i above = _mm512_loadu_si512(upper), below = _mm512_loadu_si512(lower);
        for (int i = 0; i < PAD; i++) {
            if (i & half) continue;
            __m512i first = rows[i], second = rows[i + half];
            rows[i] = _mm512_permutex2var_epi16(first, above, second);
            rows[i + half] = _mm512_permutex2var_epi16(first, below, second);
        }
    }
    for (int i = 0; i < PAD; i++) _mm512_storeu_si512(to + i * stride_to, rows[i]);
}

/* Strips of a pad by keys; zeros for those that only later rows of its block see. */
static void turn_strip(const number *strip, long W, long keys, long all, number *to) {
    for (long key = 0; key < all; key += PAD, to += PAD * BLOCK) {
        if (key < keys) turn(strip + key, W, to, BLOCK);
        for (long i = 0; key >= keys && i < PAD; i++) memset(to + i * BLOCK, 0, PAD * sizeof(number));
    }
}

/* What a block of rows gives to keys (or values): to those of the prefix, then to their segment's. */
static void give(const number *turned, const number *along, long steps, long rows, long D, long shared, long own,
                 float *to_shared, float *to_own) {
    for (long key = 0; key < shared + own; key += PAD) {
        float *to = key < shared ? to_shared + key * D : to_own + (key - shared) * D;
        multiply(turned + key * BLOCK, BLOCK, along, steps, rows, D, to, D, 1);
    }
}

/* A segment of a head, back to its queries, keys and values, and added to what goes to the prefix. */
static void back_of_segment(const Plan *plan, const Back *back, long k, long n, float *to_shared) {
    const Segment *segment = plan->segments + n;
    long D = plan->D, W = plan->widest, thread = omp_get_thread_num(), all = padded(segment->length * plan->G);
    long base = (k * plan->num_rows + plan->rows_at[n]) * D, of_prefix = padded(plan->P) * D;
    long of_own = padded(segment->length) * D;
    float *sums = plan->own + thread * 2 * plan->longest * D;
    number *turned = plan->turned + thread * 2 * BLOCK * W, *turned_slopes = turned + BLOCK * W;
    memset(sums, 0, 2 * of_own * sizeof(float));
    for (long from = 0; from < all; from += BLOCK) {
        long rows = all - from < BLOCK ? all - from : BLOCK, own = own_keys(segment, (from + rows - 1) / plan->G);
        long shared = padded(segment->shared);
        for (long row = from; row < from + rows; row += PAD) {
            Pad pad = pad_of(plan, k, (plan->rows_at[n] + row) / PAD);
            number *weights = pad.weights + PAD * W;
            back_to_rows(plan, back, &pad, weights);
            turn_strip(weights, W, shared + pad.own, shared + own, turned + row - from);
            turn_strip(pad.weights, W, shared + pad.own, shared + own, turned_slopes + row - from);
        }
        long at = base + from / PAD * CELLS, steps = all / PAD;
        give(turned_slopes, plan->queries.along + at, steps, rows, D, shared, own, to_shared, sums);
        give(turned, plan->gradients.along + at, steps, rows, D, shared, own, to_shared + of_prefix, sums + of_own);
    }
    number *outs[2] = {back->to_keys, back->to_values};
    for (int i = 0; i < 2; i++)
        for (long j = 0; j < segment->length; j++) {
            number *to = outs[i] + ((segment->start + j) * plan->K + k) * D;
            for (long d = 0; d < D; d++) to[d] = narrow(sums[i * of_own + j * D + d]);
        }
}

/* Segments that stand behind each other, of one head; K tasks for each group. */
static void back_of_group(const Plan *plan, const Back *back, long task) {
    long size = 2 * padded(plan->P) * plan->D;
    float *to_shared = plan->shared + task * size;
    memset(to_shared, 0, size * sizeof(float));
    for (long n = 0; n < plan->N; n++)
        if (plan->rows_at[n] * GROUPS / plan->num_rows == task / plan->K)
            back_of_segment(plan, back, task % plan->K, n, to_shared);
}

/* What all groups give to the prefix of a head, in their order. */
static void back_to_prefix(const Plan *plan, long k, number *to_keys, number *to_values) {
    long size = padded(plan->P) * plan->D;
    number *outs[2] = {to_keys, to_values};
    for (int i = 0; i < 2; i++)
        for (long at = 0; at < plan->P * plan->D; at++) {
            float sum = 0;
            for (long group = 0; group < GROUPS; group++)
                sum += plan->shared[((group * plan->K + k) * 2 + i) * size + at];
            outs[i][k * plan->P * plan->D + at] = narrow(sum);
        }
}
