// Elementwise operations of all types. Float is written with vectors; the other types are plain
// loops (double exists to check derivatives, int and bool to index and to select).

// MARK: Unary

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

// MARK: Strided axes

enum { max_rank = 16, operands = 3 };

/// Axes that several operands share, after axes of size 1 are dropped and neighbours that every
/// operand walks in one stride are merged. There is always at least one axis.
struct axes {
  int rank;
  size_t count;
  size_t shape[max_rank];
  ptrdiff_t strides[operands][max_rank];
};

static struct axes merged_axes(int rank, const size_t *shape, int operand_count,
                               const ptrdiff_t *const *strides) {
  struct axes m = {.rank = 0, .count = 1};
  for (int axis = 0; axis < rank; axis++) {
    size_t size = shape[axis];
    m.count *= size;
    if (size == 1) continue;
    bool merges = m.rank > 0;
    for (int o = 0; o < operand_count && merges; o++)
      merges = m.strides[o][m.rank - 1] == strides[o][axis] * (ptrdiff_t)size;
    if (!merges) m.shape[m.rank++] = 1;
    m.shape[m.rank - 1] *= size;
    for (int o = 0; o < operand_count; o++) m.strides[o][m.rank - 1] = strides[o][axis];
  }
  if (m.rank == 0) {
    m.rank = 1;
    m.shape[0] = 1;
    for (int o = 0; o < operand_count; o++) m.strides[o][0] = 0;
  }
  return m;
}

/// Offset of an operand for the row (all axes but the last) with the given number.
INLINE ptrdiff_t row_offset(const struct axes *m, int operand, size_t row) {
  ptrdiff_t offset = 0;
  for (int axis = m->rank - 2; axis >= 0; axis--) {
    offset += (ptrdiff_t)(row % m->shape[axis]) * m->strides[operand][axis];
    row /= m->shape[axis];
  }
  return offset;
}

// MARK: Binary

/// The remainder with the sign of the divisor.
INLINE double floored_remainder(double p, double q) {
  double r = fmod(p, q);
  return r != 0 && (r < 0) != (q < 0) ? r + q : r;
}
INLINE int32_t floored_quotient_int(int32_t p, int32_t q) {
  if (q == -1) return (int32_t)-(uint32_t)p;
  return p / q - (p % q != 0 && (p < 0) != (q < 0));
}
INLINE int32_t floored_remainder_int(int32_t p, int32_t q) {
  if (q == -1) return 0;
  int32_t r = p % q;
  return r != 0 && (r < 0) != (q < 0) ? r + q : r;
}
/// Wraps around on overflow; a negative exponent truncates towards zero.
INLINE int32_t power_int(int32_t p, int32_t q) {
  if (q < 0) return p == 1 ? 1 : p == -1 ? (q % 2 ? -1 : 1) : 0;
  uint32_t result = 1, base = (uint32_t)p;
  for (; q; q >>= 1, base *= base)
    if (q & 1) result *= base;
  return (int32_t)result;
}

/// Rows whose operands walk by 0 or 1 element; `wide_a` and `wide_b` are constants after inlining.
INLINE void binary_row_float(int operation, size_t n, const float *a, const bool wide_a,
                             const float *b, const bool wide_b, void *out) {
  float *y = out;
  uint8_t *truth = out;
#define CASE(name, expression)                                             \
  case callosum_##name: {                                                  \
    size_t i = 0;                                                          \
    for (; i + LANES <= n; i += LANES) {                                   \
      vf p = wide_a ? load(a + i) : splat(*a);                             \
      vf q = wide_b ? load(b + i) : splat(*b);                             \
      store(y + i, expression);                                            \
    }                                                                      \
    if (i < n) {                                                           \
      vf p = wide_a ? load_part(a + i, n - i) : splat(*a);                 \
      vf q = wide_b ? load_part(b + i, n - i) : splat(*b);                 \
      store_part(y + i, expression, n - i);                                \
    }                                                                      \
    break;                                                                 \
  }
