// Fourier transforms on separate planes of real and imaginary parts, for one type of numbers: the
// including file has defined REAL, VECTOR (WIDTH of them) and NAME (which adds the type to a name).
// All transforms are forward, exp(-2 pi i jk / n), unscaled. The one back is the same with the two
// planes exchanged.

/// Two places for the numbers: a pass reads the first and writes the second, and then they change
/// places.
struct NAME(planes) {
  REAL *re, *im, *other_re, *other_im;
};

INLINE void NAME(exchange)(struct NAME(planes) * x) {
  REAL *re = x->re, *im = x->im;
  x->re = x->other_re, x->im = x->other_im;
  x->other_re = re, x->other_im = im;
}

struct NAME(complex) {
  VECTOR re, im;
};

INLINE VECTOR NAME(get)(const REAL *p) { return *(const VECTOR *)p; }
INLINE void NAME(put)(REAL *p, VECTOR x) { *(VECTOR *)p = x; }

INLINE struct NAME(complex) NAME(plus)(struct NAME(complex) a, struct NAME(complex) b) {
  return (struct NAME(complex)){a.re + b.re, a.im + b.im};
}
INLINE struct NAME(complex) NAME(minus)(struct NAME(complex) a, struct NAME(complex) b) {
  return (struct NAME(complex)){a.re - b.re, a.im - b.im};
}
// a - i b and a + i b
INLINE struct NAME(complex) NAME(minus_i)(struct NAME(complex) a, struct NAME(complex) b) {
  return (struct NAME(complex)){a.re + b.im, a.im - b.re};
}
INLINE struct NAME(complex) NAME(plus_i)(struct NAME(complex) a, struct NAME(complex) b) {
  return (struct NAME(complex)){a.re - b.im, a.im + b.re};
}

INLINE void NAME(transform4)(struct NAME(complex) * a) {
  struct NAME(complex) s = NAME(plus)(a[0], a[2]), d = NAME(minus)(a[0], a[2]);
  struct NAME(complex) t = NAME(plus)(a[1], a[3]), e = NAME(minus)(a[1], a[3]);
  a[0] = NAME(plus)(s, t);
  a[1] = NAME(minus_i)(d, e);
  a[2] = NAME(minus)(s, t);
  a[3] = NAME(plus_i)(d, e);
}

/// The transform of `radix` numbers in place; `roots` serves odd radices.
INLINE void NAME(butterfly)(int radix, const REAL *roots, struct NAME(complex) * a) {
  if (radix == 2) {
    struct NAME(complex) d = NAME(minus)(a[0], a[1]);
    a[0] = NAME(plus)(a[0], a[1]);
    a[1] = d;
  } else if (radix == 4) {
    NAME(transform4)(a);
  } else if (radix == 8) {
    struct NAME(complex) even[4] = {a[0], a[2], a[4], a[6]}, odd[4] = {a[1], a[3], a[5], a[7]};
    NAME(transform4)(even);
    NAME(transform4)(odd);
    const REAL h = (REAL)0.70710678118654752440;
    // Times exp(-i pi / 4) and exp(-3 i pi / 4).
    struct NAME(complex) x = {(odd[1].re + odd[1].im) * h, (odd[1].im - odd[1].re) * h};
    struct NAME(complex) y = {(odd[3].im - odd[3].re) * h, (odd[3].re + odd[3].im) * -h};
    a[0] = NAME(plus)(even[0], odd[0]);
    a[4] = NAME(minus)(even[0], odd[0]);
    a[1] = NAME(plus)(even[1], x);
    a[5] = NAME(minus)(even[1], x);
    a[2] = NAME(minus_i)(even[2], odd[2]);
    a[6] = NAME(plus_i)(even[2], odd[2]);
    a[3] = NAME(plus)(even[3], y);
    a[7] = NAME(minus)(even[3], y);
  } else {
    // Numbers j and radix - j share cosines and, up to the sign, sines.
    int half = radix / 2;
    struct NAME(complex) sum[fourier_largest_radix / 2], difference[fourier_largest_radix / 2];
    struct NAME(complex) first = a[0];
    for (int k = 1; k <= half; k++) {
      sum[k - 1] = NAME(plus)(a[k], a[radix - k]);
      difference[k - 1] = NAME(minus)(a[k], a[radix - k]);
      a[0] = NAME(plus)(a[0], sum[k - 1]);
    }
    for (int j = 1; j <= half; j++) {
      struct NAME(complex) c = first, s = {{0}, {0}};
      for (int k = 1, turn = j; k <= half; k++, turn = turn + j >= radix ? turn + j - radix : turn + j) {
        REAL cosine = roots[turn], sine = roots[radix + turn];
        c.re += sum[k - 1].re * cosine, c.im += sum[k - 1].im * cosine;
        s.re += difference[k - 1].re * sine, s.im += difference[k - 1].im * sine;
      }
      a[j] = NAME(minus_i)(c, s);
      a[radix - j] = NAME(plus_i)(c, s);
    }
  }
}

