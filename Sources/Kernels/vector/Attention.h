// Scaled dot-product attention without all scores in memory: the forward pass holds those of one
// block of queries, the backward pass computes them again for one block of queries and keys. K and
// V are packed per head, so any strides and widths will do. Scores are kept in units of log 2,
// whose exponential needs the fewest steps.

// Heights and widths of blocks. What the diagonal of a causal job cuts is taken in strips, as wide
// as the widest vector, so that little is computed beyond it.
enum { forward_queries = 32, backward_queries = 64, backward_keys = 64, strip = 16 };
static const float log2_e = 1.44269504f;

// 2^x for x < 127, 0 for x < -126, NaN for NaN, 1.1 ulp.
INLINE vf exp2_or_zero(vf x) {
  vf shifted = x + rounding;
  vf r = x - (shifted - rounding);
  vf p = POLYNOMIAL(r, 1, 0.693147182f, 0.240226477f, 0.0555033237f, 0.00961843692f, 0.0013398875f,
                    0.00015353362f);
  vf y = (vf)((vi)p + ((vi)shifted << 23));
  return select_(x >= -126, y, max_or_second(splat(0), x));
}

// Lane i of the result is the sum (or the maximum) of x[i]'s lanes. Interleaving brings the lanes
// of two vectors together; each step halves the number of vectors.
INLINE vf fold(vf *x, bool largest) {
#pragma clang loop unroll(full)
  for (int half = LANES / 2; half > 0; half /= 2)
#pragma clang loop unroll(full)
    for (int i = 0; i < half; i++) {
      vf low = __builtin_shufflevector(x[i], x[i + half], INTERLEAVE_LOW);
      vf high = __builtin_shufflevector(x[i], x[i + half], INTERLEAVE_HIGH);
      x[i] = largest ? max_or_second(low, high) : low + high;
    }
  return x[0];
}

// How many keys query i sees.
INLINE size_t visible_keys(const callosum_attention_job *job, size_t i) {
  if (!job->causal) return job->keys;
  ptrdiff_t count = (ptrdiff_t)(i + 1 + job->keys) - (ptrdiff_t)job->queries;
  return count < 0 ? 0 : (size_t)count < job->keys ? (size_t)count : job->keys;
}

// Asks for rows that are needed, or written, a little later.
INLINE void prefetch_rows(const float *x, size_t x_row, size_t rows, size_t columns) {
  for (size_t r = 0; r < rows; r++, x += x_row)
    for (size_t c = 0; c < columns; c += 16) __builtin_prefetch(x + c);
}

// Scores with a mask. What it hides is hidden, whatever the score. Its smallest finite numbers, which often
// stand for -infinity, stay finite in units of log 2: a query all of whose keys have them weighs its keys
// evenly, as where nothing is fused.
INLINE vf masked(vf scores, vf m) {
  return select_(m == -INFINITY, m, scores + max_(m * log2_e, splat(-__FLT_MAX__)));
}

// Adds the mask to `scores` ([rows, stride]; queries from `first`, keys first_key..<first_key +
// count), and sets to -infinity what a query does not see, up to whole vectors.
static void hide(const callosum_attention_job *job, const float *mask, size_t first, size_t rows,
                 size_t first_key, size_t count, float *scores, size_t stride) {
  for (size_t i = 0; i < rows; i++) {
    float *row = scores + i * stride;
    if (mask) {
      const float *m = mask + (first + i) * job->mask_query + first_key * job->mask_key;
      size_t step = job->mask_key, j = 0;
      if (step == 1)
        for (; j + LANES <= count; j += LANES)
          store(row + j, masked(load(row + j), load(m + j)));
      for (; j < count; j++) row[j] = masked(splat(row[j]), splat(m[j * step]))[0];
    }
    size_t seen = visible_keys(job, first + i);
    seen = seen > first_key ? seen - first_key : 0;
    for (size_t j = seen / LANES * LANES; j < count; j += LANES) {
      vi kept = first_lanes(seen > j ? seen - j : 0);
      store(row + j, select_(kept, load(row + j), splat(-INFINITY)));
    }
  }
}

// Where head `head` begins in q, k, v and y.
typedef struct {
  size_t q, k, v, y;
} head_offsets;

INLINE head_offsets offsets_of(const callosum_attention_job *job, size_t head) {
  const size_t b = head / job->heads, h = head % job->heads;
  return (head_offsets){.q = b * job->q_batch + h * job->q_head,
                        .k = b * job->k_batch + h * job->k_head,
                        .v = b * job->v_batch + h * job->v_head,
                        .y = (b * job->queries * job->heads + h) * job->value_width};
}

