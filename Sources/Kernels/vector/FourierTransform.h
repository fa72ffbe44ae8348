// Fourier transforms of contiguous rows, for one type of numbers (see FourierPasses.h). Every row is
// transformed by itself, so that what one holds, such as NaN, never reaches another. A real row of even
// length n travels as n / 2 complex numbers z[j] = x[2j] + i x[2j+1]; of their transform Z, with m = n / 2,
// E[k] = (Z[k] + conj Z[m-k]) / 2 belongs to the even places, O[k] = (Z[k] - conj Z[m-k]) / 2i to the odd
// ones, and X[k] = E[k] + exp(-2 pi i k / n) O[k]. One of odd length has imaginary parts of 0.

/// The factor of frequency k of a real row.
INLINE REAL NAME(weight)(const callosum_fourier_job *job, size_t k) {
  return (REAL)(k == 0 || 2 * k == job->n ? job->scale : job->scale * job->weight);
}

// MARK: One row, or two real ones, at a time

/// Pairs into planes, and back times `scale`.
static void NAME(separate)(size_t n, const REAL *restrict x, REAL *restrict re, REAL *restrict im) {
  for (size_t j = 0; j < n; j++) {
    re[j] = x[2 * j];
    im[j] = x[2 * j + 1];
  }
}
static void NAME(join)(size_t n, const REAL *restrict re, const REAL *restrict im, REAL scale,
                       REAL *restrict y) {
  for (size_t j = 0; j < n; j++) {
    y[2 * j] = re[j] * scale;
    y[2 * j + 1] = im[j] * scale;
  }
}

static void NAME(complex_row)(const callosum_fourier_job *job, const struct fourier_plan *plan,
                              struct NAME(planes) planes, const REAL *x, REAL *y) {
  NAME(separate)(job->n, x, planes.re, planes.im);
  if (job->inverse) NAME(swap_parts)(&planes);
  NAME(transform_row)(plan, &planes);
  if (job->inverse) NAME(swap_parts)(&planes);
  NAME(join)(job->n, planes.re, planes.im, (REAL)job->scale, y);
}

/// X from Z: n / 2 + 1 pairs.
static void NAME(split_even)(const callosum_fourier_job *job, const struct fourier_plan *plan,
                             const REAL *restrict re, const REAL *restrict im, REAL *restrict y) {
  size_t m = plan->n;
  const REAL *restrict c = plan->half_re, *restrict s = plan->half_im;
  REAL end = NAME(weight)(job, 0), half = NAME(weight)(job, 1) / 2;
  for (size_t k = 1; k < m; k++) {
    REAL even_re = re[k] + re[m - k], even_im = im[k] - im[m - k];
    REAL odd_re = im[k] + im[m - k], odd_im = re[m - k] - re[k];
    y[2 * k] = (even_re + c[k] * odd_re - s[k] * odd_im) * half;
    y[2 * k + 1] = (even_im + c[k] * odd_im + s[k] * odd_re) * half;
  }
  y[0] = (re[0] + im[0]) * end, y[1] = 0;
  y[2 * m] = (re[0] - im[0]) * end, y[2 * m + 1] = 0;
}

/// The way back: Z[k] = X[k] + conj X[m-k] + i exp(2 pi i k / n) (X[k] - conj X[m-k]).
static void NAME(join_even)(const callosum_fourier_job *job, const struct fourier_plan *plan,
                            const REAL *restrict x, REAL *restrict re, REAL *restrict im) {
  size_t m = plan->n;
  const REAL *restrict c = plan->half_re, *restrict s = plan->half_im;
  REAL end = NAME(weight)(job, 0), half = NAME(weight)(job, 1) / 2;
  for (size_t k = 1; k < m; k++) {
    REAL sum_re = x[2 * k] + x[2 * (m - k)], sum_im = x[2 * k + 1] - x[2 * (m - k) + 1];
    REAL rest_re = x[2 * k] - x[2 * (m - k)], rest_im = x[2 * k + 1] + x[2 * (m - k) + 1];
    re[k] = (sum_re - c[k] * rest_im + s[k] * rest_re) * half;
    im[k] = (sum_im + c[k] * rest_re + s[k] * rest_im) * half;
  }
  re[0] = (x[0] + x[2 * m]) * end, im[0] = (x[0] - x[2 * m]) * end;
}

static void NAME(even_row_to_complex)(const callosum_fourier_job *job, const struct fourier_plan *plan,
                                      struct NAME(planes) planes, const REAL *x, REAL *y) {
  NAME(separate)(plan->n, x, planes.re, planes.im);
  NAME(transform_row)(plan, &planes);
  NAME(split_even)(job, plan, planes.re, planes.im, y);
}

