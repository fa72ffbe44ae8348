// Walking the axes of strided arrays: what elementwise operations and copies share.

static const size_t type_size[] = {4, 8, 4, 1};

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
