/* Products of rows of bf16 with tiles of it, summed in fp32: by the matrix unit (AMX) where the processor has
   one, else by vectors that multiply pairs (AVX512-BF16). Both read the same tiles. */

#include "numbers.h"

#include <immintrin.h>

#define SIDE 16   /* rows of a tile, and its columns of fp32 */
#define PAD 32    /* what one product takes: two tiles of rows, two of columns, one of depth */
#define CELLS 512 /* numbers of a tile: SIDE pairs for each of SIDE columns */

/* multiply: out (PAD, columns) = or += a (PAD, depth) @ b, whose tiles stand by columns, `steps` of them for each. */

#ifdef __AMX_BF16__

#include <sys/syscall.h>
#include <unistd.h>

/* Ask the system for tiles; whether this process has them. */
long tiles_allowed(void) { return syscall(SYS_arch_prctl, 0x1023 /* ARCH_REQ_XCOMP_PERM */, 18 /* tile data */) == 0; }

static void ready(void) {
    struct {
        uint8_t palette, start, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } tiles = {.palette = 1};
    for (int i = 0; i < 8; i++) tiles.bytes[i] = 64, tiles.rows[i] = SIDE;
    _tile_loadconfig(&tiles);
}

static void done(void) { _tile_release(); }

static void multiply(const number *a, long stride_a, const number *b, long steps, long depth, long columns, float *out,
                     long stride, int more) {
    for (long column = 0; column < columns; column += PAD) {
        float *to = out + column, *below = to + SIDE * stride;
        if (more) {
            _tile_loadd(0, to, stride * 4);
            _tile_loadd(1, to + SIDE, stride * 4);
            _tile_loadd(2, below, stride * 4);
            _tile_loadd(3, below + SIDE, stride * 4);
        } else {
            _tile_zero(0);
            _tile_zero(1);
            _tile_zero(2);
            _tile_zero(3);
        }
        const number *left = b + column / SIDE * steps * CELLS, *right = left + steps * CELLS;
        for (long step = 0; step < depth / PAD; step++) {
            _tile_loadd(4, a + step * PAD, stride_a * 2);
            _tile_loadd(5, a + SIDE * stride_a + step * PAD, stride_a * 2);
            _tile_loadd(6, left + step * CELLS, 64);
            _tile_loadd(7, right + step * CELLS, 64);
            _tile_dpbf16ps(0, 4, 6);
            _tile_dpbf16ps(1, 4, 7);
            _tile_dpbf16ps(2, 5, 6);
            _tile_dpbf16ps(3, 5, 7);
        }
        _tile_stored(0, to, stride * 4);
        _tile_stored(1, to + SIDE, stride * 4);
        _tile_stored(2, below, stride * 4);
        _tile_stored(3, below + SIDE, stride * 4);
    }
}

#else

#define ROWS 8 /* whose sums for two tiles of columns stay in registers */

long tiles_allowed(void) { return 1; }

static void ready(void) {}

static void done(void) {}

static __m512bh pairs_at(const number *from) { return (__m512bh)_mm512_loadu_si512(from); }

static __m512bh everywhere(const number *pair) {
    int both;
    memcpy(&both, pair, sizeof both);
    return (__m512bh)_mm512_set1_epi32(both);
}

/* The same for ROWS rows and PAD columns. */
static void multiply_few(const number *a, long stride_a, const number *left, const number *right, long depth,
                         float *out, long stride, int more) {
    __m512 sums[ROWS][2];
    for (int i = 0; i < ROWS; i++)
        for (int half = 0; half < 2; half++)
            sums[i][half] = more ? _mm512_loadu_ps(out + i * stride + half * SIDE) : _mm512_setzero_ps();
    for (long pair = 0; pair < depth / 2; pair++) {
        __m512bh lower = pairs_at(left + pair * PAD), upper = pairs_at(right + pair * PAD);
        for (int i = 0; i < ROWS; i++) {
            __m512bh factor = everywhere(a + i * stride_a + 2 * pair);
            sums[i][0] = _mm512_dpbf16_ps(sums[i][0], factor, lower);
            sums[i][1] = _mm512_dpbf16_ps(sums[i][1], factor, upper);
        }
    }
    for (int i = 0; i < ROWS; i++)
        for (int half = 0; half < 2; half++) _mm512_storeu_ps(out + i * stride + half * SIDE, sums[i][half]);
}

static void multiply(const number *a, long stride_a, const number *b, long steps, long depth, long columns, float *out,
                     long stride, int more) {
    for (long column = 0; column < columns; column += PAD) {
        const number *left = b + column / SIDE * steps * CELLS, *right = left + steps * CELLS;
        for (long row = 0; row < PAD; row += ROWS)
            multiply_few(a + row * stride_a, stride_a, left, right, depth, out + row * stride + column, stride, more);
    }
}

#endif
