// Moving elements without changing them: strided copies, gathers and scatters.

// MARK: Strided copies

struct copy_job {
  const struct axes *axes;  // operand 0 is read, operand 1 written
  int size;
  // The two axes that a tile spans: `across` has the smallest stride of what is read.
  int across;
  size_t tiles_across;
  const char *x;
  char *y;
};

#define COPY_LINE(T)                                                                        \
  for (size_t i = 0; i < n; i++)                                                            \
    ((T *)y)[(ptrdiff_t)i * sy] = ((const T *)x)[(ptrdiff_t)i * sx];

INLINE void copy_line(int size, size_t n, const char *x, ptrdiff_t sx, char *y, ptrdiff_t sy) {
  if (sx == 1 && sy == 1) {
    memcpy(y, x, n * (size_t)size);
    return;
  }
  switch (size) {
    case 4: COPY_LINE(uint32_t) break;
    case 8: COPY_LINE(uint64_t) break;
    default: COPY_LINE(uint8_t)
  }
}
#undef COPY_LINE

enum { copy_tile = 32 };

// A unit is one row of all axes but the last or, where the read axis `across` is not the last,
// one tile of `copy_tile` indices of it, walked together with the whole last axis tile by tile: both
// sides then stay within a few cache lines.
static void copy_units(void *context, size_t begin, size_t end) {
  const struct copy_job *job = context;
  const struct axes *m = job->axes;
  int last = m->rank - 1, across = job->across;
  ptrdiff_t size = job->size, sx = m->strides[0][last], sy = m->strides[1][last];
  size_t inner = m->shape[last];
  for (size_t unit = begin; unit < end; unit++) {
    size_t rest = unit, first = 0, rows = 1;
    ptrdiff_t ox = 0, oy = 0;
    if (across != last) {
      first = rest % job->tiles_across * copy_tile;
      rest /= job->tiles_across;
      rows = m->shape[across] - first < copy_tile ? m->shape[across] - first : copy_tile;
      ox = (ptrdiff_t)first * m->strides[0][across];
      oy = (ptrdiff_t)first * m->strides[1][across];
    }
    for (int axis = last - 1; axis >= 0; axis--) {
      if (axis == across) continue;
      ptrdiff_t index = (ptrdiff_t)(rest % m->shape[axis]);
      rest /= m->shape[axis];
      ox += index * m->strides[0][axis];
      oy += index * m->strides[1][axis];
    }
    const char *x = job->x + ox * size;
    char *y = job->y + oy * size;
    if (across == last) {
      copy_line(job->size, inner, x, sx, y, sy);
      continue;
    }
    ptrdiff_t ax = m->strides[0][across], ay = m->strides[1][across];
    for (size_t column = 0; column < inner; column += copy_tile) {
      size_t n = inner - column < copy_tile ? inner - column : copy_tile;
      for (size_t r = 0; r < rows; r++)
        copy_line(job->size, n, x + ((ptrdiff_t)column * sx + (ptrdiff_t)r * ax) * size, sx,
                  y + ((ptrdiff_t)column * sy + (ptrdiff_t)r * ay) * size, sy);
    }
  }
}

static void copy_between(int size, int rank, const size_t *shape, const void *x,
                         const ptrdiff_t *strides_x, void *y, const ptrdiff_t *strides_y) {
  const ptrdiff_t *strides[] = {strides_x, strides_y};
  struct axes m = merged_axes(rank, shape, 2, strides);
  if (m.count == 0) return;
  int last = m.rank - 1, across = last;
  // A tile pays when another axis is walked in smaller steps on the reading or the writing side.
  for (int axis = 0; axis < last; axis++)
    for (int side = 0; side < 2; side++)
      if (llabs(m.strides[side][axis]) < llabs(m.strides[side][last]) && m.strides[side][axis] &&
          m.shape[axis] > 3 &&
          (across == last || llabs(m.strides[side][axis]) < llabs(m.strides[side][across])))
        across = axis;
  struct copy_job job = {&m, size, across, 1, x, y};
  size_t per_unit = m.shape[last], units = m.count / m.shape[last];
  if (across != last) {
    job.tiles_across = (m.shape[across] + copy_tile - 1) / copy_tile;
    units = units / m.shape[across] * job.tiles_across;
    per_unit *= m.shape[across] < copy_tile ? m.shape[across] : copy_tile;
  }
  callosum_parallel(units, 32768 / per_unit + 1, copy_units, &job);
}

static void contiguous_strides(int rank, const size_t *shape, ptrdiff_t *strides) {
  ptrdiff_t step = 1;
  for (int axis = rank - 1; axis >= 0; axis--) {
    strides[axis] = step;
    step *= (ptrdiff_t)shape[axis];
  }
}

static void copy(int size, int rank, const size_t *shape, const void *x, const ptrdiff_t *strides,
                 void *y) {
  ptrdiff_t straight[max_rank];
  contiguous_strides(rank, shape, straight);
  copy_between(size, rank, shape, x, strides, y, straight);
}

