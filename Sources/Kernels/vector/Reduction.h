// Reductions of [outer, count, inner] to [outer, inner]. Long sums are added up in blocks whose
// sizes do not depend on the threads, which keeps rounding errors small and results repeatable.

// Rows of the middle axis added up before their sum joins the total.
enum { reduction_block = 128 };

#define COMBINE_sum(a, b) ((a) + (b))
#define COMBINE_product(a, b) ((a) * (b))
#define COMBINE_largest(a, b) ((a) > (b) || (a) != (a) ? (a) : (b))
#define COMBINE_smallest(a, b) ((a) < (b) || (a) != (a) ? (a) : (b))
#define COMBINE_any(a, b) ((a) | (b))
#define COMBINE_all(a, b) ((a) & (b))

// Inner axis of size 1: `lanes` running results along the row, combined at the end of each block.
#define REDUCE_ROW(name, T, kind, identity)                                   \
  static T name##_row(size_t count, const T *x) {                             \
    enum { lanes = 64 };                                                      \
    T total = identity;                                                       \
    for (size_t start = 0; start < count; start += reduction_block * lanes) { \
      size_t end = start + reduction_block * lanes;                           \
      if (end > count) end = count;                                           \
      T running[lanes];                                                       \
      for (int l = 0; l < lanes; l++) running[l] = identity;                  \
      size_t i = start;                                                       \
      for (; i + lanes <= end; i += lanes)                                    \
        for (int l = 0; l < lanes; l++) running[l] = COMBINE_##kind(running[l], x[i + l]); \
      for (int l = 0; i < end; i++, l++) running[l] = COMBINE_##kind(running[l], x[i]);    \
      for (int width = lanes / 2; width > 0; width /= 2)                      \
        for (int l = 0; l < width; l++)                                       \
          running[l] = COMBINE_##kind(running[l], running[l + width]);        \
      total = COMBINE_##kind(total, running[0]);                              \
    }                                                                         \
    return total;                                                             \
  }

// Wider inner axis: columns [begin, end) of one outer row.
#define REDUCE_COLUMNS(name, T, kind, identity)                               \
  static void name##_columns(size_t count, size_t inner, size_t begin, size_t end, const T *x, \
                             T *y) {                                          \
    enum { width = 256 };                                                     \
    for (size_t first = begin; first < end; first += width) {                 \
      size_t n = end - first < width ? end - first : width;                   \
      T total[width], block[width];                                           \
      for (size_t j = 0; j < n; j++) total[j] = identity;                     \
      for (size_t start = 0; start < count; start += reduction_block) {       \
        size_t stop = start + reduction_block < count ? start + reduction_block : count; \
        for (size_t j = 0; j < n; j++) block[j] = identity;                   \
        for (size_t r = start; r < stop; r++) {                               \
          const T *row = x + r * inner + first;                               \
          for (size_t j = 0; j < n; j++) block[j] = COMBINE_##kind(block[j], row[j]); \
        }                                                                     \
        for (size_t j = 0; j < n; j++) total[j] = COMBINE_##kind(total[j], block[j]); \
      }                                                                       \
      for (size_t j = 0; j < n; j++) y[first + j] = total[j];                 \
    }                                                                         \
  }

#define REDUCE(name, T, kind, identity)    \
  REDUCE_ROW(name, T, kind, (identity))    \
  REDUCE_COLUMNS(name, T, kind, (identity))

REDUCE(sum_float, float, sum, 0)
REDUCE(sum_double, double, sum, 0)
REDUCE(sum_int, uint32_t, sum, 0)
REDUCE(product_float, float, product, 1)
REDUCE(product_double, double, product, 1)
REDUCE(product_int, uint32_t, product, 1)
REDUCE(largest_float, float, largest, -INFINITY)
REDUCE(largest_double, double, largest, -(double)INFINITY)
REDUCE(largest_int, int32_t, largest, INT32_MIN)
REDUCE(smallest_float, float, smallest, INFINITY)
REDUCE(smallest_double, double, smallest, (double)INFINITY)
REDUCE(smallest_int, int32_t, smallest, INT32_MAX)
REDUCE(any_bool, uint8_t, any, 0)
REDUCE(all_bool, uint8_t, all, 1)

struct reduce_job {
  int operation, type;
  size_t count, inner, parts;
  const char *x;
  char *y;
};

