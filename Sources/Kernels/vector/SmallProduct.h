// Products of matrices that fit in the first caches, where a library call costs more than the
// product. A register tile of C takes, per step of k, one vector row of B and one broadcast element
// of A per row; A may therefore have any strides, while B's rows are contiguous.

INLINE size_t round_up(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }
INLINE size_t at_most(size_t n, size_t limit) { return n < limit ? n : limit; }

// C[m, n] (+)= A[m, k] B[k, n]. Rows of B are read and rows of C are written in whole vectors, but
// the last vector of a row of C keeps to `n` unless `padded` says that there is room behind it.
typedef struct {
  size_t m, n, k;
  const float *a;
  ptrdiff_t a_row, a_column;
  const float *b;
  size_t b_row;
  float *c;
  size_t c_row;
  bool add, padded;
} product_job;

// Rows of a tile by its vectors per row, as many as the registers hold (32 or 16 of them).
#if LANES == 16
enum { tile_vectors = 4, tile_rows = 12 };
static const size_t most_rows[] = {0, 12, 12, 8, 6};
#else
enum { tile_vectors = 2, tile_rows = 10 };
static const size_t most_rows[] = {0, 10, 6};
#endif
enum { panel_columns = tile_vectors * LANES };

// One tile: `rows` and `vectors` are constants, so that the sums stay in registers. `last` is how
// many elements of the last vector of C are wanted.
INLINE void tile(int rows, int vectors, const product_job *job, const float *a, const float *b,
                 float *c, size_t last) {
  const ptrdiff_t a_row = job->a_row, a_column = job->a_column;
  const size_t b_row = job->b_row, c_row = job->c_row;
  vf sum[tile_rows][tile_vectors];
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; i++)
#pragma clang loop unroll(full)
    for (int j = 0; j < vectors; j++) sum[i][j] = splat(0);
  for (size_t p = job->k; p > 0; p--) {
    vf row[tile_vectors];
#pragma clang loop unroll(full)
    for (int j = 0; j < vectors; j++) row[j] = load(b + j * LANES);
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
      vf element = splat(a[i * a_row]);
#pragma clang loop unroll(full)
      for (int j = 0; j < vectors; j++) sum[i][j] = fma_(element, row[j], sum[i][j]);
    }
    b += b_row;
    a += a_column;
  }
  const bool add = job->add;
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; i++, c += c_row) {
#pragma clang loop unroll(full)
    for (int j = 0; j < vectors; j++) {
      float *place = c + j * LANES;
      if (j < vectors - 1 || last == LANES) {
        store(place, add ? load(place) + sum[i][j] : sum[i][j]);
      } else {
        store_part(place, add ? load_part(place, last) + sum[i][j] : sum[i][j], last);
      }
    }
  }
}

typedef void tile_function(const product_job *job, const float *a, const float *b, float *c,
                           size_t last);
#define TILE(rows, vectors)                                                             \
  static void tile_##rows##_##vectors(const product_job *job, const float *a,           \
                                      const float *b, float *c, size_t last) {          \
    tile(rows, vectors, job, a, b, c, last);                                            \
  }
#define TILES_6(v) TILE(1, v) TILE(2, v) TILE(3, v) TILE(4, v) TILE(5, v) TILE(6, v)
#define TILES_10(v) TILES_6(v) TILE(7, v) TILE(8, v) TILE(9, v) TILE(10, v)
#define NAMES_6(v) tile_1_##v, tile_2_##v, tile_3_##v, tile_4_##v, tile_5_##v, tile_6_##v
#define NAMES_10(v) NAMES_6(v), tile_7_##v, tile_8_##v, tile_9_##v, tile_10_##v
TILES_10(1)
#if LANES == 16
TILE(11, 1) TILE(12, 1)
TILES_10(2) TILE(11, 2) TILE(12, 2)
TILES_6(3) TILE(7, 3) TILE(8, 3)
TILES_6(4)
static tile_function *const tiles[tile_vectors][tile_rows] = {
    {NAMES_10(1), tile_11_1, tile_12_1},
    {NAMES_10(2), tile_11_2, tile_12_2},
    {NAMES_6(3), tile_7_3, tile_8_3},
    {NAMES_6(4)}};
#else
TILES_6(2)
static tile_function *const tiles[tile_vectors][tile_rows] = {{NAMES_10(1)}, {NAMES_6(2)}};
#endif

// Terms that are added up one after the other before their sum joins that of the others, so that long sums
// do not drift.
enum { product_terms = 1024 };

// The part of the product that the terms from `first` on make.
INLINE product_job some_terms(const product_job *job, size_t first) {
  product_job some = *job;
  some.k = at_most(job->k - first, product_terms);
  some.a += (ptrdiff_t)first * job->a_column;
  some.b += first * job->b_row;
  some.add = job->add || first > 0;
  return some;
}

