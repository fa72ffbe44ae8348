// Products with a matrix that is mostly 0, such as spikes or a graph: its other elements are listed row
// by row, and each row of the result is a weighted sum of the rows that its list names.

enum { sparse_vectors = 8 };  // of a row of the result, held in registers while its list is walked

struct sparse_job {
  size_t rows, columns, block;
  const float *x;
  const int32_t *starts, *index;
  int32_t *out_starts, *out_index, *out_order;
  float *out_value;
};

static void sparse_count_rows(void *context, size_t begin, size_t end) {
  const struct sparse_job *job = context;
  for (size_t row = begin; row < end; row++) {
    const float *x = job->x + row * job->columns;
    int32_t count = 0;
    for (size_t i = 0; i < job->columns; i++) count += x[i] != 0;
    job->out_starts[row + 1] = count;
  }
}

static void sparse_count(size_t rows, size_t columns, const float *x, int32_t *starts) {
  struct sparse_job job = {.columns = columns, .x = x, .out_starts = starts};
  starts[0] = 0;
  callosum_parallel(rows, 32768 / (columns + 1) + 1, sparse_count_rows, &job);
  for (size_t row = 0; row < rows; row++) starts[row + 1] += starts[row];
}

static void sparse_list_rows(void *context, size_t begin, size_t end) {
  const struct sparse_job *job = context;
  for (size_t row = begin; row < end; row++) {
    const float *x = job->x + row * job->columns;
    int32_t at = job->starts[row], stop = job->starts[row + 1];
    // Writes each candidate and moves on if it counts: no branch that could be guessed wrong.
    for (size_t i = 0; at < stop; i++) {
      job->out_index[at] = (int32_t)i;
      job->out_value[at] = x[i];
      at += x[i] != 0;
    }
  }
}

static void sparse_list(size_t rows, size_t columns, const float *x, const int32_t *starts,
                        int32_t *index, float *value) {
  struct sparse_job job = {.columns = columns, .x = x, .starts = starts, .out_index = index,
                           .out_value = value};
  callosum_parallel(rows, 32768 / (columns + 1) + 1, sparse_list_rows, &job);
}

static void sparse_transpose_blocks(void *context, size_t begin, size_t end) {
  const struct sparse_job *job = context;
  size_t columns = job->columns;
  for (size_t b = begin; b < end; b++) {
    size_t first = b * job->block, left = job->rows - first;
    size_t last = first + (left < job->block ? left : job->block);
    int32_t *starts = job->out_starts + b * columns, from = job->starts[first];
    memset(starts, 0, columns * sizeof(int32_t));
    for (int32_t j = from; j < job->starts[last]; j++) starts[job->index[j]]++;
    // Counts become ends; filling backwards turns them into starts.
    int32_t sum = from;
    for (size_t c = 0; c < columns; c++) starts[c] = sum += starts[c];
    for (size_t row = last; row-- > first;)
      for (int32_t j = job->starts[row]; j < job->starts[row + 1]; j++) {
        int32_t at = --starts[job->index[j]];
        job->out_index[at] = (int32_t)row;
        job->out_order[at] = j;
      }
  }
}

static void sparse_transpose(size_t rows, size_t columns, size_t block, const int32_t *starts,
                             const int32_t *index, int32_t *out_starts, int32_t *out_index,
                             int32_t *out_order) {
  struct sparse_job job = {.rows = rows, .columns = columns, .block = block, .starts = starts,
                           .index = index, .out_starts = out_starts, .out_index = out_index,
                           .out_order = out_order};
  size_t blocks = (rows + block - 1) / block;
  callosum_parallel(blocks, 1, sparse_transpose_blocks, &job);
  out_starts[blocks * columns] = starts[rows];
}

struct sparse_walk {
  const callosum_sparse *matrix;
  const float *table, *own;
  float *y, *dots;
  bool adds;
};

