// Sums over rows by several threads: the rows are cut into parts, each part adds into sums of its
// own, and the parts are added in order, so the same thread count gives the same bits. Within a part the
// rows of a block are added up before their sum joins that of the part: the error grows with the
// root of the number of rows, not with the number.

// Rows of `columns` elements worth a thread of their own.
INLINE size_t row_grain(size_t columns) { return 8192 / (columns + 1) + 1; }

// The first row of a part (and the end of the one before).
INLINE size_t part_begin(size_t rows, size_t parts, size_t part) { return rows * part / parts; }

// Sums are padded to whole vectors: reading back a part vector just written would stall.
INLINE size_t padded(size_t count) { return (count + LANES - 1) / LANES * LANES; }
INLINE void add_into(float *sum, vf x) { store(sum, load(sum) + x); }

// `length` zeros per part, and as many for its present block.
static float *begin_sums(size_t parts, size_t length) {
  size_t bytes = 2 * parts * length * sizeof(float);
  float *sums = callosum_allocate_or_stop(bytes, "a sum over threads");
  memset(sums, 0, bytes);
  return sums;
}

INLINE float *block_sums(float *sums, size_t parts, size_t length, size_t part) {
  return sums + (parts + part) * length;
}
// After row `row` of a part that ends before `end`: where a block ends, its sums join those of the part.
INLINE void end_row(float *sums, size_t parts, size_t length, size_t part, size_t row, size_t end) {
  enum { block_rows = 64 };
  if ((row + 1) % block_rows != 0 && row + 1 != end) return;
  float *block = block_sums(sums, parts, length, part), *all = sums + part * length;
  for (size_t i = 0; i < length; i += LANES) {
    add_into(all + i, load(block + i));
    store(block + i, splat(0));
  }
}

// y = the sums of all parts, `count` of them from `offset` on. y may be NULL.
static void add_parts(const float *sums, size_t parts, size_t length, size_t offset, float *y,
                      size_t count) {
  if (!y) return;
  for (size_t c = 0; c < count; c += LANES) {
    vf total = {0};
    for (size_t part = 0; part < parts; part++)
      total += load_some(sums + part * length + offset + c, count - c);
    store_some(y + c, total, count - c);
  }
}

static void end_sums(float *sums, size_t parts, size_t length) {
  callosum_free(sums, 2 * parts * length * sizeof(float));
}