#define LANEWISE(name, result, expression)                                 \
  case callosum_##name:                                                    \
    for (size_t i = 0; i < n; i++) {                                       \
      float p = wide_a ? a[i] : *a, q = wide_b ? b[i] : *b;                \
      result[i] = expression;                                              \
    }                                                                      \
    break;
  switch (operation) {
    CASE(add, p + q)
    CASE(subtract, p - q)
    CASE(multiply, p * q)
    CASE(divide, p / q)
    LANEWISE(power, y, powf(p, q))
    LANEWISE(remainder, y, floored_remainder(p, q))
    LANEWISE(atan2, y, atan2f(p, q))
    CASE(maximum, select_((p > q) | (p != p), p, q))
    CASE(minimum, select_((p < q) | (p != p), p, q))
    LANEWISE(equal, truth, p == q)
    LANEWISE(not_equal, truth, p != q)
    LANEWISE(less, truth, p < q)
    LANEWISE(less_equal, truth, p <= q)
    LANEWISE(greater, truth, p > q)
    LANEWISE(greater_equal, truth, p >= q)
    CASE(relu_gradient, select_(p > 0, q, splat(0)))
    CASE(gelu_gradient, gelu_derivative_(p) * q)
    CASE(silu_gradient, silu_derivative_(p) * q)
    CASE(tanh_gradient, q - q * p * p)
    CASE(sigmoid_gradient, q * p * (1 - p))
  }
#undef CASE
#undef LANEWISE
}

#define SCALAR_ROW(name, T, add_, subtract_, multiply_, divide_, power_, remainder_, atan2_)        \
  static void name(int operation, size_t n, const T *a, ptrdiff_t sa, const T *b, ptrdiff_t sb,     \
                   void *out) {                                                                    \
    T *y = out;                                                                                    \
    uint8_t *truth = out;                                                                          \
    for (size_t i = 0; i < n; i++) {                                                               \
      T p = a[(ptrdiff_t)i * sa], q = b[(ptrdiff_t)i * sb];                                        \
      switch (operation) {                                                                         \
        case callosum_add: y[i] = add_; break;                                                     \
        case callosum_subtract: y[i] = subtract_; break;                                           \
        case callosum_multiply: y[i] = multiply_; break;                                           \
        case callosum_divide: y[i] = divide_; break;                                               \
        case callosum_power: y[i] = power_; break;                                                 \
        case callosum_remainder: y[i] = remainder_; break;                                         \
        case callosum_atan2: y[i] = atan2_; break;                                                 \
        case callosum_maximum: y[i] = p > q || p != p ? p : q; break;                              \
        case callosum_minimum: y[i] = p < q || p != p ? p : q; break;                              \
        case callosum_equal: truth[i] = p == q; break;                                             \
        case callosum_not_equal: truth[i] = p != q; break;                                         \
        case callosum_less: truth[i] = p < q; break;                                               \
        case callosum_less_equal: truth[i] = p <= q; break;                                        \
        case callosum_greater: truth[i] = p > q; break;                                            \
        case callosum_greater_equal: truth[i] = p >= q; break;                                     \
        case callosum_and: y[i] = (T)(p != 0 && q != 0); break;                                    \
        case callosum_or: y[i] = (T)(p != 0 || q != 0); break;                                     \
      }                                                                                            \
    }                                                                                              \
  }

SCALAR_ROW(binary_row_double, double, p + q, p - q, p *q, p / q, pow(p, q),
           floored_remainder(p, q), atan2(p, q))
SCALAR_ROW(binary_row_int, int32_t, (int32_t)((uint32_t)p + (uint32_t)q),
           (int32_t)((uint32_t)p - (uint32_t)q), (int32_t)((uint32_t)p * (uint32_t)q),
           floored_quotient_int(p, q), power_int(p, q), floored_remainder_int(p, q), 0)
SCALAR_ROW(binary_row_bool, uint8_t, p || q, p &&!q, p &&q, p, p, p, 0)
#undef SCALAR_ROW

/// Brings a float operand that walks by other strides into a small buffer.
INLINE const float *gathered(const float *p, ptrdiff_t stride, size_t n, float *buffer) {
  if (stride == 0 || stride == 1) return p;
  for (size_t i = 0; i < n; i++) buffer[i] = p[(ptrdiff_t)i * stride];
  return buffer;
}

static void binary_floats(int operation, size_t n, const float *a, ptrdiff_t sa, const float *b,
                          ptrdiff_t sb, void *y, size_t y_size) {
  enum { chunk = 256 };
  float buffer_a[chunk], buffer_b[chunk];
  bool direct = (sa == 0 || sa == 1) && (sb == 0 || sb == 1);
  size_t step = direct ? n : chunk;
  for (size_t i = 0; i < n; i += step) {
    size_t part = n - i < step ? n - i : step;
    const float *p = gathered(a + (ptrdiff_t)i * sa, sa, part, buffer_a);
    const float *q = gathered(b + (ptrdiff_t)i * sb, sb, part, buffer_b);
    void *out = (char *)y + i * y_size;
    if (sa && sb) binary_row_float(operation, part, p, true, q, true, out);
    else if (sa) binary_row_float(operation, part, p, true, q, false, out);
    else binary_row_float(operation, part, p, false, q, sb != 0, out);
  }
}

