// Scans of [outer, count, inner] along the middle axis: running results, and the linear recurrence
// h_t = a_t h_(t-1) + b_t. Steps depend on each other, lanes do not: neighbouring columns, or rows
// where there is only one column, go side by side.

// Lanes of one tile; fewer where they are whole rows apart, which share few cache sets.
enum { scan_columns = 64, scan_rows = 8 };

/// The tiles of [outer, count, inner]: where lane l of a tile begins (l * lane from `start`) and how
/// far its steps lie apart. A reverse scan begins at the last step and walks with a negative stride.
struct scan_axes {
  bool reverse;
  size_t outer, count, inner;
};
struct scan_tile {
  size_t lanes, start, first_lane;
  ptrdiff_t lane, step;
};

INLINE size_t scan_tiles(const struct scan_axes *s) {
  if (s->inner == 1) return (s->outer + scan_rows - 1) / scan_rows;
  return s->outer * ((s->inner + scan_columns - 1) / scan_columns);
}

static struct scan_tile scan_tile_at(const struct scan_axes *s, size_t tile) {
  struct scan_tile at;
  if (s->inner == 1) {
    size_t row = tile * scan_rows, left = s->outer - row;
    at = (struct scan_tile){left < scan_rows ? left : scan_rows, row * s->count, row,
                            (ptrdiff_t)s->count, 1};
  } else {
    size_t per_row = (s->inner + scan_columns - 1) / scan_columns;
    size_t row = tile / per_row, column = tile % per_row * scan_columns, left = s->inner - column;
    at = (struct scan_tile){left < scan_columns ? left : scan_columns,
                            row * s->count * s->inner + column, row * s->inner + column, 1,
                            (ptrdiff_t)s->inner};
  }
  if (s->reverse && s->count > 0) {
    at.start += (s->count - 1) * s->inner;
    at.step = -at.step;
  }
  return at;
}

static void scan_parallel(const struct scan_axes *s, void (*body)(void *, size_t, size_t),
                          void *context) {
  size_t tiles = scan_tiles(s);
  if (tiles == 0) return;
  size_t work = s->outer * s->count * s->inner / tiles + 1;
  callosum_parallel(tiles, 16384 / work + 1, body, context);
}

// Calls `body` with a lane stride that the compiler knows where it is 1.
#define FOR_TILE(at, body, ...)     \
  if ((at).lane == 1)               \
    body(1, (at), __VA_ARGS__);     \
  else                              \
    body((at).lane, (at), __VA_ARGS__);

// MARK: Running sum, product and log-sum-exp

// `A` holds the running result: double for float, because a long sum in float drifts.
#define RUNNING(name, T, A, identity, operator)                                              \
  INLINE void name##_lanes(ptrdiff_t lane, struct scan_tile at, size_t count,                \
                           const T *restrict x, T *restrict y) {                             \
    A running[scan_columns];                                                                 \
    for (size_t l = 0; l < at.lanes; l++) running[l] = identity;                             \
    for (size_t t = 0; t < count; t++, x += at.step, y += at.step)                           \
      for (size_t l = 0; l < at.lanes; l++) {                                                \
        running[l] = running[l] operator(A) x[(ptrdiff_t)l * lane];                          \
        y[(ptrdiff_t)l * lane] = (T)running[l];                                              \
      }                                                                                      \
  }                                                                                          \
  static void name(struct scan_tile at, size_t count, const T *x, T *y) {                    \
    FOR_TILE(at, name##_lanes, count, x + at.start, y + at.start)                            \
  }
RUNNING(running_sum_float, float, double, 0, +)
RUNNING(running_sum_double, double, double, 0, +)
RUNNING(running_sum_int, uint32_t, uint32_t, 0, +)
RUNNING(running_product_float, float, double, 1, *)
RUNNING(running_product_double, double, double, 1, *)
RUNNING(running_product_int, uint32_t, uint32_t, 1, *)
#undef RUNNING

// A single column leaves no lanes side by side but whole rows, which are far apart in memory. Sums
// and products of a row go by eight: three shifted additions, then what came before.
typedef double v8d __attribute__((vector_size(64), aligned(8)));
typedef float v8f __attribute__((vector_size(32), aligned(4)));
#define TURNED(x) __builtin_shufflevector(x, x, 7, 6, 5, 4, 3, 2, 1, 0)
#define RUNNING_ROW(name, identity, operator)                                                \
  static void name##_row(bool reverse, size_t count, const float *x, float *y) {             \
    const v8d none = (v8d){0} + identity;                                                    \
    double before = identity;                                                                \
    size_t i = 0;                                                                            \
    for (; i + 8 <= count; i += 8) {                                                         \
      size_t at = reverse ? count - 8 - i : i;                                               \
      v8f part = *(const v8f *)(x + at);                                                     \
      v8d v = __builtin_convertvector(part, v8d);                                            \
      if (reverse) v = TURNED(v);                                                            \
      v = v operator __builtin_shufflevector(none, v, 0, 8, 9, 10, 11, 12, 13, 14);          \
      v = v operator __builtin_shufflevector(none, v, 0, 1, 8, 9, 10, 11, 12, 13);           \
      v = v operator __builtin_shufflevector(none, v, 0, 1, 2, 3, 8, 9, 10, 11);             \
      v = v operator before;                                                                 \
      before = v[7];                                                                         \
      *(v8f *)(y + at) = __builtin_convertvector(reverse ? TURNED(v) : v, v8f);              \
    }                                                                                        \
    for (; i < count; i++) {                                                                 \
      size_t at = reverse ? count - 1 - i : i;                                               \
      before = before operator(double) x[at];                                                \
      y[at] = (float)before;                                                                 \
    }                                                                                        \
  }
