// Sorting rows by radix. Numbers become unsigned keys of the same order (NaN after everything, -0
// beside 0), which are sorted eleven bits at a time: linear in the length, and equal keys keep their
// order.

INLINE uint64_t key_of(int type, const void *x, size_t i, bool descending) {
  uint64_t key;
  if (type == callosum_double) {
    double value = ((const double *)x)[i] + 0.0;
    memcpy(&key, &value, 8);
    key = value != value ? UINT64_MAX : key >> 63 ? ~key : key | (uint64_t)1 << 63;
    return descending && value == value ? ~key : key;
  }
  uint32_t word;
  if (type == callosum_float) {
    float value = ((const float *)x)[i] + 0.0f;
    memcpy(&word, &value, 4);
    if (value != value) return UINT32_MAX;
    word = word >> 31 ? ~word : word | 0x80000000u;
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
  size_t columns, kept;
  const char *x;
  int32_t *index;
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
  struct sort_job job = {type, descending, columns, columns, x, index};
  callosum_parallel(rows, 4096 / columns + 1, arg_sort_rows, &job);
}

// MARK: The first few

// Keeps candidates that may be among the `kept` smallest keys; when the room is full, all but the
// best are dropped and their worst key becomes a bound that most later items fail at once.
static void top_rows(void *context, size_t begin, size_t end) {
  const struct sort_job *job = context;
  size_t n = job->columns, kept = job->kept, room = 2 * kept > 512 ? 2 * kept : 512;
  size_t bytes = 2 * room * sizeof(struct keyed);
  struct keyed *items = callosum_allocate_or_stop(bytes, "sorting");
  int key_bits = job->type == callosum_double ? 64 : 32;
  for (size_t row = begin; row < end; row++) {
    const char *x = job->x + row * n * type_size[job->type];
    struct keyed *best = items, *spare = items + room;
    uint64_t bound = UINT64_MAX;
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
      uint64_t key = key_of(job->type, x, i, job->descending);
      if (key >= bound && count >= kept) continue;
      best[count++] = (struct keyed){key, (int32_t)i};
      if (count < room) continue;
      struct keyed *sorted = sort_keys(best, spare, count, key_bits);
      spare = sorted == best ? spare : best;
      best = sorted;
      count = kept;
      bound = best[kept - 1].key;
    }
    best = sort_keys(best, spare, count, key_bits);
    for (size_t i = 0; i < kept; i++) job->index[row * kept + i] = best[i].index;
  }
  callosum_free(items, bytes);
}

static void arg_top(int type, bool descending, size_t rows, size_t columns, size_t kept,
                    const void *x, int32_t *index) {
  if (kept == 0) return;
  struct sort_job job = {type, descending, columns, kept, x, index};
  callosum_parallel(rows, 32768 / columns + 1, top_rows, &job);
}