static void copy_into(int size, int rank, const size_t *shape, const void *x, void *y,
                      const ptrdiff_t *strides) {
  ptrdiff_t straight[max_rank];
  contiguous_strides(rank, shape, straight);
  copy_between(size, rank, shape, x, straight, y, strides);
}

// MARK: Accumulation into strided views

struct accumulate_job {
  const struct axes *axes;  // operand 0 is read, operand 1 added to
  int type;
  const char *x;
  char *y;
};

#define ADD_LINE(T)                                                                         \
  for (size_t i = 0; i < n; i++)                                                            \
    ((T *)y)[(ptrdiff_t)i * sy] += ((const T *)x)[(ptrdiff_t)i * sx];

INLINE void add_line(int type, size_t n, const void *x, ptrdiff_t sx, void *y, ptrdiff_t sy) {
  if (type == callosum_float && sx == 1 && sy == 1) {
    float *to = y;
    const float *from = x;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) store(to + i, load(to + i) + load(from + i));
    for (; i < n; i++) to[i] += from[i];
    return;
  }
  switch (type) {
    case callosum_float: ADD_LINE(float) break;
    case callosum_double: ADD_LINE(double) break;
    default: ADD_LINE(uint32_t)
  }
}
#undef ADD_LINE

// Indices [begin, end) of the first axis.
static void accumulate_range(void *context, size_t begin, size_t end) {
  const struct accumulate_job *job = context;
  struct axes m = *job->axes;
  int last = m.rank - 1;
  ptrdiff_t size = (ptrdiff_t)type_size[job->type];
  const char *x = job->x + (ptrdiff_t)begin * m.strides[0][0] * size;
  char *y = job->y + (ptrdiff_t)begin * m.strides[1][0] * size;
  m.count = m.count / m.shape[0] * (end - begin);
  m.shape[0] = end - begin;
  size_t inner = m.shape[last];
  for (size_t row = 0; row < m.count / inner; row++)
    add_line(job->type, inner, x + row_offset(&m, 0, row) * size, m.strides[0][last],
             y + row_offset(&m, 1, row) * size, m.strides[1][last]);
}

static void accumulate_into(int type, int rank, const size_t *shape, const void *x, void *y,
                            const ptrdiff_t *strides) {
  ptrdiff_t straight[max_rank];
  contiguous_strides(rank, shape, straight);
  const ptrdiff_t *both[] = {straight, strides};
  struct axes m = merged_axes(rank, shape, 2, both);
  if (m.count == 0) return;
  // Threads may share the first axis only where its steps clear everything the others reach.
  ptrdiff_t reach = 1;
  for (int axis = 1; axis < m.rank; axis++)
    reach += llabs(m.strides[1][axis]) * ((ptrdiff_t)m.shape[axis] - 1);
  struct accumulate_job job = {&m, type, x, y};
  if (llabs(m.strides[1][0]) >= reach)
    callosum_parallel(m.shape[0], 32768 / (m.count / m.shape[0]) + 1, accumulate_range, &job);
  else
    accumulate_range(&job, 0, m.shape[0]);
}

// MARK: Rows by index

struct take_job {
  int size;
  size_t outer, rows, inner, count;
  const char *x;
  const int32_t *index;
  char *y;
};

static void take_rows(void *context, size_t begin, size_t end) {
  const struct take_job *job = context;
  size_t bytes = job->inner * (size_t)job->size;
  for (size_t at = begin; at < end; at++) {
    size_t outer = at / job->count, row = (size_t)job->index[at % job->count];
    memcpy(job->y + at * bytes, job->x + (outer * job->rows + row) * bytes, bytes);
  }
}

static void take(int size, size_t outer, size_t rows, size_t inner, const void *x,
                 const int32_t *index, size_t count, void *y) {
  struct take_job job = {size, outer, rows, inner, count, x, index, y};
  callosum_parallel(outer * count, 16384 / (inner + 1) + 1, take_rows, &job);
}

#define EXTREME_LINE(T, exceeds)                 \
  {                                              \
    const T *from = x;                           \
    T *to = y;                                   \
    for (size_t i = 0; i < n; i++)               \
      if (exceeds) to[i] = from[i];              \
  }

// n contiguous elements y combined with x. Not a number wins over all numbers.
INLINE void put_line(int placement, int type, size_t n, const void *x, void *y) {
  switch (placement) {
    case callosum_place_last: memcpy(y, x, n * type_size[type]); break;
    case callosum_place_sum: add_line(type, n, x, 1, y, 1); break;
    case callosum_place_largest:
      switch (type) {
        case callosum_float: EXTREME_LINE(float, from[i] > to[i] || isnan(from[i])) break;
        case callosum_double: EXTREME_LINE(double, from[i] > to[i] || isnan(from[i])) break;
        default: EXTREME_LINE(int32_t, from[i] > to[i])
      }
      break;
    default:
      switch (type) {
        case callosum_float: EXTREME_LINE(float, from[i] < to[i] || isnan(from[i])) break;
        case callosum_double: EXTREME_LINE(double, from[i] < to[i] || isnan(from[i])) break;
        default: EXTREME_LINE(int32_t, from[i] < to[i])
      }
  }
}
#undef EXTREME_LINE