RUNNING_ROW(running_sum, 0.0, +)
RUNNING_ROW(running_product, 1.0, *)
#undef RUNNING_ROW
#undef TURNED

INLINE vf log_add_exp(vf a, vf b) {
  // Equal infinities have distance 0, not NaN.
  vf distance = select_(a == b, splat(0), -abs_(a - b));
  return max_(a, b) + log1p_(exp_(distance));
}
static void running_log_sum_exp_float(struct scan_tile at, size_t count, const float *x, float *y) {
  x += at.start;
  y += at.start;
  for (size_t first = 0; first < at.lanes; first += LANES) {
    size_t n = at.lanes - first < LANES ? at.lanes - first : LANES;
    vf running = splat(-INFINITY);
    for (size_t t = 0; t < count; t++) {
      ptrdiff_t offset = (ptrdiff_t)t * at.step + (ptrdiff_t)first * at.lane;
      if (at.lane == 1) {
        running = log_add_exp(running, load_some(x + offset, n));
        store_some(y + offset, running, n);
        continue;
      }
      vf v = {0};
      for (size_t l = 0; l < n; l++) v[l] = x[offset + (ptrdiff_t)l * at.lane];
      running = log_add_exp(running, v);
      for (size_t l = 0; l < n; l++) y[offset + (ptrdiff_t)l * at.lane] = running[l];
    }
  }
}
static void running_log_sum_exp_double(struct scan_tile at, size_t count, const double *x,
                                       double *y) {
  for (size_t l = 0; l < at.lanes; l++) {
    double running = -(double)INFINITY;
    for (size_t t = 0; t < count; t++) {
      ptrdiff_t offset = (ptrdiff_t)at.start + (ptrdiff_t)t * at.step + (ptrdiff_t)l * at.lane;
      double v = x[offset], distance = running == v ? 0 : -fabs(running - v);
      running = (running > v ? running : v) + log1p(exp(distance));
      y[offset] = running;
    }
  }
}

struct running_job {
  struct scan_axes axes;
  int operation, type;
  const void *x;
  void *y;
};

static void running_range(void *context, size_t begin, size_t end) {
  const struct running_job *job = context;
  size_t count = job->axes.count;
  for (size_t tile = begin; tile < end; tile++) {
    struct scan_tile at = scan_tile_at(&job->axes, tile);
    if (job->axes.inner == 1 && job->type == callosum_float &&
        job->operation != callosum_running_log_sum_exp) {
      for (size_t row = at.first_lane; row < at.first_lane + at.lanes; row++)
        (job->operation == callosum_running_sum ? running_sum_row : running_product_row)(
            job->axes.reverse, count, (const float *)job->x + row * count,
            (float *)job->y + row * count);
      continue;
    }
#define RUN(name, suffix) name##_##suffix(at, count, job->x, job->y)
#define OF_TYPE(name)                                          \
  if (job->type == callosum_float) RUN(name, float);           \
  else if (job->type == callosum_double) RUN(name, double);    \
  else RUN(name, int);
    switch (job->operation) {
      case callosum_running_sum: OF_TYPE(running_sum) break;
      case callosum_running_product: OF_TYPE(running_product) break;
      default:
        if (job->type == callosum_float) RUN(running_log_sum_exp, float);
        else RUN(running_log_sum_exp, double);
    }
#undef OF_TYPE
#undef RUN
  }
}