INLINE const float *mask_of(const callosum_attention_job *job, size_t head) {
  if (!job->mask) return NULL;
  return job->mask + head / job->heads * job->mask_batch + head % job->heads * job->mask_head;
}

// A block of queries and keys, of which a query sees what neither the diagonal nor a mask of -infinity
// hides.
struct attention_block {
  const callosum_attention_job *job;
  const float *mask;
  size_t query, key;
};
static bool query_sees_key(const void *context, size_t query, size_t key) {
  const struct attention_block *b = context;
  query += b->query, key += b->key;
  if (key >= visible_keys(b->job, query)) return false;
  return !b->mask || b->mask[query * b->job->mask_query + key * b->job->mask_key] != -INFINITY;
}
static bool key_is_seen_by(const void *context, size_t key, size_t query) {
  return query_sees_key(context, query, key);
}

// Weights are 0 where a query does not see a key. Where such weights meet something that is not finite,
// which makes NaN of 0, only what is seen may be multiplied.
INLINE void mix_seen(const product_job *mix, bool finite, bool by_key, struct attention_block block) {
  if (finite) product(mix, panel_columns);
  else product_of_seen(mix, by_key ? key_is_seen_by : query_sees_key, &block);
}

typedef struct {
  const callosum_attention_job *job;
  float *y, *lse;  // only read when going backward
  const float *gy;
  float *gq, *gk, *gv;
} attention_context;

// MARK: Forward

// Turns rows of scores into unnormalised probabilities and writes 1 / sum and, in units of log 2, the
// largest score and the logarithm of the sum: apart, because together one would swallow the other where
// scores are large. Sums and maxima are folded for LANES rows at once.
static void exponentials(float *scores, size_t stride, size_t rows, size_t count, float *inverse,
                         float *tops, float *logs) {
  for (size_t first = 0; first < rows; first += LANES, scores += LANES * stride) {
    const size_t some = at_most(rows - first, LANES);
    vf part[LANES];
    for (size_t i = 0; i < LANES; i++) part[i] = splat(0);
    for (size_t i = 0; i < some; i++) {
      const float *row = scores + i * stride;
      part[i] = load(row);
      for (size_t j = LANES; j < count; j += LANES) part[i] = max_or_second(part[i], load(row + j));
    }
    vf top = fold(part, true);
    top = select_(top == -INFINITY, splat(0), top);
    float shift[LANES];
    store(shift, top);
    for (size_t i = 0; i < some; i++) {
      float *row = scores + i * stride;
      part[i] = splat(0);
      for (size_t j = 0; j < count; j += LANES) {
        vf p = exp2_or_zero(load(row + j) - shift[i]);
        store(row + j, p);
        part[i] += p;
      }
    }
    vf total = fold(part, false);
    store_some(tops + first, top, some);
    store_some(logs + first, log_(total) * log2_e, some);
    store(inverse + first, select_(total == 0, splat(0), 1 / total));
  }
}

INLINE void scale_row(float *row, size_t count, float factor) {
  for (size_t j = 0; j < count; j += LANES)
    store_some(row + j, load_some(row + j, count - j) * factor, count - j);
}

INLINE size_t rows_of_all(const callosum_attention_job *job) {
  return job->batch * job->heads * job->queries;
}

INLINE size_t forward_blocks(const callosum_attention_job *job) {
  size_t height = job->causal ? strip : forward_queries;
  return (job->queries + height - 1) / height;
}

