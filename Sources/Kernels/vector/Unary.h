// Elementwise operations of one array, and conversions between types. Float is written with vectors;
// the other types are plain loops (double exists to check derivatives, int and bool to index and to
// select).

struct unary_job {
  int operation, type;
  const void *x;
  void *y;
};

static void unary_float(int operation, size_t n, const float *x, float *y) {
#define CASE(name, expression)                       \
  case callosum_##name: {                            \
    size_t i = 0;                                    \
    for (; i + LANES <= n; i += LANES) {             \
      vf v = load(x + i);                            \
      store(y + i, expression);                      \
    }                                                \
    if (i < n) {                                     \
      vf v = load_part(x + i, n - i);                \
      store_part(y + i, expression, n - i);          \
    }                                                \
    break;                                           \
  }
#define LANEWISE(name, function) \
  case callosum_##name:          \
    for (size_t i = 0; i < n; i++) y[i] = function(x[i]); \
    break;
  switch (operation) {
    CASE(negate, -v)
    CASE(absolute, (vf)((vi)v & 0x7fffffff))
    CASE(sign, select_(v > 0, splat(1), select_(v < 0, splat(-1), v)))
    CASE(square, v * v)
    CASE(reciprocal, 1 / v)
    CASE(sqrt, sqrt_(v))
    CASE(rsqrt, 1 / sqrt_(v))
    CASE(exp, exp_(v))
    CASE(expm1, expm1_(v))
    CASE(log, log_(v))
    CASE(log1p, log1p_(v))
    CASE(sin, sin_(v))
    CASE(cos, cos_(v))
    CASE(tan, tan_(v))
    CASE(asin, asin_(v))
    CASE(acos, acos_(v))
    CASE(atan, atan_(v))
    CASE(sinh, sinh_(v))
    CASE(cosh, cosh_(v))
    CASE(tanh, tanh_(v))
    CASE(erf, erf_(v))
    CASE(sigmoid, sigmoid_(v))
    LANEWISE(floor, floorf)
    LANEWISE(ceil, ceilf)
    LANEWISE(round, rintf)
    CASE(relu, select_(v < 0, splat(0), v))
    CASE(gelu, gelu_(v))
    CASE(silu, silu_(v))
    CASE(softplus, softplus_(v))
    LANEWISE(erfc, erfcf)
    LANEWISE(erfcx, (float)erfcx)
    LANEWISE(log_erfc, (float)log_erfc)
    LANEWISE(log_gamma, (float)log_gamma)
    LANEWISE(digamma, (float)digamma)
    LANEWISE(bessel_j0, (float)j0)
    LANEWISE(bessel_j1, (float)j1)
  }
#undef CASE
#undef LANEWISE
}

static void unary_double(int operation, size_t n, const double *x, double *y) {
#define CASE(name, expression)                            \
  case callosum_##name:                                   \
    for (size_t i = 0; i < n; i++) {                      \
      double v = x[i];                                    \
      y[i] = expression;                                  \
    }                                                     \
    break;
  switch (operation) {
    CASE(negate, -v)
    CASE(absolute, fabs(v))
    CASE(sign, v > 0 ? 1 : v < 0 ? -1 : v)
    CASE(square, v * v)
    CASE(reciprocal, 1 / v)
    CASE(sqrt, sqrt(v))
    CASE(rsqrt, 1 / sqrt(v))
    CASE(exp, exp(v))
    CASE(expm1, expm1(v))
    CASE(log, log(v))
    CASE(log1p, log1p(v))
    CASE(sin, sin(v))
    CASE(cos, cos(v))
    CASE(tan, tan(v))
    CASE(asin, asin(v))
    CASE(acos, acos(v))
    CASE(atan, atan(v))
    CASE(sinh, sinh(v))
    CASE(cosh, cosh(v))
    CASE(tanh, tanh(v))
    CASE(erf, erf(v))
    CASE(sigmoid, 1 / (1 + exp(-v)))
    CASE(floor, floor(v))
    CASE(ceil, ceil(v))
    CASE(round, rint(v))
    CASE(relu, v < 0 ? 0 : v)
    CASE(gelu, 0.5 * v * erfc(-v * M_SQRT1_2))
    CASE(silu, v / (1 + exp(-v)))
    CASE(softplus, fmax(v, 0) + log1p(exp(-fabs(v))))
    CASE(erfc, erfc(v))
    CASE(erfcx, erfcx(v))
    CASE(log_erfc, log_erfc(v))
    CASE(log_gamma, log_gamma(v))
    CASE(digamma, digamma(v))
    CASE(bessel_j0, j0(v))
    CASE(bessel_j1, j1(v))
  }
#undef CASE
}

