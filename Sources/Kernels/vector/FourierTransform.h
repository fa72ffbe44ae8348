// Fourier transforms of contiguous rows, for one type of numbers (see FourierPasses.h). Two real rows
// travel as the real and the imaginary part of one transform: Z = A + i B, of which A[k] is
// (Z[k] + conj Z[n-k]) / 2 and B[k] is (Z[k] - conj Z[n-k]) / 2i.

struct NAME(fourier_run) {
  const callosum_fourier_job *job;
  const struct fourier_plan *plan;
  const REAL *x;
  REAL *y;
};

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

/// The frequencies of one row of two: with `sign` 1 from re and im, for the first row; with -1 from im
/// and re, for the second.
static void NAME(separate_real)(const callosum_fourier_job *job, REAL sign, const REAL *restrict re,
                                const REAL *restrict im, REAL *restrict y) {
  size_t n = job->n;
  REAL end = NAME(weight)(job, 0), half = NAME(weight)(job, 1) / 2;
  y[0] = re[0] * end, y[1] = 0;
  for (size_t k = 1; k <= (n - 1) / 2; k++) {
    y[2 * k] = (re[k] + re[n - k]) * half;
    y[2 * k + 1] = (im[k] - im[n - k]) * (half * sign);
  }
  if (n % 2 == 0) y[n] = re[n / 2] * end, y[n + 1] = 0;
}

/// The way back for two rows: A + i B and its mirror.
static void NAME(join_real)(const callosum_fourier_job *job, const REAL *restrict a,
                            const REAL *restrict b, REAL *restrict re, REAL *restrict im) {
  size_t n = job->n;
  REAL end = NAME(weight)(job, 0), half = NAME(weight)(job, 1) / 2;
  re[0] = a[0] * end, im[0] = b ? b[0] * end : 0;
  if (n % 2 == 0) re[n / 2] = a[n] * end, im[n / 2] = b ? b[n] * end : 0;
  if (b) {
    for (size_t k = 1; k <= (n - 1) / 2; k++) {
      re[k] = (a[2 * k] - b[2 * k + 1]) * half;
      im[k] = (a[2 * k + 1] + b[2 * k]) * half;
      re[n - k] = (a[2 * k] + b[2 * k + 1]) * half;
      im[n - k] = (b[2 * k] - a[2 * k + 1]) * half;
    }
  } else {
    for (size_t k = 1; k <= (n - 1) / 2; k++) {
      re[k] = re[n - k] = a[2 * k] * half;
      im[k] = a[2 * k + 1] * half;
      im[n - k] = -a[2 * k + 1] * half;
    }
  }
}

static void NAME(real_rows_to_complex)(const callosum_fourier_job *job, const struct fourier_plan *plan,
                                       struct NAME(planes) planes, const REAL *a, const REAL *b, REAL *ya,
                                       REAL *yb) {
  size_t bytes = job->n * sizeof(REAL);
  memcpy(planes.re, a, bytes);
  if (b)
    memcpy(planes.im, b, bytes);
  else
    memset(planes.im, 0, bytes);
  NAME(transform_row)(plan, &planes);
  NAME(separate_real)(job, 1, planes.re, planes.im, ya);
  if (b) NAME(separate_real)(job, -1, planes.im, planes.re, yb);
}