static void NAME(complex_to_even_row)(const callosum_fourier_job *job, const struct fourier_plan *plan,
                                      struct NAME(planes) planes, const REAL *x, REAL *y) {
  NAME(join_even)(job, plan, x, planes.re, planes.im);
  NAME(swap_parts)(&planes);
  NAME(transform_row)(plan, &planes);
  NAME(join)(plan->n, planes.im, planes.re, 1, y);
}

static void NAME(odd_row_to_complex)(const callosum_fourier_job *job, const struct fourier_plan *plan,
                                     struct NAME(planes) planes, const REAL *x, REAL *y) {
  memcpy(planes.re, x, job->n * sizeof(REAL));
  memset(planes.im, 0, job->n * sizeof(REAL));
  NAME(transform_row)(plan, &planes);
  NAME(join)(job->n / 2 + 1, planes.re, planes.im, NAME(weight)(job, 1), y);
  y[0] = planes.re[0] * NAME(weight)(job, 0), y[1] = 0;
}

static void NAME(complex_to_odd_row)(const callosum_fourier_job *job, const struct fourier_plan *plan,
                                     struct NAME(planes) planes, const REAL *x, REAL *y) {
  size_t n = job->n;
  REAL half = NAME(weight)(job, 1) / 2;
  planes.re[0] = x[0] * NAME(weight)(job, 0), planes.im[0] = 0;
  for (size_t k = 1; k <= n / 2; k++) {
    planes.re[k] = planes.re[n - k] = x[2 * k] * half;
    planes.im[k] = x[2 * k + 1] * half;
    planes.im[n - k] = -x[2 * k + 1] * half;
  }
  NAME(swap_parts)(&planes);
  NAME(transform_row)(plan, &planes);
  memcpy(y, planes.im, n * sizeof(REAL));
}

// MARK: WIDTH rows at a time, lane by lane

/// Element e of each row goes to (e odd ? odd : even) + e / 2 * step, a lane for each row. The lanes of
/// rows that do not exist hold the first one.
static void NAME(read_lanes)(const REAL *x, size_t row_stride, size_t rows, size_t count, REAL *even,
                             REAL *odd, size_t step) {
  size_t e = 0;
  for (; e + WIDTH <= count; e += WIDTH) {
    VECTOR block[WIDTH];
    for (size_t i = 0; i < WIDTH; i++) block[i] = NAME(get)(x + (i < rows ? i : 0) * row_stride + e);
    NAME(turn)(block);
    for (size_t i = 0; i < WIDTH; i++)
      NAME(put)((i % 2 ? odd : even) + (e + i) / 2 * step, block[i]);
  }
  for (; e < count; e++)
    for (size_t i = 0; i < WIDTH; i++)
      ((e % 2 ? odd : even) + e / 2 * step)[i] = x[(i < rows ? i : 0) * row_stride + e];
}

/// The way back of `read_lanes`.
static void NAME(write_lanes)(REAL *y, size_t row_stride, size_t rows, size_t count, const REAL *even,
                              const REAL *odd, size_t step) {
  size_t e = 0;
  for (; e + WIDTH <= count; e += WIDTH) {
    VECTOR block[WIDTH];
    for (size_t i = 0; i < WIDTH; i++)
      block[i] = NAME(get)((i % 2 ? odd : even) + (e + i) / 2 * step);
    NAME(turn)(block);
    for (size_t i = 0; i < WIDTH && i < rows; i++) NAME(put)(y + i * row_stride + e, block[i]);
  }
  for (; e < count; e++)
    for (size_t i = 0; i < rows; i++) y[i * row_stride + e] = ((e % 2 ? odd : even) + e / 2 * step)[i];
}

static void NAME(complex_lanes)(const callosum_fourier_job *job, const struct fourier_plan *plan,
                                struct NAME(planes) planes, size_t rows, const REAL *x, REAL *y) {
  size_t n = job->n;
  NAME(read_lanes)(x, 2 * n, rows, 2 * n, planes.re, planes.im, WIDTH);
  if (job->inverse) NAME(swap_parts)(&planes);
  NAME(transform_columns)(plan, WIDTH, &planes);
  if (job->inverse) NAME(swap_parts)(&planes);
  for (size_t j = 0; j < n * WIDTH; j++) {
    planes.re[j] *= (REAL)job->scale;
    planes.im[j] *= (REAL)job->scale;
  }
  NAME(write_lanes)(y, 2 * n, rows, 2 * n, planes.re, planes.im, WIDTH);
}

