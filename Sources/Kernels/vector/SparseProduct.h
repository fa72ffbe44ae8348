// Products with a matrix that is mostly 0, such as spikes: its other elements are listed row by row,
// and each row of the result is a weighted sum of the rows that its list names. Entries of row r are
// index[j], value[j] for j in starts[r]..<starts[r + 1].

enum { sparse_vectors = 8 };  // of a row of the result, held in registers while its list is walked

struct sparse_job {
  size_t rows, columns, block;
  const float *x, *table, *value;
  const int32_t *starts, *index;
  int32_t *out_starts, *out_index;
  float *out_value, *y;
  bool adds;
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
        job->out_value[at] = job->value[j];
      }
  }
}

static void sparse_transpose(size_t rows, size_t columns, size_t block, const int32_t *starts,
                             const int32_t *index, const float *value, int32_t *out_starts,
                             int32_t *out_index, float *out_value) {
  struct sparse_job job = {.rows = rows, .columns = columns, .block = block, .starts = starts,
                           .index = index, .value = value, .out_starts = out_starts,
                           .out_index = out_index, .out_value = out_value};
  size_t blocks = (rows + block - 1) / block;
  callosum_parallel(blocks, 1, sparse_transpose_blocks, &job);
  out_starts[blocks * columns] = starts[rows];
}

// `vectors` vectors of one row of the result, the last with `last` elements.
INLINE void sparse_row(const struct sparse_job *job, size_t row, size_t column, size_t vectors,
                       size_t last) {
  float *y = job->y + row * job->columns + column;
  vf sum[sparse_vectors];
  for (size_t v = 0; v < vectors; v++)
    sum[v] = job->adds ? load_some(y + v * LANES, v + 1 < vectors ? LANES : last) : splat(0);
  for (int32_t j = job->starts[row]; j < job->starts[row + 1]; j++) {
    const float *t = job->table + (size_t)job->index[j] * job->columns + column;
    vf weight = splat(job->value[j]);
    for (size_t v = 0; v < vectors; v++)
      sum[v] = fma_(weight, load_some(t + v * LANES, v + 1 < vectors ? LANES : last), sum[v]);
  }
  for (size_t v = 0; v < vectors; v++)
    store_some(y + v * LANES, sum[v], v + 1 < vectors ? LANES : last);
}

static void sparse_rows_range(void *context, size_t begin, size_t end) {
  const struct sparse_job *job = context;
  enum { width = sparse_vectors * LANES };
  for (size_t column = 0; column < job->columns; column += width) {
    size_t left = job->columns - column;
    if (left >= width) {
      for (size_t row = begin; row < end; row++) sparse_row(job, row, column, sparse_vectors, LANES);
    } else {
      size_t vectors = (left + LANES - 1) / LANES;
      for (size_t row = begin; row < end; row++)
        sparse_row(job, row, column, vectors, left - (vectors - 1) * LANES);
    }
  }
}

static void sparse_rows(size_t rows, size_t columns, const int32_t *starts, const int32_t *index,
                        const float *value, const float *table, bool adds, float *y) {
  struct sparse_job job = {.columns = columns, .starts = starts, .index = index, .value = value,
                           .table = table, .adds = adds, .y = y};
  size_t entries = (size_t)(starts[rows] - starts[0]) / (rows + 1) + 1;
  callosum_parallel(rows, 65536 / (entries * columns + 1) + 1, sparse_rows_range, &job);
}
