// The thread team. oneDNN (as Debian builds it) runs on GNU OpenMP; own kernels join the same team,
// because a second pool would wait for the first one's spinning threads. Clang would translate
// `#pragma omp` for another run-time library, so the team is called by its binary interface.

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

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

// MARK: Short waiting
//
// A thread that waits for the others spins, by default for milliseconds. On a machine whose cores
// are busy with other work it takes the core from the very thread it waits for, and two threads are
// tens of times slower than one. libgomp spins a three-hundredth of that before it sleeps once it
// manages more threads than there are processors, which costs an idle machine 1 to 3 %. So where a
// team has all processors, two threads that sleep for good join the count. Whoever sets the
// variables that govern waiting decides for themselves (they are read before any code of ours
// runs).

static void nothing(void *data) { (void)data; }

static void *sleep_for_good(void *data) {
  GOMP_parallel(nothing, data, 2, 0);
  for (;;) pause();
  return NULL;
}

static void wait_shortly(void) {
  if (getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY")) return;
  if (omp_get_max_threads() < omp_get_num_procs()) return;
  pthread_t sleeper;
  if (pthread_create(&sleeper, NULL, sleep_for_good, NULL) == 0) pthread_detach(sleeper);
}

// MARK: Sharing out work

static void run_share(void *data) {
  const struct job *job = data;
  size_t threads = (size_t)omp_get_num_threads(), self = (size_t)omp_get_thread_num();
  size_t begin = job->count * self / threads, end = job->count * (self + 1) / threads;
  if (begin < end) job->body(job->context, begin, end);
}

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
  if (threads <= 1 || omp_in_parallel()) {
    body(context, 0, count);
    return;
  }
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, wait_shortly);
  struct job job = {count, body, context};
  GOMP_parallel(run_share, &job, (unsigned)threads, 0);
}

int callosum_thread_count(void) { return omp_get_max_threads(); }

void callosum_set_thread_count(int count) {
  omp_set_num_threads(count > 0 ? count : omp_get_num_procs());
}

void callosum_set_grain_divisor(size_t divisor) { grain_divisor = divisor ? divisor : 1; }

static _Thread_local void *thread_slot;
void **callosum_thread_slot(void) { return &thread_slot; }