static void NAME(even_lanes_to_complex)(const callosum_fourier_job *job, const struct fourier_plan *plan,
                                        struct NAME(planes) planes, size_t rows, const REAL *x, REAL *y) {
  size_t m = plan->n;
  const REAL *c = plan->half_re, *s = plan->half_im;
  REAL end = NAME(weight)(job, 0), half = NAME(weight)(job, 1) / 2;
  NAME(read_lanes)(x, 2 * m, rows, 2 * m, planes.re, planes.im, WIDTH);
  NAME(transform_columns)(plan, WIDTH, &planes);
  for (size_t k = 1; k < m; k++) {
    size_t at = k * WIDTH, mirror = (m - k) * WIDTH;
    VECTOR re = NAME(get)(planes.re + at), im = NAME(get)(planes.im + at);
    VECTOR other_re = NAME(get)(planes.re + mirror), other_im = NAME(get)(planes.im + mirror);
    VECTOR odd_re = im + other_im, odd_im = other_re - re;
    NAME(put)(planes.other_re + at, (re + other_re + c[k] * odd_re - s[k] * odd_im) * half);
    NAME(put)(planes.other_im + at, (im - other_im + c[k] * odd_im + s[k] * odd_re) * half);
  }
  VECTOR re = NAME(get)(planes.re), im = NAME(get)(planes.im), zero = {0};
  NAME(put)(planes.other_re, (re + im) * end);
  NAME(put)(planes.other_im, zero);
  NAME(put)(planes.other_re + m * WIDTH, (re - im) * end);
  NAME(put)(planes.other_im + m * WIDTH, zero);
  NAME(write_lanes)(y, 2 * m + 2, rows, 2 * m + 2, planes.other_re, planes.other_im, WIDTH);
}

static void NAME(complex_lanes_to_even)(const callosum_fourier_job *job, const struct fourier_plan *plan,
                                        struct NAME(planes) planes, size_t rows, const REAL *x, REAL *y) {
  size_t m = plan->n;
  const REAL *c = plan->half_re, *s = plan->half_im;
  REAL end = NAME(weight)(job, 0), half = NAME(weight)(job, 1) / 2;
  NAME(read_lanes)(x, 2 * m + 2, rows, 2 * m + 2, planes.other_re, planes.other_im, WIDTH);
  for (size_t k = 1; k < m; k++) {
    size_t at = k * WIDTH, mirror = (m - k) * WIDTH;
    VECTOR re = NAME(get)(planes.other_re + at), im = NAME(get)(planes.other_im + at);
    VECTOR mirror_re = NAME(get)(planes.other_re + mirror), mirror_im = NAME(get)(planes.other_im + mirror);
    VECTOR rest_re = re - mirror_re, rest_im = im + mirror_im;
    NAME(put)(planes.re + at, (re + mirror_re - c[k] * rest_im + s[k] * rest_re) * half);
    NAME(put)(planes.im + at, (im - mirror_im + c[k] * rest_re + s[k] * rest_im) * half);
  }
  VECTOR first = NAME(get)(planes.other_re) * end, last = NAME(get)(planes.other_re + m * WIDTH) * end;
  NAME(put)(planes.re, first + last);
  NAME(put)(planes.im, first - last);
  NAME(swap_parts)(&planes);
  NAME(transform_columns)(plan, WIDTH, &planes);
  NAME(write_lanes)(y, 2 * m, rows, 2 * m, planes.im, planes.re, WIDTH);
}

static void NAME(odd_lanes_to_complex)(const callosum_fourier_job *job, const struct fourier_plan *plan,
                                       struct NAME(planes) planes, size_t rows, const REAL *x, REAL *y) {
  size_t n = job->n, frequencies = n / 2 + 1;
  NAME(read_lanes)(x, n, rows, n, planes.re, planes.re + WIDTH, 2 * WIDTH);
  memset(planes.im, 0, n * WIDTH * sizeof(REAL));
  NAME(transform_columns)(plan, WIDTH, &planes);
  for (size_t k = 0; k < frequencies; k++) {
    VECTOR re = NAME(get)(planes.re + k * WIDTH), im = NAME(get)(planes.im + k * WIDTH), zero = {0};
    REAL weight = NAME(weight)(job, k);
    NAME(put)(planes.re + k * WIDTH, re * weight);
    NAME(put)(planes.im + k * WIDTH, k ? im * weight : zero);
  }
  NAME(write_lanes)(y, 2 * frequencies, rows, 2 * frequencies, planes.re, planes.im, WIDTH);
}

