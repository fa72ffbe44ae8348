// Selective scan (Mamba, Gu and Dao, arXiv:2312.00752): each channel has a state, [states],
//
//     h_t = exp(delta_t a) h_(t-1) + delta_t b_t x_t,   y_t = (c_t h_t + skip x_t) silu(gate_t)
//
// A vector holds LANES channels, which share b and c. A span of channels goes through time in
// chunks of steps, and within a chunk one state after the other: what a state needs then stays in
// registers, what a chunk needs in the first cache. On the way back the states of a chunk are
// computed again from that kept before it; with g_t the gradient of all that depends on h_t,
//
//     g_t = gy_t c_t + exp(delta_(t+1) a) g_(t+1),   w_t = g_t exp(delta_t a) h_(t-1)
//     ga = sum of w_t delta_t
//     gdelta_t = sum of w_t a + g_t b_t x_t,   gx_t = delta_t sum of g_t b_t
//     gb_t = sum over channels of g_t delta_t x_t,   gc_t = sum over channels of gy_t h_t

enum { scan_steps = 64 };  // the longest chunk

struct selective_task {
  const callosum_selective_job *job;
  float *y, *kept, *last;
  const float *kept_before, *gy, *glast;
  const callosum_selective_gradients *to;
};

/// Channels that go through time together: `width` of them from `channel` on, of one group.
struct span {
  size_t part, batch, group, channel, width;
};
INLINE size_t spans_per_group(const callosum_selective_job *job) {
  size_t channels = job->channels / job->groups;
  return (channels + callosum_selective_span - 1) / callosum_selective_span;
}
static struct span span_at(const callosum_selective_job *job, size_t item) {
  size_t spans = spans_per_group(job), channels = job->channels / job->groups;
  struct span s = {.part = item % spans, .group = item / spans % job->groups,
                   .batch = item / spans / job->groups};
  size_t before = s.part * callosum_selective_span, left = channels - before;
  s.channel = s.group * channels + before;
  s.width = left < callosum_selective_span ? left : callosum_selective_span;
  return s;
}
static size_t selective_grain(const callosum_selective_job *job) {
  return 1 + 5000 / (job->time * job->states * callosum_selective_span + 1);
}

/// A chunk of one vector of channels.
struct scan_chunk {
  size_t count, left;  // steps, channels that the vector holds
  size_t at, row;      // place of the first step in [batch, time, channels], from step to step
  const float *b, *c;  // of the first step and state
  size_t bc_row;       // from step to step
  vf raw[scan_steps], delta[scan_steps], x[scan_steps], dx[scan_steps], y[scan_steps];
};

// What is known before the states: delta and its product with x; y begins with the share of x.
INLINE void begin_chunk(const callosum_selective_job *job, const struct span *s, size_t first,
                        size_t channel, struct scan_chunk *k) {
  size_t left_of_time = job->time - first, step = s->batch * job->time + first;
  k->count = left_of_time < job->kept_every ? left_of_time : job->kept_every;
  k->left = s->channel + s->width - channel;
  k->row = job->channels, k->at = step * k->row + channel;
  k->bc_row = job->groups * job->states;
  k->b = job->b + step * k->bc_row + s->group * job->states;
  k->c = job->c + step * k->bc_row + s->group * job->states;
  vf bias = job->bias ? load_some(job->bias + channel, k->left) : splat(0);
  vf skip = job->skip ? load_some(job->skip + channel, k->left) : splat(0);
  for (size_t t = 0; t < k->count; t++) {
    size_t at = k->at + t * k->row;
    vf raw = load_some(job->delta + at, k->left) + bias, x = load_some(job->x + at, k->left);
    vf delta = job->softplus ? softplus_(raw) : raw;
    k->raw[t] = raw, k->delta[t] = delta, k->x[t] = x, k->dx[t] = delta * x;
    k->y[t] = job->skip ? skip * x : splat(0);  // 0 times infinity would be NaN
  }
}

// MARK: Forward