static void running(int operation, int type, bool reverse, size_t outer, size_t count, size_t inner,
                    const void *x, void *y) {
  struct running_job job = {{reverse, outer, count, inner}, operation, type, x, y};
  scan_parallel(&job.axes, running_range, &job);
}

// MARK: Place of the running maximum

#define RUNNING_MAX(name, T)                                                                 \
  static void name(struct scan_tile at, size_t count, const T *x, int32_t *y) {              \
    T largest[scan_columns];                                                                 \
    int32_t place[scan_columns] = {0};                                                       \
    for (size_t t = 0; t < count; t++)                                                       \
      for (size_t l = 0; l < at.lanes; l++) {                                                \
        ptrdiff_t offset = (ptrdiff_t)at.start + (ptrdiff_t)t * at.step + (ptrdiff_t)l * at.lane; \
        T v = x[offset];                                                                     \
        if (t == 0 || v != v || (largest[l] == largest[l] && v >= largest[l])) {             \
          largest[l] = v;                                                                    \
          place[l] = (int32_t)t;                                                             \
        }                                                                                    \
        y[offset] = place[l];                                                                \
      }                                                                                      \
  }
RUNNING_MAX(running_max_float, float)
RUNNING_MAX(running_max_double, double)
RUNNING_MAX(running_max_int, int32_t)
#undef RUNNING_MAX

static void running_arg_max_range(void *context, size_t begin, size_t end) {
  const struct running_job *job = context;
  for (size_t tile = begin; tile < end; tile++) {
    struct scan_tile at = scan_tile_at(&job->axes, tile);
    size_t count = job->axes.count;
    if (job->type == callosum_float) running_max_float(at, count, job->x, job->y);
    else if (job->type == callosum_double) running_max_double(at, count, job->x, job->y);
    else running_max_int(at, count, job->x, job->y);
  }
}

static void running_arg_max(int type, size_t outer, size_t count, size_t inner, const void *x,
                            int32_t *y) {
  struct running_job job = {{false, outer, count, inner}, 0, type, x, y};
  scan_parallel(&job.axes, running_arg_max_range, &job);
}

// MARK: Place of each segment's maximum

struct segment_job {
  int type;
  size_t rows, columns;
  const void *x;
  const int32_t *segments;
  int32_t *places;
};

// Columns begin..<end; rows of a segment lie anywhere, so threads share out the columns.
#define SEGMENT_MAX(name, T)                                                               \
  static void name(const struct segment_job *job, size_t begin, size_t end) {              \
    const T *x = job->x;                                                                   \
    for (size_t row = 0; row < job->rows; row++) {                                         \
      int32_t *places = job->places + (size_t)job->segments[row] * job->columns;           \
      for (size_t c = begin; c < end; c++) {                                               \
        T v = x[row * job->columns + c];                                                   \
        T best = places[c] < 0 ? v : x[(size_t)places[c] * job->columns + c];              \
        if (places[c] < 0 || v > best || (v != v && best == best)) places[c] = (int32_t)row; \
      }                                                                                    \
    }                                                                                      \
  }
SEGMENT_MAX(segment_max_float, float)
SEGMENT_MAX(segment_max_double, double)
#undef SEGMENT_MAX

static void segment_max_range(void *context, size_t begin, size_t end) {
  const struct segment_job *job = context;
  if (job->type == callosum_float) segment_max_float(job, begin, end);
  else segment_max_double(job, begin, end);
}

static void segment_arg_max(int type, size_t rows, size_t columns, const void *x,
                            const int32_t *segments, size_t count, int32_t *places) {
  for (size_t i = 0; i < count * columns; i++) places[i] = -1;
  struct segment_job job = {type, rows, columns, x, segments, places};
  callosum_parallel(columns, 1 + 20000 / (rows + 1), segment_max_range, &job);
}

// MARK: Linear recurrence

