// The thread team. oneDNN (as Debian builds it) runs on GNU OpenMP; own kernels join the same team,
// because a second pool would wait for the first one's spinning threads. Clang would translate
// `#pragma omp` for another run-time library, so the team is called by its binary interface.

#include <pthread.h>

#include "include/CallosumKernels.h"

extern void GOMP_parallel(void (*body)(void *), void *data, unsigned threads, unsigned flags);
extern int omp_get_thread_num(void);
extern int omp_get_num_threads(void);
extern int omp_get_max_threads(void);
extern int omp_in_parallel(void);
extern int omp_get_num_procs(void);
extern void omp_set_num_threads(int);

static size_t grain_divisor = 1;

struct job {
  size_t count;
  void (*body)(void *, size_t, size_t);
  void *context;
};

// MARK: Sharing out work

static void run_share(const struct job *job, size_t self, size_t threads) {
  size_t begin = job->count * self / threads, end = job->count * (self + 1) / threads;
  if (begin < end) job->body(job->context, begin, end);
}

#if __has_feature(thread_sanitizer)
// The sanitiser does not see libgomp's barriers and would take every kernel for a race: here the same
// shares run on plain threads, whose beginning and end it knows.
struct share {
  const struct job *job;
  size_t self, threads;
};
static _Thread_local bool in_team;

static void *run_on_thread(void *data) {
  const struct share *share = data;
  in_team = true;
  run_share(share->job, share->self, share->threads);
  return NULL;
}

static void run_team(const struct job *job, size_t threads) {
  struct share shares[threads];
  pthread_t ids[threads];
  for (size_t i = 1; i < threads; i++) {
    shares[i] = (struct share){job, i, threads};
    if (pthread_create(&ids[i], NULL, run_on_thread, &shares[i])) callosum_out_of_memory("a thread", 0);
  }
  in_team = true;
  run_share(job, 0, threads);
  in_team = false;
  for (size_t i = 1; i < threads; i++) pthread_join(ids[i], NULL);
}

static bool is_in_team(void) { return in_team || omp_in_parallel(); }
#else
static void run_member(void *data) {
  run_share(data, (size_t)omp_get_thread_num(), (size_t)omp_get_num_threads());
}

static void run_team(const struct job *job, size_t threads) {
  GOMP_parallel(run_member, (void *)job, (unsigned)threads, 0);
}

static bool is_in_team(void) { return omp_in_parallel(); }
#endif

size_t callosum_part_count(size_t count, size_t grain) {
  grain /= grain_divisor;
  if (grain == 0) grain = 1;
  size_t useful = (count + grain - 1) / grain;
  if (useful <= 1) return useful;
  size_t threads = (size_t)omp_get_max_threads();
  return useful < threads ? useful : threads;
}

void callosum_parallel(size_t count, size_t grain,
                       void (*body)(void *context, size_t begin, size_t end), void *context) {
  if (count == 0) return;
  size_t threads = callosum_part_count(count, grain);
  if (threads <= 1 || is_in_team()) {
    body(context, 0, count);
    return;
  }
  struct job job = {count, body, context};
  run_team(&job, threads);
}

int callosum_thread_count(void) { return omp_get_max_threads(); }

void callosum_set_thread_count(int count) {
  omp_set_num_threads(count > 0 ? count : omp_get_num_procs());
}

void callosum_set_grain_divisor(size_t divisor) { grain_divisor = divisor ? divisor : 1; }

static _Thread_local void *thread_slot;
static pthread_key_t thread_end;
static pthread_once_t thread_end_made = PTHREAD_ONCE_INIT;
static void (*release_slot)(void *);

void *callosum_thread_slot(void) { return thread_slot; }

void callosum_lend_thread_slot(void *value) { thread_slot = value; }

static void empty_slot(void *value) {
  thread_slot = NULL;
  release_slot(value);
}

static void make_thread_end(void) { pthread_key_create(&thread_end, empty_slot); }

void callosum_set_thread_slot(void *value, void (*release)(void *)) {
  thread_slot = value;
  __atomic_store_n(&release_slot, release, __ATOMIC_RELAXED);
  pthread_once(&thread_end_made, make_thread_end);
  pthread_setspecific(thread_end, value);
}