static void attention_range(void *context, size_t begin, size_t end) {
  const attention_context *all = context;
  const callosum_attention_job *job = all->job;
  const size_t blocks = forward_blocks(job);
  const size_t v_row = round_up(job->value_width, LANES);
  const size_t stride = round_up(job->keys, panel_columns);
  const size_t y_row = job->heads * job->value_width;
  const size_t keys_size = job->width * stride, values_size = job->keys * v_row;
  const size_t size = keys_size + values_size + forward_queries * stride + LANES;
  float *keys = scratch(size), *values = keys + keys_size, *scores = values + values_size;
  float inverse[forward_queries + LANES];
  size_t packed = (size_t)-1;
  bool finite = true;
  for (size_t item = begin; item < end; item++) {
    // Blocks of equal height, at most forward_queries.
    const size_t head = item / blocks, first = job->queries * (item % blocks) / blocks;
    const size_t rows = job->queries * (item % blocks + 1) / blocks - first;
    const head_offsets at = offsets_of(job, head);
    if (head != packed) {
      pack_panels(job->k + at.k, 1, (ptrdiff_t)job->k_token, job->width, job->keys,
                  job->scale * log2_e, keys);
      pack_rows(job->v + at.v, (ptrdiff_t)job->v_token, job->keys, job->value_width, 1, values,
                v_row);
      if (job->causal || job->mask) finite = all_finite(values, v_row, job->keys, v_row);
      packed = head;
    }
    float *y = all->y + at.y + first * y_row;
    float *tops = all->lse + head * job->queries + first, *logs = tops + rows_of_all(job);
    // Asked for ahead of use: what this block writes, and its share of the next head.
    prefetch_rows(y, y_row, rows, job->value_width);
    if (head + 1 < job->batch * job->heads) {
      const head_offsets next = offsets_of(job, head + 1);
      const size_t key = job->keys * (item % blocks) / blocks;
      const size_t some = job->keys * (item % blocks + 1) / blocks - key;
      prefetch_rows(job->q + next.q + first * job->q_token, job->q_token, rows, job->width);
      prefetch_rows(job->k + next.k + key * job->k_token, job->k_token, some, job->width);
      prefetch_rows(job->v + next.v + key * job->v_token, job->v_token, some, job->value_width);
    }
    const size_t count = visible_keys(job, first + rows - 1);
    if (count == 0) {
      for (size_t i = 0; i < rows; i++) {
        memset(y + i * y_row, 0, job->value_width * sizeof(float));
        tops[i] = 0, logs[i] = -INFINITY;
      }
      continue;
    }
    const product_job score = {
        .m = rows, .n = count, .k = job->width,
        .a = job->q + at.q + first * job->q_token,
        .a_row = (ptrdiff_t)job->q_token, .a_column = 1,
        .b = keys, .b_row = panel_columns, .c = scores, .c_row = stride, .padded = true};
    product(&score, job->width * panel_columns);
    hide(job, mask_of(job, head), first, rows, 0, count, scores, stride);
    exponentials(scores, stride, rows, count, inverse, tops, logs);
    const product_job mix = {
        .m = rows, .n = job->value_width, .k = count,
        .a = scores, .a_row = (ptrdiff_t)stride, .a_column = 1,
        .b = values, .b_row = v_row, .c = y, .c_row = y_row};
    mix_seen(&mix, finite, false, (struct attention_block){job, mask_of(job, head), first, 0});
    for (size_t i = 0; i < rows; i++) scale_row(y + i * y_row, job->value_width, inverse[i]);
  }
  callosum_free(keys, size * sizeof(float));
}

static void attention(const callosum_attention_job *job, float *y, float *lse) {
  attention_context context = {.job = job, .y = y, .lse = lse};
  size_t blocks = forward_blocks(job);
  size_t work = forward_queries * job->keys * (job->width + job->value_width) + 1, least = 200000;
  callosum_parallel(job->batch * job->heads * blocks, least / work + 1, attention_range, &context);
}

// MARK: Backward
// With p = exp(s - top - log sum) and delta = sum(gy y): gv = pᵀ gy, gp = gy vᵀ, gs = p (gp - delta),
// gq = scale gs k, gk = scale gsᵀ q.

// delta, and the logarithm of the sum; a query that sees nothing gets +infinity, hence p = 0.
static void row_constants(const float *y, const float *gy, size_t row, size_t rows, size_t count,
                          const float *logs, float *delta, float *to) {
  for (size_t first = 0; first < rows; first += LANES) {
    vf part[LANES];
    for (size_t i = 0; i < LANES; i++) part[i] = splat(0);
    for (size_t i = 0; i < at_most(rows - first, LANES); i++, y += row, gy += row)
      for (size_t j = 0; j < count; j += LANES)
        part[i] = fma_(load_some(y + j, count - j), load_some(gy + j, count - j), part[i]);
    store(delta + first, fold(part, false));
    vf x = load_some(logs + first, rows - first);
    store(to + first, select_(x == -INFINITY, splat(INFINITY), x));
  }
}

