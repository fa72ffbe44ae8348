// Leaky integrate-and-fire neurons over [batch, time, lanes], forward and back through time. A tile of
// lanes stays in the first cache while time passes.

enum { spiking_tile = 512 };

struct spiking_job {
  const callosum_spiking *spec;
  const callosum_spiking_inputs *in;
  const callosum_spiking_outputs *out;
  const callosum_spiking_gradients *g;
};

INLINE vf after_reset(vf u, vi fires, vf threshold, const callosum_spiking *s) {
  switch (s->reset) {
    case callosum_reset_subtract: return select_(fires, u - threshold, u);
    case callosum_reset_zero: return select_(fires, splat(0), u);
    default: return u;
  }
}

// What stands for the derivative of the step at x = u - threshold.
INLINE vf surrogate_derivative(vf x, const callosum_spiking *s) {
  float slope = s->slope;
  switch (s->surrogate) {
    case callosum_fast_sigmoid: {
      vf root = 1 / fma_(abs_(x), splat(slope), splat(1));
      return root * root;
    }
    case callosum_arctangent: {
      vf bent = x * (1.57079632679f * slope);
      return slope * 0.5f / fma_(bent, bent, splat(1));
    }
    case callosum_triangle: return max_(splat(0), 1 - abs_(x) * slope);
    case callosum_logistic: {
      vf e = exp_(-abs_(x * slope)), whole = 1 / (1 + e);
      return slope * e * whole * whole;
    }
    case callosum_rectangle:
      return select_(abs_(x) * slope < 0.5f, splat(slope), select_(x == x, splat(0), x));
    case callosum_gaussian: {
      vf bent = x * slope;
      return 0.398942280f * slope * exp_(-0.5f * bent * bent);
    }
    default: return splat(1);
  }
}

INLINE vi crosses(vf u, vf threshold, const callosum_spiking *s) {
  return s->strict ? u > threshold : u >= threshold;
}

// Whether a neuron remembers more than its potential.
INLINE bool spiking_remembers(const callosum_spiking *s) {
  return s->later || s->adapts || s->refractory > 0;
}

// Of lanes first..<end of all batches, how many one tile takes: none beyond their own batch.
INLINE size_t tile_of(const callosum_spiking *s, size_t first, size_t end) {
  size_t n = s->lanes - first % s->lanes;
  if (n > end - first) n = end - first;
  return n < spiking_tile ? n : spiking_tile;
}

// Where the first step of a lane lies.
INLINE size_t start_of(const callosum_spiking *s, size_t lane) {
  return lane / s->lanes * s->time * s->lanes + lane % s->lanes;
}

// The values of lanes first..<first + n, one for each, of which there are `count` in turn.
INLINE void spread(const float *values, size_t count, size_t first, size_t n, float *to) {
  size_t at = first % count;
  for (size_t l = 0; l < n; l++) {
    to[l] = values[at];
    if (++at == count) at = 0;
  }
}

INLINE void begin_lanes(const float *values, size_t first, size_t n, float *to) {
  if (values) {
    memcpy(to, values + first, n * sizeof(float));
  } else {
    memset(to, 0, n * sizeof(float));
  }
}