static void NAME(complex_lanes_to_odd)(const callosum_fourier_job *job, const struct fourier_plan *plan,
                                       struct NAME(planes) planes, size_t rows, const REAL *x, REAL *y) {
  size_t n = job->n, frequencies = n / 2 + 1;
  REAL half = NAME(weight)(job, 1) / 2;
  NAME(read_lanes)(x, 2 * frequencies, rows, 2 * frequencies, planes.re, planes.im, WIDTH);
  NAME(put)(planes.re, NAME(get)(planes.re) * NAME(weight)(job, 0));
  NAME(put)(planes.im, (VECTOR){0});
  for (size_t k = 1; k < frequencies; k++) {
    size_t at = k * WIDTH, mirror = (n - k) * WIDTH;
    VECTOR re = NAME(get)(planes.re + at) * half, im = NAME(get)(planes.im + at) * half;
    NAME(put)(planes.re + at, re);
    NAME(put)(planes.im + at, im);
    NAME(put)(planes.re + mirror, re);
    NAME(put)(planes.im + mirror, -im);
  }
  NAME(swap_parts)(&planes);
  NAME(transform_columns)(plan, WIDTH, &planes);
  NAME(write_lanes)(y, n, rows, n, planes.im, planes.im + WIDTH, 2 * WIDTH);
}

// MARK: All rows

typedef void NAME(row_transform)(const callosum_fourier_job *, const struct fourier_plan *,
                                 struct NAME(planes), const REAL *, REAL *);
typedef void NAME(lane_transform)(const callosum_fourier_job *, const struct fourier_plan *,
                                  struct NAME(planes), size_t, const REAL *, REAL *);

struct NAME(fourier_run) {
  const callosum_fourier_job *job;
  const struct fourier_plan *plan;
  const REAL *x;
  REAL *y;
  // Numbers of a row before and after; how one row is transformed, and WIDTH of them.
  size_t from, to;
  NAME(row_transform) * row;
  NAME(lane_transform) * lanes;
};

/// Long rows go one by one, short ones WIDTH at a time.
static bool NAME(goes_by_row)(const struct fourier_plan *plan) { return plan->rows || plan->padded; }

static void NAME(fourier_range)(void *context, size_t begin, size_t end) {
  const struct NAME(fourier_run) *run = context;
  size_t bytes, step = NAME(goes_by_row)(run->plan) ? 1 : WIDTH;
  struct NAME(planes) planes;
  REAL *block = NAME(make_planes)(run->plan, &planes, &bytes);
  for (size_t unit = begin; unit < end; unit++) {
    size_t row = unit * step, rows = run->job->count - row < step ? run->job->count - row : step;
    const REAL *x = run->x + row * run->from;
    REAL *y = run->y + row * run->to;
    if (step == 1)
      run->row(run->job, run->plan, planes, x, y);
    else
      run->lanes(run->job, run->plan, planes, rows, x, y);
  }
  callosum_free(block, bytes);
}

static void NAME(fourier_rows)(const callosum_fourier_job *job, const void *x, void *y) {
  size_t n = job->n, half = 2 * (n / 2 + 1);
  bool even = n % 2 == 0, complex = job->kind == callosum_complex_to_complex;
  const struct fourier_plan *plan = callosum_fourier_plan(job->type, complex || !even ? n : n / 2);
  if (!plan) callosum_out_of_memory("the plan of a Fourier transform", n * sizeof(REAL));
  struct NAME(fourier_run) run = {.job = job, .plan = plan, .x = x, .y = y};
  switch (job->kind) {
    case callosum_complex_to_complex:
      run.from = run.to = 2 * n;
      run.row = NAME(complex_row), run.lanes = NAME(complex_lanes);
      break;
    case callosum_real_to_complex:
      run.from = n, run.to = half;
      run.row = even ? NAME(even_row_to_complex) : NAME(odd_row_to_complex);
      run.lanes = even ? NAME(even_lanes_to_complex) : NAME(odd_lanes_to_complex);
      break;
    default:
      run.from = half, run.to = n;
      run.row = even ? NAME(complex_to_even_row) : NAME(complex_to_odd_row);
      run.lanes = even ? NAME(complex_lanes_to_even) : NAME(complex_lanes_to_odd);
  }
  size_t step = NAME(goes_by_row)(plan) ? 1 : WIDTH;
  callosum_parallel((job->count + step - 1) / step, 1 + 16384 / (n * step), NAME(fourier_range), &run);
  callosum_fourier_release(plan);
}
