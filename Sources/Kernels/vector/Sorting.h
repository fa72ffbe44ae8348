// Sorting rows by radix. Numbers become unsigned keys of the same order (NaN above everything, -0
// beside 0), which are sorted eleven bits at a time: linear in the length, and equal keys keep
// their order.

INLINE uint64_t key_of(int type, const void *x, size_t i, bool descending) {
  uint64_t key;
  if (type == callosum_double) {
    double value = ((const double *)x)[i] + 0.0;
    memcpy(&key, &value, 8);
    key = value != value ? UINT64_MAX : key >> 63 ? ~key : key | (uint64_t)1 << 63;
    return descending ? ~key : key;
  }
  uint32_t word;
  if (type == callosum_float) {
    float value = ((const float *)x)[i] + 0.0f;
    memcpy(&word, &value, 4);
    word = value != value ? UINT32_MAX : word >> 31 ? ~word : word | 0x80000000u;
  } else if (type == callosum_int) {
    word = (uint32_t)((const int32_t *)x)[i] ^ 0x80000000u;
  } else {
    word = ((const uint8_t *)x)[i];
  }
  return descending ? (uint32_t)~word : word;
}

struct keyed {
  uint64_t key;
  int32_t index;
};

enum { digit_bits = 11, digit_count = 1 << digit_bits };

// Sorts `n` items by key; `spare` has room for as many. The result is where the function says.
static struct keyed *sort_keys(struct keyed *items, struct keyed *spare, size_t n, int key_bits) {
  if (n <= 48) {
    for (size_t i = 1; i < n; i++) {
      struct keyed item = items[i];
      size_t at = i;
      for (; at > 0 && items[at - 1].key > item.key; at--) items[at] = items[at - 1];
      items[at] = item;
    }
    return items;
  }
  for (int shift = 0; shift < key_bits; shift += digit_bits) {
    size_t start[digit_count + 1] = {0};
    for (size_t i = 0; i < n; i++) start[(items[i].key >> shift & (digit_count - 1)) + 1]++;
    bool all_equal = false;
    for (int digit = 0; digit < digit_count && !all_equal; digit++)
      all_equal = start[digit + 1] == n;
    if (all_equal) continue;
    for (int digit = 0; digit < digit_count; digit++) start[digit + 1] += start[digit];
    for (size_t i = 0; i < n; i++)
      spare[start[items[i].key >> shift & (digit_count - 1)]++] = items[i];
    struct keyed *sorted = spare;
    spare = items;
    items = sorted;
  }
  return items;
}

struct sort_job {
  int type;
  bool descending;
  size_t columns, kept, parts;
  const char *x;
  int32_t *index;
  struct keyed *merged;  // the best of each part, where rows are cut
};

static void arg_sort_rows(void *context, size_t begin, size_t end) {
  const struct sort_job *job = context;
  size_t n = job->columns, bytes = 2 * n * sizeof(struct keyed);
  struct keyed *items = callosum_allocate_or_stop(bytes, "sorting");
  int key_bits = job->type == callosum_double ? 64 : job->type == callosum_bool ? 8 : 32;
  for (size_t row = begin; row < end; row++) {
    const void *x = job->x + row * n * type_size[job->type];
    for (size_t i = 0; i < n; i++)
      items[i] = (struct keyed){key_of(job->type, x, i, job->descending), (int32_t)i};
    // Descending bool keys are complements of 32 bits.
    struct keyed *sorted =
        sort_keys(items, items + n, n, job->type == callosum_bool ? 32 : key_bits);
    for (size_t i = 0; i < n; i++) job->index[row * n + i] = sorted[i].index;
  }
  callosum_free(items, bytes);
}

static void arg_sort(int type, bool descending, size_t rows, size_t columns, const void *x,
                     int32_t *index) {
  if (columns == 0) return;
  struct sort_job job = {.type = type, .descending = descending, .columns = columns,
                         .kept = columns, .x = x, .index = index};
  callosum_parallel(rows, 4096 / columns + 1, arg_sort_rows, &job);
}

// MARK: The first few

// How many of x[begin ..< end] can be passed over because none beats `bound` (all of float32);
// whole groups of vectors only.
INLINE size_t passed_over(const float *x, size_t begin, size_t end, float bound, bool descending) {
  size_t i = begin;
  for (; i + 4 * LANES <= end; i += 4 * LANES) {
    vf a = load(x + i), b = load(x + i + LANES), c = load(x + i + 2 * LANES);
    vf d = load(x + i + 3 * LANES);
    // NaN is above all.
    vi beats = descending ? ~((a <= bound) & (b <= bound) & (c <= bound) & (d <= bound))
                          : (a < bound) | (b < bound) | (c < bound) | (d < bound);
    if (__builtin_reduce_or(beats)) break;
  }
  return i - begin;
}