static void integrate_and_fire_range(void *context, size_t begin, size_t end) {
  const struct spiking_job *job = context;
  const callosum_spiking *s = job->spec;
  const callosum_spiking_inputs *in = job->in;
  const callosum_spiking_outputs *out = job->out;
  bool remembers = spiking_remembers(s);
  float leak[spiking_tile], base[spiking_tile], keep[spiking_tile], jump[spiking_tile];
  float v[spiking_tile], fired[spiking_tile], a[spiking_tile], wait[spiking_tile];
  for (size_t first = begin, n; first < end; first += n) {
    n = tile_of(s, first, end);
    size_t start = start_of(s, first);
    spread(in->leak, s->leaks, first, n, leak);
    spread(in->threshold, s->thresholds, first, n, base);
    begin_lanes(in->potential, first, n, v);
    if (remembers) {
      begin_lanes(in->fired, first, n, fired);
      begin_lanes(in->adaptation, first, n, a);
      begin_lanes(in->recovery, first, n, wait);
      if (s->adapts) {
        spread(in->keep, s->keeps, first, n, keep);
        spread(in->jump, s->jumps, first, n, jump);
      }
    }
    for (size_t t = 0; t < s->time; t++) {
      size_t row = start + t * s->lanes;
      for (size_t l = 0; l < n; l += LANES) {
        size_t left = n - l;
        vf threshold = load_some(base + l, left);
        vf u = fma_(load_some(leak + l, left), load_some(v + l, left), load_some(in->current + row + l, left));
        vf before = splat(0), waits = splat(0);
        if (remembers) {
          before = load_some(a + l, left);
          if (s->adapts) {
            threshold = fma_(load_some(jump + l, left), before, threshold);
            store_some(out->adaptations + row + l, before, left);
          }
          if (s->later) u = select_(load_some(fired + l, left) > 0.5f, u - threshold, u);
          waits = load_some(wait + l, left);
        }
        vi fires = crosses(u, threshold, s);
        if (remembers && s->refractory > 0) fires = fires & (waits < 0.5f);
        // A potential that is not a number neither fires nor rests.
        vf spikes = select_(fires, splat(1), select_(u == u, splat(0), u));
        store_some(out->potentials + row + l, u, left);
        store_some(out->spikes + row + l, spikes, left);
        store_some(v + l, remembers && s->later ? u : after_reset(u, fires, threshold, s), left);
        if (remembers) {
          store_some(fired + l, spikes, left);
          if (s->adapts) store_some(a + l, fma_(load_some(keep + l, left), before, spikes), left);
          store_some(wait + l, select_(fires, splat(s->refractory), max_(splat(0), waits - 1)), left);
        }
      }
    }
    memcpy(out->potential + first, v, n * sizeof(float));
    if (out->fired) memcpy(out->fired + first, fired, n * sizeof(float));
    if (out->adaptation) memcpy(out->adaptation + first, a, n * sizeof(float));
    if (out->recovery) memcpy(out->recovery + first, wait, n * sizeof(float));
  }
}

static size_t spiking_grain(const callosum_spiking *s) { return 16384 / (s->time + 1) + 1; }

static void integrate_and_fire(const callosum_spiking *spec, const callosum_spiking_inputs *inputs,
                               const callosum_spiking_outputs *outputs) {
  struct spiking_job job = {.spec = spec, .in = inputs, .out = outputs};
  callosum_parallel(spec->batch * spec->lanes, spiking_grain(spec), integrate_and_fire_range, &job);
}

// Lanes that may fire at step t, which lies at `at`: none of them did in the steps that a neuron waits, counting `recovery` from
// before the first.
INLINE vi may_fire(const struct spiking_job *job, size_t t, size_t at, size_t lane, size_t left) {
  const callosum_spiking *s = job->spec;
  size_t waits = (size_t)s->refractory;
  vf seen = splat(0);
  for (size_t back = 1; back <= waits && back <= t; back++)
    seen = max_(seen, load_some(job->out->spikes + at - back * s->lanes, left));
  if (job->in->recovery) seen = max_(seen, load_some(job->in->recovery + lane, left) - (float)t);
  return seen <= 0.5f;
}

