// Reading between elements: linear maps along an axis with few entries per row, and sampling at
// coordinates.

// MARK: Along an axis

struct resample_job {
  size_t outer, from, to, inner;
  int type;
  const int32_t *starts, *index;
  const void *weight, *x;
  void *y;
};

// `count` vectors of channels of one row of the result.
INLINE void resample_vectors(int count, const struct resample_job *job, size_t begin, size_t end,
                             const float *x, float *y, size_t left) {
  vf sum[4];
  for (int j = 0; j < count; j++) sum[j] = splat(0);
  for (size_t t = begin; t < end; t++) {
    vf weight = splat(((const float *)job->weight)[t]);
    const float *p = x + (size_t)job->index[t] * job->inner;
    for (int j = 0; j < count; j++) sum[j] = fma_(load_some(p + j * LANES, left), weight, sum[j]);
  }
  for (int j = 0; j < count; j++) store_some(y + j * LANES, sum[j], left);
}

static void resample_rows(void *context, size_t begin, size_t end) {
  const struct resample_job *job = context;
  for (size_t row = begin; row < end; row++) {
    size_t source = row / job->to * job->from * job->inner, c = 0;
    size_t first = (size_t)job->starts[row % job->to], last = (size_t)job->starts[row % job->to + 1];
    if (job->type == callosum_double) {
      const double *x = (const double *)job->x + source, *weight = job->weight;
      double *y = (double *)job->y + row * job->inner;
      for (; c < job->inner; c++) {
        double sum = 0;
        for (size_t t = first; t < last; t++) sum += x[(size_t)job->index[t] * job->inner + c] * weight[t];
        y[c] = sum;
      }
      continue;
    }
    const float *x = (const float *)job->x + source;
    float *y = (float *)job->y + row * job->inner;
    for (; c + 4 * LANES <= job->inner; c += 4 * LANES)
      resample_vectors(4, job, first, last, x + c, y + c, LANES);
    for (; c + LANES <= job->inner; c += LANES)
      resample_vectors(1, job, first, last, x + c, y + c, LANES);
    if (c < job->inner) resample_vectors(1, job, first, last, x + c, y + c, job->inner - c);
  }
}

static void resample(int type, size_t outer, size_t from, size_t to, size_t inner,
                     const int32_t *starts, const int32_t *index, const void *weight,
                     const void *x, void *y) {
  struct resample_job job = {outer, from, to, inner, type, starts, index, weight, x, y};
  size_t entries = to ? (size_t)starts[to] / to + 1 : 1;
  callosum_parallel(outer * to, 16384 / (inner * entries + 1) + 1, resample_rows, &job);
}

// MARK: At coordinates

enum { grid_taps = 4, grid_corners = grid_taps * grid_taps * grid_taps };

// The elements that one axis contributes to a sample, their weights and the weights' derivatives by
// the coordinate. Elements beyond the border are left out.
struct grid_axis {
  size_t count;
  size_t place[grid_taps];
  float weight[grid_taps], slope[grid_taps];
};

// All elements of a sample.
struct grid_cell {
  size_t count;
  size_t place[grid_corners];
  float weight[grid_corners], slope[3][grid_corners];
};

// `place` folded back at low and high, and the factor of its derivative.
INLINE float fold_place(float place, float low, float high, float *factor) {
  float span = high - low, distance = place - low;
  if (distance < 0) {
    distance = -distance;
    *factor = -*factor;
  }
  if (span <= 0) {
    *factor = 0;
    return 0;
  }
  float turns = floorf(distance / span), rest = distance - turns * span;
  if (fmodf(turns, 2) == 0) return rest + low;
  *factor = -*factor;
  return high - rest;
}

INLINE float clamp_place(float place, float last, float *factor) {
  if (place <= 0 || place >= last) *factor = 0;
  return place < 0 ? 0 : place > last ? last : place;
}

// The element that stands for position `at`, which may lie beyond the border.
INLINE float bordered(const callosum_grid *g, float at, float last, float *factor) {
  if (g->border == callosum_border_reflect)
    at = g->align_corners ? fold_place(at, 0, last, factor)
                          : fold_place(at, -0.5f, last + 0.5f, factor);
  if (g->border != callosum_border_zeros) at = clamp_place(at, last, factor);
  return at;
}

static void add_tap(struct grid_axis *a, float at, float last, float weight, float slope) {
  if (!(at >= 0 && at <= last)) return;
  a->place[a->count] = (size_t)at;
  a->weight[a->count] = weight;
  a->slope[a->count++] = slope;
}

// Keys' cubic with parameter -3/4 within 1 of the element, and between 1 and 2; with derivatives.
INLINE float near_(float t) { return (1.25f * t - 2.25f) * t * t + 1; }
INLINE float near_slope(float t) { return (3.75f * t - 4.5f) * t; }
INLINE float far_(float t) { return ((-0.75f * t + 3.75f) * t - 6) * t + 3; }
INLINE float far_slope(float t) { return (-2.25f * t + 7.5f) * t - 6; }

