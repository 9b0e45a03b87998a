/* One pad of rows of attention.c and all keys that it may see. */

#include "tiles.h"

/* One pad of rows of a key-value head: where it stands, what it may see, and where its thread works. */
typedef struct {
    const Segment *segment;
    long k, first, rows, shared, own; /* first of the segment's rows, how many are real, pads of keys in numbers */
    long row_at, at, own_at, steps, own_steps; /* of rows, of keys of the prefix and of its own, in their forms */
    float *products, *gradients;
    number *weights;
} Pad;

static Pad pad_of(const Plan *plan, long k, long pad) {
    long n = plan->segment_of[pad], first = pad * PAD - plan->rows_at[n], at = k * plan->num_keys * plan->D;
    const Segment *segment = plan->segments + n;
    long rows = segment->length * plan->G - first, strip = 2 * PAD * plan->widest * omp_get_thread_num();
    return (Pad){
        .segment = segment, .k = k, .first = first, .rows = rows < PAD ? rows : PAD,
        .shared = padded(segment->shared), .own = own_keys(segment, (first + PAD - 1) / plan->G),
        .row_at = (k * plan->num_rows + pad * PAD) * plan->D, .at = at, .own_at = at + plan->keys_at[n] * plan->D,
        .steps = padded(plan->P) / PAD, .own_steps = padded(segment->length) / PAD,
        .products = plan->products + strip, .gradients = plan->products + strip + PAD * plan->widest,
        .weights = plan->weights + strip,
    };
}

/* Of a row: its token's and its head's place among all heads of all tokens. */
static long head_of(const Plan *plan, const Pad *pad, long row) {
    long token = pad->segment->start + (pad->first + row) / plan->G;
    return (token * plan->K + pad->k) * plan->G + (pad->first + row) % plan->G;
}

/* Products of rows with all keys (or values) that they may see: the prefix's, then their segment's. */
static void with_all(const Plan *plan, const Pad *pad, const number *rows, const number *across, float *to) {
    long D = plan->D, W = plan->widest;
    multiply(rows, D, across + pad->at, D / PAD, D, pad->shared, to, W, 0);
    multiply(rows, D, across + pad->own_at, D / PAD, D, pad->own, to + pad->shared, W, 0);
}

/* Values (or keys) mixed by the weights of rows. */
static void mix(const Plan *plan, const Pad *pad, const number *along, float *to) {
    long D = plan->D, W = plan->widest;
    memset(pad->weights + pad->rows * W, 0, (PAD - pad->rows) * W * sizeof(number));
    multiply(pad->weights, W, along + pad->at, pad->steps, pad->shared, D, to, D, 0);
    multiply(pad->weights + pad->shared, W, along + pad->own_at, pad->own_steps, pad->own, D, to, D, 1);
}
