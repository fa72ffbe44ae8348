// Sums over rows by several threads: the rows are cut into parts, each part adds into sums of its
// own, and the parts are added in order, so the same thread count gives the same bits.

// Rows of `columns` elements worth a thread of their own.
INLINE size_t row_grain(size_t columns) { return 8192 / (columns + 1) + 1; }

// The first row of a part (and the end of the one before).
INLINE size_t part_begin(size_t rows, size_t parts, size_t part) { return rows * part / parts; }

// Sums are padded to whole vectors: reading back a part vector just written would stall.
INLINE size_t padded(size_t count) { return (count + LANES - 1) / LANES * LANES; }
INLINE void add_into(float *sum, vf x) { store(sum, load(sum) + x); }

// `length` zeros per part.
static float *begin_sums(size_t parts, size_t length) {
  size_t bytes = parts * length * sizeof(float);
  float *sums = callosum_allocate_or_stop(bytes, "a sum over threads");
  memset(sums, 0, bytes);
  return sums;
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
  callosum_free(sums, parts * length * sizeof(float));
}