static struct grid_axis grid_axis(const callosum_grid *g, size_t size, float coordinate) {
  struct grid_axis a = {0};
  float last = (float)size - 1;
  float factor = g->align_corners ? last / 2 : (float)size / 2;
  float place = g->align_corners ? (coordinate + 1) * factor : (coordinate + 1) * factor - 0.5f;
  if (g->interpolation == callosum_cubic) {
    // The place stays; the elements around it are looked up by the border's rule.
    if (place == place) place = place < -1e6f ? -1e6f : place > 1e6f ? 1e6f : place;
    float base = place == place ? floorf(place) : 0, t = place - base, ignored = 1;
    float weight[] = {far_(t + 1), near_(t), near_(1 - t), far_(2 - t)};
    float slope[] = {far_slope(t + 1), near_slope(t), -near_slope(1 - t), -far_slope(2 - t)};
    for (int i = 0; i < 4; i++)
      add_tap(&a, bordered(g, base + (float)(i - 1), last, &ignored), last, weight[i],
              slope[i] * factor);
    return a;
  }
  place = bordered(g, place, last, &factor);
  // Farther out nothing changes any more.
  if (place == place) place = place < -2 ? -2 : place > last + 2 ? last + 2 : place;
  if (g->interpolation == callosum_nearest) {
    add_tap(&a, place == place ? rintf(place) : 0, last, place == place ? 1 : place, 0);
    return a;
  }
  float base = place == place ? floorf(place) : 0, share = place - base;
  add_tap(&a, base, last, 1 - share, -factor);
  add_tap(&a, base + 1, last, share, factor);
  return a;
}

INLINE void grid_cell(const callosum_grid *g, const float *coordinates, struct grid_cell *cell) {
  cell->count = 1;
  cell->place[0] = 0;
  cell->weight[0] = 1;
  for (int axis = 0; axis < g->axes; axis++) {
    struct grid_axis a = grid_axis(g, g->size[axis], coordinates[axis]);
    size_t before = cell->count;
    cell->count = before * a.count;
    // From the last tap on, because the first is written over what is read.
    for (size_t t = a.count; t-- > 0;)
      for (size_t i = 0; i < before; i++) {
        size_t to = t * before + i;
        cell->place[to] = cell->place[i] * g->size[axis] + a.place[t];
        for (int other = 0; other < axis; other++)
          cell->slope[other][to] = cell->slope[other][i] * a.weight[t];
        cell->slope[axis][to] = cell->weight[i] * a.slope[t];
        cell->weight[to] = cell->weight[i] * a.weight[t];
      }
  }
}

struct grid_job {
  const callosum_grid *grid;
  const float *x, *coordinates, *gy;
  float *y, *gx, *gcoordinates;
};

INLINE size_t grid_elements(const callosum_grid *g) {
  size_t count = 1;
  for (int axis = 0; axis < g->axes; axis++) count *= g->size[axis];
  return count;
}

static void grid_points(void *context, size_t begin, size_t end) {
  const struct grid_job *job = context;
  const callosum_grid *g = job->grid;
  struct grid_cell cell;
  size_t image_size = grid_elements(g) * g->channels;
  for (size_t point = begin; point < end; point++) {
    const float *image = job->x + point / g->places * image_size;
    float *y = job->y + point * g->channels;
    grid_cell(g, job->coordinates + point * (size_t)g->axes, &cell);
    for (size_t c = 0; c < g->channels; c += LANES) {
      size_t left = g->channels - c;
      vf sum = splat(0);
      for (size_t i = 0; i < cell.count; i++)
        sum = fma_(load_some(image + cell.place[i] * g->channels + c, left), splat(cell.weight[i]),
                   sum);
      store_some(y + c, sum, left);
    }
  }
}

static void grid_sample(const callosum_grid *grid, const float *x, const float *coordinates,
                        float *y) {
  struct grid_job job = {.grid = grid, .x = x, .coordinates = coordinates, .y = y};
  callosum_parallel(grid->batch * grid->places, 2048 / (grid->channels + 8) + 1, grid_points, &job);
}

// Every image belongs to one thread, so points that share elements add up in order.
static void grid_images_backward(void *context, size_t begin, size_t end) {
  const struct grid_job *job = context;
  const callosum_grid *g = job->grid;
  struct grid_cell cell;
  size_t image_size = grid_elements(g) * g->channels;
  if (job->gx) memset(job->gx + begin * image_size, 0, (end - begin) * image_size * sizeof(float));
  for (size_t point = begin * g->places; point < end * g->places; point++) {
    size_t image = point / g->places * image_size;
    const float *gy = job->gy + point * g->channels;
    grid_cell(g, job->coordinates + point * (size_t)g->axes, &cell);
    float sum[3] = {0};
    for (size_t i = 0; i < cell.count; i++) {
      size_t at = image + cell.place[i] * g->channels;
      vf dot = splat(0);
      for (size_t c = 0; c < g->channels; c += LANES) {
        size_t left = g->channels - c;
        vf gradient = load_some(gy + c, left);
        if (job->gx) {
          float *gx = job->gx + at + c;
          store_some(gx, fma_(gradient, splat(cell.weight[i]), load_some(gx, left)), left);
        }
        if (job->gcoordinates) dot = fma_(load_some(job->x + at + c, left), gradient, dot);
      }
      if (!job->gcoordinates) continue;
      float total = sum_lanes(dot);
      for (int axis = 0; axis < g->axes; axis++) sum[axis] += total * cell.slope[axis][i];
    }
    if (!job->gcoordinates) continue;
    for (int axis = 0; axis < g->axes; axis++)
      job->gcoordinates[point * (size_t)g->axes + (size_t)axis] = sum[axis];
  }
}

static void grid_sample_backward(const callosum_grid *grid, const float *x,
                                 const float *coordinates, const float *gy, float *gx,
                                 float *gcoordinates) {
  struct grid_job job = {.grid = grid, .x = x, .coordinates = coordinates, .gy = gy, .gx = gx,
                         .gcoordinates = gcoordinates};
  callosum_parallel(grid->batch, 1, grid_images_backward, &job);
}
