// Float32 numbers in 1 to 8 bits between two ends for each group, rounded to the nearest level or at
// random to one of both neighbours, so that the mean is exact.

struct levels_job {
  const float *x, *low, *range;
  float *y;
  uint8_t *levels;
  size_t count, groups, inner;
  int bits;
  bool stochastic;
  uint64_t key, counter;
  size_t *clamped;
};

// Elements share bytes and random blocks, so the work is cut into runs of this many.
enum { levels_run = 4 * LANES };

static void to_levels_range(void *context, size_t begin, size_t end) {
  const struct levels_job *job = context;
  float top = (float)((1 << job->bits) - 1);
  size_t per_byte = 8 / (size_t)job->bits, clamped = 0;
  for (size_t run = begin; run < end; run++) {
    float offsets[levels_run];
    if (job->stochastic) {
      uint32_t words[4][LANES];
      philox(job->key, job->counter + run * LANES, words);
      for (size_t i = 0; i < levels_run; i++) {
        offsets[i] = (float)(words[i % 4][i / 4] >> 8) * 0x1p-24f;
      }
    } else {
      for (size_t i = 0; i < levels_run; i++) offsets[i] = 0.5f;
    }
    size_t first = run * levels_run, left = job->count - first;
    size_t n = left < levels_run ? left : levels_run;
    size_t group = first / job->inner % job->groups, place = first % job->inner;
    uint8_t byte = 0;
    for (size_t i = 0; i < n; i++) {
      float range = job->range[group];
      float t = range > 0 ? (job->x[first + i] - job->low[group]) / range * top : 0;
      clamped += t < -0.5f || t > top + 0.5f;
      float level = floorf(t + offsets[i]);
      level = level > 0 ? (level < top ? level : top) : 0;
      byte |= (uint8_t)((unsigned)level << (i % per_byte * (size_t)job->bits));
      if (i % per_byte == per_byte - 1 || i == n - 1) {
        job->levels[(first + i) / per_byte] = byte;
        byte = 0;
      }
      if (++place == job->inner) {
        place = 0;
        group = group + 1 == job->groups ? 0 : group + 1;
      }
    }
  }
  __atomic_fetch_add(job->clamped, clamped, __ATOMIC_RELAXED);
}

static void to_levels(
    const float *x, uint8_t *y, const float *low, const float *range, size_t outer, size_t groups,
    size_t inner, int bits, bool stochastic, uint64_t key, uint64_t counter, size_t *clamped) {
  struct levels_job job = {
      .x = x, .levels = y, .low = low, .range = range, .count = outer * groups * inner,
      .groups = groups, .inner = inner, .bits = bits, .stochastic = stochastic, .key = key,
      .counter = counter, .clamped = clamped};
  size_t runs = (job.count + levels_run - 1) / levels_run;
  callosum_parallel(runs, 1 + 16384 / levels_run, to_levels_range, &job);
}

// Rows [begin, end) of [outer * groups, inner].
static void from_levels_range(void *context, size_t begin, size_t end) {
  const struct levels_job *job = context;
  size_t per_byte = 8 / (size_t)job->bits;
  unsigned mask = (1u << job->bits) - 1;
  for (size_t row = begin; row < end; row++) {
    size_t group = row % job->groups;
    float low = job->low[group], step = job->range[group] / (float)mask;
    for (size_t i = row * job->inner; i < (row + 1) * job->inner; i++) {
      unsigned level = job->levels[i / per_byte] >> (i % per_byte * (size_t)job->bits) & mask;
      job->y[i] = low + (float)level * step;
    }
  }
}

static void from_levels(
    const uint8_t *x, float *y, const float *low, const float *range, size_t outer, size_t groups,
    size_t inner, int bits) {
  struct levels_job job = {
      .levels = (uint8_t *)x, .y = y, .low = low, .range = range, .groups = groups, .inner = inner,
      .bits = bits};
  callosum_parallel(outer * groups, 1 + 16384 / (inner + 1), from_levels_range, &job);
}
