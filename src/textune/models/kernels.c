/* Row-wise work in one pass over memory, where torch makes one for every operation.

   Compiled once for arrays of bf16 and once, with FP32 defined, for arrays of fp32. Sums and
   functions are in fp32, and results are rounded where the layers of transformers round theirs.
   Arrays are contiguous. Loops are plain, for the compiler to vectorise.
   Legend: T rows, D and N their length. */

#include "numbers.h"

/* y = w * rounded(x * scale), scale = 1 / rms(x), kept for the way back. With `beside` x is a sum, which is kept
   in `sum`. */
void norm_forward(const number *x, const number *beside, const number *w, number *sum, number *y, float *scale,
                  long T, long D, float epsilon) {
#pragma omp parallel for schedule(static)
    for (long t = 0; t < T; t++) {
        const number *from = x + t * D;
        number *to = y + t * D;
        if (beside) {
            const number *other = beside + t * D;
            number *kept = sum + t * D;
            for (long i = 0; i < D; i++) kept[i] = narrow(wide(from[i]) + wide(other[i]));
            from = kept;
        }
        float squares = 0;
        for (long i = 0; i < D; i++) squares += wide(from[i]) * wide(from[i]);
        float s = 1.0f / sqrtf(squares / D + epsilon);
        scale[t] = s;
        for (long i = 0; i < D; i++) to[i] = narrow(wide(w[i]) * rounded(wide(from[i]) * s));
    }
}

/* With `beside` that is added to what goes back. */
void norm_backward(const number *gradient, const number *x, const number *w, const float *scale,
                   const number *beside, number *to_x, long T, long D) {
#pragma omp parallel for schedule(static)
    for (long t = 0; t < T; t++) {
        const number *from = x + t * D, *g = gradient + t * D, *other = beside + t * D;
        number *to = to_x + t * D;
        float s = scale[t], sum = 0;
        for (long i = 0; i < D; i++) sum += rounded(wide(g[i]) * wide(w[i])) * wide(from[i]);
        float along = sum * s * s / D;
        for (long i = 0; i < D; i++)
            to[i] = narrow((rounded(wide(g[i]) * wide(w[i])) - wide(from[i]) * along) * s);
        if (beside)
            for (long i = 0; i < D; i++) to[i] = narrow(wide(to[i]) + wide(other[i]));
    }
}

/* silu(gate) * up */
void gated_forward(const number *gate, const number *up, number *out, long N) {
#pragma omp parallel for schedule(static)
    for (long i = 0; i < N; i++) {
        float g = wide(gate[i]);
        out[i] = narrow(rounded(g / (1.0f + exponential(-g))) * wide(up[i]));
    }
}

void gated_backward(const number *gradient, const number *gate, const number *up, number *to_gate, number *to_up,
                    long N) {
#pragma omp parallel for schedule(static)
    for (long i = 0; i < N; i++) {
        float d = wide(gradient[i]), g = wide(gate[i]);
        float sigmoid = 1.0f / (1.0f + exponential(-g));
        to_up[i] = narrow(d * rounded(g * sigmoid));
        to_gate[i] = narrow(rounded(d * wide(up[i])) * sigmoid * (1.0f + g * (1.0f - sigmoid)));
    }
}

#define HIDDEN -1e30f

/* Products times the scale, those that are not seen (null: all are) at HIDDEN; gives the largest. */
static float take(const number *restrict from, const uint8_t *restrict seen, float *restrict to, long N,
                  float scale) {
    float largest = HIDDEN;
    for (long i = 0; i < N; i++) {
        float product = wide(from[i]) * scale;
        product = !seen || seen[i] ? product : HIDDEN;
        largest = product > largest ? product : largest;
        to[i] = product;
    }
    return largest;
}

static float product(const number *restrict a, const number *restrict b, long N) {
    float sum = 0;
    for (long i = 0; i < N; i++) sum += wide(a[i]) * wide(b[i]);
    return sum;
}

static void give(const float *restrict from, number *restrict to, long N, float share) {
    for (long i = 0; i < N; i++) to[i] = narrow(from[i] * share);
}

