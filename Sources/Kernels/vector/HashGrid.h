// Multiresolution hash grids: every level looks up the corners of the cell that holds the point in
// a table of its own and mixes their features by the point's place in the cell. A vector of points
// goes through one level at a time.

enum { most_grid_axes = 4 };

struct hash_grid_job {
  const callosum_grid_levels *grid;
  const float *x, *table, *gy;
  float *out;
};

// A cell of one level for LANES points: its first corner and the places within it.
typedef struct {
  vu corner[most_grid_axes];
  vf share[most_grid_axes];
} grid_cell;

INLINE grid_cell grid_cell_of(const callosum_grid_levels *grid, size_t level, const float *x,
                              size_t lanes) {
  grid_cell cell;
  for (size_t axis = 0; axis < grid->axes; axis++) {
    float places[LANES] = {0};
    for (size_t lane = 0; lane < lanes; lane++) places[lane] = x[lane * grid->axes + axis];
    vf place = load(places) * (float)grid->resolutions[level];
    vf floor = __builtin_elementwise_floor(place);
    cell.corner[axis] = (vu)__builtin_convertvector(floor, vi);
    cell.share[axis] = place - floor;
  }
  return cell;
}

// Corners are numbered row by row where the whole level fits its table, else hashed with the primes
// of Teschner et al. (2003).
INLINE bool grid_is_dense(const callosum_grid_levels *grid, size_t level) {
  double corners = 1;
  for (size_t axis = 0; axis < grid->axes; axis++) corners *= grid->resolutions[level] + 1.0;
  return corners <= (double)grid->entries;
}
INLINE uint32_t grid_factor(const callosum_grid_levels *grid, size_t level, bool dense,
                            size_t axis) {
  static const uint32_t primes[most_grid_axes] = {1, 2654435761u, 805459861u, 3674653429u};
  if (!dense) return primes[axis];
  uint32_t factor = 1;
  while (axis-- > 0) factor *= (uint32_t)grid->resolutions[level] + 1;
  return factor;
}
// Bit `axis` of `corner` chooses the later corner on that axis.
INLINE vu grid_index(const callosum_grid_levels *grid, const grid_cell *cell,
                     const uint32_t *factors, bool dense, size_t corner) {
  vu index = {0};
  for (size_t axis = 0; axis < grid->axes; axis++) {
    vu term = (cell->corner[axis] + (uint32_t)(corner >> axis & 1)) * factors[axis];
    index = dense ? index + term : index ^ term;
  }
  const uint32_t entries = (uint32_t)grid->entries;
  return (entries & (entries - 1)) == 0 ? index & (entries - 1) : index % entries;
}
INLINE vf grid_weight(const callosum_grid_levels *grid, const grid_cell *cell, size_t corner) {
  vf weight = splat(1);
  for (size_t axis = 0; axis < grid->axes; axis++)
    weight *= corner >> axis & 1 ? cell->share[axis] : 1 - cell->share[axis];
  return weight;
}

// Row of the table and weight of one corner, lane by lane.
INLINE void grid_corner(const callosum_grid_levels *grid, const grid_cell *cell,
                        const uint32_t *factors, bool dense, size_t corner, uint32_t *index,
                        float *weight) {
  vu rows = grid_index(grid, cell, factors, dense, corner);
  memcpy(index, &rows, sizeof rows);
  store(weight, grid_weight(grid, cell, corner));
}

// MARK: Values

INLINE void hash_grid_values(const struct hash_grid_job *job, const size_t features, size_t begin,
                             size_t end) {
  const callosum_grid_levels *grid = job->grid;
  const size_t width = grid->levels * features, corners = (size_t)1 << grid->axes;
  for (size_t level = 0; level < grid->levels; level++) {
    const float *table = job->table + level * grid->entries * features;
    const bool dense = grid_is_dense(grid, level);
    uint32_t factors[most_grid_axes];
    for (size_t axis = 0; axis < grid->axes; axis++)
      factors[axis] = grid_factor(grid, level, dense, axis);
    for (size_t at = begin; at < end; at += LANES) {
      const size_t lanes = end - at < LANES ? end - at : LANES;
      grid_cell cell = grid_cell_of(grid, level, job->x + at * grid->axes, lanes);
      float *y = job->out + at * width + level * features;
      for (size_t corner = 0; corner < corners; corner++) {
        uint32_t index[LANES];
        float weight[LANES];
        grid_corner(grid, &cell, factors, dense, corner, index, weight);
        for (size_t lane = 0; lane < lanes; lane++) {
          const float *row = table + index[lane] * features;
          float *sum = y + lane * width;
          for (size_t f = 0; f < features; f++)
            sum[f] = corner ? sum[f] + weight[lane] * row[f] : weight[lane] * row[f];
        }
      }
    }
  }
}

static void hash_grid_range(void *context, size_t begin, size_t end) {
  const struct hash_grid_job *job = context;
  if (job->grid->features == 2)
    hash_grid_values(job, 2, begin, end);
  else
    hash_grid_values(job, job->grid->features, begin, end);
}

static void hash_grid(const callosum_grid_levels *grid, const float *x, const float *table,
                      float *y) {
  struct hash_grid_job job = {.grid = grid, .x = x, .table = table, .out = y};
  callosum_parallel(grid->points, 4096 / (grid->levels + 1) + 1, hash_grid_range, &job);
}

