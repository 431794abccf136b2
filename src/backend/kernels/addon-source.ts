/**
 * The addon: loads compiled kernels and runs them on arrays of JavaScript, with threads of its own,
 * which wait for the next call: a new thread may wait for milliseconds until a processor takes it. It declares what it takes of Node-API
 * itself (version 8, whose binary interface is stable), so that nothing has to be fetched to build it.
 */
export const addonSource = `#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

typedef struct napi_env__ *napi_env;
typedef struct napi_value__ *napi_value;
typedef struct napi_ref__ *napi_ref;
typedef struct napi_deferred__ *napi_deferred;
typedef struct napi_async_work__ *napi_async_work;
typedef struct napi_callback_info__ *napi_callback_info;
typedef napi_value (*napi_callback)(napi_env, napi_callback_info);
int napi_throw_error(napi_env, const char *, const char *);
int napi_get_cb_info(napi_env, napi_callback_info, size_t *, napi_value *, napi_value *, void **);
int napi_create_function(napi_env, const char *, size_t, napi_callback, void *, napi_value *);
int napi_set_named_property(napi_env, napi_value, const char *, napi_value);
int napi_get_value_string_utf8(napi_env, napi_value, char *, size_t, size_t *);
int napi_get_value_uint32(napi_env, napi_value, uint32_t *);
int napi_get_value_bool(napi_env, napi_value, bool *);
int napi_get_value_external(napi_env, napi_value, void **);
int napi_create_external(napi_env, void *, void (*)(napi_env, void *, void *), void *, napi_value *);
int napi_get_array_length(napi_env, napi_value, uint32_t *);
int napi_get_element(napi_env, napi_value, uint32_t, napi_value *);
int napi_get_typedarray_info(napi_env, napi_value, int *, size_t *, void **, napi_value *, size_t *);
int napi_create_reference(napi_env, napi_value, uint32_t, napi_ref *);
int napi_delete_reference(napi_env, napi_ref);
int napi_get_undefined(napi_env, napi_value *);
int napi_create_promise(napi_env, napi_deferred *, napi_value *);
int napi_resolve_deferred(napi_env, napi_deferred, napi_value);
int napi_create_string_utf8(napi_env, const char *, size_t, napi_value *);
int napi_create_async_work(napi_env, napi_value, napi_value, void (*)(napi_env, void *), void (*)(napi_env, int, void *), void *, napi_async_work *);
int napi_queue_async_work(napi_env, napi_async_work);
int napi_delete_async_work(napi_env, napi_async_work);
int napi_add_env_cleanup_hook(napi_env, void (*)(void *), void *);

#define MOST_ARRAYS 16
#define MOST_THREADS 256
#define HUGE_PAGE (2u << 20)
typedef void (*kernel_function)(const float *, size_t, size_t, size_t, const float *const *, float *const *);

/* A kernel with its weights; uses: JavaScript's, and those of calls that run. */
typedef struct {
  void *library;
  kernel_function run;
  size_t most, least;
  void *memory;
  const float *weights;
  int uses;
} kernel_t;

/* helpers: threads that it could use now, and that work on it. */
typedef struct call_t {
  kernel_t *kernel;
  const float *in[MOST_ARRAYS];
  float *out[MOST_ARRAYS];
  size_t rows, steps, chunk, next;
  uint32_t threads, helpers_wanted, helpers_at_work;
  struct call_t *following;
  napi_ref arrays;
  napi_deferred deferred;
  napi_async_work work;
} call_t;

static void give_up(kernel_t *kernel)
{
  if (--kernel->uses > 0) return;
  free(kernel->memory);
  dlclose(kernel->library);
  free(kernel);
}

static void finalize(napi_env env, void *data, void *hint)
{
  (void)env, (void)hint;
  give_up(data);
}

/* Results lie in fresh memory. Where it is large, pages of 2 MB take a tenth of the time that as much in pages of 4 kB does. Only a hint. */
static void prefer_huge_pages(float *data, size_t bytes)
{
#ifdef MADV_HUGEPAGE
  const uintptr_t start = ((uintptr_t)data + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
  const uintptr_t end = ((uintptr_t)data + bytes) / HUGE_PAGE * HUGE_PAGE;
  if (start < end) (void)madvise((void *)start, end - start, MADV_HUGEPAGE);
#else
  (void)data, (void)bytes;
#endif
}

static void work_on(call_t *call)
{
  for (;;) {
    const size_t row = __sync_fetch_and_add(&call->next, call->chunk);
    if (row >= call->rows) return;
    const size_t end = (call->rows - row < call->chunk) ? call->rows : row + call->chunk;
    call->kernel->run(call->kernel->weights, row, end, call->steps, call->in, call->out);
  }
}

/* Calls that want helpers, the helpers, and JavaScript's environments (its threads), which share them. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t some_call = PTHREAD_COND_INITIALIZER, some_end = PTHREAD_COND_INITIALIZER;
static call_t *calls;
static pthread_t helpers[MOST_THREADS];
static uint32_t helper_count, environments, generation;

static void *help(void *own)
{
  pthread_mutex_lock(&lock);
  while (generation == (uintptr_t)own) {
    call_t *call = calls;
    while (call != NULL && call->helpers_wanted == 0) call = call->following;
    if (call == NULL) {
      pthread_cond_wait(&some_call, &lock);
      continue;
    }
    call->helpers_wanted--;
    call->helpers_at_work++;
    pthread_mutex_unlock(&lock);
    work_on(call);
    pthread_mutex_lock(&lock);
    if (--call->helpers_at_work == 0) pthread_cond_broadcast(&some_end);
  }
  pthread_mutex_unlock(&lock);
  return NULL;
}

/* There are at least so many helpers afterwards, unless the system has no more threads. */
static void call_helpers(uint32_t wanted)
{
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, STACK);
  while (environments > 0 && helper_count < wanted) {
    if (pthread_create(&helpers[helper_count], &attributes, help, (void *)(uintptr_t)generation) != 0) break;
    helper_count++;
  }
  pthread_attr_destroy(&attributes);
}

/* By as many threads as there are parts. What no helper comes for, this thread does. */
static void compute(call_t *call)
{
  const size_t least = call->kernel->least, most = call->kernel->most;
  const size_t share = (call->rows + call->threads - 1) / call->threads;
  const size_t rounded = (share + least - 1) / least * least;
  call->chunk = (call->threads == 1) ? call->rows : (rounded < most ? rounded : most);
  call->next = 0;
  if (call->chunk >= call->rows) {
    work_on(call);
    return;
  }
  const size_t parts = (call->rows + call->chunk - 1) / call->chunk;
  pthread_mutex_lock(&lock);
  call->helpers_wanted = (uint32_t)(parts < call->threads ? parts : call->threads) - 1;
  call_helpers(call->helpers_wanted);
  call->following = calls;
  calls = call;
  pthread_cond_broadcast(&some_call);
  pthread_mutex_unlock(&lock);
  work_on(call);
  pthread_mutex_lock(&lock);
  call_t **place = &calls;
  while (*place != call) place = &(*place)->following;
  *place = call->following;
  while (call->helpers_at_work > 0) pthread_cond_wait(&some_end, &lock);
  pthread_mutex_unlock(&lock);
}

/* The last environment takes the helpers with it: this code may go from memory then. */
static void leave(void *unused)
{
  pthread_t last[MOST_THREADS];
  uint32_t count = 0;
  (void)unused;
  pthread_mutex_lock(&lock);
  if (--environments == 0) {
    for (; count < helper_count; count++) last[count] = helpers[count];
    helper_count = 0;
    generation++;
    pthread_cond_broadcast(&some_call);
  }
  pthread_mutex_unlock(&lock);
  while (count > 0) pthread_join(last[--count], NULL);
}

static void execute(napi_env env, void *data)
{
  (void)env;
  compute(data);
}

static void complete(napi_env env, int status, void *data)
{
  call_t *call = data;
  napi_value undefined;
  (void)status;
  napi_get_undefined(env, &undefined);
  napi_delete_reference(env, call->arrays);
  napi_delete_async_work(env, call->work);
  give_up(call->kernel);
  napi_resolve_deferred(env, call->deferred, undefined);
  free(call);
}

static napi_value failed(napi_env env, const char *what)
{
  napi_throw_error(env, NULL, what);
  return NULL;
}

/* load(path, weights) */
static napi_value load(napi_env env, napi_callback_info info)
{
  size_t count = 2, length = 0;
  int type = 0;
  napi_value args[2], made;
  char path[4096];
  void *weights = NULL;
  kernel_t *kernel;
  void (*sizes)(size_t *, size_t *);
  napi_get_cb_info(env, info, &count, args, NULL, NULL);
  if (napi_get_value_string_utf8(env, args[0], path, sizeof path, &length) != 0) return failed(env, "no path");
  if (napi_get_typedarray_info(env, args[1], &type, &length, &weights, NULL, NULL) != 0) return failed(env, "no weights");
  kernel = calloc(1, sizeof *kernel);
  if (kernel == NULL) return failed(env, "no memory");
  kernel->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (kernel->library == NULL) {
    free(kernel);
    return failed(env, dlerror());
  }
  *(void **)&kernel->run = dlsym(kernel->library, "sg_kernel");
  *(void **)&sizes = dlsym(kernel->library, "sg_sizes");
  kernel->uses = 1;
  if (kernel->run == NULL || sizes == NULL || posix_memalign(&kernel->memory, 64, length * 4 + 64) != 0) {
    give_up(kernel);
    return failed(env, "this is no kernel, or there is no memory");
  }
  if (length > 0) memcpy(kernel->memory, weights, length * 4);
  kernel->weights = kernel->memory;
  sizes(&kernel->most, &kernel->least);
  napi_create_external(env, kernel, finalize, NULL, &made);
  return made;
}

/* run(kernel, [inputs, outputs], numbers of inputs, rows, steps, threads, whether to wait): a promise where it does not wait. */
static napi_value run(napi_env env, napi_callback_info info)
{
  size_t count = 7;
  napi_value args[7], array, promise, name;
  uint32_t inputs = 0, rows = 0, steps = 0, arrays = 0, threads = 1;
  bool waits = true;
  call_t *call = calloc(1, sizeof *call);
  if (call == NULL) return failed(env, "no memory");
  napi_get_cb_info(env, info, &count, args, NULL, NULL);
  napi_get_value_external(env, args[0], (void **)&call->kernel);
  napi_get_array_length(env, args[1], &arrays);
  napi_get_value_uint32(env, args[2], &inputs);
  napi_get_value_uint32(env, args[3], &rows);
  napi_get_value_uint32(env, args[4], &steps);
  napi_get_value_uint32(env, args[5], &threads);
  napi_get_value_bool(env, args[6], &waits);
  if (arrays > MOST_ARRAYS || inputs > arrays || call->kernel == NULL) {
    free(call);
    return failed(env, "too many arrays");
  }
  for (uint32_t k = 0; k < arrays; k++) {
    void *data = NULL;
    napi_get_element(env, args[1], k, &array);
    size_t length = 0;
    napi_get_typedarray_info(env, array, NULL, &length, &data, NULL, NULL);
    if (k < inputs) {
      call->in[k] = data;
      continue;
    }
    call->out[k - inputs] = data;
    prefer_huge_pages(data, length * sizeof(float));
  }
  call->rows = rows;
  call->steps = steps;
  call->threads = threads < 1 ? 1 : threads > MOST_THREADS ? MOST_THREADS : threads;
  if (waits) {
    compute(call);
    free(call);
    return NULL;
  }
  call->kernel->uses++;
  napi_create_reference(env, args[1], 1, &call->arrays);
  napi_create_promise(env, &call->deferred, &promise);
  napi_create_string_utf8(env, "astrochem kernel", (size_t)-1, &name);
  napi_create_async_work(env, NULL, name, execute, complete, call, &call->work);
  napi_queue_async_work(env, call->work);
  return promise;
}

__attribute__((visibility("default"))) int32_t node_api_module_get_api_version_v1(void)
{
  return 8;
}

__attribute__((visibility("default"))) napi_value napi_register_module_v1(napi_env env, napi_value exports)
{
  napi_value function;
  pthread_mutex_lock(&lock);
  environments++;
  pthread_mutex_unlock(&lock);
  napi_add_env_cleanup_hook(env, leave, env);
  napi_create_function(env, "load", (size_t)-1, load, NULL, &function);
  napi_set_named_property(env, exports, "load", function);
  napi_create_function(env, "run", (size_t)-1, run, NULL, &function);
  napi_set_named_property(env, exports, "run", function);
  return exports;
}
`.replace("STACK", `${16 * 1024 * 1024}`);