/* Numbers of a row to exponentials of their distance to the largest; gives their sum. */
static float raise(float *restrict row, long N, float largest) {
    float sum = 0;
    for (long i = 0; i < N; i++) {
        float e = exponential(row[i] - largest);
        e = row[i] > HIDDEN ? e : 0.0f;
        row[i] = e;
        sum += e;
    }
    return sum;
}

/* Softmax of scale * [first | second] over N1 + N2 places, of those that are seen; others get 0.

   Rows stand as (K, S, G, L); a query (s, l) sees the same in all k and g: seen1 (S, L, N1) and
   seen2 (S, L, N2), null where it sees everything. Who sees nothing, as padding does, gives no weight. */
void softmax_forward(const number *first, const number *second, const uint8_t *seen1, const uint8_t *seen2,
                     number *weights1, number *weights2, long K, long S, long G, long L, long N1, long N2,
                     float scale) {
#pragma omp parallel for schedule(static)
    for (long r = 0; r < K * S * G * L; r++) {
        long asked = r / (G * L) % S * L + r % L;
        float row[N1 + N2];
        float largest1 = take(first + r * N1, seen1 ? seen1 + asked * N1 : 0, row, N1, scale);
        float largest2 = take(second + r * N2, seen2 ? seen2 + asked * N2 : 0, row + N1, N2, scale);
        float sum = raise(row, N1 + N2, largest1 > largest2 ? largest1 : largest2), share = sum > 0 ? 1.0f / sum : 0.0f;
        give(row, weights1 + r * N1, N1, share);
        give(row + N1, weights2 + r * N2, N2, share);
    }
}

static void return_to(const number *restrict weights, const number *restrict gradient, number *restrict to,
                      long N, float mean, float scale) {
    for (long i = 0; i < N; i++) to[i] = narrow(wide(weights[i]) * (wide(gradient[i]) - mean) * scale);
}

void softmax_backward(const number *weights1, const number *weights2, const number *gradient1,
                      const number *gradient2, number *to1, number *to2, long rows, long N1, long N2,
                      float scale) {
#pragma omp parallel for schedule(static)
    for (long r = 0; r < rows; r++) {
        long i = r * N1, j = r * N2;
        float mean = product(weights1 + i, gradient1 + i, N1) + product(weights2 + j, gradient2 + j, N2);
        return_to(weights1 + i, gradient1 + i, to1 + i, N1, mean, scale);
        return_to(weights2 + j, gradient2 + j, to2 + j, N2, mean, scale);
    }
}

/* The logarithm of each row's sum of exponentials. */
void log_sums(const number *logits, float *to, long T, long N) {
#pragma omp parallel for schedule(static)
    for (long t = 0; t < T; t++) {
        const number *restrict row = logits + t * N;
        float largest = -3e38f, sum = 0;
        for (long i = 0; i < N; i++) largest = wide(row[i]) > largest ? wide(row[i]) : largest;
        for (long i = 0; i < N; i++) sum += exponential(wide(row[i]) - largest);
        to[t] = largest + logf(sum);
    }
}

/* Probabilities times a number for each row. */
void shares(const number *logits, const float *sums, const float *factor, number *to, long T, long N) {
#pragma omp parallel for schedule(static)
    for (long t = 0; t < T; t++) {
        const number *restrict row = logits + t * N;
        number *restrict out = to + t * N;
        float sum = sums[t], times = factor[t];
        for (long i = 0; i < N; i++) out[i] = narrow(times * exponential(wide(row[i]) - sum));
    }
}

/* One update of AdamW (Loshchilov and Hutter, 2019, arXiv:1711.05101, algorithm 2) with gradients that are
   multiplied by `clip` first. Masters and moments are fp32; parameters are what masters are rounded to.
   `table` (count, 6) has the addresses of each one's gradient, master, moment, square and parameter, and its
   length; `rates` (count, 2) what weight decay leaves of it, and its learning rate over the first moment's
   correction. `first` and `second` say how much of the moments stays, `root` is the root of the second's
   correction. */