// Reduces `count` rows of the middle axis for columns [begin, end).
static void reduce_part(int operation, int type, size_t count, size_t inner, size_t begin,
                        size_t end, const void *x, void *y) {
#define RUN(name, T)                                         \
  {                                                          \
    if (inner == 1) *(T *)y = name##_row(count, x);          \
    else name##_columns(count, inner, begin, end, x, y);     \
    break;                                                   \
  }
#define NUMERIC(kind)                                        \
  if (type == callosum_float) RUN(kind##_float, float)       \
  if (type == callosum_double) RUN(kind##_double, double)
  switch (operation) {
    case callosum_sum: NUMERIC(sum) RUN(sum_int, uint32_t)
    case callosum_product: NUMERIC(product) RUN(product_int, uint32_t)
    case callosum_largest: NUMERIC(largest) RUN(largest_int, int32_t)
    case callosum_smallest: NUMERIC(smallest) RUN(smallest_int, int32_t)
    case callosum_any: RUN(any_bool, uint8_t)
    default: RUN(all_bool, uint8_t)
  }
#undef RUN
#undef NUMERIC
}

// One unit is one part of the middle axis of one outer row.
static void reduce_units(void *context, size_t begin, size_t end) {
  const struct reduce_job *job = context;
  size_t size = type_size[job->type];
  for (size_t unit = begin; unit < end; unit++) {
    size_t outer = unit / job->parts, part = unit % job->parts;
    size_t first = job->count * part / job->parts, last = job->count * (part + 1) / job->parts;
    const char *x = job->x + (outer * job->count + first) * job->inner * size;
    reduce_part(job->operation, job->type, last - first, job->inner, 0, job->inner, x,
                job->y + unit * job->inner * size);
  }
}

static void reduce(int operation, int type, size_t outer, size_t count, size_t inner, const void *x,
                   void *y) {
  size_t row = count * inner, size = type_size[type];
  if (outer == 0 || inner == 0) return;
  // Few long rows: cut the middle axis, so that threads share it, and reduce the parts at the end.
  size_t parts = outer < 8 && row > 65536 && count >= 1024 ? 16 : 1;
  if (outer >= 8 || parts == 1) {
    struct reduce_job job = {operation, type, count, inner, 1, x, y};
    callosum_parallel(outer, row ? 32768 / row + 1 : outer, reduce_units, &job);
    return;
  }
  char *partial = callosum_allocate(outer * parts * inner * size);
  if (!partial) {
    struct reduce_job job = {operation, type, count, inner, 1, x, y};
    reduce_units(&job, 0, outer);
    return;
  }
  struct reduce_job first = {operation, type, count, inner, parts, x, partial};
  callosum_parallel(outer * parts, 1, reduce_units, &first);
  struct reduce_job second = {operation, type, parts, inner, 1, partial, y};
  reduce_units(&second, 0, outer);
  callosum_free(partial, outer * parts * inner * size);
}

// Where the largest or smallest of x[0 ..< n] stands first, entries that are no number passed over; n if
// there is no other. `missing` says whether there are any.
static size_t first_extreme(const float *x, size_t n, bool largest, bool *missing) {
  const float sign = largest ? 1 : -1;
  const int32_t none = INT32_MAX;
  // Of each lane the largest so far and where it stood.
  vf best = splat(-INFINITY);
  vi place = (vi){0} + none, here, unordered = {0};
  for (int l = 0; l < LANES; l++) here[l] = l;
  for (size_t i = 0; i < n; i += LANES, here += LANES) {
    vf v = load_some(x + i, n - i) * sign;
    if (n - i < LANES) v = select_(first_lanes(n - i), v, splat(-INFINITY));
    vi better = v > best;
    best = select_(better, v, best);
    place = (better & here) | (~better & place);
    unordered |= v != v;
  }
  *missing = any_(unordered);
  vi leads = best == __builtin_reduce_max(best);
  int32_t found = __builtin_reduce_min((leads & place) | (~leads & none));
  if (found != none) return found;
  // No number is above minus infinity.
  size_t i = 0;
  while (i < n && x[i] * sign != -INFINITY) i++;
  return i;
}

// Where the first entry that is no number stands; there is one.
static size_t first_missing(const float *x) {
  size_t i = 0;
  while (x[i] == x[i]) i++;
  return i;
}

// Where the first largest or smallest of a row stands; what is no number comes before everything.
static int32_t arg_row(const float *x, size_t n, bool largest) {
  bool missing;
  size_t found = first_extreme(x, n, largest, &missing);
  if (missing) found = first_missing(x);
  return (int32_t)(found < n ? found : 0);
}

// The same of each of `columns` <= LANES columns that lie `stride` apart.
static void arg_columns(const float *x, size_t n, size_t stride, size_t columns, bool largest,
                        int32_t *y) {
  vf best = load_some(x, columns);
  vi place = {0};
  for (size_t i = 1; i < n; i++) {
    vf v = load_some(x + i * stride, columns);
    vi better = (best == best) & ((largest ? v > best : v < best) | (v != v));
    best = select_(better, v, best);
    place = (better & (vi){0} + (int32_t)i) | (~better & place);
  }
  for (size_t j = 0; j < columns; j++) y[j] = place[j];
}

#define ARG_REDUCE(T)                                                        \
  for (size_t j = 0; j < inner; j++) {                                       \
    const T *column = (const T *)job->x + outer * job->count * inner + j;    \
    size_t found = 0;                                                        \
    for (size_t i = 1; i < job->count; i++) {                                \
      T candidate = column[i * inner], holder = column[found * inner];       \
      bool better = job->largest ? candidate > holder : candidate < holder;  \
      if (holder == holder && (better || candidate != candidate)) found = i; \
    }                                                                        \
    y[j] = (int32_t)found;                                                   \
  }

struct arg_job {
  bool largest;
  int type;
  size_t count, inner;
  const void *x;
  int32_t *y;
};

// One unit is one outer row.
static void arg_units(void *context, size_t begin, size_t end) {
  const struct arg_job *job = context;
  size_t inner = job->inner;
  for (size_t outer = begin; outer < end; outer++) {
    int32_t *y = job->y + outer * inner;
    switch (job->type) {
      case callosum_float: {
        const float *x = (const float *)job->x + outer * job->count * inner;
        if (inner == 1) *y = arg_row(x, job->count, job->largest);
        else
          for (size_t j = 0; j < inner; j += LANES)
            arg_columns(x + j, job->count, inner, inner - j < LANES ? inner - j : LANES,
                        job->largest, y + j);
        break;
      }
      case callosum_double: ARG_REDUCE(double) break;
      case callosum_int: ARG_REDUCE(int32_t) break;
      default: ARG_REDUCE(uint8_t)
    }
  }
}
#undef ARG_REDUCE

static void arg_reduce(bool largest, int type, size_t outer, size_t count, size_t inner,
                       const void *x, int32_t *y) {
  struct arg_job job = {largest, type, count, inner, x, y};
  callosum_parallel(outer, 32768 / (count * inner + 1) + 1, arg_units, &job);
}