static void selective_span(const struct selective_task *task, const struct span *s) {
  const callosum_selective_job *job = task->job;
  const size_t channels = job->channels, states = job->states;
  const size_t chunks = (job->time + job->kept_every - 1) / job->kept_every;
  for (size_t channel = s->channel; channel < s->channel + s->width; channel += LANES) {
    const size_t left = s->channel + s->width - channel;
    const size_t place = s->batch * states * channels + channel;
    float *last = task->last + place;
    for (size_t n = 0; n < states; n++)
      store_some(last + n * channels, load_some(job->initial + place + n * channels, left), left);
    for (size_t chunk = 0; chunk < chunks; chunk++) {
      struct scan_chunk k;
      begin_chunk(job, s, chunk * job->kept_every, channel, &k);
      float *kept = task->kept
                        ? task->kept + (s->batch * chunks + chunk) * states * channels + channel
                        : NULL;
      for (size_t n = 0; n < states; n++) {
        const vf a = load_some(job->a + n * channels + channel, left);
        vf h = load_some(last + n * channels, left);
        if (kept) store_some(kept + n * channels, h, left);
        for (size_t t = 0; t < k.count; t++) {
          h = fma_(exp_bounded(k.delta[t] * a), h, k.dx[t] * k.b[t * k.bc_row + n]);
          k.y[t] = fma_(splat(k.c[t * k.bc_row + n]), h, k.y[t]);
        }
        store_some(last + n * channels, h, left);
      }
      for (size_t t = 0; t < k.count; t++) {
        const size_t at = k.at + t * k.row;
        vf y = k.y[t];
        if (job->gate) y *= silu_(load_some(job->gate + at, left));
        store_some(task->y + at, y, left);
      }
    }
  }
}

static void selective_range(void *context, size_t begin, size_t end) {
  const struct selective_task *task = context;
  for (size_t item = begin; item < end; item++) {
    struct span s = span_at(task->job, item);
    selective_span(task, &s);
  }
}

static void selective_scan(const callosum_selective_job *job, float *y, float *kept, float *last) {
  struct selective_task task = {.job = job, .y = y, .kept = kept, .last = last};
  callosum_parallel(job->batch * job->groups * spans_per_group(job), selective_grain(job),
                    selective_range, &task);
}

// MARK: Backward

// A chunk of one vector of channels on its way back. gb and gc [states, kept_every] are vectors
// that are summed over the channels later.
static void selective_chunk_backward(const struct selective_task *task, const struct span *s,
                                     size_t chunk, size_t channel, vf *gb, vf *gc) {
  const callosum_selective_job *job = task->job;
  const callosum_selective_gradients *to = task->to;
  const size_t channels = job->channels, states = job->states, every = job->kept_every;
  const size_t chunks = (job->time + every - 1) / every;
  struct scan_chunk k;
  begin_chunk(job, s, chunk * every, channel, &k);
  const size_t left = k.left, place = s->batch * states * channels + channel;
  const float *kept =
      task->kept_before + (s->batch * chunks + chunk) * states * channels + channel;
  vf gy[scan_steps], by_input[scan_steps], by_decay[scan_steps];
  for (size_t t = 0; t < k.count; t++) {
    gy[t] = load_some(task->gy + k.at + t * k.row, left);
    if (job->gate) gy[t] *= silu_(load_some(job->gate + k.at + t * k.row, left));
    by_input[t] = by_decay[t] = splat(0);
  }
  for (size_t n = 0; n < states; n++, gb += every, gc += every) {
    const vf a = load_some(job->a + n * channels + channel, left);
    vf h = load_some(kept + n * channels, left), decay[scan_steps], before[scan_steps];
    for (size_t t = 0; t < k.count; t++) {
      decay[t] = exp_bounded(k.delta[t] * a);
      before[t] = decay[t] * h;
      h = fma_(k.dx[t], splat(k.b[t * k.bc_row + n]), before[t]);
      gc[t] = fma_(gy[t], h, gc[t]);
      if (job->gate) k.y[t] = fma_(splat(k.c[t * k.bc_row + n]), h, k.y[t]);
    }
    float *carried = to->initial + place + n * channels, *ga = to->a + place + n * channels;
    vf g = load_some(carried, left), by_a = load_some(ga, left);
    for (size_t t = k.count; t-- > 0;) {
      g = fma_(gy[t], splat(k.c[t * k.bc_row + n]), g);
      by_input[t] = fma_(g, splat(k.b[t * k.bc_row + n]), by_input[t]);
      gb[t] = fma_(g, k.dx[t], gb[t]);
      vf w = g * before[t];
      by_decay[t] = fma_(w, a, by_decay[t]);
      by_a = fma_(w, k.delta[t], by_a);
      g *= decay[t];
    }
    store_some(carried, g, left);
    store_some(ga, by_a, left);
  }
  const vf skip = job->skip ? load_some(job->skip + channel, left) : splat(0);
  vf gbias = splat(0), gskip = splat(0);
  for (size_t t = 0; t < k.count; t++) {
    const size_t at = k.at + t * k.row;
    vf gdelta = fma_(by_input[t], k.x[t], by_decay[t]), gx = by_input[t] * k.delta[t];
    if (job->softplus) gdelta *= sigmoid_(k.raw[t]);
    if (job->skip) gx = fma_(gy[t], skip, gx);
    store_some(to->x + at, gx, left);
    store_some(to->delta + at, gdelta, left);
    gbias += gdelta, gskip = fma_(gy[t], k.x[t], gskip);
    if (job->gate) {
      vf arriving = load_some(task->gy + at, left), z = load_some(job->gate + at, left);
      store_some(to->gate + at, arriving * k.y[t] * silu_derivative_(z), left);
    }
  }
  const size_t row = s->batch * channels + channel;
  if (to->bias) store_some(to->bias + row, load_some(to->bias + row, left) + gbias, left);
  if (to->skip) store_some(to->skip + row, load_some(to->skip + row, left) + gskip, left);
}

