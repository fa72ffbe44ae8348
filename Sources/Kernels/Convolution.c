// Convolution by oneDNN. Building a primitive costs far more than running a small one, so the last
// ones are kept. Weights go through the layout that oneDNN prefers; activations stay as they are,
// which is faster than its blocked layout with the copies that takes. One call runs at a time, as
// each uses the whole thread team anyway; its scratch memory is ours, because oneDNN's own belongs
// to the thread that built the primitive.

#include <dnnl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "include/CallosumKernels.h"

enum { max_rank = 6, max_arguments = 4, kept_plans = 128 };

static dnnl_engine_t engine;
static dnnl_stream_t stream;
static dnnl_primitive_attr_t attributes;  // scratch memory by the caller

// MARK: The two interfaces of oneDNN. Descriptions of memory are pointers in both.

#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t description;
typedef const_dnnl_memory_desc_t const_description;
#else
typedef dnnl_memory_desc_t *description;
typedef const dnnl_memory_desc_t *const_description;
#endif

// `strides` of NULL leaves the layout to oneDNN. NULL when the description is refused.
static description describe(int rank, const dnnl_dim_t *shape, const dnnl_dim_t *strides) {
  description d = NULL;
#if DNNL_VERSION_MAJOR >= 3
  if (strides)
    dnnl_memory_desc_create_with_strides(&d, rank, shape, dnnl_f32, strides);
  else
    dnnl_memory_desc_create_with_tag(&d, rank, shape, dnnl_f32, dnnl_format_tag_any);
#else
  d = malloc(sizeof *d);
  if (!d) return NULL;
  dnnl_status_t status =
      strides ? dnnl_memory_desc_init_by_strides(d, rank, shape, dnnl_f32, strides)
              : dnnl_memory_desc_init_by_tag(d, rank, shape, dnnl_f32, dnnl_format_tag_any);
  if (status != dnnl_success) {
    free(d);
    d = NULL;
  }
#endif
  return d;
}

static void forget(description d) {
#if DNNL_VERSION_MAJOR >= 3
  if (d) dnnl_memory_desc_destroy(d);
#else
  free(d);
#endif
}

enum direction { forward, backward_input, backward_weights };

struct window {
  dnnl_dims_t stride, dilation, low, high;
};

// oneDNN counts dilation from 0. `bias` may be NULL; the backward directions need the forward one
// as a hint.
static dnnl_status_t describe_convolution(enum direction direction, const_description x,
                                          const_description w, const_description bias,
                                          const_description y, const struct window *window,
                                          dnnl_primitive_desc_t hint,
                                          dnnl_primitive_desc_t *result) {
  const dnnl_dim_t *stride = window->stride, *dilation = window->dilation;
  const dnnl_dim_t *low = window->low, *high = window->high;
#if DNNL_VERSION_MAJOR >= 3
  switch (direction) {
    case forward:
      return dnnl_convolution_forward_primitive_desc_create(
          result, engine, dnnl_forward_training, dnnl_convolution_direct, x, w, bias, y, stride,
          dilation, low, high, attributes);
    case backward_input:
      return dnnl_convolution_backward_data_primitive_desc_create(
          result, engine, dnnl_convolution_direct, x, w, y, stride, dilation, low, high, hint,
          attributes);
    default:
      return dnnl_convolution_backward_weights_primitive_desc_create(
          result, engine, dnnl_convolution_direct, x, w, NULL, y, stride, dilation, low, high,
          hint, attributes);
  }
#else
  dnnl_convolution_desc_t c;
  dnnl_status_t status;
  if (direction == forward)
    status = dnnl_dilated_convolution_forward_desc_init(&c, dnnl_forward_training,
                                                        dnnl_convolution_direct, x, w, bias, y,
                                                        stride, dilation, low, high);
  else if (direction == backward_input)
    status = dnnl_dilated_convolution_backward_data_desc_init(&c, dnnl_convolution_direct, x, w, y,
                                                              stride, dilation, low, high);
  else
    status = dnnl_dilated_convolution_backward_weights_desc_init(
        &c, dnnl_convolution_direct, x, w, NULL, y, stride, dilation, low, high);
  if (status != dnnl_success) return status;
  return dnnl_primitive_desc_create(result, &c, attributes, engine, hint);
#endif
}

// MARK: Plans

// A primitive and the scratch memory it works in (NULL for none).
struct step {
  dnnl_primitive_t primitive;
  dnnl_memory_t scratch;
  size_t scratch_bytes;
};

// An array of a convolution: the caller's layout, the one oneDNN works on, and the way between.
struct argument {
  int name;
  dnnl_memory_t outer, inner;  // inner is NULL where the layouts agree
  size_t inner_bytes;
  struct step reorder;
  bool written;
};