// MARK: Gradient of the table

INLINE void hash_grid_table_level(const struct hash_grid_job *job, const size_t features,
                                  size_t level) {
  const callosum_grid_levels *grid = job->grid;
  const size_t width = grid->levels * features, corners = (size_t)1 << grid->axes;
  float *table = job->out + level * grid->entries * features;
  memset(table, 0, grid->entries * features * sizeof(float));
  const bool dense = grid_is_dense(grid, level);
  uint32_t factors[most_grid_axes];
  for (size_t axis = 0; axis < grid->axes; axis++)
    factors[axis] = grid_factor(grid, level, dense, axis);
  for (size_t at = 0; at < grid->points; at += LANES) {
    const size_t lanes = grid->points - at < LANES ? grid->points - at : LANES;
    grid_cell cell = grid_cell_of(grid, level, job->x + at * grid->axes, lanes);
    const float *gy = job->gy + at * width + level * features;
    for (size_t corner = 0; corner < corners; corner++) {
      uint32_t index[LANES];
      float weight[LANES];
      grid_corner(grid, &cell, factors, dense, corner, index, weight);
      for (size_t lane = 0; lane < lanes; lane++) {
        float *row = table + index[lane] * features;
        for (size_t f = 0; f < features; f++) row[f] += weight[lane] * gy[lane * width + f];
      }
    }
  }
}

// A level belongs to one thread, so its sums have one order.
static void hash_grid_table_range(void *context, size_t begin, size_t end) {
  const struct hash_grid_job *job = context;
  for (size_t level = begin; level < end; level++) {
    if (job->grid->features == 2)
      hash_grid_table_level(job, 2, level);
    else
      hash_grid_table_level(job, job->grid->features, level);
  }
}

static void hash_grid_backward_table(const callosum_grid_levels *grid, const float *x,
                                     const float *gy, float *gtable) {
  struct hash_grid_job job = {.grid = grid, .x = x, .gy = gy, .out = gtable};
  callosum_parallel(grid->levels, 4096 / (grid->points + 1) + 1, hash_grid_table_range, &job);
}

// MARK: Gradient of the points

static void hash_grid_point_range(void *context, size_t begin, size_t end) {
  const struct hash_grid_job *job = context;
  const callosum_grid_levels *grid = job->grid;
  const size_t features = grid->features, width = grid->levels * features;
  memset(job->out + begin * grid->axes, 0, (end - begin) * grid->axes * sizeof(float));
  for (size_t level = 0; level < grid->levels; level++) {
    const float *table = job->table + level * grid->entries * features;
    const bool dense = grid_is_dense(grid, level);
    uint32_t factors[most_grid_axes];
    for (size_t axis = 0; axis < grid->axes; axis++)
      factors[axis] = grid_factor(grid, level, dense, axis);
    for (size_t at = begin; at < end; at += LANES) {
      const size_t lanes = end - at < LANES ? end - at : LANES;
      grid_cell cell = grid_cell_of(grid, level, job->x + at * grid->axes, lanes);
      vf slope[most_grid_axes] = {{0}};
      for (size_t corner = 0; corner < (size_t)1 << grid->axes; corner++) {
        uint32_t index[LANES];
        float products[LANES] = {0}, weight[LANES];
        grid_corner(grid, &cell, factors, dense, corner, index, weight);
        for (size_t lane = 0; lane < lanes; lane++) {
          const float *row = table + index[lane] * features;
          const float *gy = job->gy + (at + lane) * width + level * features;
          float sum = 0;
          for (size_t f = 0; f < features; f++) sum += row[f] * gy[f];
          products[lane] = sum;
        }
        vf product = load(products);
        for (size_t axis = 0; axis < grid->axes; axis++) {
          vf others = corner >> axis & 1 ? product : -product;
          for (size_t other = 0; other < grid->axes; other++)
            if (other != axis)
              others *= corner >> other & 1 ? cell.share[other] : 1 - cell.share[other];
          slope[axis] += others;
        }
      }
      for (size_t axis = 0; axis < grid->axes; axis++)
        for (size_t lane = 0; lane < lanes; lane++)
          job->out[(at + lane) * grid->axes + axis] +=
              slope[axis][lane] * (float)grid->resolutions[level];
    }
  }
}

static void hash_grid_backward_points(const callosum_grid_levels *grid, const float *x,
                                      const float *table, const float *gy, float *gx) {
  struct hash_grid_job job = {.grid = grid, .x = x, .table = table, .gy = gy, .out = gx};
  callosum_parallel(grid->points, 4096 / (grid->levels + 1) + 1, hash_grid_point_range, &job);
}

// MARK: Rows of the table, for those who gather themselves

// `corners` holds the coordinates of grid->points corners of one level.
static void hash_grid_rows(const callosum_grid_levels *grid, size_t level, const int32_t *corners,
                           int32_t *rows) {
  const bool dense = grid_is_dense(grid, level);
  for (size_t point = 0; point < grid->points; point++) {
    uint32_t index = 0;
    for (size_t axis = 0; axis < grid->axes; axis++) {
      uint32_t term = (uint32_t)corners[point * grid->axes + axis] *
                      grid_factor(grid, level, dense, axis);
      index = dense ? index + term : index ^ term;
    }
    rows[point] = (int32_t)(index % (uint32_t)grid->entries);
  }
}