// What one walk along a list needs beside it: the part of a row from `column` on.
struct sparse_place {
  const float *table, *own;
  float *y;
  size_t row, last;  // elements of the last vector
  bool first;        // whether the inner products begin here
};

// `vectors` vectors of one row of the result, and of the inner products with the row's own vector.
INLINE void sparse_row(const struct sparse_walk *walk, const struct sparse_place *place, size_t vectors,
                       bool sums, bool dots) {
  const callosum_sparse *m = walk->matrix;
  vf sum[sparse_vectors], own[sparse_vectors];
  for (size_t v = 0; v < vectors; v++) {
    size_t left = v + 1 < vectors ? LANES : place->last;
    if (sums) sum[v] = walk->adds ? load_some(place->y + v * LANES, left) : splat(0);
    if (dots) own[v] = load_some(place->own + v * LANES, left);
  }
  for (int32_t j = m->starts[place->row]; j < m->starts[place->row + 1]; j++) {
    const float *t = place->table + (size_t)m->index[j] * m->width;
    int32_t at = m->order ? m->order[j] : j;
    vf weight = sums ? splat(m->value[at]) : splat(0), dot = splat(0);
    for (size_t v = 0; v < vectors; v++) {
      vf x = load_some(t + v * LANES, v + 1 < vectors ? LANES : place->last);
      if (sums) sum[v] = fma_(weight, x, sum[v]);
      if (dots) dot = fma_(own[v], x, dot);
    }
    if (dots) walk->dots[at] = sum_lanes(dot) + (place->first ? 0 : walk->dots[at]);
  }
  if (sums)
    for (size_t v = 0; v < vectors; v++)
      store_some(place->y + v * LANES, sum[v], v + 1 < vectors ? LANES : place->last);
}

// Widths that are met often have loops of known length.
INLINE void sparse_row_of(const struct sparse_walk *walk, const struct sparse_place *place, size_t vectors,
                          bool sums, bool dots) {
  switch (vectors) {
    case 1: sparse_row(walk, place, 1, sums, dots); break;
    case 2: sparse_row(walk, place, 2, sums, dots); break;
    case 4: sparse_row(walk, place, 4, sums, dots); break;
    case 8: sparse_row(walk, place, 8, sums, dots); break;
    default: sparse_row(walk, place, vectors, sums, dots);
  }
}

static void sparse_walk_range(void *context, size_t begin, size_t end) {
  const struct sparse_walk *walk = context;
  const callosum_sparse *m = walk->matrix;
  enum { widest = sparse_vectors * LANES };
  for (size_t item = 0; item < m->batch; item++)
    for (size_t column = 0; column < m->width; column += widest) {
      size_t left = m->width - column < widest ? m->width - column : widest;
      size_t vectors = (left + LANES - 1) / LANES;
      const float *table = walk->table + item * m->table_rows * m->width + column;
      size_t from = item * m->rows * m->width + column;
      for (size_t row = begin; row < end; row++) {
        size_t at = from + row * m->width;
        struct sparse_place place = {table, walk->own ? walk->own + at : NULL, walk->y ? walk->y + at : NULL,
                                     row, left - (vectors - 1) * LANES, item == 0 && column == 0};
        if (!walk->dots)
          sparse_row_of(walk, &place, vectors, true, false);
        else if (!walk->y)
          sparse_row_of(walk, &place, vectors, false, true);
        else
          sparse_row_of(walk, &place, vectors, true, true);
      }
    }
}

static void sparse_product(const callosum_sparse *matrix, const float *table, bool adds, float *y,
                           const float *own, float *dots) {
  struct sparse_walk walk = {matrix, table, own, y, dots, adds};
  size_t rows = matrix->rows;
  size_t entries = (size_t)(matrix->starts[rows] - matrix->starts[0]) / (rows + 1) + 1;
  size_t work = entries * matrix->width * matrix->batch;
  callosum_parallel(rows, 65536 / (work + 1) + 1, sparse_walk_range, &walk);
}