struct recurrence_job {
  struct scan_axes axes;
  int type;
  const void *a, *b, *initial, *h;
  void *out, *ga, *ginitial;
};

#define RECURRENCE(name, T)                                                                  \
  INLINE void name##_lanes(ptrdiff_t lane, struct scan_tile at, size_t count, const T *initial, \
                           const T *restrict a, const T *restrict b, T *restrict h) {        \
    T state[scan_columns];                                                                   \
    for (size_t l = 0; l < at.lanes; l++) state[l] = initial[l];                             \
    for (size_t t = 0; t < count; t++, a += at.step, b += at.step, h += at.step)             \
      for (size_t l = 0; l < at.lanes; l++) {                                                \
        ptrdiff_t i = (ptrdiff_t)l * lane;                                                   \
        h[i] = state[l] = a[i] * state[l] + b[i];                                            \
      }                                                                                      \
  }                                                                                          \
  static void name(struct scan_tile at, size_t count, const T *initial, const T *a, const T *b, \
                   T *h) {                                                                   \
    FOR_TILE(at, name##_lanes, count, initial + at.first_lane, a + at.start, b + at.start,   \
             h + at.start)                                                                   \
  }
RECURRENCE(recurrence_float, float)
RECURRENCE(recurrence_double, double)
#undef RECURRENCE

static void linear_recurrence_range(void *context, size_t begin, size_t end) {
  const struct recurrence_job *job = context;
  for (size_t tile = begin; tile < end; tile++) {
    struct scan_tile at = scan_tile_at(&job->axes, tile);
    size_t count = job->axes.count;
    if (job->type == callosum_float)
      recurrence_float(at, count, job->initial, job->a, job->b, job->out);
    else
      recurrence_double(at, count, job->initial, job->a, job->b, job->out);
  }
}

static void linear_recurrence(int type, bool reverse, size_t outer, size_t count, size_t inner,
                              const void *a, const void *b, const void *initial, void *h) {
  struct recurrence_job job = {{reverse, outer, count, inner}, .type = type, .a = a, .b = b,
                               .initial = initial, .out = h};
  scan_parallel(&job.axes, linear_recurrence_range, &job);
}

// From the last step of the recurrence to its first, with the gradient that arrives from later
// steps in `later`.
INLINE void recurrence_backward_lanes(ptrdiff_t lane, struct scan_tile at, size_t count,
                                      const float *initial, const float *restrict a,
                                      const float *restrict h, const float *restrict g,
                                      float *restrict ga, float *restrict gb,
                                      float *restrict ginitial) {
  float later[scan_columns] = {0};
  for (size_t t = count; t-- > 0;) {
    ptrdiff_t offset = (ptrdiff_t)t * at.step;
    const float *before = t > 0 ? h + offset - at.step : initial;
    ptrdiff_t before_lane = t > 0 ? lane : 1;
    for (size_t l = 0; l < at.lanes; l++) {
      ptrdiff_t i = offset + (ptrdiff_t)l * lane;
      float all = g[i] + later[l];
      gb[i] = all;
      ga[i] = all * before[(ptrdiff_t)l * before_lane];
      later[l] = a[i] * all;
    }
  }
  for (size_t l = 0; l < at.lanes; l++) ginitial[l] = later[l];
}

static void recurrence_backward_range(void *context, size_t begin, size_t end) {
  const struct recurrence_job *job = context;
  for (size_t tile = begin; tile < end; tile++) {
    struct scan_tile at = scan_tile_at(&job->axes, tile);
    const float *initial = job->initial, *a = job->a, *h = job->h, *g = job->b;
    float *ga = job->ga, *gb = job->out, *ginitial = job->ginitial;
    FOR_TILE(at, recurrence_backward_lanes, job->axes.count, initial + at.first_lane, a + at.start,
             h + at.start, g + at.start, ga + at.start, gb + at.start, ginitial + at.first_lane)
  }
}

static void linear_recurrence_backward(bool reverse, size_t outer, size_t count, size_t inner,
                                       const float *a, const float *initial, const float *h,
                                       const float *gh, float *ga, float *gb, float *ginitial) {
  struct recurrence_job job = {{reverse, outer, count, inner}, .a = a, .b = gh, .initial = initial,
                               .h = h, .out = gb, .ga = ga, .ginitial = ginitial};
  scan_parallel(&job.axes, recurrence_backward_range, &job);
}