// Scores become p, and gp becomes gs; 0 where nothing is seen, whatever gp is there.
static void score_gradients(float *scores, float *gradients, size_t rows, size_t count,
                            const float *delta, const float *tops, const float *logs) {
  for (size_t i = 0; i < rows; i++, scores += backward_keys, gradients += backward_keys) {
    vf top = splat(tops[i]), log_sum = splat(logs[i]), mean = splat(delta[i]);
    for (size_t j = 0; j < count; j += LANES) {
      vf score = load(scores + j);
      vi hidden = score == -INFINITY;
      vf p = select_(hidden, splat(0), exp2_or_zero(score - top - log_sum));
      store(scores + j, p);
      store(gradients + j, select_(hidden, splat(0), p * (load(gradients + j) - mean)));
    }
  }
}

// What a head's backward pass needs: packed operands, where its gradients are summed (the results
// themselves, gk and gv from the present keys on), blocks of scores.
typedef struct {
  float *q, *k, *gy, *keys, *values;  // rows; panels of kᵀ and vᵀ
  float *gq, *gk, *gv, *delta, *tops, *logs, *scores, *gradients;
  size_t row, v_row;
  bool finite;  // all of q, k and gy, or nothing is hidden
} backward_scratch;

/// Takes one block of `*size` floats and gives everything its place there.
static float *lay_out(const callosum_attention_job *job, backward_scratch *s, size_t *size) {
  s->row = round_up(job->width, LANES), s->v_row = round_up(job->value_width, LANES);
  const size_t queries = round_up(job->queries, LANES), keys = round_up(job->keys, panel_columns);
  float **const places[] = {&s->q, &s->gy,   &s->delta,  &s->tops,   &s->logs,
                            &s->k, &s->keys, &s->values, &s->scores, &s->gradients};
  const size_t sizes[] = {queries * s->row,
                          queries * s->v_row,
                          queries,
                          queries,
                          queries,
                          keys * s->row,
                          keys * job->width,
                          keys * job->value_width,
                          backward_queries * backward_keys,
                          backward_queries * backward_keys};
  enum { pieces = sizeof sizes / sizeof *sizes };
  *size = 0;
  for (int i = 0; i < pieces; i++) *size += sizes[i];
  float *block = scratch(*size), *next = block;
  for (int i = 0; i < pieces; i++) *places[i] = next, next += sizes[i];
  return block;
}

// One block of queries against one block of keys. Where the diagonal cuts it, it is taken in
// strips, of queries first and then of keys, each no longer than the diagonal allows.
static void backward_block(const callosum_attention_job *job, const float *mask, size_t first,
                           size_t rows, size_t first_key, size_t keys, const backward_scratch *s) {
  const bool cut = visible_keys(job, first) < first_key + keys;
  const size_t height = cut ? strip : rows, width = cut ? strip : keys;
  // How many rows, from the first, see nothing of each strip of keys.
  size_t blind[backward_keys / strip] = {0};
  for (size_t row = 0; row < rows; row += height) {
    const size_t some = at_most(rows - row, height), query = first + row;
    const size_t seen = visible_keys(job, query + some - 1);
    // Up to a whole strip, because the products over strips of keys read all of it.
    const size_t count = seen > first_key ? at_most(round_up(seen - first_key, strip), keys) : 0;
    for (size_t i = (count + strip - 1) / strip; i < backward_keys / strip; i++)
      blind[i] = row + some;
    if (count == 0) continue;
    float *q = s->q + query * s->row, *gy = s->gy + query * s->v_row;
    float *scores = s->scores + row * backward_keys;
    float *gradients = s->gradients + row * backward_keys;
    product_job score = {.m = some, .n = count, .k = job->width,
                         .a = q, .a_row = (ptrdiff_t)s->row, .a_column = 1,
                         .b = s->keys + first_key * job->width, .b_row = panel_columns,
                         .c = scores, .c_row = backward_keys, .padded = true};
    product(&score, job->width * panel_columns);
    hide(job, mask, query, some, first_key, count, scores, backward_keys);
    product_job gradient = {.m = some, .n = count, .k = job->value_width,
                            .a = gy, .a_row = (ptrdiff_t)s->v_row, .a_column = 1,
                            .b = s->values + first_key * job->value_width, .b_row = panel_columns,
                            .c = gradients, .c_row = backward_keys, .padded = true};
    product(&gradient, job->value_width * panel_columns);
    score_gradients(scores, gradients, some, count, s->delta + query, s->tops + query, s->logs + query);
    product_job gq = {.m = some, .n = job->width, .k = count,
                      .a = gradients, .a_row = backward_keys, .a_column = 1,
                      .b = s->k + first_key * s->row, .b_row = s->row,
                      .c = s->gq + query * job->q_token, .c_row = job->q_token, .add = true};
    mix_seen(&gq, s->finite, false, (struct attention_block){job, mask, query, first_key});
  }
  for (size_t key = 0; key < keys; key += width) {
    const size_t some = at_most(keys - key, width), row = blind[key / strip];
    if (row == rows) break;
    product_job gv = {.m = some, .n = job->value_width, .k = rows - row,
                      .a = s->scores + row * backward_keys + key, .a_row = 1,
                      .a_column = backward_keys,
                      .b = s->gy + (first + row) * s->v_row, .b_row = s->v_row,
                      .c = s->gv + key * job->v_token, .c_row = job->v_token, .add = true};
    const struct attention_block seen = {job, mask, first + row, first_key + key};
    mix_seen(&gv, s->finite, true, seen);
    product_job gk = {.m = some, .n = job->width, .k = rows - row,
                      .a = s->gradients + row * backward_keys + key, .a_row = 1,
                      .a_column = backward_keys,
                      .b = s->q + (first + row) * s->row, .b_row = s->row,
                      .c = s->gk + key * job->k_token, .c_row = job->k_token, .add = true};
    mix_seen(&gk, s->finite, true, seen);
  }
}