static void product_of_terms(const product_job *job, size_t b_panel);

// B's panels of panel_columns columns lie `b_panel` elements apart.
static void product(const product_job *job, size_t b_panel) {
  if (job->k <= product_terms) {
    product_of_terms(job, b_panel);
    return;
  }
  for (size_t first = 0; first < job->k; first += product_terms) {
    product_job some = some_terms(job, first);
    product_of_terms(&some, b_panel);
  }
}

static void product_of_terms(const product_job *job, size_t b_panel) {
  const size_t vectors = (job->n + LANES - 1) / LANES;
  for (size_t first = 0; first < vectors; first += tile_vectors) {
    size_t width = at_most(vectors - first, tile_vectors);
    size_t last = job->n - (first + width - 1) * LANES;
    if (last > LANES || job->padded) last = LANES;
    const float *b = job->b + first / tile_vectors * b_panel;
    // Tiles of equal height, rather than full ones and a low one that waits for its own sums.
    size_t count = (job->m + most_rows[width] - 1) / most_rows[width];
    for (size_t t = 0; t < count; t++) {
      size_t begin = job->m * t / count, end = job->m * (t + 1) / count;
      tiles[width - 1][end - begin - 1](job, job->a + (ptrdiff_t)begin * job->a_row, b,
                                        job->c + begin * job->c_row + first * LANES, last);
    }
  }
}

// Whether all numbers are finite; rows of whole vectors.
INLINE bool all_finite(const float *x, size_t row, size_t rows, size_t columns) {
  vf zeros = splat(0), more = splat(0);  // NaN after what is not finite
  for (size_t r = 0; r < rows; r++, x += row) {
    size_t c = 0;
    for (; c + 2 * LANES <= columns; c += 2 * LANES) {
      zeros = fma_(load(x + c), splat(0), zeros);
      more = fma_(load(x + c + LANES), splat(0), more);
    }
    for (; c < columns; c += LANES) zeros = fma_(load(x + c), splat(0), zeros);
  }
  return !any_((zeros + more) != 0);
}

// The same product where only some terms count: those of row i of C with row p of B that
// `sees(context, i, p)`. The others are left out rather than multiplied by 0, which would make NaN of what
// is not finite in B; to the bit what product() makes where A is 0 there and B is finite. Slow: only for B
// that is not.
static void product_of_seen(const product_job *job, bool (*sees)(const void *, size_t, size_t),
                            const void *context) {
  for (size_t first = 0; first < job->k; first += product_terms) {
    const product_job some = some_terms(job, first);
    for (size_t i = 0; i < some.m; i++) {
      const float *a = some.a + (ptrdiff_t)i * some.a_row;
      float *c = some.c + i * some.c_row;
      for (size_t j = 0; j < some.n; j += LANES) {
        vf sum = splat(0);
        for (size_t p = 0; p < some.k; p++)
          if (sees(context, i, first + p))
            sum = fma_(splat(a[(ptrdiff_t)p * some.a_column]), load(some.b + p * some.b_row + j), sum);
        if (some.add) sum = load_some(c + j, some.n - j) + sum;
        store_some(c + j, sum, some.n - j);
      }
    }
  }
}

// MARK: Packing

// Scratch for one thread's range.
static float *scratch(size_t floats) {
  return callosum_allocate_or_stop(floats * sizeof(float), "a batch of small products");
}

// y[r, c] = factor x[r, c], rows of y filled up with zeros to whole vectors.
static void pack_rows(const float *x, ptrdiff_t x_row, size_t rows, size_t columns, float factor,
                      float *y, size_t y_row) {
  const size_t whole = columns / LANES * LANES;
  for (size_t r = 0; r < rows; r++, x += x_row, y += y_row) {
    for (size_t c = 0; c < whole; c += LANES) store(y + c, load(x + c) * factor);
    if (whole < columns) store(y + whole, load_part(x + whole, columns - whole) * factor);
  }
}

static void zero_rows(float *y, size_t y_row, size_t rows, size_t columns) {
  const size_t whole = columns / LANES * LANES;
  for (size_t r = 0; r < rows; r++, y += y_row) {
    for (size_t c = 0; c < whole; c += LANES) store(y + c, splat(0));
    if (whole < columns) store_part(y + whole, splat(0), columns - whole);
  }
}

#if LANES == 16
#define INTERLEAVE_LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define INTERLEAVE_HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif LANES == 8
#define INTERLEAVE_LOW 0, 8, 1, 9, 2, 10, 3, 11
#define INTERLEAVE_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#else
#define INTERLEAVE_LOW 0, 4, 1, 5
#define INTERLEAVE_HIGH 2, 6, 3, 7
#endif