static void integrate_and_fire_backward_range(void *context, size_t begin, size_t end) {
  const struct spiking_job *job = context;
  const callosum_spiking *s = job->spec;
  const callosum_spiking_inputs *in = job->in;
  const callosum_spiking_outputs *out = job->out;
  const callosum_spiking_gradients *g = job->g;
  float leak[spiking_tile], base[spiking_tile], keep[spiking_tile], jump[spiking_tile];
  // By what the step before left: its potential, its spike as the reset sees it, its adaptation.
  float gv[spiking_tile], gfired[spiking_tile], ga[spiking_tile];
  float gleak[spiking_tile], gthreshold[spiking_tile], gkeep[spiking_tile], gjump[spiking_tile];
  for (size_t first = begin, n; first < end; first += n) {
    n = tile_of(s, first, end);
    size_t start = start_of(s, first);
    spread(in->leak, s->leaks, first, n, leak);
    spread(in->threshold, s->thresholds, first, n, base);
    if (s->adapts) {
      spread(in->keep, s->keeps, first, n, keep);
      spread(in->jump, s->jumps, first, n, jump);
    }
    begin_lanes(g->last_potential, first, n, gv);
    begin_lanes(g->last_fired, first, n, gfired);
    begin_lanes(g->last_adaptation, first, n, ga);
    for (float *sum[] = {gleak, gthreshold, gkeep, gjump}, **at = sum; at < sum + 4; at++)
      memset(*at, 0, n * sizeof(float));
    for (size_t t = s->time; t-- > 0;) {
      size_t row = start + t * s->lanes;
      for (size_t l = 0; l < n; l += LANES) {
        size_t left = n - l, i = row + l;
        vf u = load_some(out->potentials + i, left), later = load_some(gv + l, left);
        vf threshold = load_some(base + l, left), gnow = splat(0), before = splat(0);
        vf gspike = g->spikes ? load_some(g->spikes + i, left) : splat(0);
        vi fires;
        if (s->adapts) {
          before = load_some(out->adaptations + i, left);
          threshold = fma_(load_some(jump + l, left), before, threshold);
          gspike += load_some(ga + l, left);
        }
        if (s->refractory > 0 || s->later) {
          fires = load_some(out->spikes + i, left) > 0.5f;
          gspike += load_some(gfired + l, left);
        } else {
          fires = crosses(u, threshold, s);
        }
        vf kept = later;
        if (!s->later && s->reset != callosum_reset_none) {
          bool zero = s->reset == callosum_reset_zero;
          if (zero) {
            kept = select_(fires, splat(0), later);
          } else {
            gnow -= select_(fires, later, splat(0));
          }
          if (!s->detach_reset) gspike -= (zero ? u : threshold) * later;
        }
        vf gcross = surrogate_derivative(u - threshold, s) * gspike * s->dampening;
        if (s->refractory > 0) gcross = select_(may_fire(job, t, i, first + l, left), gcross, splat(0));
        vf gu = kept + gcross;
        gnow -= gcross;
        if (g->potentials) gu += load_some(g->potentials + i, left);
        // The spike of the step before took a threshold off u.
        if (s->later) {
          const float *spiked = t > 0 ? out->spikes + i - s->lanes : in->fired ? in->fired + first + l : NULL;
          if (spiked) gnow -= select_(load_some(spiked, left) > 0.5f, gu, splat(0));
          store_some(gfired + l, s->detach_reset ? splat(0) : -threshold * gu, left);
        } else {
          store_some(gfired + l, splat(0), left);
        }
        store_some(g->current + i, gu, left);
        if (g->leak) {
          vf last;
          if (t == 0) {
            last = in->potential ? load_some(in->potential + first + l, left) : splat(0);
          } else {
            last = load_some(out->potentials + i - s->lanes, left);
            if (!s->later) {
              vi fired = load_some(out->spikes + i - s->lanes, left) > 0.5f;
              vf crossed = load_some(base + l, left);
              if (s->adapts)
                crossed = fma_(load_some(jump + l, left),
                               load_some(out->adaptations + i - s->lanes, left), crossed);
              last = after_reset(last, fired, crossed, s);
            }
          }
          store_some(gleak + l, fma_(gu, last, load_some(gleak + l, left)), left);
        }
        store_some(gv + l, gu * load_some(leak + l, left), left);
        store_some(gthreshold + l, load_some(gthreshold + l, left) + gnow, left);
        if (s->adapts) {
          vf gafter = load_some(ga + l, left);
          store_some(gkeep + l, fma_(gafter, before, load_some(gkeep + l, left)), left);
          store_some(gjump + l, fma_(gnow, before, load_some(gjump + l, left)), left);
          store_some(ga + l, fma_(gafter, load_some(keep + l, left), gnow * load_some(jump + l, left)), left);
        }
      }
    }
    memcpy(g->potential + first, gv, n * sizeof(float));
    if (g->fired) memcpy(g->fired + first, gfired, n * sizeof(float));
    if (g->adaptation) memcpy(g->adaptation + first, ga, n * sizeof(float));
    if (g->leak) memcpy(g->leak + first, gleak, n * sizeof(float));
    if (g->threshold) memcpy(g->threshold + first, gthreshold, n * sizeof(float));
    if (s->adapts) {
      memcpy(g->keep + first, gkeep, n * sizeof(float));
      memcpy(g->jump + first, gjump, n * sizeof(float));
    }
  }
}

static void integrate_and_fire_backward(const callosum_spiking *spec, const callosum_spiking_inputs *inputs,
                                        const callosum_spiking_outputs *outputs,
                                        const callosum_spiking_gradients *gradients) {
  struct spiking_job job = {.spec = spec, .in = inputs, .out = outputs, .g = gradients};
  callosum_parallel(spec->batch * spec->lanes, spiking_grain(spec), integrate_and_fire_backward_range, &job);
}