static void unary_int(int operation, size_t n, const int32_t *x, int32_t *y) {
  for (size_t i = 0; i < n; i++) {
    int32_t v = x[i];
    switch (operation) {
      case callosum_negate: y[i] = (int32_t)-(uint32_t)v; break;
      case callosum_absolute: y[i] = v < 0 ? (int32_t)-(uint32_t)v : v; break;
      case callosum_sign: y[i] = (v > 0) - (v < 0); break;
      case callosum_square: y[i] = (int32_t)((uint32_t)v * (uint32_t)v); break;
      case callosum_relu: y[i] = v < 0 ? 0 : v; break;
      default: y[i] = v;  // floor, ceil, round
    }
  }
}

static void unary_range(void *context, size_t begin, size_t end) {
  const struct unary_job *job = context;
  size_t n = end - begin;
  int operation = job->operation;
  if (operation == callosum_not) {
    const uint8_t *x = (const uint8_t *)job->x + begin;
    uint8_t *y = (uint8_t *)job->y + begin;
    for (size_t i = 0; i < n; i++) y[i] = !x[i];
  } else if (operation == callosum_is_nan || operation == callosum_is_finite) {
    bool finite = operation == callosum_is_finite;
    uint8_t *y = (uint8_t *)job->y + begin;
    if (job->type == callosum_float) {
      const float *x = (const float *)job->x + begin;
      for (size_t i = 0; i < n; i++) y[i] = finite ? fabsf(x[i]) < INFINITY : x[i] != x[i];
    } else if (job->type == callosum_double) {
      const double *x = (const double *)job->x + begin;
      for (size_t i = 0; i < n; i++) y[i] = finite ? fabs(x[i]) < (double)INFINITY : x[i] != x[i];
    } else {
      memset(y, finite, n);
    }
  } else if (job->type == callosum_float) {
    unary_float(operation, n, (const float *)job->x + begin, (float *)job->y + begin);
  } else if (job->type == callosum_double) {
    unary_double(operation, n, (const double *)job->x + begin, (double *)job->y + begin);
  } else {
    unary_int(operation, n, (const int32_t *)job->x + begin, (int32_t *)job->y + begin);
  }
}

static void unary(int operation, int type, size_t n, const void *x, void *y) {
  struct unary_job job = {operation, type, x, y};
  callosum_parallel(n, 16384, unary_range, &job);
}

// MARK: Conversion

/// Truncates; what int32 cannot hold becomes its nearest value, NaN the smallest (as in
/// PyTorch): a number that no index can be taken for.
INLINE int32_t int_from(double x) {
  return x >= 2147483647.0 ? INT32_MAX : x > -2147483648.0 ? (int32_t)x : INT32_MIN;
}

static void bits(int operation, size_t n, const int32_t *a, const int32_t *b, int32_t *y) {
#define EACH(expression) \
  for (size_t i = 0; i < n; i++) y[i] = (int32_t)(expression); \
  break;
#define SHIFT(expression) EACH((uint32_t)b[i] < 32 ? (expression) : 0)
  switch (operation) {
    case callosum_bits_and: EACH(a[i] & b[i])
    case callosum_bits_or: EACH(a[i] | b[i])
    case callosum_bits_xor: EACH(a[i] ^ b[i])
    case callosum_bits_left: SHIFT((uint32_t)a[i] << b[i])
    case callosum_bits_right: SHIFT((uint32_t)a[i] >> b[i])
    default: EACH(__builtin_popcount((uint32_t)a[i]))
  }
#undef SHIFT
#undef EACH
}

static void convert(int from, int to, size_t n, const void *x, void *y) {
#define CONVERT(S, T, expression)                     \
  {                                                   \
    const S *s = x;                                   \
    T *t = y;                                         \
    for (size_t i = 0; i < n; i++) t[i] = expression; \
  }
#define FROM(S, to_int)                                        \
  switch (to) {                                                \
    case callosum_float: CONVERT(S, float, (float)s[i]) break; \
    case callosum_double: CONVERT(S, double, s[i]) break;      \
    case callosum_int: CONVERT(S, int32_t, to_int) break;      \
    default: CONVERT(S, uint8_t, s[i] != 0)                    \
  }
  switch (from) {
    case callosum_float: FROM(float, int_from(s[i])) break;
    case callosum_double: FROM(double, int_from(s[i])) break;
    case callosum_int: FROM(int32_t, s[i]) break;
    default: FROM(uint8_t, s[i])
  }
#undef CONVERT
#undef FROM
}
