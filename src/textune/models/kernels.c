/* Row-wise work on bf16 arrays in one pass over memory, where torch makes one for every operation.

   Sums and functions are in fp32, and results are rounded where the layers of transformers round
   theirs. Arrays are contiguous. Loops are plain, for the compiler to vectorise.
   Legend: T rows, D and N their length. */

#include <math.h>
#include <stdint.h>
#include <string.h>

typedef uint16_t bf16;

static inline float wide(bf16 x) {
    uint32_t bits = (uint32_t)x << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

/* Round to the nearest, ties to even. */
static inline bf16 narrow(float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return (bf16)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

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

/* y = w * bf16(x * scale), scale = 1 / rms(x), kept for the way back. */
void norm_forward(const bf16 *x, const bf16 *w, bf16 *y, float *scale, long T, long D, float epsilon) {
#pragma omp parallel for schedule(static)
    for (long t = 0; t < T; t++) {
        const bf16 *from = x + t * D;
        bf16 *to = y + t * D;
        float sum = 0;
        for (long i = 0; i < D; i++) sum += wide(from[i]) * wide(from[i]);
        float s = 1.0f / sqrtf(sum / D + epsilon);
        scale[t] = s;
        for (long i = 0; i < D; i++) to[i] = narrow(wide(w[i]) * rounded(wide(from[i]) * s));
    }
}

void norm_backward(const bf16 *gradient, const bf16 *x, const bf16 *w, const float *scale, bf16 *to_x,
                   long T, long D) {
#pragma omp parallel for schedule(static)
    for (long t = 0; t < T; t++) {
        const bf16 *from = x + t * D, *g = gradient + t * D;
        bf16 *to = to_x + t * D;
        float s = scale[t], sum = 0;
        for (long i = 0; i < D; i++) sum += rounded(wide(g[i]) * wide(w[i])) * wide(from[i]);
        float along = sum * s * s / D;
        for (long i = 0; i < D; i++)
            to[i] = narrow((rounded(wide(g[i]) * wide(w[i])) - wide(from[i]) * along) * s);
    }
}

/* silu(gate) * up */
void gated_forward(const bf16 *gate, const bf16 *up, bf16 *out, long N) {
#pragma omp parallel for schedule(static)
    for (long i = 0; i < N; i++) {
        float g = wide(gate[i]);
        out[i] = narrow(rounded(g / (1.0f + exponential(-g))) * wide(up[i]));
    }
}

void gated_backward(const bf16 *gradient, const bf16 *gate, const bf16 *up, bf16 *to_gate, bf16 *to_up,
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

/* Products times the scale, those that are not seen (null: all are) at HIDDEN. */
static void take(const bf16 *restrict from, const uint8_t *restrict seen, float *restrict to, long N,
                 float scale) {
    if (!seen)
        for (long i = 0; i < N; i++) to[i] = wide(from[i]) * scale;
    else
        for (long i = 0; i < N; i++) to[i] = seen[i] ? wide(from[i]) * scale : HIDDEN;
}

static void give(const float *restrict from, bf16 *restrict to, long N, float share) {
    for (long i = 0; i < N; i++) to[i] = narrow(from[i] * share);
}

/* Numbers of a row to exponentials of their distance to the largest; gives their sum. */
static float raise(float *restrict row, long N) {
    float largest = HIDDEN, sum = 0;
    for (long i = 0; i < N; i++) largest = row[i] > largest ? row[i] : largest;
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
   seen2 (S, L, N2), null where it sees everything. */
void softmax_forward(const bf16 *first, const bf16 *second, const uint8_t *seen1, const uint8_t *seen2,
                     bf16 *weights1, bf16 *weights2, long K, long S, long G, long L, long N1, long N2,
                     float scale) {
#pragma omp parallel for schedule(static)
    for (long r = 0; r < K * S * G * L; r++) {
        long asked = r / (G * L) % S * L + r % L;
        float row[N1 + N2];
        take(first + r * N1, seen1 ? seen1 + asked * N1 : 0, row, N1, scale);
        take(second + r * N2, seen2 ? seen2 + asked * N2 : 0, row + N1, N2, scale);
        float share = 1.0f / raise(row, N1 + N2);
        give(row, weights1 + r * N1, N1, share);
        give(row + N1, weights2 + r * N2, N2, share);
    }
}

static float product(const bf16 *restrict a, const bf16 *restrict b, long N) {
    float sum = 0;
    for (long i = 0; i < N; i++) sum += wide(a[i]) * wide(b[i]);
    return sum;
}

static void return_to(const bf16 *restrict weights, const bf16 *restrict gradient, bf16 *restrict to,
                      long N, float mean, float scale) {
    for (long i = 0; i < N; i++) to[i] = narrow(wide(weights[i]) * (wide(gradient[i]) - mean) * scale);
}

void softmax_backward(const bf16 *weights1, const bf16 *weights2, const bf16 *gradient1,
                      const bf16 *gradient2, bf16 *to1, bf16 *to2, long rows, long N1, long N2,
                      float scale) {
#pragma omp parallel for schedule(static)
    for (long r = 0; r < rows; r++) {
        long i = r * N1, j = r * N2;
        float mean = product(weights1 + i, gradient1 + i, N1) + product(weights2 + j, gradient2 + j, N2);
        return_to(weights1 + i, gradient1 + i, to1 + i, N1, mean, scale);
        return_to(weights2 + j, gradient2 + j, to2 + j, N2, mean, scale);
    }
}

/* Rotary positions of heads (T, H, D): x * cosine + (-second half | first half) * sine * sign.

   Cosine and sine (T, D) are alike in both halves, so the way back is the same with sign -1. */
void rotate(const bf16 *x, const bf16 *cosine, const bf16 *sine, bf16 *y, long T, long H, long D,
            float sign) {
#pragma omp parallel for schedule(static)
    for (long r = 0; r < T * H; r++) {
        const bf16 *restrict first = x + r * D, *restrict second = first + D / 2;
        const bf16 *restrict c = cosine + r / H * D, *restrict s = sine + r / H * D;
        bf16 *restrict to1 = y + r * D, *restrict to2 = to1 + D / 2;
        for (long i = 0; i < D / 2; i++) {
            float a = wide(first[i]), b = wide(second[i]), turn = sign * wide(s[i]);
            to1[i] = narrow(rounded(a * wide(c[i])) - rounded(b * turn));
            to2[i] = narrow(rounded(b * wide(c[i])) + rounded(a * turn));
        }
    }
}