struct key {
  callosum_convolution convolution;
  enum direction direction;
  bool bias;
  int threads;  // oneDNN divides the work when it builds the primitive
};

struct plan {
  struct key key;
  uint64_t last_use;
  struct step convolution;
  struct argument arguments[max_arguments];
  int count;
};

static struct plan *plans[kept_plans];
static uint64_t uses;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

// Entries beyond `axes` are cleared, so that keys compare byte by byte.
static struct key make_key(const callosum_convolution *c, enum direction direction, bool bias) {
  struct key key;
  memset(&key, 0, sizeof key);
  callosum_convolution *k = &key.convolution;
  k->axes = c->axes;
  k->batch = c->batch;
  k->inputs = c->inputs;
  k->outputs = c->outputs;
  k->groups = c->groups;
  size_t bytes = (size_t)c->axes * sizeof(int64_t);
  memcpy(k->spatial, c->spatial, bytes);
  memcpy(k->kernel, c->kernel, bytes);
  memcpy(k->output, c->output, bytes);
  memcpy(k->stride, c->stride, bytes);
  memcpy(k->dilation, c->dilation, bytes);
  memcpy(k->padding_low, c->padding_low, bytes);
  memcpy(k->padding_high, c->padding_high, bytes);
  key.direction = direction;
  key.bias = bias;
  key.threads = callosum_thread_count();
  return key;
}

struct layout {
  int rank;
  dnnl_dims_t shape, strides;
};

// [batch, spatial..., channels] in memory; oneDNN names channels before the spatial axes.
static struct layout activations(int axes, int64_t batch, int64_t channels,
                                 const int64_t *spatial) {
  struct layout l = {.rank = axes + 2};
  l.shape[0] = batch;
  l.shape[1] = channels;
  l.strides[1] = 1;
  dnnl_dim_t stride = channels;
  for (int i = axes - 1; i >= 0; i--) {
    l.shape[2 + i] = spatial[i];
    l.strides[2 + i] = stride;
    stride *= spatial[i];
  }
  l.strides[0] = stride;
  return l;
}

// [outputs, kernel..., inputs / groups] in memory; oneDNN has an axis for groups if there are any.
static struct layout weights(const callosum_convolution *c) {
  int first = c->groups > 1 ? 1 : 0;
  struct layout l = {.rank = c->axes + 2 + first};
  l.shape[first] = c->outputs / c->groups;
  l.shape[first + 1] = c->inputs / c->groups;
  l.strides[first + 1] = 1;
  dnnl_dim_t stride = c->inputs / c->groups;
  for (int i = c->axes - 1; i >= 0; i--) {
    l.shape[first + 2 + i] = c->kernel[i];
    l.strides[first + 2 + i] = stride;
    stride *= c->kernel[i];
  }
  l.strides[first] = stride;
  if (first) {
    l.shape[0] = c->groups;
    l.strides[0] = stride * (c->outputs / c->groups);
  }
  return l;
}

static dnnl_status_t make_step(const_dnnl_primitive_desc_t pd, struct step *step) {
  dnnl_status_t status = dnnl_primitive_create(&step->primitive, pd);
  const_description scratch = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
  step->scratch_bytes = scratch ? dnnl_memory_desc_get_size(scratch) : 0;
  if (status == dnnl_success && step->scratch_bytes > 0)
    status = dnnl_memory_create(&step->scratch, scratch, engine, DNNL_MEMORY_NONE);
  return status;
}

static dnnl_status_t make_reorder(const_description from, const_description to,
                                  struct step *reorder) {
  dnnl_primitive_desc_t pd;
  dnnl_status_t status =
      dnnl_reorder_primitive_desc_create(&pd, from, engine, to, engine, attributes);
  if (status != dnnl_success) return status;
  status = make_step(pd, reorder);
  dnnl_primitive_desc_destroy(pd);
  return status;
}

static dnnl_status_t add_argument(struct plan *plan, dnnl_primitive_desc_t pd, int name,
                                  dnnl_query_t query, const struct layout *layout, bool written) {
  struct argument *a = &plan->arguments[plan->count++];
  a->name = name;
  a->written = written;
  description outer = describe(layout->rank, layout->shape, layout->strides);
  const_description inner = dnnl_primitive_desc_query_md(pd, query, 0);
  if (!outer || !inner) {
    forget(outer);
    return dnnl_out_of_memory;
  }
  dnnl_status_t status = dnnl_memory_create(&a->outer, outer, engine, DNNL_MEMORY_NONE);
  if (status == dnnl_success && !dnnl_memory_desc_equal(outer, inner)) {
    a->inner_bytes = dnnl_memory_desc_get_size(inner);
    status = dnnl_memory_create(&a->inner, inner, engine, DNNL_MEMORY_NONE);
    if (status == dnnl_success)
      status = written ? make_reorder(inner, outer, &a->reorder)
                       : make_reorder(outer, inner, &a->reorder);
  }
  forget(outer);
  return status;
}

