// The functions of kernel/cuda/device.cuh on a CPU: every CUDA thread is a fiber, and the scheduler takes
// them in an order that a seed shuffles, up to the next barrier. A kernel that misses a barrier gives other
// results under another seed; one whose threads wait for what never comes is reported as a deadlock.
//
// Shared memory starts as NaNs and ends where the kernel's share ends (for the address sanitizer). Asynchronous
// copies land as late as is allowed, or at once, by the seed. Not modelled: the memory order of a real device
// beyond its barriers, and speed.
#pragma once

#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#define __device__
#define __global__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __cluster_dims__(...)

#ifndef EMULATED_THREADS
#define EMULATED_THREADS 64
#endif
constexpr int THREADS = EMULATED_THREADS;

struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(16) uint4 {
  uint32_t x, y, z, w;
};
typedef unsigned short bf16;

namespace emulated {

struct Barrier {
  unsigned expected = 0, arrived = 0, phase = 0;
  unsigned arrive() {
    unsigned mine = phase;
    if (++arrived == expected) arrived = 0, ++phase;
    return mine;
  }
};

// A warp's exchange, twice, so that one barrier an exchange is enough.
struct Warp {
  Barrier barrier;
  uint32_t words[2][32][6];
};

struct Cluster {
  Barrier barrier;
  std::vector<struct Block *> blocks;
};

struct Block {
  unsigned index, rank;
  Cluster *cluster;
  Barrier barrier;
  std::vector<Warp> warps;
  std::unique_ptr<char[]> shared;
  size_t shared_bytes;
};

struct Fiber {
  ucontext_t context;
  jmp_buf jump;
  bool started = false;
  std::unique_ptr<char[]> stack;
  Block *block;
  unsigned thread, threads;
  unsigned exchanges = 0, cluster_phase = 0;
  std::function<bool()> ready;
  bool finished = false;
  std::vector<std::vector<std::pair<float *, const float *>>> copies{1};
};

inline ucontext_t scheduler;
inline jmp_buf scheduler_jump;
inline Fiber *current = nullptr;
inline std::mt19937 order;
inline bool copies_are_late = true;
inline const std::function<void()> *kernel = nullptr;

// `swapcontext` asks the system to keep the signal mask every time; jumps do not. The sanitizer only knows the
// former.
inline void to_scheduler() {
#ifdef __SANITIZE_ADDRESS__
  swapcontext(&current->context, &scheduler);
#else
  if (_setjmp(current->jump) == 0) _longjmp(scheduler_jump, 1);
#endif
}
inline void to_fiber(Fiber *fiber) {
  current = fiber;
#ifdef __SANITIZE_ADDRESS__
  swapcontext(&scheduler, &fiber->context);
#else
  if (_setjmp(scheduler_jump) != 0) return;
  if (fiber->started) _longjmp(fiber->jump, 1);
  fiber->started = true;
  setcontext(&fiber->context);
#endif
}

inline void wait_until(std::function<bool()> ready) {
  if (ready()) return;
  current->ready = std::move(ready);
  to_scheduler();
}

// Lets others go on, for instance between the halves of a barrier.
inline void pause() {
  current->ready = [] { return true; };
  to_scheduler();
}

inline void wait_at(Barrier &barrier) {
  unsigned phase = barrier.arrive();
  wait_until([&barrier, phase] { return barrier.phase != phase; });
}

inline void entry() {
  (*kernel)();
  current->finished = true;
  to_scheduler();
}

// Runs `blocks` blocks, all resident, in clusters of `cluster`. Returns false on a deadlock.
inline bool launch(unsigned blocks, unsigned threads, size_t shared_bytes, unsigned cluster, unsigned seed,
                   const std::function<void()> &body) {
  constexpr size_t STACK = 256 * 1024;
  order.seed(seed);
  copies_are_late = seed % 2 == 0;
  kernel = &body;
  std::vector<std::unique_ptr<Cluster>> clusters;
  std::vector<std::unique_ptr<Block>> all;
  std::vector<std::unique_ptr<Fiber>> fibers;
  for (unsigned b = 0; b < blocks; ++b) {
    if (b % cluster == 0) {
      clusters.push_back(std::make_unique<Cluster>());
      clusters.back()->barrier.expected = cluster * threads;
    }
    auto block = std::make_unique<Block>();
    block->index = b, block->rank = b % cluster, block->cluster = clusters.back().get();
    block->barrier.expected = threads;
    block->warps.resize((threads + 31) / 32);
    for (auto &warp : block->warps) warp.barrier.expected = 32;
    block->shared.reset(new char[shared_bytes]);
    block->shared_bytes = shared_bytes;
    memset(block->shared.get(), 0xff, shared_bytes);
    clusters.back()->blocks.push_back(block.get());
    for (unsigned t = 0; t < threads; ++t) {
      auto fiber = std::make_unique<Fiber>();
      fiber->block = block.get(), fiber->thread = t, fiber->threads = threads;
      fiber->stack.reset(new char[STACK]);
      getcontext(&fiber->context);
      fiber->context.uc_stack.ss_sp = fiber->stack.get();
      fiber->context.uc_stack.ss_size = STACK;
      fiber->context.uc_link = nullptr;
      makecontext(&fiber->context, entry, 0);
      fibers.push_back(std::move(fiber));
    }
    all.push_back(std::move(block));
  }
  std::vector<Fiber *> alive;
  for (auto &fiber : fibers) alive.push_back(fiber.get());
  // All get a turn, or one block or warp alone, which goes on until it must wait for others: so that a thread
  // can be ahead of the rest by as much as the barriers allow.
  const Block *only_block = nullptr;
  const Warp *only_warp = nullptr;
  auto warp_of = [](Fiber *fiber) { return &fiber->block->warps[fiber->thread / 32]; };
  while (!alive.empty()) {
    bool moved = false;
    std::shuffle(alive.begin(), alive.end(), order);
    for (Fiber *fiber : alive) {
      if (only_block && fiber->block != only_block) continue;
      if (only_warp && warp_of(fiber) != only_warp) continue;
      if (fiber->ready && !fiber->ready()) continue;
      fiber->ready = nullptr;
      to_fiber(fiber);
      moved = true;
    }
    std::erase_if(alive, [](Fiber *fiber) { return fiber->finished; });
    if (moved && (only_block || only_warp)) continue;
    if (!moved && !only_block && !only_warp) return false;
    only_block = nullptr, only_warp = nullptr;
    Fiber *favoured = alive.empty() ? nullptr : alive[order() % alive.size()];
    if (favoured && order() % 3 == 0) only_block = favoured->block;
    else if (favoured && order() % 2 == 0) only_warp = warp_of(favoured);
  }
  return true;
}

// What lane `from` of the warp put up, for all lanes: `words` of each.
inline const uint32_t (*exchange(const uint32_t *words, int count))[6] {
  Warp &warp = current->block->warps[current->thread / 32];
  auto &slot = warp.words[current->exchanges++ % 2];
  memcpy(slot[current->thread % 32], words, count * sizeof(uint32_t));
  wait_at(warp.barrier);
  return slot;
}

inline float from_bf16(bf16 bits) {
  uint32_t word = static_cast<uint32_t>(bits) << 16;
  float value;
  memcpy(&value, &word, 4);
  return value;
}

template <class T> inline T *in_block(T *local, Block *other) {
  Block *own = current->block;
  size_t offset = reinterpret_cast<char *>(local) - own->shared.get();
  if (offset + sizeof(T) > own->shared_bytes) {
    fprintf(stderr, "a remote store outside shared memory\n");
    abort();
  }
  return reinterpret_cast<T *>(other->shared.get() + offset);
}

} // namespace emulated

