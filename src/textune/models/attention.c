/* Attention of packed rows in tiles: forward and back. See tiles.h for the plan and its legend.

   Only the logarithm of each sum of exponentials is kept: the way back computes products again, as Dao et al.
   (2022, arXiv:2205.14135, section 3.1) do. Each result is written by one thread, its sums in one order, so
   results repeat. Queries (T, K * G, D), keys and values (T, K, D), those of the prefix (K, P, D), logarithms
   (T, K * G). */

#include "attention_back.h"

#define HIDDEN -1e30f

/* The largest of n products, of those that a mask does not hide. */
static float largest_seen(const float *row, const uint8_t *mask, long n) {
    __m512 largest[2] = {_mm512_set1_ps(HIDDEN), _mm512_set1_ps(HIDDEN)};
    long i = 0;
    for (; !mask && i + PAD <= n; i += PAD)
        for (int half = 0; half < 2; half++)
            largest[half] = _mm512_max_ps(largest[half], _mm512_loadu_ps(row + i + half * SIDE));
    for (; i < n; i += SIDE)
        largest[0] = _mm512_mask_max_ps(largest[0], lanes(n - i, mask ? mask + i : 0), largest[0],
                                        _mm512_loadu_ps(row + i));
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
static void look(const Plan *plan, Pad pad, number *out, float *logs) {
    long D = plan->D, W = plan->widest, shared = pad.shared;
    float *mixed = pad.gradients, sums[PAD];
    with_all(plan, &pad, plan->queries.plain + pad.row_at, plan->keys.across, pad.products);
    for (long r = 0; r < pad.rows; r++) {
        const uint8_t *mask;
        long seen = sees(plan, pad.segment, (pad.first + r) / plan->G, &mask), head = head_of(plan, &pad, r);
        float *row = pad.products + r * W;
        number *weights = pad.weights + r * W;
        float largest = largest_seen(row, 0, pad.segment->shared), own = largest_seen(row + shared, mask, seen);
        float less = plan->scale * (own > largest ? own : largest);
        uint32_t place = place_of(plan, head);
        sums[r] = raised(plan, row, 0, weights, pad.segment->shared, shared, less, place)
                  + raised(plan, row + shared, mask, weights + shared, seen, pad.own, less, place + shared);
        logs[head] = less + logf(sums[r]);
    }
    mix(plan, &pad, plan->values.along, mixed);
    for (long r = 0; r < pad.rows; r++) {
        number *to = out + head_of(plan, &pad, r) * D;
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
        if (back) lay_along(to->plain + at, padded(length * G), D, to->along + at);
    }
}

void attention_forward(const number *queries, const number *keys, const number *values, const number *prefix_keys,
                       const number *prefix_values, const Segment *segments, const uint8_t *masks, number *out,
                       float *logs, char *room, long N, long K, long G, long D, long P, float scale, float dropout,
                       long drops) {
    Plan plan = plan_of(segments, masks, room, 0, N, K, G, D, P, scale, dropout, drops);
#pragma omp parallel
    {
        ready();
        lay_keys(&plan, keys, values, prefix_keys, prefix_values, 0);
        lay_rows(&plan, queries, &plan.queries, 0);
#pragma omp for schedule(dynamic, 4)
        for (long task = 0; task < K * plan.num_rows / PAD; task++)
            look(&plan, pad_of(&plan, task % K, task / K), out, logs);
        done();
    }
}

void attention_backward(const number *queries, const number *keys, const number *values, const number *prefix_keys,
                        const number *prefix_values, const Segment *segments, const uint8_t *masks,
                        const number *gradient, const number *out, const float *logs, number *to_queries,
                        number *to_keys, number *to_values, number *to_prefix_keys, number *to_prefix_values,
                        char *room, long N, long K, long G, long D, long P, float scale, float dropout, long drops) {
    Plan plan = plan_of(segments, masks, room, 1, N, K, G, D, P, scale, dropout, drops);
    Back back = {out, logs, to_queries, to_keys, to_values};
#pragma omp parallel
    {
        ready();
        lay_keys(&plan, keys, values, prefix_keys, prefix_values, 1);
        lay_rows(&plan, queries, &plan.queries, 1);
        lay_rows(&plan, gradient, &plan.gradients, 1);
#pragma omp for schedule(dynamic)
        for (long task = 0; task < K * GROUPS; task++) back_of_group(&plan, &back, task);
#pragma omp for schedule(static)
        for (long k = 0; k < K; k++) back_to_prefix(&plan, k, to_prefix_keys, to_prefix_values);
        done();
    }
}