// The best of entries begin ..< end of a row in order, at most `kept`; `items` has room for twice
// `room`, which is at least twice `kept`. Keeps candidates; when the room is full, all but the best
// are dropped and their worst becomes a bound that most later entries fail at once.
static struct keyed *best_of(const struct sort_job *job, const char *x, size_t begin, size_t end,
                             struct keyed *items, size_t room, size_t *found) {
  struct keyed *best = items, *spare = items + room;
  const int key_bits = job->type == callosum_double ? 64 : 32;
  uint64_t bound = UINT64_MAX;
  size_t count = 0, checked = begin;  // entries before `checked` have been compared with the bound
  for (size_t i = begin; i < end; i++) {
    if (i >= checked && count >= job->kept && job->type == callosum_float && bound < UINT32_MAX) {
      const float *floats = (const float *)x;
      uint32_t word = job->descending ? ~(uint32_t)bound : (uint32_t)bound;
      word = word >> 31 ? word & 0x7fffffffu : ~word;
      float value;
      memcpy(&value, &word, sizeof value);
      i += passed_over(floats, i, end, value, job->descending);
      checked = i + 4 * LANES;
      if (i >= end) break;
    }
    uint64_t key = key_of(job->type, x, i, job->descending);
    if (key >= bound && count >= job->kept) continue;
    best[count++] = (struct keyed){key, (int32_t)i};
    if (count < room) continue;
    struct keyed *sorted = sort_keys(best, spare, count, key_bits);
    spare = sorted == best ? spare : best;
    best = sorted;
    count = job->kept;
    bound = best[job->kept - 1].key;
  }
  best = sort_keys(best, spare, count, key_bits);
  *found = count < job->kept ? count : job->kept;
  return best;
}

// The best of each row of float32.
static void top_one(void *context, size_t begin, size_t end) {
  const struct sort_job *job = context;
  for (size_t row = begin; row < end; row++) {
    const float *x = (const float *)job->x + row * job->columns;
    bool missing;
    size_t found = first_extreme(x, job->columns, job->descending, &missing);
    if (missing && job->descending) found = first_missing(x);
    job->index[row] = found < job->columns ? (int32_t)found : 0;
  }
}

// A unit is one part of a row.
static void top_parts(void *context, size_t begin, size_t end) {
  const struct sort_job *job = context;
  size_t n = job->columns, kept = job->kept, parts = job->parts;
  size_t room = 2 * kept > 512 ? 2 * kept : 512, bytes = 2 * room * sizeof(struct keyed);
  struct keyed *items = callosum_allocate_or_stop(bytes, "sorting");
  for (size_t unit = begin; unit < end; unit++) {
    size_t row = unit / parts, part = unit % parts, count;
    const char *x = job->x + row * n * type_size[job->type];
    struct keyed *best = best_of(job, x, part_begin(n, parts, part), part_begin(n, parts, part + 1),
                                 items, room, &count);
    if (job->merged) memcpy(job->merged + unit * kept, best, count * sizeof *best);
    else
      for (size_t i = 0; i < kept; i++) job->index[row * kept + i] = best[i].index;
  }
  callosum_free(items, bytes);
}

static void arg_top(int type, bool descending, size_t rows, size_t columns, size_t kept,
                    const void *x, int32_t *index) {
  if (kept == 0 || rows == 0) return;
  struct sort_job job = {.type = type, .descending = descending, .columns = columns, .kept = kept,
                         .parts = 1, .x = x, .index = index};
  // Few long rows are cut, each part giving its best.
  size_t threads = callosum_part_count(rows * columns, 65536);
  if (rows < threads && kept * threads * 4 < columns) job.parts = threads;
  if (kept == 1 && type == callosum_float && job.parts == 1) {
    callosum_parallel(rows, 65536 / columns + 1, top_one, &job);
    return;
  }
  size_t bytes = rows * job.parts * kept * sizeof(struct keyed);
  if (job.parts > 1) job.merged = callosum_allocate_or_stop(2 * bytes, "sorting");
  callosum_parallel(rows * job.parts, 32768 * job.parts / columns + 1, top_parts, &job);
  if (job.parts == 1) return;
  // Parts stand in the order of the row, so equal keys stay in order.
  for (size_t row = 0; row < rows; row++) {
    size_t count = job.parts * kept;
    struct keyed *sorted = sort_keys(job.merged + row * count, job.merged + rows * count, count,
                                     type == callosum_double ? 64 : 32);
    for (size_t i = 0; i < kept; i++) index[row * kept + i] = sorted[i].index;
  }
  callosum_free(job.merged, 2 * bytes);
}