struct put_job {
  int placement, type;
  size_t outer, rows, inner, count;
  const char *x;
  const int32_t *index;
  char *y;
};

// Columns [begin, end) of all rows, so that rows met twice are combined in order by one thread.
static void put_columns(void *context, size_t begin, size_t end) {
  const struct put_job *job = context;
  size_t size = type_size[job->type], inner = job->inner;
  for (size_t outer = 0; outer < job->outer; outer++)
    for (size_t i = 0; i < job->count; i++) {
      size_t row = outer * job->rows + (size_t)job->index[i];
      put_line(job->placement, job->type, end - begin,
               job->x + ((outer * job->count + i) * inner + begin) * size,
               job->y + (row * inner + begin) * size);
    }
}

static void put(int placement, int type, size_t outer, size_t rows, size_t inner, const void *x,
                const int32_t *index, size_t count, void *y) {
  struct put_job job = {placement, type, outer, rows, inner, count, x, index, y};
  callosum_parallel(inner, 32768 / (outer * count + 1) + 16, put_columns, &job);
}

// MARK: Elements by index

struct along_job {
  int placement, type, size;
  size_t outer, rows, inner, count;
  const void *x;
  const int32_t *index;
  void *y;
};

#define ALONG(T, statement)                                                  \
  for (size_t o = first_outer; o < last_outer; o++)                          \
    for (size_t i = 0; i < job->count; i++)                                  \
      for (size_t j = first_inner; j < last_inner; j++) {                    \
        size_t here = (o * job->count + i) * job->inner + j;                 \
        size_t there = (o * job->rows + (size_t)job->index[here]) * job->inner + j; \
        const T *from = job->x;                                              \
        T *to = job->y;                                                      \
        statement;                                                           \
      }
// A range of the outer axis or, where there is but one, of the inner one.
#define ALONG_RANGE                                                          \
  bool by_outer = job->outer > 1;                                            \
  size_t first_outer = by_outer ? begin : 0, last_outer = by_outer ? end : job->outer; \
  size_t first_inner = by_outer ? 0 : begin, last_inner = by_outer ? job->inner : end;

static void take_along_range(void *context, size_t begin, size_t end) {
  const struct along_job *job = context;
  ALONG_RANGE
  switch (job->size) {
    case 4: ALONG(uint32_t, to[here] = from[there]) break;
    case 8: ALONG(uint64_t, to[here] = from[there]) break;
    default: ALONG(uint8_t, to[here] = from[there])
  }
}

static void put_along_range(void *context, size_t begin, size_t end) {
  const struct along_job *job = context;
  ALONG_RANGE
  switch (job->placement) {
    case callosum_place_last:
      switch (job->size) {
        case 4: ALONG(uint32_t, to[there] = from[here]) break;
        case 8: ALONG(uint64_t, to[there] = from[here]) break;
        default: ALONG(uint8_t, to[there] = from[here])
      }
      break;
    case callosum_place_sum:
      switch (job->type) {
        case callosum_float: ALONG(float, to[there] += from[here]) break;
        case callosum_double: ALONG(double, to[there] += from[here]) break;
        default: ALONG(uint32_t, to[there] += from[here])
      }
      break;
    default:
      switch (job->type) {
        case callosum_float: ALONG(float, put_line(job->placement, callosum_float, 1, from + here, to + there)) break;
        case callosum_double: ALONG(double, put_line(job->placement, callosum_double, 1, from + here, to + there)) break;
        default: ALONG(int32_t, put_line(job->placement, callosum_int, 1, from + here, to + there))
      }
  }
}
#undef ALONG_RANGE
#undef ALONG

static void share_along(const struct along_job *job, void (*body)(void *, size_t, size_t)) {
  bool by_outer = job->outer > 1;
  size_t units = by_outer ? job->outer : job->inner, other = by_outer ? job->inner : 1;
  callosum_parallel(units, 16384 / (other * job->count + 1) + 1, body, (void *)job);
}

static void take_along(int size, size_t outer, size_t rows, size_t inner, const void *x,
                       const int32_t *index, size_t count, void *y) {
  struct along_job job = {0, 0, size, outer, rows, inner, count, x, index, y};
  share_along(&job, take_along_range);
}

static void put_along(int placement, int type, size_t outer, size_t rows, size_t inner,
                      const void *x, const int32_t *index, size_t count, void *y) {
  struct along_job job = {placement, type, (int)type_size[type], outer, rows, inner, count, x, index, y};
  share_along(&job, put_along_range);
}