/// Row p of a pass: butterflies over `stride` numbers, times the row's roots unless they are all 1.
INLINE void NAME(pass_row)(int radix, bool turns, size_t p, size_t m, size_t stride, const REAL *w,
                           const REAL *roots, const REAL *re, const REAL *im, REAL *to_re, REAL *to_im) {
  struct NAME(complex) a[fourier_largest_radix];
  for (size_t q = 0; q < stride; q += WIDTH) {
    for (int j = 0; j < radix; j++) {
      size_t from = q + stride * (p + m * (size_t)j);
      a[j] = (struct NAME(complex)){NAME(get)(re + from), NAME(get)(im + from)};
    }
    NAME(butterfly)(radix, roots, a);
    for (int j = 0; j < radix; j++) {
      size_t to = q + stride * (p * (size_t)radix + (size_t)j);
      VECTOR x = a[j].re, y = a[j].im;
      if (turns && j > 0) {
        REAL c = w[2 * j - 2], s = w[2 * j - 1];
        x = a[j].re * c - a[j].im * s;
        y = a[j].re * s + a[j].im * c;
      }
      NAME(put)(to_re + to, x);
      NAME(put)(to_im + to, y);
    }
  }
}

/// One pass of Stockham's algorithm over [radix, m, stride], written as [m, radix, stride].
INLINE void NAME(pass)(int radix, size_t m, size_t stride, const REAL *twiddles, const REAL *roots,
                       const struct NAME(planes) * x) {
  const REAL *re = x->re, *im = x->im;
  REAL *to_re = x->other_re, *to_im = x->other_im;
  NAME(pass_row)(radix, false, 0, m, stride, twiddles, roots, re, im, to_re, to_im);
  for (size_t p = 1; p < m; p++)
    NAME(pass_row)(radix, true, p, m, stride, twiddles + 2 * p * (size_t)(radix - 1), roots, re, im,
                   to_re, to_im);
}

/// The transforms of the columns of [n, width], `width` a multiple of WIDTH, for a plan of passes.
static void NAME(transform_columns)(const struct fourier_plan *plan, size_t width,
                                    struct NAME(planes) * x) {
  size_t rest = plan->n, stride = width;
  for (int at = 0; at < plan->passes; at++) {
    int radix = plan->radix[at];
    size_t m = rest / (size_t)radix;
    const REAL *w = plan->twiddles[at], *roots = plan->roots[at];
    switch (radix) {
      case 2: NAME(pass)(2, m, stride, w, roots, x); break;
      case 3: NAME(pass)(3, m, stride, w, roots, x); break;
      case 4: NAME(pass)(4, m, stride, w, roots, x); break;
      case 5: NAME(pass)(5, m, stride, w, roots, x); break;
      case 8: NAME(pass)(8, m, stride, w, roots, x); break;
      default: NAME(pass)(radix, m, stride, w, roots, x); break;
    }
    NAME(exchange)(x);
    stride *= (size_t)radix;
    rest = m;
  }
}

/// WIDTH rows become columns.
INLINE void NAME(turn)(VECTOR *rows) {
  // Each round interleaves the first half of the rows with the second.
  for (int round = 1; round < WIDTH; round *= 2) {
    VECTOR mixed[WIDTH];
    for (int i = 0; i < WIDTH / 2; i++) {
      mixed[2 * i] = __builtin_shufflevector(rows[i], rows[i + WIDTH / 2], LOWER_INTERLEAVED);
      mixed[2 * i + 1] = __builtin_shufflevector(rows[i], rows[i + WIDTH / 2], UPPER_INTERLEAVED);
    }
    for (int i = 0; i < WIDTH; i++) rows[i] = mixed[i];
  }
}

INLINE size_t NAME(padded_width)(size_t n) { return (n + WIDTH - 1) / WIDTH * WIDTH; }