static void NAME(complex_to_real_rows)(const callosum_fourier_job *job, const struct fourier_plan *plan,
                                       struct NAME(planes) planes, const REAL *a, const REAL *b, REAL *ya,
                                       REAL *yb) {
  NAME(join_real)(job, a, b, planes.re, planes.im);
  NAME(swap_parts)(&planes);
  NAME(transform_row)(plan, &planes);
  memcpy(ya, planes.im, job->n * sizeof(REAL));
  if (b) memcpy(yb, planes.re, job->n * sizeof(REAL));
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

/// Frequency k of the first rows, or with `second` of the second ones, from that of both.
INLINE struct NAME(complex) NAME(part)(bool second, struct NAME(complex) z, struct NAME(complex) mirrored) {
  return second ? (struct NAME(complex)){z.im + mirrored.im, mirrored.re - z.re}
                : (struct NAME(complex)){z.re + mirrored.re, z.im - mirrored.im};
}

static void NAME(real_lanes_to_complex)(const callosum_fourier_job *job, const struct fourier_plan *plan,
                                        struct NAME(planes) planes, size_t rows, const REAL *x, REAL *y) {
  size_t n = job->n, frequencies = n / 2 + 1, first = rows < WIDTH ? rows : WIDTH;
  NAME(read_lanes)(x, n, first, n, planes.re, planes.re + WIDTH, 2 * WIDTH);
  NAME(read_lanes)(x + (rows > WIDTH ? WIDTH * n : 0), n, rows > WIDTH ? rows - WIDTH : 1, n, planes.im,
                   planes.im + WIDTH, 2 * WIDTH);
  NAME(transform_columns)(plan, WIDTH, &planes);
  for (int second = 0; second <= (rows > WIDTH); second++) {
    for (size_t k = 0; k < frequencies; k++) {
      size_t at = k * WIDTH, mirror = (k ? n - k : 0) * WIDTH;
      struct NAME(complex) z = {NAME(get)(planes.re + at), NAME(get)(planes.im + at)};
      struct NAME(complex) mirrored = {NAME(get)(planes.re + mirror), NAME(get)(planes.im + mirror)};
      struct NAME(complex) part = NAME(part)(second, z, mirrored);
      REAL half = NAME(weight)(job, k) / 2;
      NAME(put)(planes.other_re + at, part.re * half);
      NAME(put)(planes.other_im + at, part.im * half);
    }
    NAME(write_lanes)(y + (second ? WIDTH * 2 * frequencies : 0), 2 * frequencies,
                      second ? rows - WIDTH : first, 2 * frequencies, planes.other_re, planes.other_im,
                      WIDTH);
  }
}

static void NAME(complex_lanes_to_real)(const callosum_fourier_job *job, const struct fourier_plan *plan,
                                        struct NAME(planes) planes, size_t rows, const REAL *x, REAL *y) {
  size_t n = job->n, frequencies = n / 2 + 1, first = rows < WIDTH ? rows : WIDTH;
  for (int second = 0; second <= (rows > WIDTH); second++) {
    NAME(read_lanes)(x + (second ? WIDTH * 2 * frequencies : 0), 2 * frequencies,
                     second ? rows - WIDTH : first, 2 * frequencies, planes.other_re, planes.other_im,
                     WIDTH);
    for (size_t k = 0; k < frequencies; k++) {
      size_t at = k * WIDTH, mirror = (k ? n - k : 0) * WIDTH;
      bool end = k == 0 || 2 * k == n;
      REAL half = NAME(weight)(job, k) / (end ? 1 : 2);
      VECTOR re = NAME(get)(planes.other_re + at) * half, im = NAME(get)(planes.other_im + at) * half;
      if (end) im = (VECTOR){0};
      struct NAME(complex) z = {re, im}, mirrored = {re, -im};
      if (second) {
        // Times i, beside the first rows.
        z = (struct NAME(complex)){NAME(get)(planes.re + at) - im, NAME(get)(planes.im + at) + re};
        mirrored =
            (struct NAME(complex)){NAME(get)(planes.re + mirror) + im, NAME(get)(planes.im + mirror) + re};
      }
      NAME(put)(planes.re + mirror, mirrored.re);
      NAME(put)(planes.im + mirror, mirrored.im);
      NAME(put)(planes.re + at, z.re);
      NAME(put)(planes.im + at, z.im);
    }
  }
  NAME(swap_parts)(&planes);
  NAME(transform_columns)(plan, WIDTH, &planes);
  NAME(swap_parts)(&planes);
  NAME(write_lanes)(y, n, first, n, planes.re, planes.re + WIDTH, 2 * WIDTH);
  if (rows > WIDTH)
    NAME(write_lanes)(y + WIDTH * n, n, rows - WIDTH, n, planes.im, planes.im + WIDTH, 2 * WIDTH);
}

// MARK: All rows

/// How many transforms travel together.
static size_t NAME(together)(const callosum_fourier_job *job, const struct fourier_plan *plan) {
  size_t rows = job->kind == callosum_complex_to_complex ? 1 : 2;
  return plan->rows || plan->padded ? rows : rows * WIDTH;
}

static void NAME(fourier_range)(void *context, size_t begin, size_t end) {
  const struct NAME(fourier_run) *run = context;
  const callosum_fourier_job *job = run->job;
  const struct fourier_plan *plan = run->plan;
  struct NAME(planes) planes;
  size_t bytes, step = NAME(together)(job, plan);
  size_t real = job->n, half = 2 * (job->n / 2 + 1), whole = 2 * job->n;
  REAL *block = NAME(make_planes)(plan, &planes, &bytes);
  bool by_row = plan->rows || plan->padded;
  for (size_t unit = begin; unit < end; unit++) {
    size_t row = unit * step, rows = job->count - row < step ? job->count - row : step;
    switch (job->kind) {
      case callosum_complex_to_complex: {
        const REAL *x = run->x + row * whole;
        REAL *y = run->y + row * whole;
        if (by_row)
          NAME(complex_row)(job, plan, planes, x, y);
        else
          NAME(complex_lanes)(job, plan, planes, rows, x, y);
        break;
      }
      case callosum_real_to_complex: {
        const REAL *x = run->x + row * real;
        REAL *y = run->y + row * half;
        if (by_row)
          NAME(real_rows_to_complex)(job, plan, planes, x, rows > 1 ? x + real : NULL, y, y + half);
        else
          NAME(real_lanes_to_complex)(job, plan, planes, rows, x, y);
        break;
      }
      default: {
        const REAL *x = run->x + row * half;
        REAL *y = run->y + row * real;
        if (by_row)
          NAME(complex_to_real_rows)(job, plan, planes, x, rows > 1 ? x + half : NULL, y, y + real);
        else
          NAME(complex_lanes_to_real)(job, plan, planes, rows, x, y);
        break;
      }
    }
  }
  callosum_free(block, bytes);
}

static void NAME(fourier_rows)(const callosum_fourier_job *job, const void *x, void *y) {
  const struct fourier_plan *plan = callosum_fourier_plan(job->type, job->n);
  if (!plan) callosum_out_of_memory("the plan of a Fourier transform", job->n * sizeof(REAL));
  struct NAME(fourier_run) run = {job, plan, x, y};
  size_t step = NAME(together)(job, plan);
  callosum_parallel((job->count + step - 1) / step, 1 + 16384 / (job->n * step), NAME(fourier_range), &run);
  callosum_fourier_release(plan);
}
