// A body that can be left from deep inside without going back through its frames, which Swift's cannot:
// it runs on a thread of its own while the caller waits, and that thread ends where the body is left.
// What belongs to a thread (Swift's list of accesses in progress, the thread team) goes with it.

#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>

#include "include/CallosumKernels.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define callosum_checks_leaks
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#endif
#endif

// The end of a thread runs clean-up code near the bottom of its stack, where the frames that were left
// lie too, and Swift may still look at what they hold: this much is kept free for the clean-up.
enum { gap = 64 * 1024, least_stack = 8 * 1024 * 1024, most_idle = 8 };

// A Swift closure without arguments and result. Called from here, because a Swift function on the abandoned
// stack would keep a share in it for good, and Swift insists that a closure that does not escape has none.
typedef __attribute__((swiftcall)) void closure(__attribute__((swift_context)) void *captured);

enum state { idle = 1, running = 2, finished = 4, left = 8, dismissed = 16 };

struct worker {
  pthread_t id;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  enum state state;
  // Both ways: what the caller's thread has, and what the body made of it.
  void *slot;
  int threads;
  closure *body;
  void *captured;
  jmp_buf bottom;
#ifdef callosum_checks_leaks
  char *frame;
#endif
  struct worker *next;
};

static _Thread_local struct worker *self;
static struct worker *idle_workers;
static int idle_count;
static pthread_mutex_t idle_lock = PTHREAD_MUTEX_INITIALIZER;

static void set_state(struct worker *worker, enum state state) {
  pthread_mutex_lock(&worker->lock);
  worker->state = state;
  pthread_cond_signal(&worker->changed);
  pthread_mutex_unlock(&worker->lock);
}

static enum state wait_for(struct worker *worker, int states) {
  pthread_mutex_lock(&worker->lock);
  while (!(worker->state & states)) pthread_cond_wait(&worker->changed, &worker->lock);
  enum state state = worker->state;
  pthread_mutex_unlock(&worker->lock);
  return state;
}

// MARK: The thread of the body

__attribute__((noinline)) static void run_below_gap(struct worker *worker) {
  volatile char unused[gap];
  unused[0] = 0;
  worker->body(worker->captured);
  unused[gap - 1] = 0;
}

static void hand_over(struct worker *worker, enum state state) {
  callosum_lend_thread_slot(NULL);
  worker->threads = callosum_thread_count();
  set_state(worker, state);
}

static void *work(void *data) {
  struct worker *worker = data;
  self = worker;
#ifdef callosum_checks_leaks
  worker->frame = __builtin_frame_address(0);
#endif
  if (setjmp(worker->bottom)) {
    hand_over(worker, left);
    return NULL;
  }
  while (wait_for(worker, running | dismissed) == running) {
    callosum_lend_thread_slot(worker->slot);
    callosum_set_thread_count(worker->threads);
    run_below_gap(worker);
    hand_over(worker, finished);
  }
  return NULL;
}

#ifdef callosum_checks_leaks
// All frames above its own, and with them the registers that its caller saved.
__attribute__((no_sanitize("address"), noinline)) static void ignore_leaks_up_to(char *top) {
  void *fake = __asan_get_current_fake_stack();
  for (void **word = __builtin_frame_address(0); (char *)word < top; word++) {
    __lsan_ignore_object(*word);
    void *begin, *end;
    if (fake && __asan_addr_is_in_fake_stack(fake, *word, &begin, &end))
      for (void **held = begin; held < (void **)end; held++) __lsan_ignore_object(*held);
  }
}
#endif

// What the frames that are left behind held stays allocated: the price of a mistake that is caught, and
// none of the leaks that a sanitiser looks for.
void callosum_leave_error_scope(void) {
#ifdef callosum_checks_leaks
  __builtin_unwind_init();
  ignore_leaks_up_to(self->frame);
#endif
  longjmp(self->bottom, 1);
}

// MARK: The caller

static struct worker *made(void) {
  struct worker *worker = calloc(1, sizeof *worker);
  if (!worker) return NULL;
  worker->state = idle;
  pthread_mutex_init(&worker->lock, NULL);
  pthread_cond_init(&worker->changed, NULL);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  size_t stack = 0;
  pthread_attr_getstacksize(&attributes, &stack);
  pthread_attr_setstacksize(&attributes, (stack > least_stack ? stack : least_stack) + gap);
  int problem = pthread_create(&worker->id, &attributes, work, worker);
  pthread_attr_destroy(&attributes);
  if (!problem) return worker;
  free(worker);
  return NULL;
}

static void join(struct worker *worker) {
  pthread_join(worker->id, NULL);
  pthread_cond_destroy(&worker->changed);
  pthread_mutex_destroy(&worker->lock);
  free(worker);
}

// A new thread needs a new team, which costs more than the thread: those that came back serve again.
static struct worker *taken(void) {
  pthread_mutex_lock(&idle_lock);
  struct worker *worker = idle_workers;
  if (worker) {
    idle_workers = worker->next;
    idle_count--;
  }
  pthread_mutex_unlock(&idle_lock);
  return worker ? worker : made();
}

static void give_back(struct worker *worker) {
  set_state(worker, idle);
  pthread_mutex_lock(&idle_lock);
  bool keeps = idle_count < most_idle;
  if (keeps) {
    worker->next = idle_workers;
    idle_workers = worker;
    idle_count++;
  }
  pthread_mutex_unlock(&idle_lock);
  if (keeps) return;
  set_state(worker, dismissed);
  join(worker);
}

int callosum_run_error_scope(void *body, void *captured) {
  struct worker *worker = taken();
  if (!worker) return -1;
  int threads = callosum_thread_count();
  worker->slot = callosum_thread_slot();
  worker->threads = threads;
  worker->body = (closure *)body;
  worker->captured = captured;
  set_state(worker, running);
  enum state state = wait_for(worker, finished | left);
  if (worker->threads != threads) callosum_set_thread_count(worker->threads);
  if (state == left) {
    join(worker);
    return 1;
  }
  give_back(worker);
  return 0;
}