/// [rows, columns] times the roots between the directions, turned to [columns, rows]; both with rows
/// padded to whole vectors.
static void NAME(turn_between)(const struct fourier_plan *plan, struct NAME(planes) * x) {
  size_t rows = plan->rows->n, columns = plan->columns->n, stride = plan->between_stride;
  size_t from_stride = NAME(padded_width)(columns), to_stride = NAME(padded_width)(rows);
  const REAL *w_re = plan->between_re, *w_im = plan->between_im;
  for (size_t row = 0; row < rows; row += WIDTH) {
    int present = rows - row < WIDTH ? (int)(rows - row) : WIDTH;
    for (size_t column = 0; column < columns; column += WIDTH) {
      VECTOR re[WIDTH], im[WIDTH];
      for (int i = 0; i < WIDTH; i++) {
        size_t at = row + (size_t)(i < present ? i : 0);
        VECTOR a = NAME(get)(x->re + at * from_stride + column);
        VECTOR b = NAME(get)(x->im + at * from_stride + column);
        VECTOR c = NAME(get)(w_re + at * stride + column), s = NAME(get)(w_im + at * stride + column);
        re[i] = a * c - b * s;
        im[i] = a * s + b * c;
      }
      NAME(turn)(re);
      NAME(turn)(im);
      size_t left = columns - column < WIDTH ? columns - column : WIDTH;
      for (size_t i = 0; i < left; i++) {
        NAME(put)(x->other_re + (column + i) * to_stride + row, re[i]);
        NAME(put)(x->other_im + (column + i) * to_stride + row, im[i]);
      }
    }
  }
  NAME(exchange)(x);
}

/// Rows of `from` elements moved `to` apart, in place, the gaps filled with 0.
static void NAME(spread)(REAL *x, size_t rows, size_t from, size_t to) {
  for (size_t row = rows; row-- > 0;) {
    memmove(x + row * to, x + row * from, from * sizeof(REAL));
    memset(x + row * to + from, 0, (to - from) * sizeof(REAL));
  }
}

/// The transform of one row of n numbers, for a plan of two directions.
static void NAME(transform_in_two)(const struct fourier_plan *plan, struct NAME(planes) * x) {
  size_t rows = plan->rows->n, columns = plan->columns->n;
  size_t width = NAME(padded_width)(columns), turned = NAME(padded_width)(rows);
  if (width != columns) {
    NAME(spread)(x->re, rows, columns, width);
    NAME(spread)(x->im, rows, columns, width);
  }
  NAME(transform_columns)(plan->rows, width, x);
  NAME(turn_between)(plan, x);
  NAME(transform_columns)(plan->columns, turned, x);
  if (turned != rows)
    for (size_t row = 1; row < columns; row++) {
      memmove(x->re + row * rows, x->re + row * turned, rows * sizeof(REAL));
      memmove(x->im + row * rows, x->im + row * turned, rows * sizeof(REAL));
    }
}

INLINE void NAME(swap_parts)(struct NAME(planes) * x) {
  REAL *re = x->re, *other = x->other_re;
  x->re = x->im, x->im = re;
  x->other_re = x->other_im, x->other_im = other;
}

/// a[j] = a[j] b[j], complex.
INLINE void NAME(multiply)(size_t n, REAL *restrict re, REAL *restrict im, const REAL *restrict b_re,
                           const REAL *restrict b_im) {
  for (size_t j = 0; j < n; j++) {
    REAL a = re[j], b = im[j];
    re[j] = a * b_re[j] - b * b_im[j];
    im[j] = a * b_im[j] + b * b_re[j];
  }
}

/// The transform of one row of n numbers, for plans of two directions or of a convolution.
static void NAME(transform_row)(const struct fourier_plan *plan, struct NAME(planes) * x) {
  if (plan->rows) {
    NAME(transform_in_two)(plan, x);
    return;
  }
  size_t n = plan->n, size = plan->padded->n;
  NAME(multiply)(n, x->re, x->im, plan->chirp_re, plan->chirp_im);
  memset(x->re + n, 0, (size - n) * sizeof(REAL));
  memset(x->im + n, 0, (size - n) * sizeof(REAL));
  NAME(transform_in_two)(plan->padded, x);
  NAME(multiply)(size, x->re, x->im, plan->spectrum_re, plan->spectrum_im);
  NAME(swap_parts)(x);
  NAME(transform_in_two)(plan->padded, x);
  NAME(swap_parts)(x);
  NAME(multiply)(n, x->re, x->im, plan->chirp_re, plan->chirp_im);
}

/// Numbers that one plane needs: for one row, or for WIDTH of them side by side.
static size_t NAME(room)(const struct fourier_plan *plan) {
  if (plan->padded) return NAME(room)(plan->padded);
  if (!plan->rows) return plan->n * WIDTH;
  size_t rows = plan->rows->n, columns = plan->columns->n;
  size_t before = rows * NAME(padded_width)(columns), after = columns * NAME(padded_width)(rows);
  return before > after ? before : after;
}

/// Four planes in one block.
static REAL *NAME(make_planes)(const struct fourier_plan *plan, struct NAME(planes) * x, size_t *bytes) {
  // An odd number of cache lines between the planes keeps them out of each other's way.
  size_t room = NAME(padded_width)(NAME(room)(plan)) + 64 / sizeof(REAL) * 5;
  *bytes = 4 * room * sizeof(REAL);
  REAL *block = callosum_allocate_or_stop(*bytes, "a Fourier transform");
  *x = (struct NAME(planes)){block, block + room, block + 2 * room, block + 3 * room};
  return block;
}
