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
    const int32_t *starts = job->starts + row % job->to;
    size_t first = (size_t)starts[0], last = (size_t)starts[1];
    if (job->type == callosum_double) {
      const double *x = (const double *)job->x + source, *weight = job->weight;
      double *y = (double *)job->y + row * job->inner;
      for (; c < job->inner; c++) {
        double sum = 0;
        for (size_t t = first; t < last; t++)
          sum += x[(size_t)job->index[t] * job->inner + c] * weight[t];
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

// The elements that make up LANES samples, their weights, and the weights' derivatives by the
// coordinates. The place is -1 beyond the borders.
struct grid_cells {
  size_t count;
  vi place[grid_corners];
  vf weight[grid_corners], slope[3][grid_corners];
};

// `at` folded back at low and high as often as needed; `factor` is that of its derivative.
INLINE vf fold_place(vf at, float low, float high, vf *factor) {
  float span = high - low;
  if (span <= 0) {
    *factor = splat(0);
    return at * 0;
  }
  vf distance = at - low;
  vi before = distance < 0;
  distance = select_(before, -distance, distance);
  vf turns = __builtin_elementwise_floor(distance / span), rest = distance - turns * span;
  vi odd = turns != 2 * __builtin_elementwise_floor(turns * 0.5f);
  *factor = select_(before ^ odd, -*factor, *factor);
  return select_(odd, high - rest, rest + low);
}

// What is not a number stays so.
INLINE vf between(vf at, float low, float high) {
  return select_(at < low, splat(low), select_(at > high, splat(high), at));
}

// The position that stands for `at`, which may lie beyond the border.
INLINE vf bordered(const callosum_grid *g, vf at, float last, vf *factor) {
  if (g->border == callosum_border_zeros) return at;
  if (g->border == callosum_border_reflect) {
    float edge = g->align_corners ? 0 : 0.5f;
    at = fold_place(at, -edge, last + edge, factor);
  }
  *factor = select_((at <= 0) | (at >= last), splat(0), *factor);
  return between(at, 0, last);
}

// Keys' cubic with parameter -3/4 within 1 of the element, and between 1 and 2; with derivatives.
INLINE vf near_(vf t) { return (1.25f * t - 2.25f) * t * t + 1; }
INLINE vf near_slope(vf t) { return (3.75f * t - 4.5f) * t; }
INLINE vf far_(vf t) { return ((-0.75f * t + 3.75f) * t - 6) * t + 3; }
INLINE vf far_slope(vf t) { return (-2.25f * t + 7.5f) * t - 6; }

// The elements that one axis contributes, as positions, and their weights; returns how many.
INLINE size_t grid_positions(const callosum_grid *g, float last, vf coordinate, vf *at, vf *weight,
                             vf *slope) {
  vf factor = splat(g->align_corners ? last / 2 : (last + 1) / 2), ignored = factor;
  vf place = (coordinate + 1) * factor - (g->align_corners ? 0 : 0.5f);
  // Farther out nothing changes any more.
  if (g->interpolation == callosum_cubic)
    place = between(place, -1e6f, 1e6f);
  else
    place = between(bordered(g, place, last, &factor), -2, last + 2);
  vf known = select_(place == place, place, splat(0)), base = __builtin_elementwise_floor(known);
  vf t = place - base;
  switch (g->interpolation) {
    case callosum_nearest:
      at[0] = __builtin_elementwise_rint(known);
      weight[0] = place - known + 1;
      slope[0] = splat(0);
      return 1;
    case callosum_linear:
      at[0] = base, weight[0] = 1 - t, slope[0] = -factor;
      at[1] = base + 1, weight[1] = t, slope[1] = factor;
      return 2;
    default:
      // The place stays; the elements around it are looked up by the border's rule.
      for (int i = 0; i < 4; i++) at[i] = bordered(g, base + (float)(i - 1), last, &ignored);
      weight[0] = far_(t + 1), slope[0] = far_slope(t + 1) * factor;
      weight[1] = near_(t), slope[1] = near_slope(t) * factor;
      weight[2] = near_(1 - t), slope[2] = -near_slope(1 - t) * factor;
      weight[3] = far_(2 - t), slope[3] = -far_slope(2 - t) * factor;
      return 4;
  }
}

// `points` (<= LANES) samples at coordinates [points, axes].
static void find_cells(const callosum_grid *g, const float *coordinates, size_t points,
                       struct grid_cells *cells) {
  cells->count = 1;
  cells->place[0] = (vi){0};
  cells->weight[0] = splat(1);
  for (int axis = 0; axis < g->axes; axis++) {
    float last = (float)g->size[axis] - 1;
    vf coordinate = {0}, at[grid_taps], weight[grid_taps], slope[grid_taps];
    for (size_t lane = 0; lane < points; lane++)
      coordinate[lane] = coordinates[lane * (size_t)g->axes + (size_t)axis];
    size_t before = cells->count;
    size_t taps = grid_positions(g, last, coordinate, at, weight, slope);
    cells->count = before * taps;
    // From the last tap on, because the first is written over what is read.
    for (size_t tap = taps; tap-- > 0;) {
      vi inside = (at[tap] >= 0) & (at[tap] <= last);
      vi place = __builtin_convertvector(at[tap], vi);
      for (size_t i = 0; i < before; i++) {
        size_t to = tap * before + i;
        vi all = inside & (cells->place[i] >= 0);
        cells->place[to] = ((cells->place[i] * (int32_t)g->size[axis] + place) & all) | ~all;
        for (int other = 0; other < axis; other++)
          cells->slope[other][to] = cells->slope[other][i] * weight[tap];
        cells->slope[axis][to] = cells->weight[i] * slope[tap];
        cells->weight[to] = cells->weight[i] * weight[tap];
      }
    }
  }
}

struct grid_job {
  const callosum_grid *grid;
  const float *x, *coordinates, *gy;
  float *y, *gx, *gcoordinates;
};

INLINE size_t grid_image_size(const callosum_grid *g) {
  size_t count = g->channels;
  for (int axis = 0; axis < g->axes; axis++) count *= g->size[axis];
  return count;
}

// How many points from `point` on, up to `end`, lie in one image and one vector.
INLINE size_t grid_block(const callosum_grid *g, size_t point, size_t end) {
  size_t count = end - point, left = g->places - point % g->places;
  if (count > left) count = left;
  return count < LANES ? count : LANES;
}

INLINE void grid_point(const struct grid_job *job, const struct grid_cells *cells, size_t lane,
                       const float *image, float *y) {
  size_t channels = job->grid->channels;
  for (size_t c = 0; c < channels; c += LANES) {
    size_t left = channels - c;
    vf sum = splat(0);
    for (size_t i = 0; i < cells->count; i++) {
      int32_t place = cells->place[i][lane];
      if (place < 0) continue;
      const float *x = image + (size_t)place * channels + c;
      sum = fma_(load_some(x, left), splat(cells->weight[i][lane]), sum);
    }
    store_some(y + c, sum, left);
  }
}

// For few channels number by number: a vector would be mostly empty.
INLINE void grid_point_few(int channels, const struct grid_cells *cells, size_t lane,
                           const float *image, float *y) {
  float sum[4] = {0};
  for (size_t i = 0; i < cells->count; i++) {
    int32_t place = cells->place[i][lane];
    if (place < 0) continue;
    const float *x = image + (size_t)place * (size_t)channels;
    for (int k = 0; k < channels; k++) sum[k] += x[k] * cells->weight[i][lane];
  }
  for (int k = 0; k < channels; k++) y[k] = sum[k];
}

static void grid_points(void *context, size_t begin, size_t end) {
  const struct grid_job *job = context;
  const callosum_grid *g = job->grid;
  struct grid_cells cells;
  for (size_t point = begin, count; point < end; point += count) {
    count = grid_block(g, point, end);
    find_cells(g, job->coordinates + point * (size_t)g->axes, count, &cells);
    const float *image = job->x + point / g->places * grid_image_size(g);
    for (size_t lane = 0; lane < count; lane++) {
      float *y = job->y + (point + lane) * g->channels;
      switch (g->channels) {
        case 1: grid_point_few(1, &cells, lane, image, y); break;
        case 2: grid_point_few(2, &cells, lane, image, y); break;
        case 3: grid_point_few(3, &cells, lane, image, y); break;
        case 4: grid_point_few(4, &cells, lane, image, y); break;
        default: grid_point(job, &cells, lane, image, y);
      }
    }
  }
}

static void grid_sample(const callosum_grid *grid, const float *x, const float *coordinates,
                        float *y) {
  struct grid_job job = {.grid = grid, .x = x, .coordinates = coordinates, .y = y};
  callosum_parallel(grid->batch * grid->places, 2048 / (grid->channels + 8) + 1, grid_points, &job);
}

// The sample of one lane: spreads gy over gx, and adds up the gradient of the coordinates. The
// compiler keeps the sums in registers only where it knows the number of axes.
INLINE void grid_point_backward(int axes, const struct grid_job *job,
                                const struct grid_cells *cells, size_t lane, size_t image,
                                const float *gy, float *gcoordinates) {
  const callosum_grid *g = job->grid;
  vf total[3] = {splat(0), splat(0), splat(0)};
  for (size_t c = 0; c < g->channels; c += LANES) {
    size_t left = g->channels - c;
    vf gradient = load_some(gy + c, left), sum[3] = {splat(0), splat(0), splat(0)};
    for (size_t i = 0; i < cells->count; i++) {
      int32_t place = cells->place[i][lane];
      if (place < 0) continue;
      size_t at = image + (size_t)place * g->channels + c;
      float weight = cells->weight[i][lane];
      if (job->gx && left >= LANES) {
        store(job->gx + at, fma_(gradient, splat(weight), load(job->gx + at)));
      } else if (job->gx) {
        // Part vectors side by side would wait for each other's stores.
        float *gx = job->gx + at;
#pragma clang loop vectorize(disable) unroll(disable)
        for (size_t k = 0; k < left; k++) gx[k] += gy[c + k] * weight;
      }
      if (!gcoordinates) continue;
      vf x = load_some(job->x + at, left);
      for (int axis = 0; axis < axes; axis++)
        sum[axis] = fma_(x, splat(cells->slope[axis][i][lane]), sum[axis]);
    }
    for (int axis = 0; axis < axes; axis++) total[axis] = fma_(sum[axis], gradient, total[axis]);
  }
  size_t lanes = g->channels < LANES ? g->channels : LANES;
  for (int axis = 0; gcoordinates && axis < axes; axis++) {
    float sum = 0;
    for (size_t i = 0; i < lanes; i++) sum += total[axis][i];
    gcoordinates[axis] = sum;
  }
}

// The same for few channels.
INLINE void grid_point_backward_few(int channels, int axes, const struct grid_job *job,
                                    const struct grid_cells *cells, size_t lane, size_t image,
                                    const float *gy, float *gcoordinates) {
  float g[4], sum[3] = {0};
  for (int k = 0; k < channels; k++) g[k] = gy[k];
  for (size_t i = 0; i < cells->count; i++) {
    int32_t place = cells->place[i][lane];
    if (place < 0) continue;
    size_t at = image + (size_t)place * (size_t)channels;
    if (job->gx) {
      float *gx = job->gx + at, weight = cells->weight[i][lane];
      for (int k = 0; k < channels; k++) gx[k] += g[k] * weight;
    }
    if (!gcoordinates) continue;
    const float *x = job->x + at;
    float dot = 0;
    for (int k = 0; k < channels; k++) dot += x[k] * g[k];
    for (int axis = 0; axis < axes; axis++) sum[axis] += dot * cells->slope[axis][i][lane];
  }
  for (int axis = 0; gcoordinates && axis < axes; axis++) gcoordinates[axis] = sum[axis];
}

#define WITH_CONSTANT_AXES(axes, call)        \
  switch (axes) {                             \
    case 1: { enum { N = 1 }; call; break; }  \
    case 2: { enum { N = 2 }; call; break; }  \
    default: { enum { N = 3 }; call; break; } \
  }

// Every image belongs to one thread, so points that share elements add up in order.
static void grid_images_backward(void *context, size_t begin, size_t end) {
  const struct grid_job *job = context;
  const callosum_grid *g = job->grid;
  struct grid_cells cells;
  size_t size = grid_image_size(g), axes = (size_t)g->axes;
  if (job->gx) memset(job->gx + begin * size, 0, (end - begin) * size * sizeof(float));
  for (size_t point = begin * g->places, count; point < end * g->places; point += count) {
    count = grid_block(g, point, end * g->places);
    find_cells(g, job->coordinates + point * axes, count, &cells);
    for (size_t lane = 0; lane < count; lane++) {
      size_t at = point + lane;
      const float *gy = job->gy + at * g->channels;
      float *gcoordinates = job->gcoordinates ? job->gcoordinates + at * axes : NULL;
      size_t image = at / g->places * size;
#define FEW(C)                                                                                \
  WITH_CONSTANT_AXES(                                                                         \
      axes, grid_point_backward_few(C, N, job, &cells, lane, image, gy, gcoordinates))
      switch (g->channels) {
        case 1: FEW(1) break;
        case 2: FEW(2) break;
        case 3: FEW(3) break;
        case 4: FEW(4) break;
        default:
          WITH_CONSTANT_AXES(
              axes, grid_point_backward(N, job, &cells, lane, image, gy, gcoordinates))
      }
#undef FEW
    }
  }
}

static void grid_sample_backward(const callosum_grid *grid, const float *x,
                                 const float *coordinates, const float *gy, float *gx,
                                 float *gcoordinates) {
  struct grid_job job = {.grid = grid, .x = x, .coordinates = coordinates, .gy = gy, .gx = gx,
                         .gcoordinates = gcoordinates};
  callosum_parallel(grid->batch, 1, grid_images_backward, &job);
}
