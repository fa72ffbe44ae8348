// Elementwise operations of two arrays, and choice by condition, with strides that broadcast. Float
// rows that walk by 0 or 1 element are written with vectors; other strides go through a buffer. The
// other types are plain loops (double checks derivatives, int and bool index and select).

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

/// Elements at ..< at + n of an operand, counted along the shared axes, one after the other: as they lie,
/// or in `buffer`.
static const float *in_a_run(const struct axes *m, int operand, const float *x, size_t at, size_t n,
                             float *buffer) {
  const int last = m->rank - 1;
  const ptrdiff_t *strides = m->strides[operand];
  size_t place[max_rank], rest = at, step = 1;
  bool lies_so = true;
  for (int axis = last; axis >= 0; axis--) {
    place[axis] = rest % m->shape[axis];
    rest /= m->shape[axis];
    x += (ptrdiff_t)place[axis] * strides[axis];
    lies_so &= strides[axis] == (ptrdiff_t)step;
    step *= m->shape[axis];
  }
  if (lies_so) return x;
  for (size_t done = 0; done < n;) {
    size_t row = m->shape[last] - place[last], run = row < n - done ? row : n - done;
    for (size_t i = 0; i < run; i++) buffer[done + i] = x[(ptrdiff_t)i * strides[last]];
    done += run;
    x -= (ptrdiff_t)place[last] * strides[last];
    place[last] = 0;
    for (int axis = last - 1; axis >= 0; axis--) {
      x += strides[axis];
      if (++place[axis] < m->shape[axis]) break;
      x -= (ptrdiff_t)m->shape[axis] * strides[axis];
      place[axis] = 0;
    }
  }
  return buffer;
}

/// Float rows too short to be worth a start each: many of them are brought into one run.
static void binary_short_rows(void *context, size_t begin, size_t end) {
  enum { chunk = 256 };
  const struct binary_job *job = context;
  float buffers[2][chunk];
  const float *x[2] = {(const float *)job->a, (const float *)job->b};
  bool is_number[2] = {true, true};
  for (int o = 0; o < 2; o++)
    for (int axis = 0; axis < job->axes->rank; axis++)
      is_number[o] &= job->axes->strides[o][axis] == 0;
  for (size_t at = begin, n; at < end; at += n) {
    const float *p[2];
    n = end - at < chunk ? end - at : chunk;
    for (int o = 0; o < 2; o++)
      p[o] = is_number[o] ? x[o] : in_a_run(job->axes, o, x[o], at, n, buffers[o]);
    binary_floats(job->operation, n, p[0], !is_number[0], p[1], !is_number[1],
                  job->y + at * job->y_size, job->y_size);
  }
}

static void binary(int operation, int type, int rank, const size_t *shape, const void *a,
                   const ptrdiff_t *strides_a, const void *b, const ptrdiff_t *strides_b, void *y) {
  const ptrdiff_t *strides[] = {strides_a, strides_b};
  struct axes m = merged_axes(rank, shape, 2, strides);
  bool compares = operation >= callosum_equal && operation <= callosum_or;
  struct binary_job job = {operation, type, compares ? 1 : type_size[type], &m, a, b, y};
  bool is_short = type == callosum_float && m.rank > 1 && m.shape[m.rank - 1] <= 32;
  callosum_parallel(m.count, 16384, is_short ? binary_short_rows : binary_range, &job);
}

// MARK: Selection

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