static void attention_backward_range(void *context, size_t begin, size_t end) {
  const attention_context *all = context;
  const callosum_attention_job *job = all->job;
  backward_scratch s;
  size_t size;
  float *block = lay_out(job, &s, &size);
  const size_t y_row = job->heads * job->value_width;
  for (size_t head = begin; head < end; head++) {
    const head_offsets at = offsets_of(job, head);
    const ptrdiff_t q_token = (ptrdiff_t)job->q_token, k_token = (ptrdiff_t)job->k_token;
    const ptrdiff_t v_token = (ptrdiff_t)job->v_token;
    pack_rows(job->q + at.q, q_token, job->queries, job->width, job->scale, s.q, s.row);
    pack_rows(job->k + at.k, k_token, job->keys, job->width, job->scale, s.k, s.row);
    pack_rows(all->gy + at.y, (ptrdiff_t)y_row, job->queries, job->value_width, 1, s.gy, s.v_row);
    pack_panels(job->k + at.k, 1, k_token, job->width, job->keys, log2_e, s.keys);
    pack_panels(job->v + at.v, 1, v_token, job->value_width, job->keys, 1, s.values);
    row_constants(all->y + at.y, all->gy + at.y, y_row, job->queries, job->value_width,
                  all->lse + rows_of_all(job) + head * job->queries, s.delta, s.logs);
    memcpy(s.tops, all->lse + head * job->queries, job->queries * sizeof(float));
    s.finite = (!job->causal && !job->mask) ||
               (all_finite(s.q, s.row, job->queries, s.row) && all_finite(s.k, s.row, job->keys, s.row) &&
                all_finite(s.gy, s.v_row, job->queries, s.v_row));
    s.gq = all->gq + at.q;
    zero_rows(s.gq, job->q_token, job->queries, job->width);
    const float *mask = mask_of(job, head);

    for (size_t key = 0; key < job->keys; key += backward_keys) {
      const size_t keys = at_most(job->keys - key, backward_keys);
      s.gk = all->gk + at.k + key * job->k_token, s.gv = all->gv + at.v + key * job->v_token;
      zero_rows(s.gk, job->k_token, keys, job->width);
      zero_rows(s.gv, job->v_token, keys, job->value_width);
      for (size_t first = 0; first < job->queries; first += backward_queries) {
        const size_t rows = at_most(job->queries - first, backward_queries);
        if (visible_keys(job, first + rows - 1) <= key) continue;
        backward_block(job, mask, first, rows, key, keys, &s);
      }
    }
  }
  callosum_free(block, size * sizeof(float));
}

static void attention_backward(const callosum_attention_job *job, const float *y, const float *lse,
                               const float *gy, float *gq, float *gk, float *gv) {
  attention_context context = {
      .job = job, .y = (float *)y, .lse = (float *)lse, .gy = gy, .gq = gq, .gk = gk, .gv = gv};
  size_t work = job->queries * job->keys * (job->width + job->value_width) + 1, least = 80000;
  callosum_parallel(job->batch * job->heads, least / work + 1, attention_backward_range, &context);
}