inline unsigned thread() { return emulated::current->thread; }
inline unsigned block() { return emulated::current->block->index; }
inline unsigned block_threads() { return emulated::current->threads; }
inline void sync_block() { emulated::wait_at(emulated::current->block->barrier); }
inline char *shared_memory() { return emulated::current->block->shared.get(); }

inline float shuffle_xor(float value, int mask) {
  uint32_t word;
  memcpy(&word, &value, 4);
  auto words = emulated::exchange(&word, 1);
  memcpy(&value, &words[thread() % 32 ^ mask][0], 4);
  return value;
}

// To nearest, ties to even.
inline bf16 to_bf16(float value) {
  uint32_t word;
  memcpy(&word, &value, 4);
  if (std::isnan(value)) return 0x7fff;
  return (word + 0x7fff + (word >> 16 & 1)) >> 16;
}

// Element by element as the PTX manual lays out the fragments of mma.m16n8k16: a0, a1 in the first register at
// (row = lane / 4, k = 2 * (lane % 4) + 0, 1), the second register 8 rows further, the third 8 k further, the
// fourth both; b likewise with (k = 2 * (lane % 4) + 0, 1; 8 k further, column = lane / 4); d at
// (row = lane / 4, column = 2 * (lane % 4) + 0, 1), then 8 rows further.
inline void multiply_add(float (&d)[4], uint4 a, uint32_t b0, uint32_t b1) {
  const uint32_t mine[6] = {a.x, a.y, a.z, a.w, b0, b1};
  auto words = emulated::exchange(mine, 6);
  auto half = [](uint32_t word, int odd) { return emulated::from_bf16(static_cast<bf16>(word >> 16 * odd)); };
  const int lane = thread() % 32;
  for (int j = 0; j < 4; ++j) {
    int row = lane / 4 + 8 * (j / 2), column = 2 * (lane % 4) + j % 2;
    for (int k = 0; k < 16; ++k) {
      int pair = k % 8 / 2, further = k / 8;
      float left = half(words[row % 8 * 4 + pair][2 * further + row / 8], k % 2);
      float right = half(words[column * 4 + pair][4 + further], k % 2);
      d[j] += left * right;
    }
  }
}

inline void copy_async(float *shared, const float *global) {
  if (!emulated::copies_are_late) *shared = *global;
  emulated::current->copies.back().push_back({shared, global});
}
inline void copy_commit() { emulated::current->copies.emplace_back(); }
template <int LATER> inline void copy_wait() {
  auto &copies = emulated::current->copies;
  while (copies.size() > LATER + 1) {
    if (emulated::copies_are_late)
      for (auto [shared, global] : copies.front()) *shared = *global;
    copies.erase(copies.begin());
  }
}

inline void cluster_arrive() {
  emulated::current->cluster_phase = emulated::current->block->cluster->barrier.arrive();
  emulated::pause();
}
inline void cluster_wait() {
  emulated::Fiber *fiber = emulated::current;
  emulated::wait_until([fiber] { return fiber->block->cluster->barrier.phase != fiber->cluster_phase; });
}
template <class T> inline void store_remote(T *local, unsigned rank, T value) {
  *emulated::in_block(local, emulated::current->block->cluster->blocks[rank]) = value;
}

inline void counter_arrive(unsigned *counter) {
  ++*counter;
  emulated::pause();
}
inline void counter_wait(unsigned *counter, unsigned target) {
  emulated::wait_until([counter, target] { return *counter >= target; });
}
template <class T> inline T load_fresh(const T *global) { return *global; }