static void destroy_step(struct step *step) {
  if (step->primitive) dnnl_primitive_destroy(step->primitive);
  if (step->scratch) dnnl_memory_destroy(step->scratch);
}

static void destroy_plan(struct plan *plan) {
  for (int i = 0; i < plan->count; i++) {
    struct argument *a = &plan->arguments[i];
    destroy_step(&a->reorder);
    if (a->inner) dnnl_memory_destroy(a->inner);
    if (a->outer) dnnl_memory_destroy(a->outer);
  }
  destroy_step(&plan->convolution);
  free(plan);
}

static dnnl_status_t build(struct plan *plan) {
  const callosum_convolution *c = &plan->key.convolution;
  enum direction direction = plan->key.direction;
  struct layout x = activations(c->axes, c->batch, c->inputs, c->spatial);
  struct layout y = activations(c->axes, c->batch, c->outputs, c->output);
  struct layout w = weights(c), bias = {1, {c->outputs}, {1}};
  struct window window;
  for (int i = 0; i < c->axes; i++) {
    window.stride[i] = c->stride[i];
    window.dilation[i] = c->dilation[i] - 1;
    window.low[i] = c->padding_low[i];
    window.high[i] = c->padding_high[i];
  }
  description dx = describe(x.rank, x.shape, x.strides);
  description dy = describe(y.rank, y.shape, y.strides);
  description dw = describe(w.rank, w.shape, NULL);
  description db = plan->key.bias ? describe(1, bias.shape, bias.strides) : NULL;
  dnnl_primitive_desc_t hint = NULL, pd = NULL;
  dnnl_status_t status = dx && dy && dw ? dnnl_success : dnnl_invalid_arguments;
  if (status == dnnl_success)
    status = describe_convolution(forward, dx, dw, db, dy, &window, NULL, &hint);
  if (status == dnnl_success && direction != forward)
    status = describe_convolution(direction, dx, dw, NULL, dy, &window, hint, &pd);
  forget(dx);
  forget(dy);
  forget(dw);
  forget(db);
  dnnl_primitive_desc_t used = direction == forward ? hint : pd;
  if (status == dnnl_success) status = make_step(used, &plan->convolution);
  struct {
    int name;
    dnnl_query_t query;
    const struct layout *layout;
    bool written;
  } wanted[3][max_arguments] = {
      {{DNNL_ARG_SRC, dnnl_query_src_md, &x, false},
       {DNNL_ARG_WEIGHTS, dnnl_query_weights_md, &w, false},
       {DNNL_ARG_DST, dnnl_query_dst_md, &y, true}},
      {{DNNL_ARG_WEIGHTS, dnnl_query_weights_md, &w, false},
       {DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md, &y, false},
       {DNNL_ARG_DIFF_SRC, dnnl_query_diff_src_md, &x, true}},
      {{DNNL_ARG_SRC, dnnl_query_src_md, &x, false},
       {DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md, &y, false},
       {DNNL_ARG_DIFF_WEIGHTS, dnnl_query_diff_weights_md, &w, true}}};
  for (int i = 0; i < 3 && status == dnnl_success; i++)
    status = add_argument(plan, used, wanted[direction][i].name, wanted[direction][i].query,
                          wanted[direction][i].layout, wanted[direction][i].written);
  if (status == dnnl_success && plan->key.bias) {
    struct argument *a = &plan->arguments[plan->count++];
    a->name = DNNL_ARG_BIAS;
    description d = describe(1, bias.shape, bias.strides);
    status = d ? dnnl_memory_create(&a->outer, d, engine, DNNL_MEMORY_NONE) : dnnl_out_of_memory;
    forget(d);
  }
  if (hint) dnnl_primitive_desc_destroy(hint);
  if (pd) dnnl_primitive_desc_destroy(pd);
  return status;
}