static void selective_span_backward(const struct selective_task *task, const struct span *s, vf *gb,
                                    vf *gc) {
  const callosum_selective_job *job = task->job;
  const callosum_selective_gradients *to = task->to;
  const size_t channels = job->channels, states = job->states, every = job->kept_every;
  const size_t place = s->batch * states * channels + s->channel, bytes = s->width * sizeof(float);
  for (size_t n = 0; n < states; n++) {
    float *carried = to->initial + place + n * channels;
    if (task->glast) memcpy(carried, task->glast + place + n * channels, bytes);
    else memset(carried, 0, bytes);
    memset(to->a + place + n * channels, 0, bytes);
  }
  if (to->bias) memset(to->bias + s->batch * channels + s->channel, 0, bytes);
  if (to->skip) memset(to->skip + s->batch * channels + s->channel, 0, bytes);
  for (size_t chunk = (job->time + every - 1) / every; chunk-- > 0;) {
    memset(gb, 0, states * every * sizeof(vf));
    memset(gc, 0, states * every * sizeof(vf));
    for (size_t channel = s->channel; channel < s->channel + s->width; channel += LANES)
      selective_chunk_backward(task, s, chunk, channel, gb, gc);
    for (size_t t = 0; t < every && chunk * every + t < job->time; t++) {
      size_t step = (s->part * job->batch + s->batch) * job->time + chunk * every + t;
      size_t at = (step * job->groups + s->group) * states;
      for (size_t n = 0; n < states; n++) {
        to->b[at + n] = sum_lanes(gb[n * every + t]);
        to->c[at + n] = sum_lanes(gc[n * every + t]);
      }
    }
  }
}

static void selective_backward_range(void *context, size_t begin, size_t end) {
  const struct selective_task *task = context;
  const size_t floats = 2 * task->job->states * task->job->kept_every * LANES;
  float *sums = scratch(floats);
  for (size_t item = begin; item < end; item++) {
    struct span s = span_at(task->job, item);
    selective_span_backward(task, &s, (vf *)sums, (vf *)(sums + floats / 2));
  }
  callosum_free(sums, floats * sizeof(float));
}

static void selective_scan_backward(const callosum_selective_job *job, const float *kept,
                                    const float *gy, const float *glast,
                                    const callosum_selective_gradients *to) {
  struct selective_task task = {.job = job, .kept_before = kept, .gy = gy, .glast = glast,
                                .to = to};
  callosum_parallel(job->batch * job->groups * spans_per_group(job), selective_grain(job),
                    selective_backward_range, &task);
}