struct binary_job {
  int operation, type;
  size_t y_size;
  const struct axes *axes;
  const char *a, *b;
  char *y;
};

static const size_t type_size[] = {4, 8, 4, 1};

static void binary_range(void *context, size_t begin, size_t end) {
  const struct binary_job *job = context;
  const struct axes *m = job->axes;
  size_t inner = m->shape[m->rank - 1], size = type_size[job->type];
  ptrdiff_t sa = m->strides[0][m->rank - 1], sb = m->strides[1][m->rank - 1];
  for (size_t at = begin; at < end;) {
    size_t row = at / inner, column = at % inner;
    size_t n = inner - column < end - at ? inner - column : end - at;
    ptrdiff_t oa = row_offset(m, 0, row) + (ptrdiff_t)column * sa;
    ptrdiff_t ob = row_offset(m, 1, row) + (ptrdiff_t)column * sb;
    const void *a = job->a + oa * (ptrdiff_t)size, *b = job->b + ob * (ptrdiff_t)size;
    void *y = job->y + at * job->y_size;
    switch (job->type) {
      case callosum_float: binary_floats(job->operation, n, a, sa, b, sb, y, job->y_size); break;
      case callosum_double: binary_row_double(job->operation, n, a, sa, b, sb, y); break;
      case callosum_int: binary_row_int(job->operation, n, a, sa, b, sb, y); break;
      default: binary_row_bool(job->operation, n, a, sa, b, sb, y);
    }
    at += n;
  }
}

static void binary(int operation, int type, int rank, const size_t *shape, const void *a,
                   const ptrdiff_t *strides_a, const void *b, const ptrdiff_t *strides_b, void *y) {
  const ptrdiff_t *strides[] = {strides_a, strides_b};
  struct axes m = merged_axes(rank, shape, 2, strides);
  bool compares = operation >= callosum_equal && operation <= callosum_or;
  struct binary_job job = {operation, type, compares ? 1 : type_size[type], &m, a, b, y};
  callosum_parallel(m.count, 16384, binary_range, &job);
}

// MARK: Selection and conversion

struct choose_job {
  const struct axes *axes;
  int type;
  const uint8_t *condition;
  const char *a, *b;
  char *y;
};

static void choose_range(void *context, size_t begin, size_t end) {
  const struct choose_job *job = context;
  const struct axes *m = job->axes;
  int last = m->rank - 1;
  size_t inner = m->shape[last];
  ptrdiff_t sc = m->strides[0][last], sa = m->strides[1][last], sb = m->strides[2][last];
  for (size_t at = begin; at < end;) {
    size_t row = at / inner, column = at % inner;
    size_t n = inner - column < end - at ? inner - column : end - at;
    const uint8_t *condition = job->condition + row_offset(m, 0, row) + (ptrdiff_t)column * sc;
    ptrdiff_t oa = row_offset(m, 1, row) + (ptrdiff_t)column * sa;
    ptrdiff_t ob = row_offset(m, 2, row) + (ptrdiff_t)column * sb;
#define PICK(T)                                                                       \
  for (size_t i = 0; i < n; i++)                                                      \
    ((T *)job->y)[at + i] = condition[(ptrdiff_t)i * sc]                              \
                                ? ((const T *)job->a)[oa + (ptrdiff_t)i * sa]         \
                                : ((const T *)job->b)[ob + (ptrdiff_t)i * sb];
    switch (type_size[job->type]) {
      case 8: PICK(uint64_t) break;
      case 4: PICK(uint32_t) break;
      default: PICK(uint8_t)
    }
#undef PICK
    at += n;
  }
}

static void choose(int type, int rank, const size_t *shape, const uint8_t *condition,
                   const ptrdiff_t *strides_condition, const void *a, const ptrdiff_t *strides_a,
                   const void *b, const ptrdiff_t *strides_b, void *y) {
  const ptrdiff_t *strides[] = {strides_condition, strides_a, strides_b};
  struct axes m = merged_axes(rank, shape, 3, strides);
  struct choose_job job = {&m, type, condition, a, b, y};
  callosum_parallel(m.count, 16384, choose_range, &job);
}

/// Truncates; what int32 cannot hold becomes its nearest value, NaN becomes 0.
INLINE int32_t int_from(double x) {
  return x >= 2147483647.0 ? INT32_MAX : x <= -2147483648.0 ? INT32_MIN : x == x ? (int32_t)x : 0;
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