// The plan for a key, built if need be; the plan unused for longest makes room.
static dnnl_status_t find_plan(const struct key *key, struct plan **result) {
  int oldest = 0;
  for (int i = 0; i < kept_plans; i++) {
    if (plans[i] && memcmp(&plans[i]->key, key, sizeof *key) == 0) {
      *result = plans[i];
      (*result)->last_use = ++uses;
      return dnnl_success;
    }
    if (plans[oldest] && (!plans[i] || plans[i]->last_use < plans[oldest]->last_use)) oldest = i;
  }
  dnnl_status_t status = dnnl_success;
  if (!engine) status = dnnl_engine_create(&engine, dnnl_cpu, 0);
  if (status == dnnl_success && !stream)
    status = dnnl_stream_create(&stream, engine, dnnl_stream_default_flags);
  if (status == dnnl_success && !attributes) status = dnnl_primitive_attr_create(&attributes);
  if (status == dnnl_success)
    status = dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
  if (status != dnnl_success) return status;
  struct plan *plan = calloc(1, sizeof *plan);
  if (!plan) return dnnl_out_of_memory;
  plan->key = *key;
  plan->last_use = ++uses;
  status = build(plan);
  if (status != dnnl_success) {
    destroy_plan(plan);
    return status;
  }
  if (plans[oldest]) destroy_plan(plans[oldest]);
  plans[oldest] = *result = plan;
  return dnnl_success;
}

// MARK: Running

// `arguments` has room for one more. Waits, as the scratch memory is given back.
static dnnl_status_t run_step(const struct step *step, int count, dnnl_exec_arg_t *arguments) {
  void *scratch = NULL;
  dnnl_status_t status = dnnl_success;
  if (step->scratch) {
    scratch = callosum_allocate(step->scratch_bytes);
    status = scratch ? dnnl_memory_set_data_handle(step->scratch, scratch) : dnnl_out_of_memory;
    arguments[count++] = (dnnl_exec_arg_t){DNNL_ARG_SCRATCHPAD, step->scratch};
  }
  if (status == dnnl_success)
    status = dnnl_primitive_execute(step->primitive, stream, count, arguments);
  if (status == dnnl_success) status = dnnl_stream_wait(stream);
  if (scratch) callosum_free(scratch, step->scratch_bytes);
  return status;
}

static dnnl_status_t run_reorder(const struct argument *a) {
  dnnl_exec_arg_t arguments[3] = {{DNNL_ARG_FROM, a->written ? a->inner : a->outer},
                                  {DNNL_ARG_TO, a->written ? a->outer : a->inner}};
  return run_step(&a->reorder, 2, arguments);
}

// `arrays` in the order of the plan's arguments.
static int run(const callosum_convolution *c, enum direction direction, bool bias,
               const void *const *arrays) {
  struct key key = make_key(c, direction, bias);
  struct plan *plan = NULL;
  pthread_mutex_lock(&lock);
  dnnl_status_t status = find_plan(&key, &plan);
  void *blocks[max_arguments] = {NULL};
  dnnl_exec_arg_t arguments[max_arguments + 1];
  int count = plan ? plan->count : 0;
  for (int i = 0; i < count && status == dnnl_success; i++) {
    struct argument *a = &plan->arguments[i];
    status = dnnl_memory_set_data_handle(a->outer, (void *)(uintptr_t)arrays[i]);
    arguments[i] = (dnnl_exec_arg_t){a->name, a->inner ? a->inner : a->outer};
    if (!a->inner || status != dnnl_success) continue;
    blocks[i] = callosum_allocate(a->inner_bytes);
    status = blocks[i] ? dnnl_memory_set_data_handle(a->inner, blocks[i]) : dnnl_out_of_memory;
    if (status == dnnl_success && !a->written) status = run_reorder(a);
  }
  if (status == dnnl_success)
    status = run_step(&plan->convolution, count, arguments);
  for (int i = 0; i < count; i++) {
    struct argument *a = &plan->arguments[i];
    if (status == dnnl_success && a->inner && a->written) status = run_reorder(a);
  }
  for (int i = 0; i < count; i++) callosum_free(blocks[i], plan->arguments[i].inner_bytes);
  pthread_mutex_unlock(&lock);
  return status;
}

int callosum_convolution_forward(const callosum_convolution *c, const float *x, const float *w,
                                 const float *bias, float *y) {
  return run(c, forward, bias != NULL, (const void *[]){x, w, y, bias});
}

int callosum_convolution_backward_input(const callosum_convolution *c, const float *w,
                                        const float *gy, float *gx) {
  return run(c, backward_input, false, (const void *[]){w, gy, gx});
}

int callosum_convolution_backward_weights(const callosum_convolution *c, const float *x,
                                          const float *gy, float *gw) {
  return run(c, backward_weights, false, (const void *[]){x, gy, gw});
}

int callosum_onednn_version(void) {
  const dnnl_version_t *v = dnnl_version();
  return v->major * 10000 + v->minor * 100 + v->patch;
}
