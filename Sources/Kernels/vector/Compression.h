// Float32 numbers in fewer bits, and back: bfloat16, and 8 bits with one scale for each block.

struct compression_job {
  const float *x;
  float *y, *scales;
  uint16_t *halves;
  int8_t *bytes;
  size_t n, block;
};

static void bfloat16_range(void *context, size_t begin, size_t end) {
  const struct compression_job *job = context;
  const uint32_t *x = (const void *)job->x;
  for (size_t i = begin; i < end; i++) {
    uint32_t bits = x[i], rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;  // To even.
    // Rounding could carry a NaN over into an infinity.
    bool is_nan = (bits & 0x7fffffff) > 0x7f800000;
    job->halves[i] = (uint16_t)(is_nan ? bits >> 16 | 0x40 : rounded);
  }
}

static void to_bfloat16(const float *x, uint16_t *y, size_t n) {
  struct compression_job job = {.x = x, .halves = y};
  callosum_parallel(n, 16384, bfloat16_range, &job);
}

static void from_bfloat16_range(void *context, size_t begin, size_t end) {
  const struct compression_job *job = context;
  uint32_t *y = (void *)job->y;
  for (size_t i = begin; i < end; i++) y[i] = (uint32_t)job->halves[i] << 16;
}

static void from_bfloat16(const uint16_t *x, float *y, size_t n) {
  struct compression_job job = {.halves = (uint16_t *)x, .y = y};
  callosum_parallel(n, 16384, from_bfloat16_range, &job);
}

static void blocks_range(void *context, size_t begin, size_t end) {
  const struct compression_job *job = context;
  for (size_t b = begin; b < end; b++) {
    size_t start = b * job->block, left = job->n - start;
    size_t count = left < job->block ? left : job->block;
    const float *x = job->x + start;
    vf largest = {0}, zeros = {0};
    for (size_t i = 0; i < count; i += LANES) {
      vf v = load_some(x + i, count - i);
      largest = max_(largest, abs_(v));
      zeros += v * 0;  // NaN after an infinity or a NaN
    }
    float scale = max_lanes(largest) / 127, inverse = 1 / scale;
    bool is_finite = sum_lanes(zeros) == 0;
    // A block with numbers that are not finite comes back as NaN; one of zeros, or of numbers so
    // tiny that the inverse is infinite, as zeros.
    job->scales[b] = is_finite ? scale : __builtin_nanf("");
    if (!is_finite || !__builtin_isfinite(inverse)) {
      for (size_t i = 0; i < count; i++) job->bytes[start + i] = 0;
      continue;
    }
    for (size_t i = 0; i < count; i++) {
      // Adding 1.5 * 2^23 rounds to an integer, to even, which then stands in the lowest bits.
      float shifted = x[i] * inverse + 12582912.0f;
      job->bytes[start + i] = (int8_t)(shifted - 12582912.0f);
    }
  }
}

static void to_blocks(const float *x, int8_t *y, float *scales, size_t n, size_t block) {
  struct compression_job job = {.x = x, .bytes = y, .scales = scales, .n = n, .block = block};
  callosum_parallel((n + block - 1) / block, 1 + 16384 / block, blocks_range, &job);
}

static void from_blocks_range(void *context, size_t begin, size_t end) {
  const struct compression_job *job = context;
  for (size_t b = begin; b < end; b++) {
    size_t start = b * job->block, left = job->n - start;
    size_t stop = start + (left < job->block ? left : job->block);
    float scale = job->scales[b];
    for (size_t i = start; i < stop; i++) job->y[i] = (float)job->bytes[i] * scale;
  }
}

static void from_blocks(const int8_t *x, const float *scales, float *y, size_t n, size_t block) {
  struct compression_job job = {
      .bytes = (int8_t *)x, .scales = (float *)scales, .y = y, .n = n, .block = block};
  callosum_parallel((n + block - 1) / block, 1 + 16384 / block, from_blocks_range, &job);
}