// Interleaving the first half of the rows with the second log2(LANES) times transposes the block.
INLINE void transpose_block(vf *x) {
#pragma clang loop unroll(full)
  for (int step = 1; step < LANES; step *= 2) {
    vf y[LANES];
#pragma clang loop unroll(full)
    for (int i = 0; i < LANES / 2; i++) {
      y[2 * i] = __builtin_shufflevector(x[i], x[i + LANES / 2], INTERLEAVE_LOW);
      y[2 * i + 1] = __builtin_shufflevector(x[i], x[i + LANES / 2], INTERLEAVE_HIGH);
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < LANES; i++) x[i] = y[i];
  }
}

// The same for `high` rows and `wide` columns, at most LANES of each, read with a factor; what
// lacks to whole vectors becomes 0. With `wide` a constant, the block stays in registers.
INLINE void transpose_part(const float *x, ptrdiff_t x_row, size_t high, size_t wide, float factor,
                           float *y, size_t y_row) {
  static const float zeros[LANES];
  vf block[LANES];
#pragma clang loop unroll(full)
  for (size_t i = 0; i < LANES; i++) {
    block[i] = load_some(i < high ? x : zeros, wide) * factor;
    x += x_row;
  }
  transpose_block(block);
#pragma clang loop unroll(full)
  for (size_t i = 0; i < LANES; i++)
    if (i < wide) store(y + i * y_row, block[i]);
}

// y[c, r] = factor x[r, c], rows of y filled up with zeros to whole vectors.
static void pack_transposed(const float *x, ptrdiff_t x_row, size_t rows, size_t columns,
                            float factor, float *y, size_t y_row) {
  const size_t whole = columns / LANES * LANES;
  for (size_t r = 0; r < rows; r += LANES, x += LANES * x_row) {
    const size_t high = at_most(rows - r, LANES);
    for (size_t c = 0; c < whole; c += LANES)
      transpose_part(x + c, x_row, high, LANES, factor, y + c * y_row + r, y_row);
    if (whole < columns)
      transpose_part(x + whole, x_row, high, columns - whole, factor, y + whole * y_row + r, y_row);
  }
}

// factor B [k, n], of any strides, in panels of [k, panel_columns].
static void pack_panels(const float *b, ptrdiff_t b_row, ptrdiff_t b_column, size_t k, size_t n,
                        float factor, float *y) {
  for (size_t first = 0; first < n; first += panel_columns, y += k * panel_columns) {
    size_t columns = at_most(n - first, panel_columns);
    const float *from = b + (ptrdiff_t)first * b_column;
    if (b_column == 1) {
      pack_rows(from, b_row, k, columns, factor, y, panel_columns);
    } else if (b_row == 1) {
      pack_transposed(from, b_column, columns, k, factor, y, panel_columns);
    } else {
      for (size_t p = 0; p < k; p++)
        for (size_t j = 0; j < panel_columns; j++)
          y[p * panel_columns + j] =
              j < columns ? factor * from[(ptrdiff_t)p * b_row + (ptrdiff_t)j * b_column] : 0;
    }
  }
}

// MARK: The kernel

typedef struct {
  product_job one;
  ptrdiff_t a_batch, b_batch, b_row, b_column;
} small_product_context;

static void small_product_range(void *context, size_t begin, size_t end) {
  const small_product_context *all = context;
  product_job job = all->one;
  // Rows of whole vectors serve as they are.
  bool direct = all->b_column == 1 && job.n % LANES == 0 && (all->b_row >= 0 || job.k < 2);
  size_t packed_size = direct ? 0 : job.k * round_up(job.n, panel_columns);
  float *packed = packed_size ? scratch(packed_size) : NULL;
  const float *packed_from = NULL;
  job.b_row = direct ? (size_t)all->b_row : panel_columns;
  for (size_t i = begin; i < end; i++) {
    const float *b = all->one.b + (ptrdiff_t)i * all->b_batch;
    if (!direct && b != packed_from)
      pack_panels(b, all->b_row, all->b_column, job.k, job.n, 1, packed), packed_from = b;
    job.a = all->one.a + (ptrdiff_t)i * all->a_batch;
    job.b = direct ? b : packed;
    job.c = all->one.c + i * job.m * job.n;
    product(&job, direct ? panel_columns : job.k * panel_columns);
  }
  callosum_free(packed, packed_size * sizeof(float));
}

static void small_product(size_t batch, size_t m, size_t n, size_t k, const float *a,
                          ptrdiff_t a_batch, ptrdiff_t a_row, ptrdiff_t a_column, const float *b,
                          ptrdiff_t b_batch, ptrdiff_t b_row, ptrdiff_t b_column, float *c) {
  if (batch == 0 || m == 0 || n == 0) return;
  small_product_context context = {
      {m, n, k, a, a_row, a_column, b, 0, c, n, false, false}, a_batch, b_batch, b_row, b_column};
  size_t work = m * n * k + 1, least = 100000;
  callosum_parallel(batch, least / work + 1, small_product_range, &context);
}