void adamw(const int64_t *table, const float *rates, long count, float clip, float first, float second,
           float root, float epsilon) {
#pragma omp parallel
    for (long at = 0; at < count; at++) {
        const int64_t *row = table + 6 * at;
        const number *gradient = (const number *)row[0];
        float *master = (float *)row[1], *moment = (float *)row[2], *square = (float *)row[3];
        number *parameter = (number *)row[4];
        float shrink = rates[2 * at], size = rates[2 * at + 1];
#pragma omp for schedule(static) nowait
        for (long i = 0; i < row[5]; i++) {
            float g = wide(gradient[i]) * clip;
            float m = moment[i] + (1.0f - first) * (g - moment[i]), v = second * square[i] + (1.0f - second) * g * g;
            float p = shrink * master[i] - size * m / (sqrtf(v) / root + epsilon);
            moment[i] = m, square[i] = v, master[i] = p;
            parameter[i] = narrow(p);
        }
    }
}

/* Rotary positions of heads (T, H, D): x * cosine + (-second half | first half) * sine * sign.

   Cosine and sine (T, D) are alike in both halves, so the way back is the same with sign -1. */
void rotate(const number *x, const number *cosine, const number *sine, number *y, long T, long H, long D,
            float sign) {
#pragma omp parallel for schedule(static)
    for (long r = 0; r < T * H; r++) {
        const number *restrict first = x + r * D, *restrict second = first + D / 2;
        const number *restrict c = cosine + r / H * D, *restrict s = sine + r / H * D;
        number *restrict to1 = y + r * D, *restrict to2 = to1 + D / 2;
        for (long i = 0; i < D / 2; i++) {
            float a = wide(first[i]), b = wide(second[i]), turn = sign * wide(s[i]);
            to1[i] = narrow(rounded(a * wide(c[i])) - rounded(b * turn));
            to2[i] = narrow(rounded(b * wide(c[i])) + rounded(a * turn));
        }
    }
}

/* x / (1 - p) where it is kept and 0 elsewhere. Keys and place decide, so the way back needs no mask. */
void drop(const number *x, number *y, long N, long keys, float p) {
    uint32_t first = (uint32_t)keys, second = (uint32_t)((uint64_t)keys >> 32);
    uint32_t limit = (uint32_t)(p * 4294967296.0);
    float scale = 1.0f / (1.0f - p);
#pragma omp parallel for schedule(static)
    for (long i = 0; i < N; i++)
        y[i] = narrow(DRAWN((uint32_t)i, first, second) < limit ? 0.0f : wide(x[i]) * scale);
}

/* Rows (N, D) that an index names, in its order; zeros for -1. */
void gather(const number *from, const int64_t *index, number *to, long N, long D) {
#pragma omp parallel for schedule(static)
    for (long r = 0; r < N; r++) {
        if (index[r] < 0)
            memset(to + r * D, 0, D * sizeof(number));
        else
            memcpy(to + r * D, from + index[r] * D, D * sizeof(number));
    }
}

/* Attention of one new token of each segment, with queries (S, K, G, D), to its own tokens and to a prefix
   that all segments share.

   Keys and values (S, K, room, D) hold lengths[s] + 1 tokens. Products with the prefix (K, S, G, P) come
   without scale, and their weights are given back; what is taken from the own tokens is mixed (S, K, G, D). */
void attend(const number *query, const number *keys, const number *values, const int64_t *lengths,
            const number *to_prefix, number *on_prefix, number *mixed, long S, long K, long G, long D, long room,
            long P, float scale) {
#pragma omp parallel for schedule(static)
    for (long r = 0; r < S * K; r++) {
        long s = r / K, k = r % K, own = lengths[s] + 1;
        const number *key = keys + r * room * D, *value = values + r * room * D;
        for (long g = 0; g < G; g++) {
            const number *asked = query + (r * G + g) * D;
            long place = ((k * S + s) * G + g) * P;
            float row[P + own], sums[D];
            float largest = take(to_prefix + place, 0, row, P, scale);
            for (long i = 0; i < own; i++) {
                float found = product(asked, key + i * D, D) * scale;
                largest = found > largest ? found : largest;
                row[P + i] = found;
            }
            float share = 1.0f / raise(row, P + own, largest);
            give(row, on_prefix + place, P, share);
            memset(sums, 0, sizeof sums);
            for (long i = 0; i < own; i++)
                for (long d = 0; d < D; d++) sums[d] += row[P + i] * wide(value[i * D + d]);
            give(sums, mixed + (r * G + g) * D, D, share);
        }
    }
}
